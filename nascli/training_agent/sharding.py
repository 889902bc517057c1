"""A search on several processes: the first one searches, and all score what it asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nascli.ranks import Ranks
from nascli.search_strategy.base import Score
from nascli.space import Archs, Forward
from nascli.training_agent.base import Evaluator, EvaluatorInputs

if TYPE_CHECKING:
    from torch import Tensor


class Sharded(Evaluator):
    """An evaluator whose groups are scored by several processes at once, each by a prepared evaluator of its own.

    The order of scores, and the scores, are those of the evaluator by itself.
    """

    def __init__(self, evaluator: Evaluator, ranks: Ranks) -> None:
        super().__init__()
        self._evaluator, self._ranks = evaluator, ranks
        self.offers = evaluator.offers  # type: ignore[misc]
        self._parts: dict[bytes, list[Archs]] = {}

    def prepare(self, inputs: EvaluatorInputs) -> Mapping[str, Any]:
        """As the evaluator."""
        return self._evaluator.prepare(inputs)

    def groups(self, archs: Archs) -> list[list[int]]:
        """As many groups of the evaluator together as there are processes; fewer ones are cut."""
        groups = self._evaluator.groups(archs)
        units = groups if self._evaluator.compares else _cut(groups, self._ranks.world_size)
        together = [units[i : i + self._ranks.world_size] for i in range(0, len(units), self._ranks.world_size)]
        found = [[row for unit in several for row in unit] for several in together]
        parts = [[archs[unit] for unit in several] for several in together]
        self._parts = dict(zip((archs[rows].tobytes() for rows in found), parts, strict=True))
        return found

    def evaluate(self, archs: Archs) -> list[Score]:
        """All together: a part by each process."""
        parts = self._parts.get(archs.tobytes(), [archs])
        self._ranks.broadcast(parts)
        return [score for scores in self._ranks.gather(_scores(self._evaluator, parts, 0)) for score in _good(scores)]

    def arch_parameters(self) -> Mapping[str, Tensor]:
        """As the evaluator."""
        return self._evaluator.arch_parameters()

    def relaxed_loss(self, forward: Forward, call: int) -> Tensor:
        """As the evaluator, on the first process alone."""
        return self._evaluator.relaxed_loss(forward, call)


def _cut(groups: list[list[int]], n: int) -> list[list[int]]:
    """Halve the largest until there are `n`, or nothing is left to halve."""
    groups = [list(rows) for rows in groups]
    while len(groups) < n and any(len(rows) > 1 for rows in groups):
        i = max(range(len(groups)), key=lambda i: len(groups[i]))
        half = len(groups[i]) // 2
        groups[i : i + 1] = [groups[i][:half], groups[i][half:]]
    return groups


def _scores(evaluator: Evaluator, parts: list[Archs], rank: int) -> list[Score] | Exception:
    """Of this process's part; nothing where there are fewer parts than processes."""
    if rank >= len(parts):
        return []
    try:
        found: dict[int, Score] = {}
        for rows in evaluator.groups(parts[rank]):
            found |= dict(zip(rows, evaluator.evaluate(parts[rank][rows]), strict=True))
        return [found[row] for row in range(len(parts[rank]))]
    except Exception as error:
        if rank == 0:
            raise
        return error


def _good(scores: list[Score] | Exception) -> list[Score]:
    if isinstance(scores, Exception):
        raise scores
    return scores


def serve(evaluator: Evaluator, ranks: Ranks) -> Any:
    """Score for the first process until it is `done`; what it found."""
    while True:
        told: list[Archs] | tuple[str, Any] = ranks.broadcast([])
        if isinstance(told, tuple):
            return told[1]
        ranks.gather(_scores(evaluator, told, ranks.rank))


def done(result: Any, ranks: Ranks) -> None:
    """Tell the processes that serve."""
    ranks.broadcast(("done", result))
