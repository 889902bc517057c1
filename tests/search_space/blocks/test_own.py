from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from nascli.component import digest_of, load_object
from nascli.errors import UsageError
from nascli.search_space.blocks.build import build
from nascli.search_space.blocks.own import check_output
from nascli.search_space.norm import Norm
from tests.conftest import Write

from .helpers import made, placed, refused

MY = """
import torch
from torch import nn

def wide(in_channels, out_channels, stride, *, kernel=3, bias=True):
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, bias=bias), nn.BatchNorm2d(out_channels)
    )

class Wide(nn.Conv2d):
    def __init__(self, in_channels, out_channels, stride):
        super().__init__(in_channels, out_channels, 3, stride, 1)

def size(in_channels, out_channels, stride):
    return out_channels

def mapping(in_channels, out_channels, stride, kernel):
    return {3: nn.Identity()}[kernel]

def keep(in_channels, out_channels, stride):
    return nn.Identity()

class Pair(nn.Identity):
    def __init__(self, in_channels, out_channels, stride):
        super().__init__()
    def forward(self, x):
        return x, x

class Mixing(Pair):
    def forward(self, x):
        return x.mean(0, keepdim=True)

class Failing(Pair):
    def forward(self, x):
        return x @ x.new_zeros(3, 3)

class Noisy(Pair):
    def forward(self, x):
        assert not self.training and not torch.is_grad_enabled()
        return x + torch.rand(x.shape)
"""

NUMBER = 3


@pytest.fixture
def my(write: Write) -> Path:
    """A file with blocks."""
    return write("my.py", MY)


def built(op: str, my: Path, **place: int) -> nn.Module:
    return build(placed(f"./my.py:{op}", **place), base=my.parent)


def found_wrong(op: str, my: Path, **place: int) -> str:
    where = placed(f"./my.py:{op}", **place)
    module = build(where, base=my.parent)
    with pytest.raises(UsageError) as caught:
        check_output(where, module)
    assert caught.value.what.startswith("layer_03, block 'b' (./my.py:")
    return str(caught.value)


# --- where a block may come from -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["wide", "Wide"])
def test_a_function_or_a_class_of_a_file_is_called_with_channels_and_stride(my: Path, name: str) -> None:
    block = built(name, my, out=6, stride=2)
    assert block(torch.zeros(2, 4, 8, 8)).shape == (2, 6, 4, 4)


def test_options_go_to_ones_own_block_too(my: Path) -> None:
    block = build(placed("./my.py:wide", {"kernel": 5, "bias": False}), base=my.parent)
    assert isinstance(block, nn.Sequential)
    assert (block[0].kernel_size, block[0].bias) == ((5, 5), None)


def test_without_a_folder_files_lie_in_the_working_folder(my: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(my.parent)
    assert isinstance(made("my.py:Wide"), nn.Conv2d)


def test_a_block_may_come_from_an_installed_module() -> None:
    block = made("nascli.search_space.blocks.basic:conv", {"kernel": 5})
    assert str(block) == str(made("conv", {"kernel": 5}))


def test_a_package_may_bring_blocks_by_name(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    name = write("site/more_blocks.py", MY).stem
    write("site/more_blocks-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: more-blocks\nVersion: 1\n")
    points = write("site/more_blocks-1.dist-info/entry_points.txt", f"[nascli.block]\nbroad = {name}:Wide\n")
    monkeypatch.syspath_prepend(str(points.parents[1]))
    assert isinstance(made("broad"), nn.Conv2d)
    assert "there is no operation 'braod'; did you mean 'broad'?" in refused("braod")


def test_a_reference_to_a_file_brings_the_digest_of_the_file(my: Path) -> None:
    assert load_object("block", "./my.py:wide", my.parent)[1] == digest_of(my)
    assert load_object("block", "nascli.search_space.blocks.basic:conv", my.parent)[1] is None


def test_norm_reaches_ones_own_blocks(my: Path) -> None:
    block = build(placed("./my.py:wide"), Norm(0.3, track_running_stats=False), my.parent)
    assert isinstance(block, nn.Sequential)
    assert (block[1].momentum, block[1].running_var) == (0.3, None)


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("op", "message"),
    [
        ("./my.py:size", "(./my.py:size): expected a torch.nn.Module, found int"),
        ("./my.py:wise", "my.py has no class or function 'wise'; did you mean 'wide'?"),
        ("./mine.py:wide", "no such file: "),
        ("./my.py:mapping", "could not be built\nTypeError: mapping() missing 1 required positional argument"),
        ("./my.py:torch", "could not be built\nTypeError: 'module' object is not callable"),
        (f"{__name__}:NUMBER", "could not be built\nTypeError: 'int' object is not callable"),
        ("no_such_package:wide", "could not be imported\nModuleNotFoundError"),
    ],
)
def test_what_is_no_block_is_refused_with_its_layer_and_name(
    my: Path, monkeypatch: pytest.MonkeyPatch, op: str, message: str
) -> None:
    monkeypatch.chdir(my.parent)
    assert message in refused(op)


def test_whatever_goes_wrong_inside_is_told_with_the_place(my: Path) -> None:
    with pytest.raises(UsageError, match=r"layer_03, block 'b' .*mapping\) could not be built\nKeyError: 5") as caught:
        build(placed("./my.py:mapping", {"kernel": 5}), base=my.parent)
    assert isinstance(caught.value.__cause__, KeyError)


# --- what comes out --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [{}, {"out": 6}, {"stride": 2}, {"stride": 3, "size": 7}])
def test_a_block_that_keeps_the_rule_is_accepted(my: Path, place: dict[str, int]) -> None:
    where = placed("./my.py:Wide", **place)
    check_output(where, build(where, base=my.parent))


@pytest.mark.parametrize(
    ("op", "place", "message"),
    [
        ("keep", {"out": 6}, "expected an output of shape (2, 6, 8, 8), found (2, 4, 8, 8)"),
        ("keep", {"stride": 3}, "expected an output of shape (2, 4, 3, 3), found (2, 4, 8, 8)"),
        ("Pair", {}, "expected an output of shape (2, 4, 8, 8), found tuple"),
        ("Mixing", {}, "expected an output of shape (2, 4, 8, 8), found (1, 4, 8, 8)"),
        ("Failing", {}, "does not run on (2, 4, 8, 8)\nRuntimeError: "),
    ],
)
def test_another_shape_is_refused_with_both(my: Path, op: str, place: dict[str, int], message: str) -> None:
    assert message in found_wrong(op, my, **place)


def test_the_check_leaves_everything_as_it_was(my: Path) -> None:
    where = placed("./my.py:wide")
    block = build(where, base=my.parent)
    assert isinstance(block, nn.Sequential)
    block[1].eval()
    before = {name: value.clone() for name, value in block.state_dict().items()}
    check_output(where, block)
    assert [m.training for m in block.modules()] == [True, True, False]
    assert all(torch.equal(value, before[name]) for name, value in block.state_dict().items())


def test_the_check_runs_in_evaluation_mode_and_draws_no_random_number(my: Path) -> None:
    where = placed("./my.py:Noisy")
    block, state = build(where, base=my.parent), torch.random.get_rng_state()
    check_output(where, block)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_the_check_runs_where_the_block_is(my: Path) -> None:
    where = placed("./my.py:Wide")
    check_output(where, build(where, base=my.parent).double())
