from __future__ import annotations

import enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nascli.artifacts.checkpoint import Checkpoint, Progress
from nascli.artifacts.model import Model, TrainedModel
from nascli.artifacts.torch_format import plain

from .helpers import same

DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16, torch.int64, torch.uint8, torch.bool,
          torch.complex64]  # fmt: skip


class Mode(enum.StrEnum):
    FAST = "fast"


@st.composite
def tensors(draw: st.DrawFn) -> torch.Tensor:
    """Tensors of any type and up to three dimensions, contiguous or not."""
    shape = draw(st.lists(st.integers(0, 4), max_size=3))
    tensor = torch.rand(shape, generator=torch.Generator().manual_seed(draw(st.integers(0, 9)))) * 200
    tensor = tensor.to(draw(st.sampled_from(DTYPES)))
    return tensor.transpose(0, -1) if shape and draw(st.booleans()) else tensor


LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | tensors()
KEYS = st.text(max_size=4) | st.sampled_from(["a", "a.b", "b", "0"]) | st.integers(0, 3)
STATES = st.dictionaries(
    st.text(max_size=3),
    st.recursive(LEAVES, lambda s: st.lists(s, max_size=3) | st.dictionaries(KEYS, s, max_size=3), max_leaves=8),
    max_size=4,
)


@given(STATES)
def test_a_plain_state_is_itself(state: dict[str, Any]) -> None:
    assert same(plain(state), state)


@given(STATES, st.integers(0, 10**9))
def test_a_state_comes_back_from_its_file_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, state: dict[str, Any], step: int
) -> None:
    path = tmp_path_factory.mktemp("state") / "last.pt"
    Checkpoint(Progress(step, state)).write(path)
    assert same(Checkpoint.open(path).payload, Progress(step, state))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float64(0.5), 0.5), (np.float32(0.5), 0.5), (np.int64(3), 3), (np.uint8(3), 3), (np.bool_(True), True),
        (np.str_("x"), "x"), (Mode.FAST, "fast"), ((1, (2, "x")), [1, [2, "x"]]), ({"a": (np.int32(1),)}, {"a": [1]}),
        ({np.int64(1): 0}, {"1": 0}), ({1: 0}, {1: 0}),
    ],
)  # fmt: skip
def test_numbers_of_numpy_and_tuples_become_plain(value: Any, expected: Any) -> None:
    assert same(plain(value), expected)


@pytest.mark.parametrize(
    "value", [object(), {1, 2}, lambda: None, np.zeros(2), b"bytes", 1j, Path("x"), torch.nn.ReLU()]
)
def test_anything_else_is_refused_by_its_type(value: Any) -> None:
    with pytest.raises(TypeError, match=f"not {type(value).__name__}"):
        plain({"deep": [value]})


def test_tensors_are_copied_off_their_storage_and_graph() -> None:
    whole = torch.arange(10.0, requires_grad=True)
    part = plain({"x": whole[2:4]})["x"]
    assert (part.requires_grad, part.untyped_storage().nbytes()) == (False, 8)
    with torch.no_grad():
        whole.zero_()
    assert part.tolist() == [2, 3]


def test_tensors_are_stored_in_one_layout() -> None:
    image = torch.arange(16.0).reshape(1, 2, 2, 4).to(memory_format=torch.channels_last)
    assert torch.equal(plain(image), image)
    assert (image.is_contiguous(), plain(image).is_contiguous()) == (False, True)


def test_a_parameter_and_a_plain_tensor_of_the_same_values_have_one_digest() -> None:
    tensor = torch.arange(16.0).reshape(1, 2, 2, 4)
    forms = [tensor, torch.nn.Parameter(tensor), tensor.to(memory_format=torch.channels_last)]
    digests = {Model(TrainedModel((0,), {"w": form})).sealed().header.digest for form in forms}
    assert len(digests) == 1


@pytest.mark.parametrize(
    "state",
    [{"w": torch.ones(3)}, {"w": torch.zeros(2, 1)}, {"w": torch.zeros(2).double()}, {"v": torch.zeros(2)}, {"w": 0},
     {"w": torch.tensor([0.0, -0.0])}, {}],
)  # fmt: skip
def test_values_shape_type_and_name_enter_the_digest(state: dict[str, Any]) -> None:
    def digest(state: dict[str, Any]) -> str:
        return Model(TrainedModel((0,), state)).sealed().header.digest

    assert digest(state) != digest({"w": torch.zeros(2)})


def test_the_file_is_one_that_torch_reads(tmp_path: Path) -> None:
    Model(TrainedModel((0, 1), {"w": torch.ones(2)})).write(tmp_path / "model.pt")
    found = torch.load(tmp_path / "model.pt", weights_only=True)
    assert found["arch"] == [0, 1]
    assert torch.equal(found["state_dict"]["w"], torch.ones(2))
