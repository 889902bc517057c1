from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nascli.cost.macs import Macs
from nascli.cost.meter import Meter
from nascli.cost.params import Params
from nascli.errors import UsageError
from nascli.search_space.chain import Block, Layer
from nascli.space import Space
from nascli.supernet import Supernet

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
    ],
    ids=["an option", "a stride", "the head", "the images"],
)
def test_whatever_changes_the_network_changes_the_fingerprint(other: Small) -> None:
    assert other.space.fingerprint != SPACE.space.fingerprint


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
        (small(first=(replace(STEM, in_channels=1),)), "stem expects 1 channels, but 3 reach it"),
        (small(layers=(Layer(4, 5),)), "pool expects 6 channels, but 5 reach it"),
        (small(layers=(Layer(4, 4), Layer(4, 6, stride=9))), "layer_01 has stride 9, but a map of 8 × 8"),
        (small(layers=(Layer(4, 4), Layer(4, 6, stride=0))), "layer_01 has stride 0"),
        (small(layers=()), "'Small' has no decision to search"),
        (small(blocks=()), "decision 'layer_00' has no candidates"),
        (small(blocks=(*BLOCKS, BLOCKS[0])), "decision 'layer_00' names a candidate twice"),
        (small(blocks=(Block("odd", "skipp"),)), "layer_00, block 'odd': there is no operation 'skipp'"),
        (small(layers=LAYERS[:1], last=(HEAD,)), "classifier expects 6 channels, but 4 reach it"),
        (small(blocks=(Block("odd", "conv", {"k": 3}),)), r"layer_00, block 'odd' \(conv\): .* argument 'k'"),
    ],
)
def test_a_wrong_space_is_refused_with_the_place_named(space: Small, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        space.supernet()
    assert caught.value.exit_code == 2
