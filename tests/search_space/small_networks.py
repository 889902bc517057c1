"""Small networks with choices, as users write them; few enough architectures to try all."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from nascli.supernet.mutables import InputChoice, LayerChoice, Repeat

from .networks import CLASSES, SHAPE, Net, conv, kernels


class Plain(Net):
    """A list, a dictionary, and a candidate that is called twice."""

    def build(self) -> None:
        self.first = LayerChoice([conv(), nn.Identity(), nn.Conv2d(4, 4, 3, padding=1, groups=2)])
        self.second = kernels("second")

    def body(self, x: Tensor) -> Tensor:
        return self.second(torch.relu(self.second(self.first(x))))


class Nested(Net):
    """Choices inside candidates, two levels deep; an outer candidate is itself a choice."""

    def build(self) -> None:
        deepest = nn.Sequential(conv(), kernels("deepest"))
        middle = LayerChoice({"skip": nn.Identity(), "deep": deepest, "plain": conv(kernel=3)}, label="middle")
        self.outer = LayerChoice(
            [nn.Sequential(conv(), middle, conv()), kernels("inner"), nn.Identity()], label="outer"
        )

    def body(self, x: Tensor) -> Tensor:
        return self.outer(x)


class Shared(Net):
    """One label at places of different width and map."""

    def build(self) -> None:
        self.layers = nn.Sequential(
            kernels("kernel"), kernels("kernel", 4, 6), nn.MaxPool2d(2), kernels("kernel", 6, 4)
        )
        self.other = kernels()

    def body(self, x: Tensor) -> Tensor:
        return self.other(self.layers(x))


class TwoParents(Net):
    """One label inside candidates of two different choices, and twice inside one of them."""

    def build(self) -> None:
        self.left = LayerChoice(
            [nn.Identity(), nn.Sequential(kernels("kernel"), conv(), kernels("kernel"))], label="left"
        )
        self.right = LayerChoice([conv(kernel=3), kernels("kernel"), nn.Identity()], label="right")

    def body(self, x: Tensor) -> Tensor:
        return self.right(self.left(x))


class Repeats(Net):
    """Depths with choices in their blocks, one label at two places, and a depth that may be 0."""

    def build(self) -> None:
        self.first = Repeat(lambda i: nn.Sequential(kernels("kernel"), kernels(f"own_{i}")), (0, 2), label="first")
        self.second = Repeat([conv(), conv(kernel=3), kernels("last")], (1, 3), label="second")
        self.third = Repeat([conv(kernel=3), conv(), conv()], (1, 3), label="second")

    def body(self, x: Tensor) -> Tensor:
        return self.third(self.second(self.first(x)))


class Linked(Net):
    """Input choices that name choices: those exist only where they are taken."""

    def build(self) -> None:
        self.a, self.b = (
            kernels("a"),
            LayerChoice([nn.Sequential(conv(), kernels("inside")), conv(kernel=3)], label="b"),
        )
        self.c = Repeat(lambda i: conv(), (1, 2), label="c")
        self.two = InputChoice(choose_from=["stem", "a", "b"], n_chosen=2, reduction="mean", label="two")
        self.some = InputChoice(choose_from=["a", "c"], label="some")
        self.pool = nn.AvgPool2d(2)

    def body(self, x: Tensor) -> Tensor:
        a = self.a(x)
        return self.pool(self.two([x, a, self.b(x)])) + self.pool(self.some([a, self.c(x)]))


class Cell(nn.Module):
    """Two nodes; the second takes one or both inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.edge = LayerChoice([conv(), conv(kernel=3), nn.AvgPool2d(3, 1, 1)])
        self.take = InputChoice(n_candidates=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.take([x, self.edge(x)])


class Again(Net):
    """One instance of a cell at three places, two of them in one module, also on smaller maps."""

    def build(self) -> None:
        self.cell = Cell()
        self.layers = nn.Sequential(conv(), self.cell, nn.MaxPool2d(2), self.cell)

    def body(self, x: Tensor) -> Tensor:
        return self.cell(self.layers(self.cell(x)))


class Sources(nn.Module):
    """A candidate with two tensors, a keyword tensor and a number."""

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.own, self.side, self.gate = conv(4, 4, kernel), conv(2, 4, kernel), nn.Linear(4, 4)

    def forward(self, x: Tensor, raw: Tensor, *, gate: Tensor, scale: float = 1.0) -> Tensor:
        return self.own(x) * self.gate(gate)[:, :, None, None] + scale * self.side(raw)


class Arguments(nn.Module):
    """Choices that are called with several tensors, by position and by name, and give a tuple."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv(SHAPE[0], 4)
        self.mix = LayerChoice([Sources(1), Sources(3), Ignoring()])
        self.split = LayerChoice([Split(1), Split(3)], label="split")
        self.head = nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        y = self.stem(x)
        y = self.mix(y, x, gate=y.mean((2, 3)), scale=0.5)
        left, right = self.split(y)
        out: Tensor = self.head((left + right["right"]).mean((2, 3)))
        return out


class Ignoring(nn.Module):
    """A candidate that needs the second tensor alone."""

    def __init__(self) -> None:
        super().__init__()
        self.side = conv(2, 4, 3)

    def forward(self, x: Tensor, raw: Tensor, **_: Any) -> Tensor:
        out: Tensor = self.side(raw)
        return out


class Split(nn.Module):
    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.left, self.right = conv(4, 4, kernel), conv()

    def forward(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        return self.left(x), {"right": self.right(x)}


class Subsets(Net):
    """Every reduction, over fixed tensors and over all their subsets; what comes out has one shape."""

    def build(self) -> None:
        self.sum, self.mean = InputChoice(2, n_chosen=1), InputChoice(2, reduction="mean")
        self.listed = InputChoice(2, n_chosen=2, reduction="none")
        self.joined = InputChoice(3, n_chosen=2, reduction="concat")
        self.narrow = kernels("narrow", 8, 4)
        self.wide, self.side = conv(kernel=3), conv()

    def body(self, x: Tensor) -> Tensor:
        y, z = self.wide(x), self.side(x)
        first, second = self.listed([self.sum([x, y]), self.mean([y, z])])
        return self.narrow(self.joined([first, second, x]))


class Behind(Net):
    """Shapes that depend on input choices: the channels of a concatenation, the map of one tensor of two."""

    def build(self) -> None:
        self.smaller = conv(stride=2)
        self.source = InputChoice(2, n_chosen=1, reduction="concat", label="source")
        self.kernel = kernels("kernel")
        self.block = LayerChoice(
            [nn.Identity(), nn.Sequential(nn.AdaptiveMaxPool2d(3), kernels("inside"))], label="block"
        )
        self.width = InputChoice(2, reduction="concat", label="width")
        self.side, self.fixed = conv(), nn.Conv2d(1, 4, 1)

    def body(self, x: Tensor) -> Tensor:
        small = self.smaller(x)
        y = nn.functional.adaptive_avg_pool2d(self.kernel(self.source([x, small])), 3)
        wide = self.width([self.side(x), x])
        each = self.fixed(wide.flatten(0, 1).unsqueeze(1)).unflatten(0, (len(x), -1)).mean(1)
        return self.block(y) + nn.functional.adaptive_avg_pool2d(each, 3)


class ModuleTwice(Net):
    """One module as a candidate of two choices, and twice in one depth; candidates of one choice that share a part."""

    def build(self) -> None:
        part, common = conv(kernel=3), conv()
        self.first = LayerChoice([part, nn.Identity(), conv()], label="first")
        self.second = LayerChoice([nn.Identity(), part], label="second")
        self.third = Repeat([common, common], (0, 2), label="third")
        both = conv()
        self.fourth = LayerChoice([nn.Sequential(both, nn.ReLU()), nn.Sequential(conv(), both)], label="fourth")

    def body(self, x: Tensor) -> Tensor:
        return self.fourth(self.third(self.second(self.first(x))))


class Single(Net):
    """A decision without a choice, with a choice in it."""

    def build(self) -> None:
        self.only = LayerChoice([nn.Sequential(conv(), kernels("inside"))], label="only")

    def body(self, x: Tensor) -> Tensor:
        return self.only(x)


NETWORKS: tuple[type[nn.Module], ...] = (
    Plain, Nested, Shared, TwoParents, Repeats, Linked, Again, Arguments, Subsets, Behind, ModuleTwice, Single,
)  # fmt: skip
