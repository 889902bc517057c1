from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch.nn.modules.batchnorm import _BatchNorm

from nascli.cost.macs import Macs
from nascli.cost.meter import Meter
from nascli.cost.params import Params
from nascli.errors import UsageError
from nascli.search_space.macro import Block, Layer
from nascli.space import Space
from nascli.supernet.base import Supernet

from .helpers import BLOCKS, HEAD, LAYERS, POOL, STEM, Small, decoded_and_path, macs_of, params_of, small, trained

SPACE = small()
SUPERNET: Supernet = trained(SPACE)
ARCHS = st.tuples(*[st.integers(0, 3)] * 3)


class FewerAtFirst(Small):
    """The first layer has two candidates, the others four."""

    def candidates(self, layer: Layer) -> tuple[Block, ...]:
        return self.blocks[:2] if layer == LAYERS[0] else self.blocks


def test_decisions_are_the_layers_with_the_blocks_as_candidates() -> None:
    assert [d.label for d in SPACE.space.decisions] == ["layer_00", "layer_01", "layer_02"]
    assert {d.candidates for d in SPACE.space.decisions} == {("skip", "conv", "mobile", "thin")}
    assert (SPACE.space.input_shape, SPACE.space.classes) == ((3, 8, 8), 5)


def test_a_layer_may_have_candidates_of_its_own() -> None:
    space = FewerAtFirst(Small.Config(input_shape=(3, 8, 8), classes=5))
    assert space.space.sizes == (2, 4, 4)
    assert torch.equal(*decoded_and_path(space, trained(space), [1, 3, 2]))


def test_the_description_is_read_back() -> None:
    assert Space.from_description(SPACE.space.describe()).fingerprint == SPACE.space.fingerprint


@pytest.mark.parametrize(
    "other",
    [
        small(blocks=(*BLOCKS[:3], Block("thin", "mobile", {"kernel": 7, "expansion": 1}))),
        small(layers=(*LAYERS[:2], Layer(6, 6, stride=2))),
        small(last=(POOL, replace(HEAD, block=Block("classifier", "classifier")))),
        small(shape=(3, 9, 9)),
        small(bn_momentum=0.2),
        small(bn_track_running_stats=False),
    ],
    ids=["an option", "a stride", "the head", "the images", "a momentum", "no statistics"],
)
def test_whatever_changes_the_network_changes_the_fingerprint(other: Small) -> None:
    assert other.space.fingerprint != SPACE.space.fingerprint


def test_batchnorm_as_usual_is_not_described() -> None:
    assert "norm" not in SPACE.space.details
    assert small(bn_momentum=0.1, bn_track_running_stats=True).space.fingerprint == SPACE.space.fingerprint


def test_every_batchnorm_is_as_the_options_say() -> None:
    space = small(bn_momentum=0.25, bn_track_running_stats=False)
    for network in (space.supernet(), space.model([1, 2, 3])):
        norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
        assert {(norm.momentum, norm.track_running_stats, norm.running_mean) for norm in norms} == {(0.25, False, None)}


@pytest.mark.parametrize("momentum", [0.0, 1.5])
def test_a_momentum_that_is_no_share_is_refused(momentum: float) -> None:
    with pytest.raises(ValidationError, match="bn_momentum"):
        small(bn_momentum=momentum)


def test_the_shape_of_the_configuration_is_layers_by_most_candidates() -> None:
    assert SPACE.cfg_shape == (3, 4)
    assert FewerAtFirst(SPACE.config).cfg_shape == (3, 4)
    assert small(blocks=BLOCKS[:2]).cfg_shape == (3, 2)


def test_input_sizes_are_what_reaches_each_layer() -> None:
    seen: list[tuple[int, ...]] = []
    space = small(shape=(3, 7, 5), layers=(Layer(4, 4), Layer(4, 6, stride=2), Layer(6, 6, stride=2)))
    network = space.supernet()
    for layer in network.network.get_submodule("layers").children():
        layer.register_forward_pre_hook(lambda module, args: seen.append(tuple(args[0].shape[1:])))
    network(torch.zeros(2, 3, 7, 5), space.space.forward([1, 2, 3]))
    assert space.input_sizes == seen == [(4, 7, 5), (4, 7, 5), (6, 4, 3)]


def test_the_cost_of_one_block_is_its_cell_of_the_table() -> None:
    factor = SPACE.lookup_table([Macs()])["macs"].factors[1]
    costs = [Macs().measure(SPACE.block(placed).eval(), placed.input_shape) for placed in SPACE.layers[1]]
    assert costs == factor.values.tolist()


def test_options_of_a_layers_own_candidates_change_the_fingerprint() -> None:
    class Wider(Small):
        """Its first layer has a larger kernel under the same name."""

        def candidates(self, layer: Layer) -> tuple[Block, ...]:
            larger = Block("thin", "mobile", {"kernel": 7, "expansion": 1})
            return (*self.blocks[:3], larger if layer == LAYERS[0] else self.blocks[3])

    class Same(Small):
        """Overrides nothing."""

    description = Wider(SPACE.config).space.describe() | {"name": "Same"}
    assert Space.from_description(description).fingerprint != Same(SPACE.config).space.fingerprint


@settings(max_examples=40, deadline=None)
@given(ARCHS)
def test_the_decoded_network_computes_what_the_path_of_the_supernet_computes(arch: tuple[int, ...]) -> None:
    assert torch.equal(*decoded_and_path(SPACE, SUPERNET, arch))


@settings(max_examples=20, deadline=None)
@given(ARCHS)
def test_a_network_inherits_exactly_the_names_it_has(arch: tuple[int, ...]) -> None:
    inherited, own = SPACE.inherit(SUPERNET.state_dict(), arch), SPACE.model(arch).state_dict()
    assert {name: value.shape for name, value in inherited.items()} == {name: v.shape for name, v in own.items()}


def test_table_totals_are_the_costs_of_the_whole_network() -> None:
    costs = SPACE.lookup_table([Macs(), Params()])
    for arch in np.random.default_rng(0).integers(0, 4, (30, 3)):
        model = SPACE.model(arch.tolist())
        assert costs.total("params", arch) == [params_of(model)]
        assert costs.total("macs", arch) == [macs_of(model, (3, 8, 8))]


def test_one_block_costs_less_behind_each_stride() -> None:
    space = small(layers=(Layer(4, 4, stride=2), Layer(4, 4, stride=2), Layer(4, 6)))
    costs = space.lookup_table([Macs()])
    for arch in ([1, 1, 1], [2, 3, 0]):
        assert costs.total("macs", np.array(arch)) == [macs_of(space.model(arch), (3, 8, 8))]


def test_each_distinct_block_and_shape_is_measured_once() -> None:
    class Counting(Params):
        """Remembers what it was asked for."""

        def measure_all(self, blocks: object) -> list[int | float]:
            self.asked = list(blocks)  # type: ignore[call-overload]
            return [1] * len(self.asked)

    layers, meter = (Layer(4, 4), Layer(4, 4), Layer(4, 4), Layer(4, 6), Layer(6, 6)), Counting()
    costs = small(layers=layers).lookup_table([meter])
    assert len(meter.asked) == 3 * len(BLOCKS) + 3
    assert costs["params"].total(np.zeros((1, 5), dtype=np.int64)).tolist() == [3 + 5]


def test_several_meters_give_a_metric_each_with_its_unit_and_notes() -> None:
    class Noted(Params):
        """A meter with conditions."""

        metric, unit, exact = "energy", "mJ", False

        def notes(self) -> dict[str, str]:
            return {"device": "a board"}

    meters: list[Meter] = [Params(), Noted()]
    metrics = SPACE.lookup_table(meters).metrics
    assert [(m.name, m.unit, m.exact) for m in metrics.values()] == [("params", "1", True), ("energy", "mJ", False)]
    assert metrics["energy"].notes == {"device": "a board"}


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (small(layers=(Layer(4, 4), Layer(5, 6))), "layer_01 expects 5 channels, but 4 reach it"),
        (small(first=()), "layer_00 expects 4 channels, but 3 reach it"),
        (small(first=(replace(STEM, in_channels=1),)), "first part: block 'stem' expects 1 channels, but 3 reach it"),
        (small(first=(replace(STEM, stride=0),)), "first part: block 'stem' has stride 0"),
        (small(layers=(Layer(4, 5),)), "last part: block 'pool' expects 6 channels, but 5 reach it"),
        (small(layers=(Layer(4, 4), Layer(4, 0))), "layer_01 has 0 output channels"),
        (small(layers=(Layer(4, 4), Layer(4, 6, stride=9))), "layer_01 has stride 9, but a map of 8 × 8"),
        (small(layers=(Layer(4, 4), Layer(4, 6, stride=0))), "layer_01 has stride 0"),
        (small(layers=()), "'Small' has no decision to search"),
        (small(blocks=()), "decision 'layer_00' has no candidates"),
        (small(blocks=(*BLOCKS, BLOCKS[0])), "decision 'layer_00' names a candidate twice"),
        (small(layers=LAYERS[:1], last=(HEAD,)), "last part: block 'classifier' expects 6 channels, but 4 reach it"),
        (small(blocks=(Block("odd", "./none.py:block"),)), "block 'odd': there is no file .*/none.py"),
    ],
)
def test_a_wrong_space_is_refused_with_the_place_named_before_torch_has_to_build_anything(
    space: Small, message: str
) -> None:
    for method in (space.describe, space.supernet):
        with pytest.raises(UsageError, match=message) as caught:
            method()
        assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (Block("odd", "skipp"), "layer_00, block 'odd': there is no operation 'skipp'"),
        (Block("odd", "conv", {"k": 3}), r"layer_00, block 'odd' \(conv\): .* argument 'k'"),
        (Block("o.dd", "skip"), "layer choice 'layer_00': no candidate can be called 'o.dd'"),
    ],
)
def test_a_wrong_block_is_refused_with_the_place_named(block: Block, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        small(blocks=(block,)).supernet()


@pytest.mark.parametrize("part", ["superlayer", "supernet", "model", "lookup_table"])
def test_each_of_the_four_parts_can_be_overridden_by_itself(part: str) -> None:
    calls: list[str] = []

    def own(self: Small, *args: Any) -> Any:
        calls.append(part)
        return getattr(super(mine, self), part)(*args)

    mine = type("Mine", (Small,), {part: own})
    space = mine(SPACE.config)
    assert torch.equal(*decoded_and_path(space, trained(space), [3, 2, 1]))
    costs = space.lookup_table([Params()])
    assert costs.total("params", np.array([3, 2, 1])) == [params_of(space.model([3, 2, 1]))]
    assert calls
