"""How many bytes of activations a forward needs at once."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from nascli.cost.executed import shapes_alone


def peak_bytes(module: nn.Module, shape: tuple[int, ...], batch: int = 1) -> int:
    """The largest sum of tensors that are alive at one operation of a forward of a batch of `shape`, without weights.

    A tensor lives from the operation that makes it to the last one that uses it, as memory planners of runtimes have
    it; the input lives from the beginning, the output to the end. Operations count one by one, as torch has them:
    a runtime that fuses some needs less.
    """
    found: int = shapes_alone(module, (batch, *shape), _peak)
    return found


def _peak(run: Any, x: Tensor) -> int:
    with _Lives(x) as lives:
        output = run()
    most: int = lives.peak(output)
    return most


class _Lives(TorchDispatchMode):
    """Remembers which storages each operation reads and makes; all are held, so that no identity is used twice."""

    def __init__(self, x: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._held: list[Tensor] = [x]
        self._bytes = {_key(x): _bytes_of(x)}
        self._born, self._last = {_key(x): 0}, {_key(x): 0}
        self._now = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        self._now += 1
        for used in _tensors((args, kwargs or {})):
            if _key(used) in self._born:
                self._last[_key(used)] = self._now
        for made in _tensors(output):
            self._made(made, {_key(used) for used in _tensors((args, kwargs or {}))})
        return output

    def _made(self, tensor: Tensor, used: set[int]) -> None:
        key = _key(tensor)
        if key in self._born:
            self._last[key] = self._now
        elif key not in used:  # else a view of a weight, or one that is written in place
            self._held.append(tensor)
            self._bytes[key] = _bytes_of(tensor)
            self._born[key] = self._last[key] = self._now

    def peak(self, output: Any) -> int:
        """The largest number of bytes at one operation."""
        for tensor in _tensors(output):
            if _key(tensor) in self._last:
                self._last[_key(tensor)] = self._now
        changes = [0] * (self._now + 2)
        for key, born in self._born.items():
            changes[born] += self._bytes[key]
            changes[self._last[key] + 1] -= self._bytes[key]
        most = alive = 0
        for change in changes:
            alive += change
            most = max(most, alive)
        return most


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def _key(tensor: Tensor) -> int:
    key: int = tensor.untyped_storage()._cdata
    return key


def _bytes_of(tensor: Tensor) -> int:
    size: int = tensor.untyped_storage().nbytes()
    return size or tensor.numel() * tensor.element_size()
