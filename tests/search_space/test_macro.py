from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nascli.component import digest_of, file_of
from nascli.errors import UsageError
from nascli.search_space.macro import Block, Layer, Stage, after, head, identified, mobile, plain, reaching, rows

ROWS = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 4), st.integers(1, 2)), min_size=1, max_size=5)


@given(st.integers(1, 9), ROWS)
def test_layers_of_rows_follow_each_other_and_the_first_of_a_row_has_its_stride(
    channels: int, described: list[tuple[int, int, int]]
) -> None:
    layers = rows(channels, described)
    assert [layer.in_channels for layer in layers] == [channels, *(layer.out_channels for layer in layers[:-1])]
    assert [layer.out_channels for layer in layers] == [out for out, repeat, _ in described for _ in range(repeat)]
    strides = [s for _, repeat, stride in described for s in [stride] + [1] * (repeat - 1)]
    assert [layer.stride for layer in layers] == strides


def test_strides_divide_the_map_rounded_up() -> None:
    assert after((3, 9, 4), Layer(3, 8, stride=2)) == (8, 5, 2)


@pytest.mark.parametrize("op", ["global_average", "global_depthwise"])
def test_global_operations_leave_one_pixel(op: str) -> None:
    assert after((8, 5, 2), Stage(Block("g", op), 8, 8)) == (8, 1, 1)


def test_what_reaches_each_part_ends_with_what_leaves_the_last() -> None:
    parts = [("a", Layer(3, 4, stride=2)), ("b", Layer(4, 5))]
    assert reaching((3, 8, 8), parts) == [(3, 8, 8), (4, 4, 4), (5, 4, 4)]


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (Layer(4, 4), "b expects 4 channels, but 3 reach it"),
        (Layer(3, 4, stride=3), "b has stride 3, but a map of 4 × 2 reaches it"),
        (Layer(3, 4, stride=0), "b has stride 0"),
        (Layer(3, 0), "b has 0 output channels"),
    ],
)
def test_a_part_that_cannot_take_what_reaches_it_is_refused_by_name(layer: Layer, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        reaching((3, 4, 2), [("a", Layer(3, 3)), ("b", layer)])


def test_a_mobile_block_is_called_by_kernel_and_expansion() -> None:
    assert mobile(5, 6, se=True) == Block("mobile_k5_e6", "mobile", {"kernel": 5, "expansion": 6, "se": True})


def test_a_head_ends_in_as_many_outputs_as_classes() -> None:
    stages = head(32, 64, 7, activation="relu")
    assert [stage.out_channels for stage in stages] == [64, 64, 7]
    assert stages[0].block.options == {"kernel": 1, "activation": "relu"}


@pytest.mark.parametrize("op", ["conv", "package.module:block"])
def test_what_is_installed_is_identified_by_its_name(op: str) -> None:
    assert identified(Block("b", op), Path()) == Block("b", op)


def test_a_file_is_identified_by_name_and_digest_wherever_it_lies(tmp_path: Path) -> None:
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        (folder / "mine.py").write_text("x = 1")
    a, b = (identified(Block("m", f"./{name}/mine.py:f"), tmp_path) for name in "ab")
    assert a == b == Block("m", f"mine.py:f sha256:{digest_of(tmp_path / 'a/mine.py')}")
    (tmp_path / "b/mine.py").write_text("x = 2")
    assert identified(Block("m", "./b/mine.py:f"), tmp_path) != a


def test_a_file_that_is_not_there_is_refused_with_the_block_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"block 'm': there is no file .*/mine.py"):
        identified(Block("m", "./mine.py:f"), tmp_path)


@pytest.mark.parametrize(("use", "path"), [("./a.py:f", "a.py"), ("a.py:f", "a.py"), ("../b:f", "../b")])
def test_a_reference_to_a_file_starts_at_the_folder(use: str, path: str, tmp_path: Path) -> None:
    assert file_of(use, tmp_path) == (tmp_path / path).resolve()


@pytest.mark.parametrize("use", ["conv", "package.module:f", "./a.py"])
def test_other_references_name_no_file(use: str) -> None:
    assert file_of(use, Path()) is None


def test_plain_data_has_lists_and_dicts_alone() -> None:
    assert plain({"a": ((1, 2), {"b": (3,)})}) == {"a": [[1, 2], {"b": [3]}]}
