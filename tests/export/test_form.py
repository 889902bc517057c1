from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from nascli.errors import RunFailed
from nascli.export.form import Form, inputs, write_first

SHAPE = (1, 2, 2)


def form(name: str, run: object, batch: int | None = None, data: bytes = b"x") -> Form:
    def load(folder: Path) -> object:
        assert (folder / f"{name}.bin").read_bytes() == data
        return run

    return Form(name, batch, lambda: {f"{name}.bin": data}, load)  # type: ignore[arg-type]


def fails(x: Tensor) -> Tensor:
    raise ValueError("no such operation")


WRONG = {
    "other": lambda x: x.relu() + 1,
    "nan": lambda x: x * torch.nan,
    "shape": lambda x: x.relu()[:1],
    "error": fails,
}


def test_the_first_form_that_computes_the_same_is_left_alone_in_the_folder(tmp_path: Path) -> None:
    forms = [form(name, run) for name, run in WRONG.items()] + [form("good", torch.relu), form("later", torch.relu)]
    found = write_first(forms, nn.ReLU(), SHAPE, tmp_path, 1e-6)
    assert (found.form.name, found.max_abs_difference) == ("good", 0)
    assert [path.name for path in tmp_path.iterdir()] == ["good.bin"]


def test_a_form_whose_loading_warns_is_as_good(tmp_path: Path) -> None:
    def warns(x: Tensor) -> Tensor:
        warnings.warn("the given buffer is not writable", UserWarning, stacklevel=1)
        return x.relu()

    found = write_first([form("warns", warns), form("later", torch.relu)], nn.ReLU(), SHAPE, tmp_path, 1e-6)
    assert found.form.name == "warns"


def test_every_reason_is_told_where_none_does(tmp_path: Path) -> None:
    with pytest.raises(RunFailed) as caught:
        write_first([form(name, run) for name, run in WRONG.items()], nn.ReLU(), SHAPE, tmp_path, 1e-6)
    for words in ("outputs differ by 1", "outputs differ by inf", "[1, 1, 2, 2] comes out", "no such operation"):
        assert words in caught.value.why
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("tolerance", "passes"), [(1e-3, True), (1e-5, False)])
def test_the_tolerance_is_a_share_of_the_largest_output(tolerance: float, passes: bool, tmp_path: Path) -> None:
    near = [form("near", lambda x: 1000 * x * (1 + 1e-4))]

    class Big(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return 1000 * x

    if passes:
        assert write_first(near, Big(), SHAPE, tmp_path, tolerance).max_abs_difference > 1e-3
    else:
        with pytest.raises(RunFailed):
            write_first(near, Big(), SHAPE, tmp_path, tolerance)


def test_a_form_of_one_image_is_checked_with_one(tmp_path: Path) -> None:
    single = form("single", lambda x: x.relu() if len(x) == 1 else fails(x), batch=1)
    assert write_first([single], nn.ReLU(), SHAPE, tmp_path, 0).form.batch == 1


def test_inputs_are_always_the_same() -> None:
    assert torch.equal(inputs(8, SHAPE), inputs(8, SHAPE))
    assert abs(float(inputs(8, (3, 32, 32)).std()) - 1) < 0.05
