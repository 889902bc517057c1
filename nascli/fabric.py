"""Several processes of one run: Lightning Fabric starts or finds them, torch.distributed carries what they exchange."""

from __future__ import annotations

import logging
import os
import re
import shlex
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import Tensor
from torch.distributed.distributed_c10d import _abort_process_group  # nothing public ends all groups of NCCL at once

from nascli.console import out
from nascli.engine import pick
from nascli.errors import RunFailed, UsageError
from nascli.ranks import Ranks, started

T = TypeVar("T")

TENSORS = timedelta(minutes=30)
"""How long gradients may take: beyond, a machine is taken for lost. One that dies is noticed at once."""

WAITING = timedelta(days=7)
"""How long a process may wait for another's work."""

SPEAK_S = 3.0
FAILED = "nascli/failed"


def join(processes: tuple[int, int], accelerator: str) -> FabricRanks:
    """Start the other processes of this node by the same command line, if nobody else did, and meet them all.

    Args:
        processes: on each node, and nodes.

    Raises:
        UsageError: there are not as many devices, or they do not come together.
    """
    devices, nodes = processes
    log = logging.getLogger("lightning_fabric")
    log.setLevel(logging.WARNING)
    try:
        strategy = DDPStrategy(timeout=TENSORS)
        fabric = Fabric(accelerator=pick(accelerator), devices=devices, num_nodes=nodes, strategy=strategy)
        fabric.launch()
    except (ValueError, RuntimeError) as error:
        why = str(error).partition("\n")[0]
        raise UsageError(f"{devices} devices on each of {nodes} nodes cannot be used", why=why) from error
    log.setLevel(logging.INFO)
    if started() is None and fabric.local_rank > 0:
        _end_with(os.getppid())
    return FabricRanks(fabric)


def _end_with(parent: int) -> None:
    """End this process when the one that started it is gone, whatever it is doing."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(RunFailed.exit_code)

    threading.Thread(target=watch, daemon=True).start()


class FabricRanks(Ranks):
    """Processes that have met.

    Tensors go through the process group of Fabric, on their devices; all else through one of the CPU, where the end of
    a process is noticed at once.
    """

    def __init__(self, fabric: Fabric) -> None:
        self.rank, self.world_size, self._fabric = fabric.global_rank, fabric.world_size, fabric
        self._control: Any = dist.new_group(backend="gloo", timeout=WAITING)
        world: Any = dist.group.WORLD
        self._store: Any = world.get_group_store()
        self._lost = False

    def barrier(self) -> None:
        """See `Ranks`."""
        self.any_of([False])

    def broadcast(self, value: T) -> T:
        """See `Ranks`."""
        values: list[Any] = [value]
        with self._exchange():
            dist.broadcast_object_list(values, 0, group=self._control)
        result: T = values[0]
        return result

    def gather(self, value: T) -> list[T]:
        """See `Ranks`."""
        values: list[Any] | None = [None] * self.world_size if self.is_first else None
        with self._exchange():
            dist.gather_object(value, values, 0, group=self._control)
        return values or []

    def any_of(self, flags: Sequence[bool]) -> list[bool]:
        """See `Ranks`."""
        table = torch.tensor(flags, dtype=torch.uint8)
        with self._exchange():
            dist.all_reduce(table, dist.ReduceOp.MAX, group=self._control)
        return [bool(flag) for flag in table.tolist()]

    def sum(self, tensors: Sequence[Tensor]) -> None:
        """See `Ranks`; one exchange for each type of number and place."""
        for kind in dict.fromkeys((tensor.dtype, tensor.device) for tensor in tensors):
            alike = [tensor for tensor in tensors if (tensor.dtype, tensor.device) == kind]
            flat = torch.cat([tensor.reshape(-1) for tensor in alike])
            group = None if flat.device.type == self._fabric.device.type else self._control
            with self._exchange():
                dist.all_reduce(flat, group=group)
            self.bytes_sent += flat.nbytes
            for tensor, part in zip(alike, flat.split([tensor.numel() for tensor in alike]), strict=True):
                tensor.copy_(part.view(tensor.shape))

    @contextmanager
    def _exchange(self) -> Iterator[None]:
        """Raises RunFailed when a process of the run is lost."""
        try:
            yield
        except RuntimeError as error:
            self._lost = True
            words = shlex.join(["nascli", *(word for word in sys.argv[1:] if word != "--resume"), "--resume"])
            raise RunFailed("a process of the run was lost", why=self._cause(error), hint=f"go on: {words}") from error

    def _cause(self, error: RuntimeError) -> str:
        """What a process said before it ended, or else how its end was noticed."""
        if self.is_first and self._store.check([FAILED]):
            said: str = self._store.get(FAILED).decode()
            return said
        return re.sub(r"^\[[^]]*\] ", "", str(error)).partition(". ")[0].partition("\n")[0]

    def finish(self) -> None:
        """See `Ranks`."""
        self.barrier()
        dist.destroy_process_group()

    def fail(self, error: BaseException) -> None:
        """See `Ranks`."""
        if self.is_first:
            for child in getattr(self._fabric.strategy.launcher, "procs", ()):
                child.kill()
            return
        with suppress(RuntimeError):
            if not self._lost:
                self._store.set(FAILED, f"rank {self.rank}: {getattr(error, 'what', '') or repr(error)}")
            self._control = None
            _leave()
        time.sleep(SPEAK_S)  # where the first process fails too, it speaks, and its end is the end of this one
        out.muted = False
        out.note(f"of rank {self.rank}:")


def _leave() -> None:
    """Close the connections, so that the others notice."""
    if dist.get_backend() == "nccl":
        _abort_process_group()
    else:
        dist.destroy_process_group()
