"""The spaces of papers: sizes, parameters and maps as published, exact costs, decoded networks."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from nascli.component import resolve
from nascli.cost.macs import Macs
from nascli.cost.params import Params
from nascli.search_space.chain import ChainSpace

from .helpers import decoded_and_path, macs_of, params_of, trained

# name: layers, candidates, millions of parameters of OSNASLib's supernet for 100 classes
SPACES = {
    "fbnet_s": (22, 9, 10.64),
    "fbnet_l": (22, 9, 10.86),
    "proxylessnas": (21, 7, 14.97),
    "spos": (20, 4, 7.57),
    "mobilefacenet": (15, 7, 5.19),
}
WITH_SKIP = {"fbnet_s": 6, "fbnet_l": 6, "proxylessnas": 6, "mobilefacenet": 3}
"""Layers that change channels or the map."""
FBNET = {112: 2, 56: 4, 28: 4, 14: 8, 7: 4}
MAPS = {
    "fbnet_s": FBNET,
    "fbnet_l": FBNET,
    "proxylessnas": {112: 1, 56: 4, 28: 4, 14: 8, 7: 4},
    "spos": {112: 1, 56: 4, 28: 4, 14: 8, 7: 3},
    "mobilefacenet": {56: 1, 28: 5, 14: 7, 7: 2},
}
"""Height of the map: how many layers it reaches with the strides of the papers, at 224 pixels and faces at 112."""
MODES: list[tuple[str, dict[str, str]]] = [
    *((name, {"strides": strides}) for name in SPACES for strides in ("shipped", "cifar", "imagenet")),
    *((name, {"skip": "identity_only"}) for name in WITH_SKIP),
]
HEAD_ALONE = [mode for mode in MODES if mode[0] == "fbnet_l" and mode[1] != {"strides": "shipped"}]
"""These differ from modes of fbnet_s in the head alone, which one mode tests."""
PIXELS = {name: 112 if name == "mobilefacenet" else 224 for name in SPACES}


def space_of(name: str, size: int = 32, **options: Any) -> ChainSpace:
    """The installed space of this name, for square images."""
    space: ChainSpace = resolve("search_space", {"use": name, "input_shape": [3, size, size], **options}).build()
    return space


def architectures(space: ChainSpace, n: int) -> list[list[int]]:
    """Random ones, and the one of the last candidate everywhere, a skip where there is one."""
    sizes = np.array(space.space.sizes)
    drawn = np.random.default_rng(0).integers(0, sizes, (n, len(sizes)))
    return [*drawn.tolist(), (sizes - 1).tolist()]


@pytest.mark.parametrize("name", SPACES)
def test_it_has_the_published_layers_and_candidates(name: str) -> None:
    layers, candidates, _ = SPACES[name]
    space = space_of(name)
    assert space.space.sizes == (candidates,) * layers
    assert space.cfg_shape == (layers, candidates)
    assert space.space.count == candidates**layers


def first_pointwise(space: ChainSpace) -> int:
    """Parameters of the 1×1 convolutions, with BatchNorm, that begin FBNet's blocks of expansion 1.

    The paper has them and so have we; OSNASLib leaves them out.
    """
    channels = [layer[0].in_channels for layer in space.layers]
    return sum(2 * (c * c + 2 * c) + 2 * (c * c // 2 + 2 * c) for c in channels)


@pytest.mark.parametrize("name", SPACES)
def test_the_supernet_has_the_parameters_of_the_original(name: str) -> None:
    space = space_of(name, PIXELS[name], classes=100)
    extra = first_pointwise(space) if name.startswith("fbnet") else 0
    assert round((params_of(space.supernet()) - extra) / 1e6, 2) == SPACES[name][2]


def test_the_largest_proxylessnas_has_the_macs_of_the_original() -> None:
    """At 224 pixels with the shipped strides, measured on OSNASLib; convolutions alone."""
    space = space_of("proxylessnas", 224, classes=1000)
    convolutions = macs_of(space.model([1] * 21), (3, 224, 224)) - 1280 * 1000
    assert round(convolutions / 1e6) == 1765


def heights(space: ChainSpace) -> dict[int, int]:
    """Height of the map: how many searched layers it reaches."""
    found = [height for _, height, _ in space.input_sizes]
    return {height: found.count(height) for height in found}


@pytest.mark.parametrize("name", SPACES)
def test_strides_of_the_paper_leave_seven_pixels(name: str) -> None:
    space = space_of(name, PIXELS[name], strides="imagenet")
    assert heights(space) == MAPS[name]
    assert space.last[0].input_shape[1:] == (7, 7)


@pytest.mark.parametrize("name", SPACES)
def test_shipped_strides_divide_by_16_and_those_for_cifar_by_8(name: str) -> None:
    assert space_of(name, 64).last[0].input_shape[1:] == (4, 4)
    assert space_of(name, 32, strides="cifar").last[0].input_shape[1:] == (4, 4)


@pytest.mark.parametrize("name", WITH_SKIP)
def test_a_skip_that_must_be_the_identity_is_missing_where_the_shape_changes(name: str) -> None:
    layers, candidates, _ = SPACES[name]
    space = space_of(name, skip="identity_only")
    short = [i for i, size in enumerate(space.space.sizes) if size == candidates - 1]
    assert len(short) == WITH_SKIP[name]
    for i, layer in enumerate(space.layers):
        keeps = layer[0].stride == 1 and layer[0].in_channels == layer[0].out_channels
        assert ("skip" in space.space.decisions[i].candidates) == keeps == (i not in short)
    assert space.space.count == candidates ** (layers - len(short)) * (candidates - 1) ** len(short)


def test_skipping_mobilefacenet_is_mean_pooling_where_the_map_alone_shrinks() -> None:
    space = space_of("mobilefacenet")
    kinds = [type(space.block(layer[-1])).__name__ for layer in space.layers]
    assert [i for i, kind in enumerate(kinds) if kind == "AvgPool2d"] == [0, 12]


@pytest.mark.parametrize("name", SPACES)
def test_the_decoded_network_computes_what_the_path_of_the_supernet_computes(name: str) -> None:
    space = space_of(name)
    supernet = trained(space)
    for arch in architectures(space, 2):
        assert torch.equal(*decoded_and_path(space, supernet, arch))


@pytest.mark.parametrize("options", [{"skip": "identity_only"}, {"bn_track_running_stats": False}], ids=str)
def test_so_it_does_with_other_options(options: dict[str, Any]) -> None:
    space = space_of("mobilefacenet", **options)
    supernet = trained(space)
    for arch in architectures(space, 2):
        assert torch.equal(*decoded_and_path(space, supernet, arch))


@pytest.mark.parametrize(("name", "options"), [mode for mode in MODES if mode not in HEAD_ALONE], ids=str)
def test_table_totals_are_the_costs_of_the_whole_network(name: str, options: dict[str, str]) -> None:
    space = space_of(name, **options)
    costs = space.lookup_table([Macs(), Params()])
    arch, *_ = architectures(space, 1)
    model = space.model(arch)
    assert costs.total("params", np.array(arch)) == [params_of(model)]
    assert costs.total("macs", np.array(arch)) == [macs_of(model, (3, 32, 32))]


@pytest.mark.parametrize("shape", [(1, 33, 41), (3, 112, 112)])
def test_the_last_depthwise_kernel_of_mobilefacenet_is_the_map(shape: tuple[int, int, int]) -> None:
    space = resolve("search_space", {"use": "mobilefacenet", "input_shape": shape, "classes": 6}).build()
    depthwise = space.last[1]
    assert tuple(depthwise.block.options["kernel"]) == depthwise.input_shape[1:] == space.last[0].input_shape[1:]
    with torch.device("meta"):
        assert space.model([6] * 15).eval()(torch.zeros(2, *shape)).shape == (2, 6)


def test_mobilefacenet_is_for_faces_unless_told_otherwise() -> None:
    assert resolve("search_space", "mobilefacenet").build().space.input_shape == (3, 112, 112)


CHANGES: list[dict[str, Any]] = [
    {"strides": "cifar"},
    {"strides": "imagenet"},
    {"classes": 11},
    {"size": 48},
    {"bn_momentum": 0.2},
    {"bn_track_running_stats": False},
]


@pytest.mark.parametrize(
    ("name", "change"),
    [*product(SPACES, CHANGES), *((name, {"skip": "identity_only"}) for name in WITH_SKIP)],
    ids=str,
)
def test_each_option_that_changes_the_network_changes_the_fingerprint(name: str, change: dict[str, Any]) -> None:
    same = name == "mobilefacenet" and change == {"strides": "imagenet"}  # its paper's strides are the shipped ones
    assert (space_of(name, **change).space.fingerprint == space_of(name).space.fingerprint) == same


def fingerprints(seed: int) -> list[str]:
    """Those that another process finds."""
    names = ", ".join(map(repr, SPACES))
    code = (
        "from nascli.component import resolve\n"
        f"for name in [{names}]: print(resolve('search_space', name).build().space.fingerprint)\n"
        "import sys; assert 'torch' not in sys.modules"
    )
    environment = {**os.environ, "PYTHONHASHSEED": str(seed)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    return done.stdout.split()


def test_processes_agree_on_the_fingerprints_and_need_no_torch_for_them() -> None:
    assert fingerprints(1) == fingerprints(2)
    assert len(set(fingerprints(1))) == len(SPACES)
