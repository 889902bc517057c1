"""What scores groups of architectures: the contract, and the processes of a run, of which the first one searches."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from math import isfinite
from typing import Any, Protocol

import numpy as np

from nascli.errors import RunFailed
from nascli.ranks import ALONE, Ranks
from nascli.search_strategy.base import Score
from nascli.space import Archs, compact
from nascli.training_agent.base import Evaluator

Scored = Generator[tuple[Archs, list[Score]], None, None]


class Workers(Protocol):
    """What scores groups of architectures."""

    @property
    def at_once(self) -> int:
        """How many groups are scored at the same time."""
        ...

    def scores(self, groups: Sequence[Archs]) -> Scored:
        """Groups, one or several together (n, d), with what `scored` gives for them, in whatever order they come.

        Closing it gives up those that have not come.

        Raises:
            Interrupted: the run was asked to stop.
            RunFailed: nothing can be scored any more.
        """
        ...


def scored(evaluator: Evaluator, archs: Archs) -> list[Score]:
    """The scores of a group (n, d), if they are what an evaluator may give.

    Raises:
        RunFailed: there are more or fewer than architectures, or one is no number without saying why.
    """
    scores, name = evaluator.evaluate(archs), type(evaluator).__name__
    rule = "an evaluator gives each architecture finite numbers, or NaN and an error"
    if len(scores) != len(archs):
        raise RunFailed(f"the evaluator {name} gave {len(scores)} scores for {len(archs)} architectures", why=rule)
    for arch, score in zip(archs, scores, strict=True):
        if score.error is None and not (isfinite(score.accuracy) and isfinite(score.loss)):
            what = f"the evaluator {name} scored {compact(arch)} with {score.accuracy}, loss {score.loss}"
            raise RunFailed(what, why=rule)
    return scores


def shared_out(groups: Sequence[list[int]], parts: int) -> list[list[int]]:
    """The groups, neighbours in the same order, cut so that there are about `parts` of them or more."""
    most = -(-sum(map(len, groups)) // max(1, parts))
    return [rows[i : i + most] for rows in groups for i in range(0, len(rows), most)]


class Processes:
    """Implements `Workers` with the processes of a run, each with a prepared evaluator of its own.

    This is the first of them; the others `serve` until it is `done`. By default it is the only one.
    """

    def __init__(self, evaluator: Evaluator, ranks: Ranks = ALONE) -> None:
        self.at_once = ranks.world_size
        self._evaluator, self._ranks = evaluator, ranks

    def scores(self, groups: Sequence[Archs]) -> Scored:
        """As many groups together as there are processes, when they are asked for, in order."""
        for i in range(0, len(groups), self.at_once):
            parts = list(groups[i : i + self.at_once])
            self._ranks.broadcast(parts)
            answers = self._ranks.gather(_answer(self._evaluator, parts, 0))
            yield np.concatenate(parts), [score for answer in answers for score in _good(answer)]


def _answer(evaluator: Evaluator, parts: Sequence[Archs], rank: int) -> list[Score] | Exception:
    """What a process says of its part; nothing where there are fewer parts than processes."""
    if rank >= len(parts):
        return []
    try:
        return scored(evaluator, parts[rank])
    except Exception as error:
        if rank == 0:
            raise
        return error


def _good(answer: list[Score] | Exception) -> list[Score]:
    if isinstance(answer, Exception):
        raise answer
    return answer


def serve(evaluator: Evaluator, ranks: Ranks) -> Any:
    """Score for the first process until it is `done`; what it found."""
    while True:
        told: list[Archs] | tuple[str, Any] = ranks.broadcast([])
        if isinstance(told, tuple):
            return told[1]
        ranks.gather(_answer(evaluator, told, ranks.rank))


def done(result: Any, ranks: Ranks) -> None:
    """Tell the processes that serve."""
    ranks.broadcast(("done", result))
