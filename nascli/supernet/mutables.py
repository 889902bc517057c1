"""The choices that a network of one's own is searched by: `LayerChoice`, `InputChoice` and `Repeat`.

They stand inside an ordinary `nn.Module`, whose `forward` stays ordinary PyTorch. Choices with equal labels are one
decision; a choice without a label is named after its place in the network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Literal

from torch import Tensor, nn

from nascli.errors import UsageError
from nascli.space import Decision
from nascli.supernet.mutable import Mutable, Unit
from nascli.supernet.scope import chooser_of

__all__ = ["InputChoice", "LayerChoice", "Mutable", "Reduction", "Repeat", "Unit"]

Reduction = Literal["sum", "mean", "concat", "none"]


class LayerChoice(Mutable):
    """One of several candidate layers.

    Its named children are the candidates. All positional and keyword arguments go to the candidate that runs.

    Args:
        candidates: modules with names, or a list, whose names are "0", "1", …
        reduction: what becomes of the outputs when several run.
        label: the name of the decision; choices with equal labels choose alike.
        key: the same as `label`.

    Raises:
        UsageError: no candidates, or a name that no sub-module can have.
    """

    def __init__(
        self,
        candidates: Mapping[str, nn.Module] | nn.ModuleDict | Iterable[nn.Module],
        *,
        reduction: Reduction = "sum",
        label: str | None = None,
        key: str | None = None,
    ) -> None:
        super().__init__(label, key)
        named = _named(candidates)
        if not named:
            raise UsageError(f"layer choice '{self.name}' has no candidates")
        self.names = tuple(named)
        self.reduction = _known(reduction, self.name)
        for name, candidate in named.items():
            if not isinstance(name, str) or not name or "." in name or hasattr(self, name):
                raise UsageError(f"layer choice '{self.name}': no candidate can be called '{name}'")
            self.add_module(name, candidate)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def length(self) -> int:
        """Number of candidates."""
        return len(self.names)

    def __getitem__(self, candidate: int | str) -> nn.Module:
        name = self.names[candidate] if isinstance(candidate, int) else candidate
        found = self._modules[name]
        assert found is not None
        return found

    @property
    def decision(self) -> Decision:
        """One of the candidates."""
        return Decision(self.label or "", self.names)

    def units(self) -> tuple[Unit, ...]:
        """Each candidate runs for its own index."""
        return tuple(Unit(name, self[name], (i,)) for i, name in enumerate(self.names))

    def decoded(self, index: int) -> nn.Module:
        """The candidate itself."""
        from nascli.supernet.decoded import Listed

        return Listed(self[index]) if self.reduction == "none" else self[index]

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the chosen candidate makes of the arguments."""
        return chooser_of(self).on_forward_layer_choice(self, *args, **kwargs)


class InputChoice(Mutable):
    """Some of several tensors.

    Args:
        n_candidates: how many tensors there are; or name them with
        choose_from: names of the tensors. A name that is the label of another choice says that this choice's output
            is used here and nowhere else: it does not exist in architectures that do not take it.
        n_chosen: how many are taken; None for any non-empty subset.
        reduction: what becomes of them: their sum, mean, concatenation along the channels, or the list.
        label: the name of the decision; choices with equal labels choose alike.
        key: the same as `label`.

    Raises:
        UsageError: neither of `n_candidates` and `choose_from`, or both and they differ; `n_chosen` out of range.
    """

    def __init__(
        self,
        n_candidates: int | None = None,
        choose_from: Sequence[str] | None = None,
        n_chosen: int | None = None,
        *,
        reduction: Reduction = "sum",
        label: str | None = None,
        key: str | None = None,
    ) -> None:
        super().__init__(label, key)
        if n_candidates is None and choose_from is None:
            raise UsageError(f"input choice '{self.name}' needs n_candidates or choose_from")
        if n_candidates is not None and choose_from is not None and len(choose_from) != n_candidates:
            raise UsageError(f"input choice '{self.name}' has {n_candidates} candidates, {len(choose_from)} are named")
        self.is_named = choose_from is not None
        self.choose_from = tuple(map(str, range(n_candidates or 0))) if choose_from is None else tuple(choose_from)
        self.n_chosen, self.reduction = n_chosen, _known(reduction, self.name)
        if not self.choose_from or (n_chosen is not None and not 1 <= n_chosen <= len(self.choose_from)):
            raise UsageError(f"input choice '{self.name}' takes {n_chosen} of {len(self.choose_from)} candidates")

    @property
    def n_candidates(self) -> int:
        """Number of tensors to choose from."""
        return len(self.choose_from)

    @property
    def decision(self) -> Decision:
        """A subset of the tensors."""
        return Decision(self.label or "", self.choose_from, self.n_chosen)

    def units(self) -> tuple[Unit, ...]:
        """Nothing: the tensors are made elsewhere."""
        return ()

    def decoded(self, index: int) -> nn.Module:
        """The reduction of the tensors of one index."""
        from nascli.supernet.decoded import Chosen

        return Chosen(self.decision.chosen(index), self.reduction)

    def forward(self, tensors: Sequence[Tensor | None]) -> Any:
        """The chosen tensors, reduced.

        Raises:
            UsageError: another number of tensors than there are candidates.
        """
        if len(tensors) != self.n_candidates:
            raise UsageError(f"input choice '{self.name}' has {self.n_candidates} candidates, found {len(tensors)}")
        return chooser_of(self).on_forward_input_choice(self, list(tensors))


class Repeat(Mutable):
    """A block that is repeated a searched number of times, one after another; shallower ones share its first blocks.

    Args:
        block: a function that makes the block of a position, from 0; or the blocks, as many as the greatest depth.
        depth: (least, greatest) number of blocks.
        label: the name of the decision.
        key: the same as `label`.

    Raises:
        UsageError: not 0 ≤ least ≤ greatest, another number of blocks, or one module alone.
    """

    def __init__(
        self,
        block: Callable[[int], nn.Module] | Iterable[nn.Module],
        depth: tuple[int, int],
        *,
        label: str | None = None,
        key: str | None = None,
    ) -> None:
        super().__init__(label, key)
        if not (isinstance(depth, Sequence) and len(depth) == 2 and all(isinstance(d, int) for d in depth)):
            raise UsageError(f"repeat '{self.name}': depth is (least, greatest), found {depth!r}")
        self.least, self.greatest = depth
        if not 0 <= self.least <= self.greatest or self.greatest == 0:
            raise UsageError(f"repeat '{self.name}': depth {depth} is no range")
        if isinstance(block, nn.Module) and not isinstance(block, Iterable):
            raise UsageError(f"repeat '{self.name}' takes several blocks", hint="give a function: lambda i: Block(…)")
        blocks = list(block) if isinstance(block, Iterable) else [block(i) for i in range(self.greatest)]
        if len(blocks) != self.greatest:
            raise UsageError(f"repeat '{self.name}': {len(blocks)} blocks for a depth of {self.greatest}")
        self.blocks = nn.ModuleList(blocks)

    @property
    def decision(self) -> Decision:
        """The number of blocks; deeper ones contain the shallower."""
        depths = tuple(map(str, range(self.least, self.greatest + 1)))
        return Decision(self.label or "", depths, nested=True)

    def units(self) -> tuple[Unit, ...]:
        """A block runs for all depths that reach it."""
        size = self.greatest - self.least + 1
        return tuple(
            Unit(f"blocks.{i}", block, tuple(k for k in range(size) if self.least + k > i))
            for i, block in enumerate(self.blocks)
        )

    def decoded(self, index: int) -> nn.Module:
        """The blocks one after another."""
        return nn.Sequential(*islice(self.blocks, self.least + index))

    def forward(self, x: Any) -> Any:
        """What so many blocks make of `x`."""
        return chooser_of(self).on_forward_repeat(self, x)


def _named(candidates: Mapping[str, nn.Module] | nn.ModuleDict | Iterable[nn.Module]) -> dict[str, nn.Module]:
    if isinstance(candidates, Mapping | nn.ModuleDict):
        return dict(candidates.items())
    return {str(i): candidate for i, candidate in enumerate(candidates)}


def _known(reduction: Reduction, where: str) -> Reduction:
    if reduction not in ("sum", "mean", "concat", "none"):
        raise UsageError(f"choice '{where}': reduction '{reduction}' is none of sum, mean, concat, none")
    return reduction
