"""Blocks in the words of mobile search spaces, by which the tables of other tools name them."""

from __future__ import annotations

from dataclasses import dataclass

from nascli.cost.blocks import CostBlock


@dataclass(frozen=True)
class Operator:
    """A block of the kinds that tables of others know.

    Args:
        kind: "conv", "mobile", "skip", "pool" (of the whole map), "linear".
        input: (C, H, W).
        output: likewise; of a linear layer (classes, 1, 1).
        expand: whether an inverted residual has its first 1×1 convolution.
    """

    kind: str
    input: tuple[int, ...]
    output: tuple[int, ...]
    stride: int
    kernel: int = 1
    expansion: int = 1
    groups: int = 1
    expand: bool = True
    se: bool = False
    activation: str | None = None

    @property
    def is_identity(self) -> bool:
        """Whether it is a skip that changes nothing."""
        return self.kind == "skip" and self.stride == 1 and self.input == self.output

    @property
    def is_residual(self) -> bool:
        """Whether an inverted residual adds its input."""
        return self.stride == 1 and self.input[0] == self.output[0]


KINDS = {"conv": "conv", "mobile": "mobile", "skip": "skip", "global_average": "pool", "classifier": "linear"}


def operator(block: CostBlock) -> Operator | None:
    """A block as an operator; None for a block of another kind, or of a space that does not know its blocks as data."""
    found = block.operation
    if found is None or found.op not in KINDS:
        return None
    kind, options = KINDS[found.op], found.options
    whole = kind in ("pool", "linear")
    size = (1, 1) if whole else tuple(-(-length // found.stride) for length in block.shape[1:])
    expansion, groups = options.get("expansion", 1), options.get("groups", 1)
    expand = options.get("expand")
    return Operator(
        kind,
        block.shape,
        (found.out_channels, *size),
        found.stride,
        options.get("kernel", 1),
        expansion,
        groups,
        bool(expand) if expand is not None else (expansion, groups) != (1, 1),
        bool(options.get("se", False)),
        options.get("activation"),
    )
