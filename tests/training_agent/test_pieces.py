from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nascli.cost.macs import Macs
from nascli.space import Decision, Space
from nascli.supernet.base import Supernet
from nascli.supernet.chain import Chain
from nascli.supernet.mutables import InputChoice, LayerChoice
from nascli.training_agent.pieces import Pieces, image_bytes

from .helpers import ARCH, OTHER, SHAPE, fresh, tiny


def example() -> Tensor:
    return torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(0))


def pieces(supernet: Supernet, space: Space) -> Pieces:
    return Pieces(supernet.eval(), space, example)


def of_tiny() -> Pieces:
    return pieces(fresh(tiny().supernet), tiny().space)


def row(found: Pieces, arch: Any) -> Any:
    """What the pieces make of the example, one after another."""
    x = example()
    with torch.no_grad():
        for _, piece in found.of(np.array(arch)):
            x = piece(x)
    return x


class InPlace(nn.Module):
    """Writes into its input, in a part of it."""

    def forward(self, x: Tensor) -> Tensor:
        x[:, :1].relu_()
        return x


def chain(*candidates: nn.Module, layers: int = 2, shared: Sequence[nn.Module] = ()) -> tuple[Supernet, Space]:
    """A chain whose layers choose from copies of some modules, and from modules that they have in common."""
    choices = {
        f"layer_{i}": LayerChoice([*copy.deepcopy(candidates), *shared], label=f"layer_{i}") for i in range(layers)
    }
    last = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    decisions = tuple(choice.decision for choice in choices.values())
    return Supernet(Chain(nn.Identity(), choices, last)), Space("row", decisions, SHAPE, SHAPE[0])


def test_a_chain_is_cut_between_its_layers() -> None:
    found = of_tiny()
    assert len(found.parts) == len(ARCH) + 2
    supernet = fresh(tiny().supernet).eval()
    with torch.no_grad():
        assert torch.equal(row(found, ARCH), supernet(example(), tiny().space.forward(ARCH)))


def test_equal_choices_are_one_piece() -> None:
    found = of_tiny()
    one, other = (found.of(np.array(arch)) for arch in (ARCH, OTHER))
    same = [a is b for (_, a), (_, b) in zip(one, other, strict=True)]
    assert same == [True, *(i == j for i, j in zip(ARCH, OTHER, strict=True)), True]


def test_a_piece_holds_the_batchnorm_of_what_runs_alone() -> None:
    first = of_tiny().of(np.array(ARCH))[1][1]
    assert len(first.norms) == 3


def test_layers_that_share_a_module_are_not_cut() -> None:
    assert len(pieces(*chain(nn.ReLU(), shared=[nn.BatchNorm2d(3)])).parts) == 1
    assert len(pieces(*chain(nn.ReLU(), nn.Tanh(), layers=1)).parts) == 3


def test_other_networks_are_one_piece_that_runs_the_whole_forward() -> None:
    class Network(nn.Module):
        """Two inputs to choose from."""

        def __init__(self) -> None:
            super().__init__()
            self.choice = InputChoice(2, n_chosen=1, label="a")

        def forward(self, x: Tensor) -> Any:
            return self.choice([x, -x]).flatten(1)

    found = pieces(Supernet(Network()), Space("own", (Decision("a", ("0", "1")),), SHAPE, 4))
    assert not found.is_row
    assert torch.equal(row(found, [1]), -example().flatten(1))


@pytest.mark.parametrize(
    ("candidate", "writes"), [(InPlace(), True), (nn.ReLU(inplace=True), True), (nn.ReLU(), False)]
)
def test_pieces_that_write_into_their_input_are_known(candidate: nn.Module, writes: bool) -> None:
    found = pieces(*chain(candidate, nn.Tanh()))
    flags = [piece.changes_input for _, piece in found.of(np.array([0, 1]))]
    assert flags == [False, writes, False, False]
    assert torch.equal(found.examples[0], example())


def test_macs_are_those_that_are_counted_for_the_table() -> None:
    found, model = of_tiny(), tiny().lookup_table([Macs()])
    for arch in (ARCH, OTHER):
        images = sum(piece.macs for _, piece in found.of(np.array(arch)))
        assert images == 2 * model.total("macs", np.array([arch]))[0]


def test_bytes_are_for_one_image() -> None:
    found = of_tiny()
    found.of(np.array(ARCH))
    sizes = [image_bytes(x) for x in found.examples]
    assert sizes[0] == 4 * 3 * 8 * 8
    assert sizes[-1] == 4 * 4
    assert image_bytes([torch.zeros(2, 5), None, torch.zeros(())]) == 24
