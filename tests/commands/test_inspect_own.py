"""The lineage names every file of one's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from nascli.cli import run
from nascli.component import digest_of
from nascli.scaffold import scaffold

YAML = """
search_space:
  use: chain
  input_shape: [1, 8, 8]
  search: [{out: 4, stride: 2, repeat: 2}]
  candidates: [{op: skip}, {op: './parts/my_block.py:MyBlock'}]
build_lut: {meters: [macs, './parts/my_meter.py:MyMeter']}
"""


def test_blocks_and_meters_are_named_with_their_digests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for kind in ("block", "meter"):
        scaffold(kind, f"my_{kind}", folder=Path("parts"))
    Path("run.yaml").write_text(YAML)
    assert run(["build-lut", "-c", "run.yaml", "-o", "lut.h5", "-q"]) == 0
    capsys.readouterr()
    assert run(["inspect", "--lineage", "lut.h5"]) == 0
    lines = [line.strip("│├└─ ") for line in capsys.readouterr().out.splitlines()]
    for kind in ("block", "meter"):
        name = f"my_{kind}.py:My{kind.title()}"
        assert lines.count(f"{kind}  {name}  {digest_of(Path(f'parts/my_{kind}.py'))[:12]}") == 1
