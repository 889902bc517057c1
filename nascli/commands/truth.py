"""What is known of the architectures of a space beforehand: a tabular benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nascli.cost.constraint import Constraint
from nascli.errors import ConfigError

if TYPE_CHECKING:
    from nascli.cost.model import CostModel


class Truth:
    """Scores of a tabular benchmark, as the evaluator `table` reads them.

    Args:
        text: "FILE" or "FILE:FIELD"; the field is `mean_acc` without.
        costs: of the space, for ranks within a constraint.
    """

    def __init__(self, text: str, costs: CostModel) -> None:
        from nascli.training_agent.table_evaluator import TableEvaluator

        path, _, name = text.rpartition(":") if ":" in text and not Path(text).exists() else (text, "", "")
        self._table = TableEvaluator(TableEvaluator.Config(path=Path(path), score=name or "mean_acc"))
        self._table.load()
        self._costs = costs
        self._ranks: dict[tuple[str, ...], list[float]] = {}

    @cached_property
    def _known(self) -> tuple[Any, Any]:
        """All architectures of the benchmark (n, d) and their scores (n,), without those that have none."""
        import numpy as np

        archs = np.array(self._table.architectures(), dtype=np.int64)
        if archs.ndim != 2 or archs.shape[1] != len(self._costs.space.decisions):
            raise ConfigError("the truth is of another search space", why=f"'{self._costs.space.name}' is searched")
        scores = np.array([score.accuracy for score in self._table.evaluate(archs)])
        return archs[~np.isnan(scores)], scores[~np.isnan(scores)]

    def of(self, arch: Sequence[int]) -> float | None:
        """The score of an architecture; None where the benchmark has none."""
        import numpy as np

        score = self._table.evaluate(np.array([arch], dtype=np.int64))[0]
        return None if score.error else score.accuracy

    def rank(self, arch: Sequence[int], constraints: Sequence[str]) -> int | None:
        """The place of an architecture among those that meet the constraints; 1 is the best."""
        from nascli.cost.feasible import FeasibleSet

        key, value = tuple(constraints), self.of(arch)
        if key not in self._ranks:
            archs, scores = self._known
            feasible = FeasibleSet(self._costs, [Constraint.parse(text) for text in constraints])
            self._ranks[key] = scores[feasible.contains(archs)].tolist()
        return None if value is None else 1 + sum(other > value for other in self._ranks[key])
