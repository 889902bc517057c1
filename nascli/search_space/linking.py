"""Whether a choice that input choices name is used by them alone: where they do not take it, it gives None."""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import Any

import torch

from nascli.errors import NascliError, UsageError
from nascli.search_space.recording import Call, Recording, shapes
from nascli.supernet.mutables import InputChoice, LayerChoice, Mutable, Repeat
from nascli.supernet.scope import choosing


def check_links(recording: Recording) -> None:
    """Replay the forwards in which such choices run, as if nobody took them.

    Raises:
        UsageError: one's output is used elsewhere, or is not the tensor that stands under its name.
    """
    choices = [module for module in recording.network.modules() if isinstance(module, Mutable)]
    named = {name for choice in choices if isinstance(choice, InputChoice) for name in choice.choose_from}
    linked = named & {choice.label for choice in choices}
    for call in recording.first:
        absent = linked & {choice.label for choice, _ in call.inner}
        if absent and (failure := _failure(call, absent)):
            label = next((one for one in sorted(absent) if _failure(call, {one})), min(absent))
            raise UsageError(
                f"the output of choice '{label}' is used outside of the input choices that name it",
                why=f"it is None where none of them takes it: {failure}"[:300],
                hint="let the input choices number their candidates (n_candidates), or use it in them alone",
            )


def _failure(call: Call, absent: Set[str]) -> str:
    """What goes wrong when these choices give None; "" for nothing."""
    try:
        with torch.no_grad(), choosing(_Replay(call, absent)):
            output = call.module(*call.args, **call.kwargs)
    except NascliError:
        raise
    except Exception as error:
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return "" if shapes(output) == shapes(call.output) else "the result is another one"


class _Replay:
    """A chooser that runs nothing: choices give what was recorded, or None.

    Args:
        call: the choices inside of it will be called.
        absent: labels of those that give None.
    """

    def __init__(self, call: Call, absent: Set[str]) -> None:
        self.absent = absent
        self._given: Iterable[tuple[Mutable, Any]] = iter(call.inner)

    def _give(self, choice: Mutable) -> Any:
        _, output = next(iter(self._given))
        return None if choice.label in self.absent else output

    def on_forward_layer_choice(self, choice: LayerChoice, *args: Any, **kwargs: Any) -> Any:
        return self._give(choice)

    def on_forward_repeat(self, choice: Repeat, x: Any) -> Any:
        return self._give(choice)

    def on_forward_input_choice(self, choice: InputChoice, tensors: list[Any]) -> Any:
        for i, (name, tensor) in enumerate(zip(choice.choose_from, tensors, strict=True)):
            if tensor is None and name not in self.absent:
                what = f"tensor {i} of input choice '{choice.label}' is called '{name}'"
                raise UsageError(f"{what}, but it is the output of another choice that the input choice names")
        return self._give(choice)
