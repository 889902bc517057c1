"""The architectures that a stage may take, and a word about bounds that nobody can vouch for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nascli.component import installed
from nascli.console import out
from nascli.cost.constraint import Constraint
from nascli.cost.feasible import FeasibleSet
from nascli.cost.model import CostModel, Metric


def bounded(costs: CostModel, constraints: Sequence[Constraint], margin: float | None) -> FeasibleSet:
    """The architectures that meet all constraints; a bound on measured costs whose error nobody knows is told of.

    Args:
        margin: of measured costs, relative; None: what each metric states as its error.

    Raises:
        UsageError: a constraint on a metric that the costs do not have, or a margin below 0.
        Infeasible: no architecture meets them.
    """
    feasible = FeasibleSet(costs, constraints, margin=margin)
    feasible.require()
    if margin is None:
        for sentence in _unknown(feasible):
            out.warning(sentence)
    return feasible


def _unknown(feasible: FeasibleSet) -> Iterator[str]:
    """What is counted, in whole numbers, needs no margin."""
    for name in dict.fromkeys(constraint.metric for constraint in feasible.constraints):
        metric = feasible.model[name]
        if not (metric.exact or metric.is_integer) and metric.error is None:
            yield (
                f"bounds on {name} have no margin: no whole networks tell how far its table is off; "
                f"{_way(metric)}; or --margin 0 if that is meant"
            )


def _way(metric: Metric) -> str:
    """How its table is made with whole networks: an imported one notes its file, one that was sampled its rounds."""
    meter, _, device = metric.name.partition("@")
    if "file" in metric.notes:
        return "measure some: nascli export-blocks -c CONFIG --networks 60 -o blocks, then nascli import-measurements"
    if "rounds" not in metric.notes:
        return "if you know it, say it: --margin 0.05 is 5 %"
    use = meter if meter in installed("meter") else f"./FILE.py:{meter}"
    options = f"use: {use}, networks: 60" + (f", device: {device}" if device else "")
    return f"measure some: nascli build-lut -c CONFIG --set 'meters=[macs, params, {{{options}}}]' -o lut.h5"
