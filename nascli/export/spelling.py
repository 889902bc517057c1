"""Modules of torch as the calls that make them: `nn.Conv2d(3, 16, 3, padding=1, bias=False)`."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from textwrap import indent
from typing import Any

import torch
from torch import Tensor, nn

WIDTH = 88  # of a line; a longer `nn.Sequential` has a line for each of its modules
TAB = " " * 4
STATE = {"training", "_parameters", "_buffers", "_modules"}
PLACES = ("device", "dtype")

Arguments = dict[str, Any]


def spelled(network: nn.Module) -> dict[nn.Module, str]:
    """The modules that one expression makes, but for their weights, and the expressions.

    These are modules of `torch.nn` whose constructor's arguments can be read from them, and each `nn.Sequential` of
    such: what an expression makes was compared with the module, hooks and everything else that a module may carry.
    """
    found: dict[nn.Module, str] = {}
    for module in reversed(list(network.modules())):  # what is in a module comes before it
        text = _sequence(module, found) if _is_sequence(module) else _one(module)
        if text is not None:
            found[module] = text
    return found


def _is_sequence(module: nn.Module) -> bool:
    return isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward


def _sequence(module: nn.Module, found: Mapping[nn.Module, str]) -> str | None:
    children = module._modules
    if list(children) != [str(i) for i in range(len(children))] or not _alike(nn.Sequential(), module):
        return None
    items = [found[child] for child in children.values() if child is not None and child in found]
    if len(items) < len(children):
        return None
    line = f"nn.Sequential({', '.join(items)})"
    if len(line) <= WIDTH and "\n" not in line:
        return line
    lines = "".join(f"{item},\n" for item in items)
    return f"nn.Sequential(\n{indent(lines, TAB)})"


def _one(module: nn.Module) -> str | None:
    cls = type(module)
    if getattr(nn, cls.__name__, None) is not cls or module._modules:
        return None
    given = _arguments(module)
    return None if given is None else _call(cls, given)


def _arguments(module: nn.Module) -> Arguments | None:
    """What the constructor takes to make a module like this one: as little and as short as will do."""
    found: Arguments = {}
    for name, parameter in inspect.signature(type(module).__init__).parameters.items():
        if name == "self" or name in PLACES or parameter.kind not in _ORDINARY:
            continue
        if hasattr(module, name):
            value = getattr(module, name)
            found[name] = True if isinstance(value, Tensor) else name != "bias" and value if value is None else value
        elif parameter.default is inspect.Parameter.empty:
            return None
    if not all(map(_is_plain, found.values())) or not _makes(module, found):
        return None
    for name, value in list(found.items()):
        found = _shorter(module, found, name, value)
    return found


_ORDINARY = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def _shorter(module: nn.Module, given: Arguments, name: str, value: Any) -> Arguments:
    """The arguments without one of them, or with one number for equal ones, where that makes the same."""
    without = {other: it for other, it in given.items() if other != name}
    if _makes(module, without):
        return without
    if isinstance(value, tuple) and len(set(value)) == 1:
        single = {**given, name: value[0]}
        return single if _makes(module, single) else given
    return given


def _makes(module: nn.Module, given: Mapping[str, Any]) -> bool:
    try:
        with torch.device("meta"):
            made = type(module)(**given)
    except Exception:  # whatever a constructor says of arguments that are not its own
        return False
    return _alike(made, module)


def _alike(made: nn.Module, module: nn.Module) -> bool:
    """Equal in all but weights and whether it trains; `module` may carry more than `made` does, but no forward."""
    if "forward" in vars(module):
        return False
    ours, theirs = ({k: v for k, v in vars(one).items() if k in vars(made).keys() - STATE} for one in (made, module))
    try:
        return _shapes(made) == _shapes(module) and bool(ours == theirs)
    except (RuntimeError, ValueError, TypeError):  # tensors or arrays as attributes, which have no one truth
        return False


def _shapes(module: nn.Module) -> list[Any]:
    tensors = {**module._parameters, **module._buffers}
    return [(name, None if t is None else (tuple(t.shape), t.dtype, type(t))) for name, t in tensors.items()]


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return all(map(_is_plain, value))
    return value is None or type(value) in (bool, int, float, str)


def _call(cls: type[nn.Module], given: Arguments) -> str:
    """The call; what has no default goes without its name."""
    parameters = inspect.signature(cls.__init__).parameters
    words, first = [], True
    for name, value in given.items():
        first = first and parameters[name].default is inspect.Parameter.empty
        words.append(repr(value) if first else f"{name}={value!r}")
    return f"nn.{cls.__name__}({', '.join(words)})"
