"""Single-path training within the constraint."""

from __future__ import annotations

from nascli.cost.feasible import FeasibleSet
from nascli.cost.model import CostModel
from nascli.errors import UsageError
from nascli.space import Space
from nascli.training_strategy.uniform import Uniform


class Constrained(Uniform):
    """Each step trains one architecture, drawn uniformly from those that meet the constraint.

    No step is then spent on what a search under the same constraint would refuse.
    """

    @property
    def pool(self) -> FeasibleSet:
        """What is drawn from."""
        return self.feasible

    def setup(self, space: Space, costs: CostModel, feasible: FeasibleSet) -> None:
        """Look at the constraint.

        Raises:
            UsageError: there is none.
            Infeasible: no architecture meets it.
        """
        super().setup(space, costs, feasible)
        if not feasible.constraints:
            raise UsageError(
                "constrained training needs a constraint", hint="name one: --constraint 'macs<=…'; or take: uniform"
            )
        feasible.require()
