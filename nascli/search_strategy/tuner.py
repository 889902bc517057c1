"""A tuner with the methods of NNI's, over any search strategy that is asked and told."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from nascli.component import resolve
from nascli.cost.feasible import FeasibleSet
from nascli.cost.model import CostModel
from nascli.errors import UsageError
from nascli.run import stream_seed
from nascli.search_strategy.base import AskTell, Need, Score, SearchStrategy
from nascli.space import Archs, Forward, Space
from nascli.space.exchange import from_nni, to_answer

if TYPE_CHECKING:
    from torch import Tensor

NAN = float("nan")


class NoMoreTrial(UsageError):
    """The search strategy proposes nothing before results of open trials are there; ask again after the next one."""


class TunerProblem:
    """Implements `SearchProblem` for a strategy whose architectures are scored elsewhere.

    There are no costs, so that every architecture of the space is feasible; how many trials there will be, nobody said.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        self.costs = CostModel(space, {})
        self.feasible = FeasibleSet(self.costs)
        self.arch_parameters: Mapping[str, Tensor] = {}
        self.offers: frozenset[Need] = frozenset({"score"})
        self.kept: tuple[int, Mapping[str, Any]] | None = None
        self.remaining = sys.maxsize

    def score(self, archs: Archs) -> list[Score]:
        """Refused: trials give the scores."""
        raise UsageError("a tuner gives scores when its trials end, not when it is asked for them")

    def order(self, archs: Archs, scores: Sequence[Score]) -> npt.NDArray[np.int64]:
        """Positions from best to worst, then lexicographic; failed ones last."""
        accuracy = np.array([score.accuracy for score in scores])
        return np.lexsort((*np.asarray(archs).T[::-1], -accuracy)).astype(np.int64)

    def relaxed_loss(self, forward: Forward) -> Tensor:
        """Refused: trials give no gradient."""
        raise UsageError("a tuner gives no gradient")

    def keep(self, step: int, steps: int, state: Callable[[], Mapping[str, Any]], metric: str = "") -> bool:
        """Refused: nothing is trained between trials."""
        raise UsageError("a tuner keeps nothing")


@dataclass
class _Round:
    """What a strategy asked for at once, (n, d), the scores so far, and how many became trials."""

    archs: Archs
    scores: list[Score | None]
    given: int = 0


class Tuner:
    """Proposes architectures to trials that run elsewhere, and hears how they did.

    Args:
        strategy: an ask/tell search strategy: its name, its name with options
            (`{"use": "evolution", "population": 8}`), or one that is built already.
        seed: equal seeds and equal results in equal order give equal proposals.
        optimize_mode: whether large values are the good ones.

    Raises:
        UsageError: the strategy needs more than to be asked and told; or another mode.
    """

    def __init__(
        self,
        strategy: str | Mapping[str, Any] | SearchStrategy = "evolution",
        seed: int = 0,
        *,
        optimize_mode: Literal["maximize", "minimize"] = "maximize",
    ) -> None:
        found = strategy if isinstance(strategy, SearchStrategy) else resolve("search_strategy", strategy).build()
        if not isinstance(found, AskTell) or found.requires - {"score"}:
            raise UsageError(f"a tuner asks and tells its search strategy, which {type(found).__name__} does not take")
        if optimize_mode not in ("maximize", "minimize"):
            raise UsageError(f"optimize_mode is maximize or minimize, found {optimize_mode!r:.60}")
        self._strategy, self._seed, self._sign = found, seed, 1 if optimize_mode == "maximize" else -1
        self._space: Space | None = None
        self._round: _Round | None = None
        self._trials: dict[Any, tuple[_Round, int]] = {}

    def update_search_space(self, search_space: Mapping[str, Any] | Space) -> None:
        """Start a search; called first. A later one starts anew, and open trials of the earlier one no longer count.

        Args:
            search_space: in the JSON of NNI; or a `Space`, whose conditions and unordered decisions that JSON lacks.

        Raises:
            UsageError: it is no search space.
        """
        self._space = search_space if isinstance(search_space, Space) else from_nni(search_space)
        self._round = None
        rng = np.random.default_rng(stream_seed(self._seed, "search"))
        self._strategy.begin(TunerProblem(self._space), rng)

    def generate_parameters(self, parameter_id: Any, **kwargs: Any) -> dict[str, dict[str, Any]]:
        """The answer to try in a new trial, key → `{"_value": …, "_idx": …}`; an architecture may come again.

        Args:
            parameter_id: of the trial, not used before.
            kwargs: whatever else a caller passes; not looked at.

        Raises:
            NoMoreTrial: nothing can be proposed before results are there.
            UsageError: there is no search space yet, or the trial has been given an answer already.
        """
        if self._space is None:
            raise UsageError("the tuner knows no search space", hint="call its update_search_space() first")
        if parameter_id in self._trials:
            raise UsageError(f"trial {parameter_id} has been given its parameters already")
        found = self._open_round(self._space)
        self._trials[parameter_id] = found, found.given
        found.given += 1
        return to_answer(self._space, found.archs[found.given - 1])

    def _open_round(self, space: Space) -> _Round:
        """The round that still has architectures to give; a new one where the last one is told."""
        if self._round is None:
            archs = space.check(self._strategy.ask())
            self._round = _Round(archs, [None] * len(archs))
        if self._round.given == len(self._round.archs):
            waiting = self._round.scores.count(None)
            what = f"{type(self._strategy).__name__} proposes nothing before {waiting} open trials end"
            raise NoMoreTrial(what, hint="ask again after the next result")
        return self._round

    def receive_trial_result(
        self, parameter_id: Any, parameters: Any, value: float | Mapping[str, float], **kwargs: Any
    ) -> None:
        """The result of a trial; a value that is not finite counts as a failure. The first word on a trial counts.

        Args:
            parameter_id: of the trial.
            parameters: what it was given; not looked at.
            value: the result, alone or as "default" among others.
            kwargs: whatever else a caller passes; not looked at.

        Raises:
            UsageError: an unknown trial, or no number.
        """
        found = value.get("default") if isinstance(value, Mapping) else value
        if isinstance(found, bool) or not isinstance(found, int | float | np.integer | np.floating):
            raise UsageError(f"trial {parameter_id}: expected a number or {{'default': number}}, found {value!r:.60}")
        number = self._sign * float(found)
        failed = None if math.isfinite(number) else f"the result is {found}"
        self._tell(parameter_id, Score(NAN, NAN, 0, failed) if failed else Score(number, -number, 0))

    def trial_end(self, parameter_id: Any, success: bool, **kwargs: Any) -> None:
        """A trial is over; one that gave no result by now has failed, and the search goes on without it.

        Raises:
            UsageError: an unknown trial.
        """
        self._tell(parameter_id, Score(NAN, NAN, 0, "the trial gave no result" if success else "the trial failed"))

    def _tell(self, parameter_id: Any, score: Score) -> None:
        """Keep the first score of a trial; the last one of a round goes to the strategy with all others."""
        if parameter_id not in self._trials:
            raise UsageError(f"trial {parameter_id} is unknown: it was never given parameters")
        found, position = self._trials[parameter_id]
        if found.scores[position] is not None:
            return
        found.scores[position] = score
        scores = [score for score in found.scores if score is not None]
        if found is self._round and len(scores) == len(found.archs):
            self._round = None
            self._strategy.tell(found.archs, scores)
