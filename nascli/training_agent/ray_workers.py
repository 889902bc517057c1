"""Groups of architectures on their way to Ray's actors and back; what is lost on the way is tried again."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from nascli import __version__, errors
from nascli.console import out
from nascli.errors import NascliError, RunFailed
from nascli.run import Run
from nascli.search_strategy.base import Score
from nascli.space import Archs
from nascli.training_agent.base import Evaluator
from nascli.training_agent.job import Job
from nascli.training_agent.workers import Scored, scored

POLL_S = 0.5
PATIENCE_S = 30.0
"""Without any worker, before a person is told what is waited for."""
NAN = float("nan")


class Worker:
    """The actor: an evaluator in a process of Ray's. What was refused comes back as a value, not as an exception."""

    def prepare(self, job: Job) -> tuple[int, str] | NascliError:
        """Resolve and load everything; the process and the machine."""
        try:
            self._evaluator: Evaluator = job.evaluator()
        except NascliError as error:
            return _plain(error)
        return os.getpid(), os.uname().nodename

    def score(self, archs: Archs) -> list[Score] | NascliError:
        """The scores of a group (n, d)."""
        try:
            return scored(self._evaluator, archs)
        except NascliError as error:
            return _plain(error)


def _plain(error: NascliError) -> NascliError:
    """The error as the nearest class of nascli's own, which every process knows."""
    cls = next(cls for cls in type(error).__mro__ if cls.__module__ == errors.__name__)
    made: NascliError = cls(error.what, why=error.why, hint=error.hint)
    return made


@dataclass(frozen=True)
class Task:
    """Some rows of a group, and how many workers were lost over them."""

    group: int
    rows: list[int]
    losses: int = 0

    def again(self, divides: bool) -> list[Task]:
        """What is tried after a loss: trial by trial, so that one that kills its worker takes no other with it."""
        parts = [[row] for row in self.rows] if divides else [self.rows]
        return [Task(self.group, rows, self.losses + 1) for rows in parts]


@dataclass(eq=False)
class Actor:
    """A worker as it is seen from here; `task`: what it is at, None while it prepares."""

    handle: Any
    about: dict[str, Any] = field(default_factory=dict)
    task: Task | None = None


class RayWorkers:
    """Implements `Workers` with actors.

    Args:
        needs: resource → how much a worker asks for, named as Ray does.
        at_once: workers at most.
        retries: of a trial, when its worker is lost.
        divides: whether a group may be scored in parts.
    """

    def __init__(
        self, job: Job, needs: Mapping[str, float], at_once: int, retries: int, run: Run, *, divides: bool
    ) -> None:
        import ray

        self.at_once = at_once
        self._ray, self._run, self._retries, self._divides = ray, run, retries, divides
        cpus, gpus, memory = needs["CPU"], needs["GPU"], needs.get("memory")
        self._actor = ray.remote(Worker).options(num_cpus=cpus, num_gpus=gpus, memory=memory, max_restarts=0)
        self._job = job
        self._idle: list[Actor] = []
        self._busy: dict[Any, Actor] = {}
        self._queue: deque[Task] = deque()
        self._unready = 0  # workers in a row that were lost before they were ready
        self._waiting_since: float | None = None

    def scores(self, groups: Sequence[Archs]) -> Scored:
        """See `Workers`."""
        found: list[dict[int, Score]] = [{} for _ in groups]
        self._queue.extend(Task(i, list(range(len(archs)))) for i, archs in enumerate(groups))
        left = len(groups)
        try:
            while left:
                self._run.stop_if_asked()
                self._hand_out(groups)
                for task, scores in self._returned():
                    mine = found[task.group]
                    mine |= dict(zip(task.rows, scores, strict=True))
                    if len(mine) == len(groups[task.group]):
                        left -= 1
                        yield groups[task.group], [mine[row] for row in range(len(mine))]
        finally:
            self._give_up()

    def close(self) -> None:
        """End all workers."""
        for actor in [*self._idle, *self._busy.values()]:
            self._end(actor)
        self._idle, self._busy = [], {}

    def _give_up(self) -> None:
        """Forget what is waiting, and end the workers that are at something."""
        self._queue.clear()
        for ref, actor in list(self._busy.items()):
            if actor.task is not None:
                self._end(self._busy.pop(ref))

    def _end(self, actor: Actor) -> None:
        with suppress(Exception):  # it may be gone already
            self._ray.kill(actor.handle)

    def _hand_out(self, groups: Sequence[Archs]) -> None:
        """Give work to idle workers, and start new ones where there is more than they can take."""
        while self._idle and self._queue:
            actor, task = self._idle.pop(), self._queue.popleft()
            actor.task = task
            self._busy[actor.handle.score.remote(groups[task.group][task.rows])] = actor
        preparing = sum(actor.task is None for actor in self._busy.values())
        for _ in range(min(len(self._queue) - preparing, self.at_once - len(self._busy) - len(self._idle))):
            actor = Actor(self._actor.remote())
            self._busy[actor.handle.prepare.remote(self._job)] = actor

    def _returned(self) -> Iterator[tuple[Task, list[Score]]]:
        """What has come back since; waits a little where nothing has."""
        ready, _ = self._ray.wait(list(self._busy), num_returns=1, timeout=POLL_S)
        self._tell_of_waiting()
        for ref in ready:
            actor = self._busy.pop(ref)
            try:
                answer = self._ray.get(ref)
            except self._ray.exceptions.RayTaskError as error:
                raise self._failed(error) from error
            except self._ray.exceptions.RayError as error:
                yield from self._lost(actor, error)
                continue
            if isinstance(answer, NascliError):
                raise answer
            task, actor.task = actor.task, None
            self._idle.append(actor)
            if task is None:
                self._is_ready(actor, *answer)
            else:
                yield task, answer

    def _is_ready(self, actor: Actor, pid: int, machine: str) -> None:
        self._unready = 0
        actor.about = {"pid": pid, "machine": machine}
        self._run.log(event="worker", **actor.about)

    def _lost(self, actor: Actor, error: Exception) -> Iterator[tuple[Task, list[Score]]]:
        """A worker is gone; its trials are tried again, or have failed by now."""
        self._end(actor)
        why, task = _reason(error), actor.task
        self._run.log(event="lost worker", why=why, trials=len(task.rows) if task else 0, **actor.about)
        if task is None:
            self._lost_unready(why)
        elif task.losses >= self._retries:
            failed = Score(NAN, NAN, 0, f"its worker was lost {task.losses + 1} times: {why}")
            yield task, [failed] * len(task.rows)
        else:
            out.warning(f"a worker was lost: {why}; its {len(task.rows)} trials are tried again")
            self._queue.extendleft(reversed(task.again(self._divides)))

    def _lost_unready(self, why: str) -> None:
        """One more worker is started instead; after several in a row no more are, and what is there goes on."""
        self._unready += 1
        if self._unready > self._retries:
            self.at_once -= 1
            if not self._idle and all(actor.task is None for actor in self._busy.values()):
                what = f"{self._unready} workers of Ray's in a row were lost before they were ready"
                raise RunFailed(
                    what, why=why, hint=f"each machine needs nascli {__version__}: pip install 'nascli[ray]'"
                )

    def _failed(self, error: Any) -> RunFailed:
        cause = error.cause
        why = f"{type(cause).__name__}: {cause}".partition("\n")[0][:200]
        return RunFailed("scoring failed in a worker", why=why, hint="executor: local shows where, with -v")

    def _tell_of_waiting(self) -> None:
        """Say once what is waited for, where no worker is there for long."""
        if self._idle or any(actor.task is not None for actor in self._busy.values()):
            self._waiting_since = None
            return
        now = time.monotonic()
        if self._waiting_since is None:
            self._waiting_since = now
        elif now - self._waiting_since > PATIENCE_S:
            free = ", ".join(f"{name} {n:g}" for name, n in self._ray.available_resources().items() if ":" not in name)
            out.warning(f"no worker of Ray's is ready yet; free there: {free or 'nothing'}")
            self._waiting_since = float("inf")


def _reason(error: Exception) -> str:
    """A line about a loss: of an error in Python the last one, which names it, else the first one."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[-1 if "creation task" in lines[0] else 0][:200].rstrip(".")
