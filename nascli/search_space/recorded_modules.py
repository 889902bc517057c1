"""What a meter measures for one recorded call: the module without the choices inside of it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map, tree_unflatten

from nascli.search_space.recording import Call, shapes
from nascli.supernet.mutables import Mutable


class Constant(nn.Module):
    """Stands for a choice inside of what is measured: gives what the choice gave, in the order of its calls."""

    def __init__(self, outputs: Sequence[Any]) -> None:
        super().__init__()
        self._recorded = self._outputs = list(outputs)
        self._next = 0

    def show(self, images: int) -> None:
        """From now on the outputs are for so many images."""
        self._outputs = tree_map(partial(_repeated, images), self._recorded)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The recorded output, tied to all inputs: tracers drop what leads nowhere."""
        output = self._outputs[self._next % len(self._outputs)]
        self._next += 1
        for leaf in tree_leaves((args, kwargs)):
            if isinstance(leaf, Tensor) and leaf.numel() and leaf.ndim:
                output = tree_map(partial(_tied, leaf), output)
        return output


def _tied(source: Tensor, leaf: Any) -> Any:
    if not isinstance(leaf, Tensor) or not leaf.ndim:
        return leaf
    rows = source.shape[0]
    return leaf.reshape(leaf.shape[0] * rows // rows, *leaf.shape[1:])


def _repeated(times: int, leaf: Any) -> Any:
    if times == 1 or not isinstance(leaf, Tensor) or not leaf.ndim:
        return leaf
    return leaf.repeat(times, *[1] * (leaf.ndim - 1))


class Bound(nn.Module):
    """A module with all arguments of one call but its first tensor; they were recorded for one image."""

    def __init__(self, module: nn.Module, call: Call) -> None:
        super().__init__()
        self.module = module
        self._recorded, self._structure = tree_flatten((call.args, dict(call.kwargs)))
        self._leaves, self._images = self._recorded, 1
        tensors = [i for i, leaf in enumerate(self._recorded) if isinstance(leaf, Tensor) and leaf.ndim]
        self._first = tensors[0] if tensors else None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the first tensor for one image; (1,) without a tensor."""
        if self._first is None:
            return (1,)
        shape = tuple(self._recorded[self._first].shape)
        return shape[1:] if shape[0] == 1 else shape

    def forward(self, x: Tensor) -> Any:
        """The module on the recorded arguments, `x` (N, *shape) in place of the first tensor."""
        if int(x.shape[0]) != self._images:
            self._show(int(x.shape[0]))
        leaves = list(self._leaves)
        if self._first is not None:
            first = leaves[self._first]
            leaves[self._first] = x.reshape(first.shape).to(first.dtype)
        args, kwargs = tree_unflatten(leaves, self._structure)
        return self.module(*args, **kwargs)

    def _show(self, images: int) -> None:
        """Bring all that was recorded to another number of images; parameters are for all of them."""
        self._images = images
        self._leaves = [leaf if isinstance(leaf, nn.Parameter) else _repeated(images, leaf) for leaf in self._recorded]
        for module in self.modules():
            if isinstance(module, Constant):
                module.show(images)


def bound(call: Call) -> Bound:
    """What a meter measures for one call: a copy of the module without the choices inside."""
    outputs: dict[nn.Module, list[Any]] = {}
    for choice, output in call.inner:
        outputs.setdefault(choice, []).append(output)
    inside = [module for module in call.module.modules() if isinstance(module, Mutable)]
    constants = {id(choice): Constant(outputs.get(choice, ())) for choice in inside}
    return Bound(copy.deepcopy(call.module, constants), call)


Known = dict[nn.Module, tuple[dict[nn.Module, str], str]]


def signature(call: Call, known: Known) -> str:
    """Equal for calls that cost the same: classes, plain attributes and shapes of tensors, all the way down.

    Args:
        call: what a meter would measure.
        known: what this function found about the modules of earlier calls.
    """
    if call.module not in known:
        known[call.module] = _anatomy(call.module)
    names, anatomy = known[call.module]
    inner = [(names.get(choice), shapes(output)) for choice, output in call.inner]
    return f"{anatomy} {shapes((call.args, dict(call.kwargs)))!r} {inner!r}"


def _anatomy(module: nn.Module) -> tuple[dict[nn.Module, str], str]:
    """The names of the choices inside, and a description of everything else."""
    names: dict[nn.Module, str] = {}
    numbers: dict[int, int] = {}
    parts: list[Any] = []
    for name, part in _outside_choices(module, ""):
        if isinstance(part, Mutable):
            names[part] = name
        else:
            plain = {key: _plain(value, numbers) for key, value in vars(part).items() if key != "_modules"}
            parts.append((name, id(type(part)), plain))
    return names, repr((parts, list(names.values())))


def _outside_choices(module: nn.Module, name: str) -> Iterator[tuple[str, nn.Module]]:
    yield name, module
    if not isinstance(module, Mutable):
        for key, child in module._modules.items():
            if child is not None:
                yield from _outside_choices(child, f"{name}.{key}")


def _plain(value: Any, numbers: dict[int, int]) -> Any:
    """What can be compared: tensors by shape, and by number where they are shared; unknown objects by identity."""
    if isinstance(value, Tensor):
        return tuple(value.shape), value.dtype, numbers.setdefault(id(value), len(numbers))
    if isinstance(value, Mapping):
        return {key: _plain(item, numbers) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, numbers) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(repr(_plain(item, numbers)) for item in value)
    return value if isinstance(value, _PLAIN) else id(value)


_PLAIN = (bool, int, float, complex, str, bytes, type(None), torch.dtype, torch.device)
