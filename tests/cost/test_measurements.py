from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nascli.component import resolve
from nascli.cost.blocks import Blocks
from nascli.cost.formats import reader
from nascli.cost.measurements import Measurements, Wanted, checked
from nascli.errors import ArtifactError, UsageError
from tests.conftest import Write

BLOCKS: Blocks = resolve("search_space", {"use": "tiny", "width": 4}).build().cost_blocks()
IDS = [block.id for block in BLOCKS.blocks]


def taken(path: Path, metric: str = "latency_ms@toy", unit: str | None = None) -> Measurements:
    wanted = Wanted(metric, unit)
    return checked(reader("nascli")(path, BLOCKS, wanted), BLOCKS, wanted, path)


def test_a_csv_gives_a_cost_a_block_in_the_unit_of_the_metric(write: Write) -> None:
    text = f"id,name,value,unit\n{IDS[2]},c,0.5,s\n{IDS[0]},a,7,\n{IDS[1]},b,,ms\n\n"
    found = taken(write("m.csv", text))
    assert found.unit == "ms"
    assert found.costs[:3].tolist() == [7.0, pytest.approx(float("nan"), nan_ok=True), 500.0]
    assert np.isnan(found.costs[3:]).all()
    assert len(found.archs) == 0


@pytest.mark.parametrize("mark", [";", "\t"])
def test_columns_may_stand_in_any_order_and_with_other_marks(write: Write, mark: str) -> None:
    text = f"\ufeffunit,Value,comment,id\nus,1500,,{IDS[3]}\n".replace(",", mark)
    assert taken(write("m.csv", text)).costs[3] == 1.5


@pytest.mark.parametrize("unit", ["us", "µs", "μs", " us "])  # ASCII, the micro sign, the Greek letter
def test_a_unit_may_be_written_in_several_ways(write: Write, unit: str) -> None:
    assert taken(write("m.csv", f"id, value, unit\n{IDS[0]}, 1500, {unit}\n")).costs[0] == 1.5


def test_json_says_the_same(write: Write) -> None:
    rows = [{"id": IDS[0], "value": 0.25}, {"id": IDS[1], "value": "3", "unit": "us"}]
    rows.append({"architecture": [0, 1, 2, 3, 4, 0], "value": 12})
    found = taken(write("m.json", json.dumps(rows)))
    assert found.costs[:2].tolist() == [0.25, 0.003]
    assert (found.archs.tolist(), found.networks.tolist()) == ([[0, 1, 2, 3, 4, 0]], [12.0])


def test_whole_networks_are_rows_with_an_architecture(write: Write) -> None:
    text = f'id,architecture,value\n{IDS[0]},,1\n,"0,1,2,3,4,0",9.5\n'
    found = taken(write("m.csv", text))
    assert (found.archs.tolist(), found.networks.tolist()) == ([[0, 1, 2, 3, 4, 0]], [9.5])


def test_values_without_a_unit_have_the_one_that_is_given(write: Write) -> None:
    text = f"id,value,unit\n{IDS[0]},2,\n{IDS[1]},2,ms\n"
    assert taken(write("m.csv", text), unit="s").costs[:2].tolist() == [2000.0, 2.0]


def test_a_metric_without_a_unit_in_its_name_has_that_of_the_first_row(write: Write) -> None:
    text = f"id,value,unit\n{IDS[0]},2,mJ\n{IDS[1]},1,J\n"
    found = taken(write("m.csv", text), "energy")
    assert (found.unit, found.costs[:2].tolist()) == ("mJ", [2.0, 1000.0])
    assert taken(write("n.csv", f"id,value\n{IDS[0]},2\n"), "score").unit == "1"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("other,1,ms", "line 3: no block is called 'other'"),
        (f"{IDS[0]},1,ms", f"line 3: the block '{IDS[0]}' stands twice, first in line 2"),
        (f"{IDS[1]},nan,ms", "line 3: nan is no cost: a finite number, 0 or more"),
        (f"{IDS[1]},inf,ms", "line 3: inf is no cost"),
        (f"{IDS[1]},-1,ms", "line 3: -1 is no cost"),
        (f"{IDS[1]},1_0,ms", "line 3: '1_0' is no number"),
        (f"{IDS[1]},fast,ms", "line 3: 'fast' is no number"),
        (f"{IDS[1]},1,parsec", "line 3: unknown unit 'parsec'"),
        (f"{IDS[1]},1,mJ", "line 3: 'mJ' cannot become 'ms'"),
        (f"{IDS[1]},1e308,s", "line 3: "),
        (",1,ms", "line 3: expected a block's id or an architecture"),
    ],
)
def test_a_wrong_row_is_named_with_its_line(write: Write, line: str, said: str) -> None:
    path = write("m.csv", f"id,value,unit\n{IDS[0]},1,ms\n{line}\n")
    with pytest.raises(UsageError) as caught:
        taken(path)
    assert f"{path}: {said}" in caught.value.what


@pytest.mark.parametrize(
    ("arch", "said"),
    [
        ('"0,1"', "an architecture has 6 numbers"),
        ('"0,1,2,3,4,9"', "takes 0 to 4, found 9"),
        ("zero", "invalid literal"),
        ('"0,1,2,3,4,1"', "stands twice, first in line 2"),
    ],
)
def test_a_wrong_architecture_is_named_with_its_line(write: Write, arch: str, said: str) -> None:
    path = write("m.csv", f'architecture,value\n"0,1,2,3,4,1",2\n{arch},1\n')
    with pytest.raises(UsageError, match=r"m.csv: line 3: ") as caught:
        taken(path)
    assert said in caught.value.what


@pytest.mark.parametrize("arch", [[[0], 1, 2, 3, 4, 0], [None] * 6, [{}, 1, 2, 3, 4, 0], {"a": 1}])
def test_an_architecture_in_json_that_is_no_list_of_numbers_is_refused(write: Write, arch: object) -> None:
    with pytest.raises(UsageError, match=r"m.json: line 1: .* is no architecture: whole numbers with commas"):
        taken(write("m.json", json.dumps([{"architecture": arch, "value": 1}])))


def test_rows_of_json_are_named_with_the_line_they_begin_in(write: Write) -> None:
    rows = [{"id": IDS[0], "value": 1}, {"id": "]", "value": 1}, {"id": IDS[1], "value": True}]
    path = write("m.json", "\n" + json.dumps(rows, indent=1))
    with pytest.raises(UsageError) as caught:
        taken(path)
    assert caught.value.what.startswith(f"{path}: line 7: no block is called ']'")
    assert caught.value.why == "line 11: 'True' is no number"


def test_of_many_wrong_rows_the_first_five_are_named(write: Write) -> None:
    lines = "".join(f"x{i},1\n" for i in range(9))
    with pytest.raises(UsageError) as caught:
        taken(write("m.csv", f"id,value\n{lines}"))
    assert "line 2" in caught.value.what
    assert caught.value.why.count("line ") == 4
    assert caught.value.why.endswith("and 4 more")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("m.csv", "", "its first line does not name 'value' and 'id'"),
        ("m.csv", "block,ms\na,1\n", "its first line does not name"),
        ("m.csv", "id,value\na,1,2\n", "line 2 has more cells"),
        ("m.csv", 'id,value\n"a,1\n', "line 2: unexpected end of data"),
        ("m.json", "{", "is no JSON"),
        ("m.json", '{"a": 1}', "expected a list of objects"),
        ("m.json", "[1]", "expected a list of objects"),
    ],
)
def test_a_file_of_another_form_is_refused(write: Write, name: str, text: str, said: str) -> None:
    with pytest.raises(ArtifactError, match=said):
        taken(write(name, text))


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"cannot read .*none.csv"):
        taken(tmp_path / "none.csv")
    (tmp_path / "m.csv").write_bytes(b"id,value\n\xff\xfe,1\n")
    with pytest.raises(ArtifactError, match="is not UTF-8 text"):
        taken(tmp_path / "m.csv")


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(UsageError, match="did you mean 'hw-nas-bench'"):
        reader("hw-nas-bnech")
