from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nascli.component import resolve
from nascli.cost.macs import Macs
from nascli.cost.params import Params
from nascli.errors import ConfigError, UsageError
from nascli.search_space.tiny import Tiny

from .helpers import decoded_and_path, macs_of, params_of, trained

SPACE = Tiny(Tiny.Config(input_shape=(2, 9, 8), classes=3, width=4))
SUPERNET = trained(SPACE)
COSTS = SPACE.lookup_table([Macs(), Params()])
ARCHS = st.tuples(*[st.integers(0, 4)] * 6)


def test_it_has_six_decisions_of_five_candidates() -> None:
    assert Tiny().space.sizes == (5,) * 6
    assert Tiny().space.count == 15_625


@settings(max_examples=30, deadline=None)
@given(ARCHS)
def test_the_decoded_network_computes_what_the_path_of_the_supernet_computes(arch: tuple[int, ...]) -> None:
    assert torch.equal(*decoded_and_path(SPACE, SUPERNET, arch))


@settings(max_examples=15, deadline=None)
@given(ARCHS)
def test_table_totals_are_the_costs_of_the_whole_network(arch: tuple[int, ...]) -> None:
    model = SPACE.model(arch)
    assert COSTS.total("params", np.array(arch)) == [params_of(model)]
    assert COSTS.total("macs", np.array(arch)) == [macs_of(model, SPACE.config.input_shape)]


@pytest.mark.parametrize("width", [4, 16])
def test_width_is_that_of_the_first_stage(width: int) -> None:
    space = Tiny(Tiny.Config(width=width))
    assert [layer[0].out_channels for layer in space.layers] == [width, width, 2 * width, 2 * width] + [4 * width] * 2


def test_images_that_three_stages_cannot_halve_are_refused() -> None:
    space = Tiny(Tiny.Config(input_shape=(1, 2, 1)))
    with pytest.raises(UsageError, match="layer_02 has stride 2, but a map of 2 × 1 reaches it"):
        space.supernet()


def test_a_width_below_4_is_refused() -> None:
    with pytest.raises(ConfigError, match="width"):
        resolve("search_space", {"use": "tiny", "width": 3})
