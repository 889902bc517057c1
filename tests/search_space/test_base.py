from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from nascli.artifacts.header import SpaceRecord
from nascli.component import Reference, resolve
from nascli.config import Origin
from nascli.cost.macs import Macs
from nascli.errors import ComponentError, Mismatch, UsageError
from nascli.search_space.base import realise, record_of

from .helpers import decoded_and_path, macs_of, trained

MINE = """
from nascli.search_space.chain import Block, ChainSpace, Layer, Macro, Stage


class Mine(ChainSpace):
    def macro_cfg(self):
        stem = Stage(Block("stem", "conv", {"kernel": 3}), self.config.input_shape[0], WIDTH)
        pool = Stage(Block("pool", "global_average"), WIDTH, WIDTH)
        head = Stage(Block("classifier", "classifier"), WIDTH, self.config.classes)
        return Macro((stem,), (Layer(WIDTH, WIDTH), Layer(WIDTH, WIDTH, stride=2)), (pool, head))

    def micro_cfg(self):
        return Block("skip", "skip"), Block("conv", "conv", {"kernel": 5, "activation": "silu"})
"""


def mine(folder: Path, width: int = 6) -> Reference:
    """The space in `folder`/mine.py, with small images."""
    folder.mkdir(exist_ok=True)
    (folder / "mine.py").write_text(MINE.replace("WIDTH", str(width)))
    options = {"input_shape": [2, 6, 6], "classes": 3}
    return resolve("search_space", {"use": "./mine.py:Mine", **options}, Origin(base=folder))


def record(reference: Reference) -> SpaceRecord:
    return record_of(reference, reference.build().space)


def test_an_installed_space_is_built_again_from_its_record() -> None:
    before = record(resolve("search_space", {"use": "tiny", "width": 8, "classes": 7}))
    space, after = realise(None, {"supernet": before})
    assert (space.config.classes, after) == (7, before)


def test_the_record_goes_through_json() -> None:
    before = record(resolve("search_space", {"use": "tiny", "width": 8}))
    space, _ = realise(None, {"lut": SpaceRecord.model_validate_json(before.model_dump_json())})
    assert space.space.fingerprint == before.fingerprint


def test_settings_stand_above_records_that_agree() -> None:
    reference = resolve("search_space", "tiny")
    space, found = realise(reference, {"lut": record(reference)})
    assert (space.space.name, found) == ("Tiny", record(reference))


def test_two_files_of_different_spaces_are_a_mismatch() -> None:
    records = {role: record(resolve("search_space", {"use": "tiny", "width": w})) for role, w in (("lut", 8), ("m", 9))}
    with pytest.raises(Mismatch, match="--m is of the search space 'Tiny'") as caught:
        realise(None, records)
    assert caught.value.exit_code == 3
    assert all(r.fingerprint[:12] in caught.value.what for r in records.values())
    assert re.fullmatch(r"details\.macro\.\S+ is 9 there, 8 here", caught.value.why)


def test_a_file_of_another_space_than_the_settings_is_a_mismatch() -> None:
    with pytest.raises(Mismatch, match=r"--lut is of the search space 'Tiny'.*not 'NasBenchMacro'"):
        realise(resolve("search_space", "nasbench_macro"), {"lut": record(resolve("search_space", "tiny"))})


def test_a_custom_file_is_asked_for_by_name_and_digest(tmp_path: Path) -> None:
    reference = mine(tmp_path)
    assert reference.source is not None
    with pytest.raises(ComponentError, match=r"--supernet .* 'mine.py:Mine'") as caught:
        realise(None, {"supernet": record(reference)})
    assert caught.value.exit_code == 2
    assert reference.source[:12] in caught.value.what
    assert "--search-space ./mine.py:Mine" in caught.value.hint


def test_a_custom_module_is_asked_for_as_it_was_named() -> None:
    found = record(resolve("search_space", "nascli.search_space.tiny:Tiny"))
    with pytest.raises(ComponentError) as caught:
        realise(None, {"lut": found})
    assert caught.value.hint.endswith("--search-space nascli.search_space.tiny:Tiny")


def test_an_installed_name_does_not_stand_for_a_file(tmp_path: Path) -> None:
    found = record(resolve("search_space", "tiny")).model_copy(update={"source": "0" * 64})
    with pytest.raises(ComponentError, match="000000000000"):
        realise(None, {"lut": found})


def test_a_custom_file_is_used_when_it_is_named(tmp_path: Path) -> None:
    reference = mine(tmp_path)
    space, found = realise(reference, {"supernet": record(reference)})
    assert found.use == "mine.py:Mine"
    assert found.source == reference.source
    assert space.space.sizes == (2, 2)


def test_a_custom_file_that_changed_its_space_is_a_mismatch(tmp_path: Path) -> None:
    with pytest.raises(Mismatch, match="--supernet"):
        realise(mine(tmp_path / "new", 8), {"supernet": record(mine(tmp_path / "old"))})


def test_nothing_that_names_a_space_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing names a search space"):
        realise(None, {})


def test_a_users_own_chain_space_works_as_the_built_in_ones_do(tmp_path: Path) -> None:
    space = mine(tmp_path).build()
    supernet, costs = trained(space), space.lookup_table([Macs()])
    for arch in ([0, 0], [0, 1], [1, 0], [1, 1]):
        assert torch.equal(*decoded_and_path(space, supernet, arch))
        assert costs.total("macs", np.array(arch)) == [macs_of(space.model(arch), (2, 6, 6))]
