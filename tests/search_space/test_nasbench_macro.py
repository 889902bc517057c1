from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from nascli.cost.macs import Macs
from nascli.cost.model import CostModel
from nascli.cost.params import Params
from nascli.search_space.nasbench_macro import NasBenchMacro

from .helpers import decoded_and_path, macs_of, params_of, trained

BENCHMARK = Path(__file__).parents[2].parent / "shared/data/nas-bench-macro_cifar10.json"

# architecture: (params, "flops", which are MACs), from the published file
PUBLISHED = {
    "00000000": (387_882, 7_713_280),
    "11111111": (1_588_874, 53_246_464),
    "22222222": (2_932_586, 105_660_928),
    "22212220": (1_985_514, 85_164_544),
    "02012100": (890_666, 47_327_744),
    "01201201": (1_283_434, 46_109_184),
    "10000002": (1_227_786, 25_326_080),
    "21102210": (1_375_466, 58_327_552),
}
SPACE = NasBenchMacro()


@pytest.fixture(scope="module")
def costs() -> CostModel:
    return SPACE.lookup_table([Macs(), Params()])


def digits(text: str) -> list[int]:
    return [int(digit) for digit in text]


def test_it_has_the_6561_architectures_of_the_benchmark() -> None:
    assert SPACE.space.count == 6561


@pytest.mark.parametrize("text", PUBLISHED)
def test_the_decoded_network_has_the_published_size_and_macs(text: str) -> None:
    model = SPACE.model(digits(text))
    assert (params_of(model), macs_of(model, SPACE.config.input_shape)) == PUBLISHED[text]


@pytest.mark.parametrize("text", PUBLISHED)
def test_table_totals_are_the_published_numbers(text: str, costs: CostModel) -> None:
    arch = np.array(digits(text))
    assert (costs.total("params", arch)[0], costs.total("macs", arch)[0]) == PUBLISHED[text]


@pytest.mark.skipif(not BENCHMARK.exists(), reason=f"the benchmark is not at {BENCHMARK}")
def test_table_totals_are_the_published_numbers_of_all_architectures(costs: CostModel) -> None:
    published = json.loads(BENCHMARK.read_text())
    archs = np.array([digits(text) for text in published])
    assert len(np.unique(archs, axis=0)) == SPACE.space.count
    for metric, field in (("params", "params"), ("macs", "flops")):
        assert np.array_equal(costs.total(metric, archs), [entry[field] for entry in published.values()])


def test_the_decoded_network_computes_what_the_path_of_the_supernet_computes() -> None:
    space = NasBenchMacro(NasBenchMacro.Config(input_shape=(3, 12, 12), classes=4))
    supernet = trained(space)
    for arch in [*np.random.default_rng(0).integers(0, 3, (6, 8)), *(np.full(8, i) for i in range(3))]:
        assert torch.equal(*decoded_and_path(space, supernet, arch.tolist()))
