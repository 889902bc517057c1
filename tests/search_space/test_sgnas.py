from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from math import comb
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.modules.batchnorm import _BatchNorm

from nascli.cost.constraint import Constraint
from nascli.cost.feasible import FeasibleSet
from nascli.cost.macs import Macs
from nascli.cost.model import CostModel
from nascli.cost.params import Params
from nascli.errors import ArtifactError
from nascli.search_space.macro import Macro, head, rows
from nascli.search_space.sgnas import Sgnas
from nascli.space import Archs, Space

from .helpers import STEM, decoded_and_path, macs_of, params_of, trained
from .sgnas_helpers import FULL, K3, K5, K7, SPACE, SPARSE, ZERO, Short, far

SUPERNET = trained(SPACE)
STATES = SPACE.space.groups[0].states
LAYER = st.lists(st.integers(K3, ZERO), min_size=6, max_size=6)
LIVE = LAYER.filter(lambda indices: indices.count(ZERO) <= 4)


@pytest.fixture(scope="module")
def costs() -> CostModel:
    return SPACE.lookup_table([Macs(), Params()])


def test_it_has_126_decisions_in_21_groups_of_80_states() -> None:
    space = Sgnas().space
    assert [d.label for d in space.decisions] == [f"layer_{i:02d}_{j}" for i in range(21) for j in range(6)]
    assert {d.candidates for d in space.decisions} == {("k3", "k5", "k7", "zero")}
    assert [group.decisions for group in space.groups] == [tuple(range(i, i + 6)) for i in range(0, 126, 6)]
    assert {len(group.states) for group in space.groups} == {80}
    assert space.count == 80**21


def test_the_states_of_a_layer_are_the_sorted_vectors_with_two_that_are_not_zero() -> None:
    assert len(STATES) == comb(6 + 3, 3) - comb(1 + 2, 2) - 1
    assert (np.diff(STATES, axis=1) >= 0).all()
    assert ((STATES != ZERO).sum(axis=1) >= 2).all()


@settings(max_examples=30, deadline=None)
@given(LIVE, LIVE)
def test_the_decoded_network_computes_what_the_path_of_the_supernet_computes(a: list[int], b: list[int]) -> None:
    assert far(*decoded_and_path(SPACE, SUPERNET, sorted(a) + sorted(b))) <= 1e-12


def test_the_decoded_network_of_all_layers_computes_what_the_path_computes() -> None:
    space = Sgnas(Sgnas.Config(input_shape=(3, 32, 32), strides="cifar"))
    supernet, rng = trained(space), np.random.default_rng(0)
    states = [group.states[rng.integers(80)] for group in space.space.groups]
    for arch in ([K3] * 126, SPARSE * 21, FULL * 21, np.concatenate(states).tolist()):
        assert far(*decoded_and_path(space, supernet, arch)) <= 1e-12


@settings(max_examples=20, deadline=None)
@given(LIVE, LIVE)
def test_a_network_inherits_exactly_the_names_it_has(a: list[int], b: list[int]) -> None:
    inherited, own = SPACE.inherit(SUPERNET.state_dict(), a + b), SPACE.model(a + b).state_dict()
    assert {name: value.shape for name, value in inherited.items()} == {name: v.shape for name, v in own.items()}


@settings(max_examples=20, deadline=None)
@given(LAYER, st.permutations(SPARSE), st.randoms(use_true_random=False))
def test_the_order_in_a_layer_changes_nothing(a: list[int], b: list[int], random: Any) -> None:
    shuffled = random.sample(a, 6)
    first, second = (decoded_and_path(SPACE, SUPERNET, arch) for arch in (a + SPARSE, shuffled + list(b)))
    assert all(map(torch.equal, first, second))


def test_a_layer_of_fewer_than_two_is_refused_by_name() -> None:
    with pytest.raises(ArtifactError, match=r"layer_01_0 to layer_01_5: 1 of them are not empty"):
        SPACE.space.check([*SPARSE, K7, *[ZERO] * 5])


def test_the_canonical_form_has_two_that_are_not_zero() -> None:
    found = SPACE.space.canonical(np.array([[ZERO] * 12, [ZERO, K7, *[ZERO] * 4, *SPARSE[::-1]]]))
    assert found.tolist() == [[K3, K3, *[ZERO] * 4] * 2, [K3, K7, *[ZERO] * 4, *SPARSE]]


@settings(max_examples=15, deadline=None)
@given(LIVE, LIVE)
def test_table_totals_are_the_costs_of_the_decoded_network(costs: CostModel, a: list[int], b: list[int]) -> None:
    arch = np.array(a + b)
    model = SPACE.model(a + b)
    assert costs.total("params", arch) == [params_of(model)]
    assert costs.total("macs", arch) == [macs_of(model, SPACE.config.input_shape)]


def test_table_totals_of_all_layers_are_the_parameters_of_the_decoded_network() -> None:
    space, rng = Sgnas(), np.random.default_rng(0)
    costs = space.lookup_table([Params()])
    arch = rng.integers(0, 4, 126)
    assert costs.total("params", arch) == [params_of(space.model(arch.tolist()))]


def test_a_layer_costs_the_same_in_every_order(costs: CostModel) -> None:
    values = costs["macs"].factors[1].values
    assert len({int(values[order]) for order in permutations([K3, K5, K5, K7, ZERO, ZERO])}) == 1
    assert values[K3, K7, ZERO, ZERO, ZERO, ZERO] == values[ZERO, K7, ZERO, ZERO, ZERO, ZERO]


def test_each_state_of_each_distinct_layer_is_measured_once() -> None:
    class Counting(Params):
        """Remembers how many blocks it was asked for."""

        def measure_all(self, blocks: Any) -> list[int | float]:
            self.asked = len(blocks)
            return [1] * self.asked

    class Repeated(Short):
        """Four layers, three of them alike."""

        def macro_cfg(self) -> Macro:
            return Macro((STEM,), rows(4, [(4, 3, 1), (6, 1, 2)]), head(6, 8, self.config.classes))

    meter = Counting()
    Repeated(SPACE.config).lookup_table([meter])
    assert meter.asked == 1 + 2 * 80 + 3


def test_equal_spaces_have_equal_fingerprints_and_options_change_them() -> None:
    config = SPACE.config
    first, second = Short(config).space, Short(config.model_copy()).space
    assert first.fingerprint == second.fingerprint == Space.from_description(first.describe()).fingerprint
    changes: list[dict[str, Any]] = [
        {"strides": "imagenet"},
        {"strides": "cifar"},
        {"classes": 6},
        {"bn_momentum": 0.2},
    ]
    others = [Sgnas(Sgnas.Config(**change)).space.fingerprint for change in changes]
    assert len({Sgnas().space.fingerprint, *others}) == 1 + len(changes)


def test_options_of_norms_reach_all_of_them() -> None:
    space = Short(Short.Config(input_shape=(3, 7, 7), bn_momentum=0.3, bn_track_running_stats=False))
    for module in (space.supernet(), space.model(FULL * 2)):
        norms = [m for m in module.modules() if isinstance(m, _BatchNorm)]
        assert {(m.momentum, m.running_mean) for m in norms} == {(0.3, None)}
    assert far(*decoded_and_path(space, space.supernet().double().eval(), SPARSE * 2)) <= 1e-9


def test_feasible_architectures_are_canonical_and_stay_so_when_they_vary(costs: CostModel) -> None:
    metric, rng = costs["macs"], np.random.default_rng(0)
    whole = FeasibleSet(costs)
    middle = int(np.mean(whole.bounds("macs")))
    feasible = FeasibleSet(costs, [Constraint.parse(f"macs<={middle}")])
    archs = feasible.sample(200, rng)
    varied = np.stack([feasible.mutate(arch, 0.3, rng) for arch in archs[:40]])
    crossed = np.stack([feasible.crossover(*pair, rng) for pair in archs[:40].reshape(20, 2, -1)])
    for found in (archs, varied, crossed):
        assert_canonical(SPACE.space, found)
        assert (metric.total(found) <= middle).all()
    assert (varied != archs[:40]).any(axis=1).all()


def assert_canonical(space: Space, archs: Archs) -> None:
    assert np.array_equal(space.canonical(archs), space.check(archs))


def test_a_subclass_may_have_other_kernels() -> None:
    class Wide(Short):
        """Kernels 3 and 9."""

        def micro_cfg(self) -> Any:
            k3, *_, zero = super().micro_cfg()
            return (k3, replace(k3, name="k9", options={"kernel": 9}), zero)

    space = Wide(SPACE.config)
    assert {len(group.states) for group in space.space.groups} == {comb(8, 2) - 2 - 1}
    assert far(*decoded_and_path(space, trained(space), [0, 0, 1, 1, 2, 2, 1, 1, 2, 2, 2, 2])) <= 1e-12
