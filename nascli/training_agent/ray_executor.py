"""The executor that scores architectures in Ray's workers, on this machine or on a cluster."""

from __future__ import annotations

import logging
import math
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Annotated

from pydantic import AfterValidator, Field

from nascli.errors import RunFailed, UsageError
from nascli.extras import need
from nascli.run import Run
from nascli.training_agent.base import Evaluator
from nascli.training_agent.executor import Executor
from nascli.training_agent.job import Job
from nascli.training_agent.settings import Engines
from nascli.training_agent.workers import Workers

MIB = 2**20
STORE_BYTES = 80 * MIB
"""Ray's least and a little more: what goes to workers and back is small."""
CONNECT_S = 10.0
CLUSTER_HINT = "start it: ray start --head; one that asks for a token (as newer ones do): RAY_AUTH_MODE=token nascli …"
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
"""Nothing is reported to anybody; a worker without a GPU is told so by its accelerator."""


def _divisible(amount: float) -> float:
    if amount > 1 and amount % 1:
        raise ValueError("Ray gives parts of one, or whole ones")
    return amount


Amount = Annotated[float, AfterValidator(_divisible)]


class Ray(Executor):
    """Many candidates at once in the workers of Ray, on this machine, or on the cluster that RAY_ADDRESS names.

    Scores, their order and the result are those of the executor `local` with as many threads. What a worker had when it
    was lost is tried again, trial by trial.
    """

    class Config(Executor.Config):
        """What a worker asks for, and what becomes of lost ones."""

        workers: int | None = Field(None, ge=1, description="workers; null: as many as there is room for")
        cpus: Amount = Field(1.0, gt=0, description="CPUs of a worker; where `threads` is 0, it has as many threads")
        gpus: Amount | None = Field(
            None,
            ge=0,
            description="GPUs of a worker; null: 1 where the accelerator is cuda, or is auto and Ray has any",
        )
        memory_mb: int | None = Field(None, ge=1, description="MiB of memory of a worker; null: not counted")
        retries: int = Field(
            2, ge=0, description="how often a trial that lost its worker is tried again, then it failed"
        )

    config: Config

    def check(self) -> None:
        """Raises UsageError where the package is missing."""
        need("the executor 'ray'", "ray")

    @contextmanager
    def session(self) -> Iterator[None]:
        """Ray, connected to; it is left, and a local one ended, where it was not there before."""
        self.check()
        os.environ.update({name: value for name, value in QUIET.items() if name not in os.environ})
        import ray

        if ray.is_initialized():
            yield
            return
        with redirect_stdout(sys.stderr):  # where Ray speaks; the result alone is for stdout
            try:
                self._connect()
                yield
            finally:
                ray.shutdown()

    def _connect(self) -> None:
        import ray

        logging.getLogger("ray").setLevel(logging.ERROR)
        address = os.environ.get("RAY_ADDRESS")
        cpus = math.ceil(self.config.workers * self.config.cpus) if self.config.workers else None
        here = {"num_cpus": cpus, "object_store_memory": STORE_BYTES, "include_dashboard": False}
        with _own_signals():
            try:
                _reach(address or "")
                ray.init(address or "local", log_to_driver=False, configure_logging=False, **({} if address else here))
            except (OSError, RuntimeError, ValueError) as error:
                where = f"Ray at RAY_ADDRESS={address}" if address else "Ray on this machine"
                hint = CLUSTER_HINT if address else ""
                raise RunFailed(f"cannot use {where}", why=str(error).partition("\n")[0][:200], hint=hint) from error

    def engines(self, given: Engines) -> Engines:
        """One number of threads and one kind of device for all."""
        threads = given.threads or max(1, int(self.config.cpus))
        is_cpu = given.accelerator == "auto" and not self._gpus(given)
        return given.model_copy(update={"threads": threads, "accelerator": "cpu" if is_cpu else given.accelerator})

    def _gpus(self, engines: Engines) -> float:
        if self.config.gpus is not None:
            return self.config.gpus
        there = _there().get("GPU", 0)
        return 1.0 if engines.accelerator == "cuda" or (engines.accelerator == "auto" and there) else 0.0

    @contextmanager
    def workers(self, evaluator: Evaluator, job: Callable[[], Job], run: Run) -> Iterator[Workers]:
        """Actors of Ray's, each with the evaluator; they end with the search.

        Raises:
            UsageError: no worker has room on this machine.
        """
        from nascli.training_agent.ray_workers import RayWorkers

        made = job()
        needs = self._needs(Engines(**made.engines))
        at_once = self.config.workers or self._room(needs)
        workers = RayWorkers(made, needs, at_once, self.config.retries, run, divides=not evaluator.compares)
        try:
            yield workers
        finally:
            workers.close()

    def _needs(self, engines: Engines) -> dict[str, float]:
        memory = {"memory": float(self.config.memory_mb * MIB)} if self.config.memory_mb else {}
        return {"CPU": self.config.cpus, "GPU": self._gpus(engines), **memory}

    def _room(self, needs: dict[str, float]) -> int:
        """How many workers there is room for; one where a cluster may yet grow."""
        there = _there()
        room = min(int(there.get(name, 0) // amount) for name, amount in needs.items() if amount)
        if not room and not os.environ.get("RAY_ADDRESS"):
            asked, found = (", ".join(f"{n} {x.get(n, 0):g}" for n, a in needs.items() if a) for x in (needs, there))
            hint = "executor.cpus, executor.gpus and executor.memory_mb say what a worker asks for"
            why = f"it asks for {asked}; there is {found}"
            raise UsageError("there is no room for a worker of Ray's", why=why, hint=hint)
        return max(1, room)


def _there() -> dict[str, float]:
    """What Ray has, by resource; memory in bytes."""
    import ray

    found: dict[str, float] = ray.cluster_resources()
    return found


def _reach(address: str) -> None:
    """Raises OSError where nothing answers at an address with a port; Ray itself would try for minutes."""
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if colon and port.isdecimal():
        with socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_S):
            pass


@contextmanager
def _own_signals() -> Iterator[None]:
    """Ray takes SIGTERM for itself; it is given back."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
