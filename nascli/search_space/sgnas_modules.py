"""The unified block of SGNAS: an inverted residual whose depthwise channels are searched in equal shares."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from nascli.search_space.blocks.basic import conv_norm
from nascli.space import Selection
from nascli.supernet.mutables import LayerChoice
from nascli.supernet.scope import chooser_of

Truth = bool | Tensor
"""Known at once, or a scalar that the device still computes."""


class SubBlock(nn.Module):
    """A share of the channels: a 1×1 convolution, then a choice, whose last candidate makes zeros."""

    def __init__(self, channels: int, choice: LayerChoice) -> None:
        super().__init__()
        self.expand = conv_norm(channels, channels, activation="relu6")
        self.choice = choice
        self.zero = len(choice) - 1

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C, ceil(H / stride), ceil(W / stride))."""
        output: Tensor = self.choice(self.expand(x))
        return output

    def selection(self) -> Selection | None:
        """What the choice is about to run; None where its chooser does not tell before it runs."""
        of: Callable[[LayerChoice], Selection] | None = getattr(chooser_of(self.choice), "of", None)
        return None if of is None else of(self.choice)

    def is_idle(self, selection: Selection | None) -> bool:
        """Whether only zeros run, at no weight that something could learn."""
        return selection is not None and selection.weights is None and {self.zero}.issuperset(selection.active)

    def is_zero(self, selection: Selection | None, output: Tensor) -> Truth:
        """Whether the heaviest candidate is the zero; the output tells where no selection does."""
        if selection is None:
            return ~output.detach().any()
        if selection.weights is None or len(selection.active) == 1 or self.zero not in selection.active:
            return {self.zero}.issuperset(selection.active)
        return selection.weights.detach().argmax() == selection.active.index(self.zero)


class UnifiedBlock(nn.Module):
    """Sub-blocks side by side, one projection of them all, a BatchNorm for each number of zeros among them.

    Behind the last sub-block that is not idle nothing is computed, neither expansions nor columns of the projection;
    in sorted architectures that is all of the zeros.

    Args:
        choices: one a sub-block, each of blocks that keep the channels.
        norms: how many; the last one also stands for more zeros than it counts.
    """

    def __init__(
        self, in_channels: int, out_channels: int, choices: Sequence[LayerChoice], *, norms: int, residual: bool
    ) -> None:
        super().__init__()
        self.places = nn.ModuleList(SubBlock(in_channels, choice) for choice in choices)
        self.project = nn.Conv2d(len(choices) * in_channels, out_channels, 1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(out_channels) for _ in range(norms))
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N, out_channels, ceil(H / stride), ceil(W / stride))."""
        shares, zeros = self._shares(x)
        projected = functional.conv2d(shares, self.project.weight[:, : shares.shape[1]])
        y: Tensor = self.norms[min(zeros, len(self.norms) - 1)](projected)
        return x + y if self.residual else y

    def _shares(self, x: Tensor) -> tuple[Tensor, int]:
        """What the sub-blocks give, side by side, and how many of them are zero."""
        places: list[SubBlock] = list(self.places)  # type: ignore[arg-type]
        selections = [place.selection() for place in places]
        idle = map(SubBlock.is_idle, places, selections)
        used = max((n for n, is_idle in enumerate(idle, start=1) if not is_idle), default=1)
        outputs = [place(x) for place in places[:used]]
        zeros = _count(map(SubBlock.is_zero, places, selections, outputs))
        return torch.cat(outputs, dim=1), zeros + len(places) - used


def _count(truths: Iterable[Truth]) -> int:
    """How many are true; waits for the device at most once."""
    found = list(truths)
    pending = [truth for truth in found if isinstance(truth, Tensor)]
    known = sum(truth for truth in found if isinstance(truth, bool))
    return known + (int(torch.stack(pending).sum()) if pending else 0)


def regrouped(state: Mapping[str, Tensor], chosen: Sequence[str], places: int) -> dict[str, Tensor]:
    """The state of a unified block as that of the `mixconv` that it is with some of its sub-blocks.

    Args:
        chosen: the candidates of the first sub-blocks, equal ones together; the others are zero.
        places: the number of sub-blocks.
    """
    expand = [f"places.{j}.expand." for j in range(len(chosen))]
    depthwise = [f"places.{j}.choice.{name}." for j, name in enumerate(chosen)]
    sources = {
        "body.0.0.": [f"{name}0." for name in expand],
        "body.0.1.": [f"{name}1." for name in expand],
        "body.2.": [f"{name}1." for name in depthwise],
        "body.4.1.": [f"norms.{places - len(chosen)}."],
    }
    for n, kernel in enumerate(dict.fromkeys(chosen)):
        equal = zip(depthwise, chosen, strict=True)
        sources[f"body.1.convs.{n}."] = [f"{name}0." for name, other in equal if other == kernel]
    result: dict[str, Tensor] = {}
    for new, olds in sources.items():
        result |= {f"{new}{key}": _joined([state[old + key] for old in olds]) for key in _keys(state, olds[0])}
    width = len(result["body.0.0.weight"])
    return result | {"body.4.0.weight": state["project.weight"][:, :width]}


def _keys(state: Mapping[str, Tensor], prefix: str) -> list[str]:
    return [name.removeprefix(prefix) for name in state if name.startswith(prefix)]


def _joined(values: Sequence[Tensor]) -> Tensor:
    """Channels one after another; of what has no channels, the number of batches seen, the first."""
    return torch.cat(list(values)) if values[0].ndim else values[0]
