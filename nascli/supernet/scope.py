"""Who decides what a choice runs: the innermost `choosing` block, else the mutator that the choice is bound to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

from nascli.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

    from nascli.supernet.mutables import InputChoice, LayerChoice, Mutable, Repeat


class Chooser(Protocol):
    """Runs the choices of a network."""

    def on_forward_layer_choice(self, choice: LayerChoice, *args: Any, **kwargs: Any) -> Any:
        """The output of a layer choice that was called with these arguments."""

    def on_forward_input_choice(self, choice: InputChoice, tensors: list[Tensor | None]) -> Any:
        """The output of an input choice among `tensors`, in the order of its candidates."""

    def on_forward_repeat(self, choice: Repeat, x: Any) -> Any:
        """The output of a repeated block that was called with `x`."""


_current: ContextVar[Chooser | None] = ContextVar("chooser", default=None)


@contextmanager
def choosing(chooser: Chooser) -> Iterator[None]:
    """Within the block, `chooser` runs all choices that are called."""
    token = _current.set(chooser)
    try:
        yield
    finally:
        _current.reset(token)


def chooser_of(choice: Mutable) -> Chooser:
    """Who runs this choice now.

    Raises:
        UsageError: nobody does.
    """
    current = _current.get()
    found = choice.chooser if current is None else current
    if found is None:
        raise UsageError(
            f"choice '{choice.name}' was called, but nothing has been chosen for it",
            hint="call supernet(x, forward), or make a mutator and call its reset() before model(x)",
        )
    return found
