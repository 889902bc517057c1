"""BatchNorm made cheap for as long as a block of code lasts: folded into a convolution, or written over its output."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_weights
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.hooks import RemovableHandle

T = TypeVar("T")
Convolution = nn.Conv1d | nn.Conv2d | nn.Conv3d
Forward = Callable[[Tensor], Tensor]
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


@dataclass(frozen=True)
class Pair:
    """A convolution whose output goes into one BatchNorm and nowhere else."""

    conv: Convolution
    norm: _BatchNorm

    def folded(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of the convolution that does what both do in evaluation, by the norm's running statistics."""
        conv, norm = self.conv, self.norm
        assert norm.running_mean is not None
        assert norm.running_var is not None
        weight, bias = fuse_conv_bn_weights(
            conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
        )
        return weight.detach(), bias.detach()


@contextmanager
def folded(pairs: Iterable[Pair]) -> Iterator[None]:
    """Within the block, each pair runs as one convolution; no weight and no buffer is written."""
    forwards: dict[nn.Module, Forward] = {}
    for pair in pairs:
        forwards |= {pair.conv: partial(_convolve, pair.conv, *pair.folded()), pair.norm: _same}
    with instead(forwards):
        yield


@contextmanager
def overwriting(pairs: Iterable[Pair]) -> Iterator[None]:
    """Within the block, BatchNorm in training writes over the output of its convolution, which nobody else reads.

    What it gives is the same bit for bit, and so are its statistics; but it asks for no memory, which on the CPU costs
    more than its arithmetic. For runs without gradient, on the CPU, with a cumulative average (`momentum` None).
    """
    with instead({pair.norm: partial(_overwrite, pair.norm) for pair in pairs}):
        yield


@contextmanager
def instead(forwards: Mapping[nn.Module, Forward]) -> Iterator[None]:
    """Within the block, modules run other forwards."""
    try:
        for module, forward in forwards.items():
            vars(module)["forward"] = forward
        yield
    finally:
        for module in forwards:
            vars(module).pop("forward", None)


def _convolve(conv: Convolution, weight: Tensor, bias: Tensor, x: Tensor) -> Tensor:
    output: Tensor = conv._conv_forward(x, weight, bias)
    return output


def _same(x: Tensor) -> Tensor:
    return x


def _overwrite(norm: _BatchNorm, x: Tensor) -> Tensor:
    if x.numel() == x.shape[1]:  # one value a channel has no variance: torch says so
        return type(norm).forward(norm, x)
    assert norm.num_batches_tracked is not None
    norm.num_batches_tracked += 1
    share = 1 / float(norm.num_batches_tracked)
    kept = [torch.empty(x.shape[1], dtype=torch.float32 if x.dtype != torch.float64 else x.dtype) for _ in range(2)]
    statistics = norm.running_mean, norm.running_var
    torch.native_batch_norm(x, norm.weight, norm.bias, *statistics, True, share, norm.eps, out=(x, *kept))
    return x


def traced(module: nn.Module, run: Callable[[], T]) -> tuple[list[Pair], T]:
    """The pairs that one run of a module proves, in the order of the run, and what the run gave.

    A pair is proven where both run once, the very tensor that the convolution gives is what BatchNorm gets, no other
    operation reads or changes that tensor, and it is no output.

    Args:
        run: calls the module, in evaluation mode and without gradient, and gives its output.
    """
    layers = [m for m in module.modules() if _is_plain(m)]
    with _Watch(layers) as watch:
        output = run()
    return watch.pairs(output), output


def _is_plain(module: nn.Module) -> bool:
    """Whether a layer is torch's own, as it is: parametrised ones have classes of their own, hooks see values."""
    hooked = module._forward_hooks or module._forward_pre_hooks or "forward" in vars(module)
    kept = type(module) not in NORMS or getattr(module, "running_mean", None) is not None
    return type(module) in (*CONVOLUTIONS, *NORMS) and not hooked and kept


class _Watch(TorchDispatchMode):
    """Who makes and who reads the outputs of convolutions."""

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._layers = layers
        self._made: dict[int, tuple[Tensor, Convolution]] = {}  # by identity; held, so that it stays unique
        self._given: list[tuple[Tensor, _BatchNorm]] = []
        self._runs = Counter[nn.Module]()
        self._read = set[int]()
        self._norm: nn.Module | None = None
        self._handles: list[RemovableHandle] = []

    def __enter__(self) -> _Watch:
        for layer in self._layers:
            if isinstance(layer, _BatchNorm):
                self._handles += [
                    layer.register_forward_pre_hook(self._enter_norm),
                    layer.register_forward_hook(self._leave_norm),
                ]
            else:
                self._handles.append(layer.register_forward_hook(self._leave_conv))
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        for handle in self._handles:
            handle.remove()

    def _leave_conv(self, layer: nn.Module, given: Any, output: Tensor) -> None:
        assert isinstance(layer, CONVOLUTIONS)
        self._runs[layer] += 1
        self._made[id(output)] = output, layer

    def _enter_norm(self, layer: nn.Module, given: tuple[Any, ...]) -> None:
        assert isinstance(layer, _BatchNorm)
        self._runs[layer] += 1
        self._norm = layer
        self._given += [(x, layer) for x in given]

    def _leave_norm(self, layer: nn.Module, given: Any, output: Any) -> None:
        self._norm = None

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if self._norm is None:
            self._read.update(id(leaf) for leaf in tree_leaves((args, kwargs)) if id(leaf) in self._made)
        return func(*args, **(kwargs or {}))

    def pairs(self, output: Any) -> list[Pair]:
        """The pairs, given what the run gave."""
        free = self._made.keys() - self._read - set(map(id, tree_leaves(output)))
        takers = Counter(id(x) for x, _ in self._given)
        found = [(self._made[id(x)][1], norm) for x, norm in self._given if id(x) in free and takers[id(x)] == 1]
        return [Pair(conv, norm) for conv, norm in found if self._runs[conv] == 1 == self._runs[norm]]
