"""What the choices of a network have in common."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import nn

from nascli.errors import UsageError
from nascli.space import Decision

if TYPE_CHECKING:
    from nascli.supernet.scope import Chooser


@dataclass(frozen=True)
class Unit:
    """A part of a choice, and the indices of its decision for which the part runs."""

    name: str
    module: nn.Module
    indices: tuple[int, ...]


class Mutable(nn.Module):
    """A place in a network that is still open.

    `label` and `key` are one: the name of the decision. `chooser` runs the choice where no supernet does; it is the
    mutator that the network was bound to.
    """

    def __init__(self, label: str | None, key: str | None) -> None:
        super().__init__()
        if label is not None and key is not None and label != key:
            raise UsageError(f"a choice has one name, found label '{label}' and key '{key}'")
        self.label: str | None = label if label is not None else key
        if self.label is not None and (not isinstance(self.label, str) or not self.label):
            raise UsageError(f"the name of a choice is a text, found {self.label!r}")
        self.chooser: Chooser | None = None

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "chooser":  # a mutator may be a module that holds the network: it is no part of the choice
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    @property
    def key(self) -> str | None:
        """The label, by its older name."""
        return self.label

    @property
    @abstractmethod
    def decision(self) -> Decision:
        """The decision that this choice follows, without conditions."""

    @abstractmethod
    def units(self) -> tuple[Unit, ...]:
        """The parts that some indices run and others do not."""

    @abstractmethod
    def decoded(self, index: int) -> nn.Module:
        """An ordinary module that does what this choice does for one index; it holds the same sub-modules."""

    @property
    def name(self) -> str:
        """For people: the label, or the class where there is none."""
        return self.label or type(self).__name__
