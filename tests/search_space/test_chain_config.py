from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nascli.component import Reference, resolve
from nascli.config import Origin
from nascli.cost.macs import Macs
from nascli.document import read_document
from nascli.errors import UsageError
from nascli.search_space.base import realise, record_of
from nascli.search_space.chain_config import BlockConfig, DeclaredChain
from nascli.search_space.macro import Block, Layer

from .helpers import decoded_and_path, macs_of, trained

YAML = """
search_space:
  use: chain
  input_shape: [3, 8, 8]
  classes: 4
  first:
    - {op: conv, out: 6, kernel: 3}
    - {op: depthwise, kernel: 3, name: second}
  search:
    - {out: 6, repeat: 2}
    - {out: 8, stride: 2}
  candidates:
    - {op: skip}
    - {op: mobile, kernel: 3, expansion: 2, se: true}
    - {op: ./my.py:my_block, width: 0.5}
"""
BLOCK = """
from torch import nn


def my_block(in_channels, out_channels, stride, width):
    inner = int(width * in_channels)
    return nn.Sequential(nn.Conv2d(in_channels, inner, 1), nn.Conv2d(inner, out_channels, 3, stride, 1))
"""


def reference(folder: Path, text: str = YAML) -> Reference:
    """What run.yaml in `folder` names; the block's file lies beside it."""
    folder.mkdir(exist_ok=True)
    (folder / "my.py").write_text(BLOCK)
    (folder / "run.yaml").write_text(text)
    document = read_document(folder / "run.yaml")
    return resolve("search_space", document.data["search_space"], Origin(document.places, ("search_space",), folder))


def declared(folder: Path, text: str = YAML) -> DeclaredChain:
    """The space that run.yaml declares."""
    space: DeclaredChain = reference(folder, text).build()
    return space


def edited(old: str, new: str) -> str:
    """The YAML with one change."""
    assert YAML.count(old) == 1
    return YAML.replace(old, new)


def line_of(text: str, part: str) -> int:
    """The line of the YAML where a part stands."""
    return 1 + next(i for i, line in enumerate(text.splitlines()) if part in line)


def test_channels_follow_from_part_to_part(tmp_path: Path) -> None:
    macro = declared(tmp_path).macro_cfg()
    assert [(stage.in_channels, stage.out_channels) for stage in macro.first] == [(3, 6), (6, 6)]
    assert macro.search == (Layer(6, 6), Layer(6, 6), Layer(6, 8, stride=2))
    assert [(stage.in_channels, stage.out_channels) for stage in macro.last] == [(8, 8), (8, 4)]


def test_candidates_are_called_by_operation_and_options_unless_named(tmp_path: Path) -> None:
    space = declared(tmp_path)
    assert space.space.decisions[0].candidates == ("skip", "mobile_k3_e2_se", "my_block_w0_5")
    assert [stage.block.name for stage in space.macro_cfg().first] == ["conv_k3", "second"]
    assert space.micro_cfg()[1] == Block("mobile_k3_e2_se", "mobile", {"kernel": 3, "expansion": 2, "se": True})


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ("[]", ["global_average", "classifier"]),
        ("[{op: conv, out: 9, kernel: 1}]", ["conv", "global_average", "classifier"]),
        ("[{op: global_depthwise, kernel: [4, 4]}]", ["global_depthwise", "classifier"]),
        ("[{op: global_average}, {op: classifier, dropout: 0.2}]", ["global_average", "classifier"]),
    ],
)
def test_the_last_part_ends_in_a_classifier_of_as_many_classes(last: str, expected: list[str], tmp_path: Path) -> None:
    space = declared(tmp_path, f"{YAML}  last: {last}\n")
    assert [placed.block.op for placed in space.last] == expected
    assert space.last[-1].out_channels == 4
    assert space.model([0, 0, 0]).eval()(torch.zeros(2, 3, 8, 8)).shape == (2, 4)


def test_decoded_networks_and_costs_are_exact_as_in_any_chain(tmp_path: Path) -> None:
    space = declared(tmp_path)
    supernet, costs = trained(space), space.lookup_table([Macs()])
    for arch in np.random.default_rng(0).integers(0, 3, (8, 3)).tolist():
        assert torch.equal(*decoded_and_path(space, supernet, arch))
        assert costs.total("macs", np.array(arch)) == [macs_of(space.model(arch), (3, 8, 8))]


@pytest.mark.parametrize(
    ("old", "new", "place", "message"),
    [
        (
            "op: mobile",
            "op: mobil",
            "mobil,",
            "layer_00, block 'mobil_k3_e2_se': there is no operation 'mobil'; did you",
        ),
        ("expansion: 2", "expand: 2", "mobile", "layer_00, block .*missing 1 required .*'expansion'"),
        ("width: 0.5", "wide: 1", "my_block", r"layer_00, block 'my_block_w1' \(./my.py:my_block\) could not be built"),
        (
            "{op: conv, out: 6, kernel: 3}",
            "{op: depthwise, out: 6, kernel: 3}",
            "out: 6, k",
            "first part, block .*keeps",
        ),
        ("my.py", "no.py", "no.py", "'search_space.candidates.2.op': there is no file .*/no.py"),
        (
            "{op: skip}",
            "{op: mobile, kernel: 3, expansion: 2, se: true}",
            "candidates:",
            "two candidates are called 'mob",
        ),
        ("stride: 2", "stride: 9", "stride: 9", "layer_02 has stride 9, but a map of 8 × 8 reaches it"),
        ("stride: 2", "stride: 0", "stride: 0", "'search_space.search.1.stride': .* greater than or equal to 1"),
        ("stride: 2", "strid: 2", "strid: 2", "unknown key 'search_space.search.1.strid'"),
        ("{op: skip}", "{op: skip, name: a.b}", "a.b", "'search_space.candidates.0.name': .*match pattern"),
        ("  first:", "  firs:", "firs:", "unknown key 'search_space.firs'; did you mean 'first'"),
    ],
)
def test_an_error_names_the_line_of_the_yaml(old: str, new: str, place: str, message: str, tmp_path: Path) -> None:
    text = edited(old, new)
    with pytest.raises(UsageError, match=f"^{tmp_path}/run.yaml:{line_of(text, place)}: .*{message}") as caught:
        declared(tmp_path, text).supernet()
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("part", ["search", "candidates"])
def test_a_chain_needs_layers_and_candidates(part: str, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").touch()
    start = YAML.index(f"  {part}:")
    end = YAML.find("  candidates:", start + 1) if part == "search" else len(YAML)
    for text, message in (("", f"'search_space.{part}' is missing"), (f"  {part}: []\n", "at least 1 item")):
        with pytest.raises(UsageError, match=message):
            declared(tmp_path, YAML[:start] + text + YAML[end:])


def test_the_fingerprint_holds_the_block_not_the_folder(tmp_path: Path) -> None:
    first, moved, other = (declared(tmp_path / name) for name in "abc")
    assert first.space.fingerprint == moved.space.fingerprint
    (tmp_path / "c/my.py").write_text(BLOCK.replace("1)", "1, bias=False)"))
    assert other.space.fingerprint != first.space.fingerprint


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("kernel: 3, name", "kernel: 5, name"),
        ("repeat: 2", "repeat: 3"),
        ("stride: 2", "stride: 1"),
        ("op: skip", "op: zero"),
        ("width: 0.5", "width: 1.0"),
        ("classes: 4", "classes: 5"),
    ],
)
def test_whatever_is_declared_changes_the_fingerprint(old: str, new: str, tmp_path: Path) -> None:
    assert declared(tmp_path, edited(old, new)).space.fingerprint != declared(tmp_path).space.fingerprint


def test_a_chain_of_installed_operations_is_built_again_from_its_record(tmp_path: Path) -> None:
    before = reference(tmp_path, YAML.replace("    - {op: ./my.py:my_block, width: 0.5}\n", ""))
    record = record_of(before, before.build().space)
    stored = json.loads(json.dumps(record.options, sort_keys=True))
    space, _ = realise(None, {"lut": record.model_copy(update={"options": stored})})
    assert space.space.fingerprint == record.fingerprint


@pytest.mark.parametrize("op", ["./my.py:my_block", "my.py:my_block", "os:system", "torch.nn:Conv2d"])
def test_a_file_never_makes_nascli_import_a_block(op: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = reference(tmp_path)
    record = record_of(own, own.build().space)
    candidates = [{**candidate, "op": op} for candidate in record.options["candidates"][2:]]
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="files of others never make nascli import code; name the search space"):
        realise(None, {"lut": record.model_copy(update={"options": {**record.options, "candidates": candidates}})})


def test_a_file_of_a_chain_with_own_blocks_is_used_when_the_settings_name_the_chain(tmp_path: Path) -> None:
    named = reference(tmp_path)
    space, _ = realise(named, {"lut": record_of(named, named.build().space)})
    assert space.space.sizes == (3, 3, 3)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"op": "mobile", "kernel": 5, "se": False}, "mobile_k5"),
        ({"op": "mixconv", "kernels": (3, 5), "se": True}, "mixconv_k_3_5_se"),
        ({"op": "mobile", "se": True, "expansion": 6, "kernel": 3}, "mobile_k3_e6_se"),
        ({"op": "package.module:thing"}, "thing"),
        ({"op": "conv", "kernel": 3, "name": "mine"}, "mine"),
    ],
)
def test_a_name_tells_what_is_there(options: dict[str, Any], name: str) -> None:
    assert BlockConfig(**options).block.name == name
