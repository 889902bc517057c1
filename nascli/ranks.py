"""The processes of a run: one by itself here; several, which Lightning Fabric starts or finds, in `fabric.py`.

A stage asks `run.ranks`. All processes run the same command; each has its rank, and the one of rank 0 alone writes and
speaks. What has "all together" in its docstring is called by every process at the same point, or the run stands still.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from nascli.console import out
from nascli.errors import UsageError
from nascli.extras import need

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")


class Ranks:
    """One process by itself."""

    rank: int = 0
    world_size: int = 1
    bytes_sent: int = 0
    """What `sum` has exchanged so far, in bytes of tensors."""

    @property
    def is_first(self) -> bool:
        """Whether this process writes and speaks."""
        return self.rank == 0

    def share(self, n: int) -> slice:
        """The positions out of `n` that are this process's, neighbours; shares differ by one at most."""
        each, more = divmod(n, self.world_size)
        start = self.rank * each + min(self.rank, more)
        return slice(start, start + each + (self.rank < more))

    def barrier(self) -> None:
        """All together: wait for the others."""

    def broadcast(self, value: T) -> T:
        """All together: the value of rank 0."""
        return value

    def gather(self, value: T) -> list[T]:
        """All together: the values by rank, on rank 0; elsewhere nothing."""
        return [value]

    def first_does(self, action: Callable[[], T]) -> T:
        """All together: what the action gives on rank 0, which alone runs it."""
        return self.broadcast(action() if self.is_first else None)  # type: ignore[return-value]

    def any_of(self, flags: Sequence[bool]) -> list[bool]:
        """All together: flag by flag, whether it is set on any process."""
        return list(flags)

    def sum(self, tensors: Sequence[Tensor]) -> None:
        """All together: put the sums over all processes in the place of tensors, bit for bit the same everywhere."""

    def finish(self) -> None:
        """All together: the work is done."""

    def fail(self, error: BaseException) -> None:
        """End the others too; whoever is not of rank 0 speaks up if that process does not."""


ALONE = Ranks()


def dealt(hands: Sequence[Sequence[T]]) -> list[T]:
    """The items of processes of which the first has numbers 0, n, 2n, …, in their order."""
    total = sum(map(len, hands))
    return [hands[i % len(hands)][i // len(hands)] for i in range(total)]


def started() -> tuple[int, int] | None:
    """(processes a node, nodes) where torchrun, srun or mpirun started this process with others."""
    env = os.environ
    if "TORCHELASTIC_RUN_ID" in env:
        world, here = int(env.get("WORLD_SIZE", 1)), int(env.get("LOCAL_WORLD_SIZE", 1))
    elif "SLURM_STEP_NUM_TASKS" in env:
        world = int(env["SLURM_STEP_NUM_TASKS"])
        here = world // int(env.get("SLURM_STEP_NUM_NODES", 1))
    elif "OMPI_COMM_WORLD_SIZE" in env:
        world, here = int(env["OMPI_COMM_WORLD_SIZE"]), int(env.get("OMPI_COMM_WORLD_LOCAL_SIZE", 1))
    else:
        return None
    return (here, world // here) if world > 1 else None


def is_first_of_node() -> bool:
    """Whether this process speaks before it has met the others."""
    names = ("LOCAL_RANK",) if "TORCHELASTIC_RUN_ID" in os.environ else ("SLURM_LOCALID", "OMPI_COMM_WORLD_LOCAL_RANK")
    return started() is None or all(os.environ.get(name, "0") == "0" for name in names)


def wanted(devices: int | Literal["auto"], num_nodes: int, accelerator: str) -> tuple[int, int]:
    """(processes a node, nodes) that the settings and whatever started this process ask for.

    Raises:
        UsageError: they contradict each other.
    """
    found = started()
    if found is not None and (devices not in (1, "auto", found[0]) or num_nodes not in (1, found[1])):
        what = f"{devices} devices on each of {num_nodes} nodes are asked for"
        why = f"this was started as {found[0]} processes on each of {found[1]} nodes"
        raise UsageError(what, why=why, hint="leave --devices and --num-nodes out")
    if found is not None:
        return found
    return (_all_devices(accelerator) if devices == "auto" else devices), num_nodes


def _all_devices(accelerator: str) -> int:
    import torch

    return max(1, torch.cuda.device_count()) if accelerator in ("auto", "cuda") else 1


def is_first_process(processes: tuple[int, int]) -> bool:
    """Whether this process will be of rank 0, before it has met the others."""
    if processes == (1, 1):
        return True
    if "TORCHELASTIC_RUN_ID" in os.environ:
        names: tuple[str, ...] = ("RANK",)
    elif started() is not None:
        names = ("SLURM_PROCID", "OMPI_COMM_WORLD_RANK")
    else:
        names = ("LOCAL_RANK", "NODE_RANK")
    return all(os.environ.get(name, "0") == "0" for name in names)


@contextmanager
def together(processes: tuple[int, int], accelerator: str) -> Iterator[Ranks]:
    """Start or join the processes of a run; those that are not of rank 0 fall silent.

    Raises:
        UsageError: several processes need the extra.
    """
    if processes == (1, 1):
        yield ALONE
        return
    need("a run of several processes", "lightning_fabric", instead="take one device")
    from nascli.fabric import join

    out.muted = not is_first_process(processes)
    ranks = join(processes, accelerator)
    try:
        yield ranks
        ranks.finish()
    except BaseException as error:
        ranks.fail(error)
        raise


def processes_of(config: Any) -> tuple[int, int]:
    """What the settings of a stage ask for; (1, 1) for stages that know no devices."""
    if not hasattr(config, "devices"):
        return 1, 1
    return wanted(config.devices, config.num_nodes, config.accelerator)
