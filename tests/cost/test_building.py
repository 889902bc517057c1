from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nascli.artifacts.lookup_table import LookupTable
from nascli.commands.views import as_json, tables_of, warnings_of
from nascli.component import resolve
from nascli.cost.blocks import block_id
from nascli.cost.building import build, doubts
from nascli.cost.latency import Latency
from nascli.cost.macs import Macs
from nascli.cost.params import Params
from nascli.cost.rounds import Sampler
from nascli.cost.sampled_meter import SampledMeter
from nascli.cost.table import from_table
from nascli.errors import Interrupted, Mismatch, UsageError
from nascli.run import Run
from nascli.search_space.base import SearchSpace, record_of

torch.set_num_threads(1)

TINY = resolve("search_space", {"use": "tiny", "width": 4})


class Sized(SampledMeter):
    """A block costs its parameters and one more; noisy where asked for."""

    metric, unit = "sized", "1"

    def sampler(self, module: nn.Module, shape: tuple[int, ...]) -> Sampler:
        size = 1.0 + sum(parameter.numel() for parameter in module.parameters())
        return lambda: size


class Stopping(Sized):
    """Whose first sample asks the run to stop."""

    metric = "stopping"
    run: Run

    def sampler(self, module: nn.Module, shape: tuple[int, ...]) -> Sampler:
        def sample() -> float:
            self.run.stopping = True
            return 1.0

        return sample


class Beside(Sized):
    """Every sample holds what an empty one costs, far more than the blocks, which flicker."""

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        self.empties, self.rng = 0, np.random.default_rng(0)

    def sampler(self, module: nn.Module, shape: tuple[int, ...]) -> Sampler:
        return lambda: 1000.0 + float(self.rng.uniform(1, 3))

    def empty(self) -> Sampler:
        return self._empty

    def _empty(self) -> float:
        self.empties += 1
        return 1000.0


class Free(Sized):
    """Whole networks cost nothing."""

    def sampler(self, module: nn.Module, shape: tuple[int, ...]) -> Sampler:
        return lambda: 0.0

    def block_sampler(self, module: nn.Module, shape: tuple[int, ...]) -> Sampler:
        return super().sampler(module, shape)


def made(path: Path, *meters: Any, before: LookupTable | None = None, reference: Any = TINY, **how: Any) -> LookupTable:
    run = how.get("run") or Run(path)
    space: SearchSpace = reference.build()
    return build(space, meters, run, record_of(reference, space.space), before).write(path)


def latency(**options: Any) -> Latency:
    return Latency(Latency.Config(**{"rounds": 3, "budget_s": 1e-9, "networks": 12, **options}))


def test_devices_come_together_in_one_file(tmp_path: Path) -> None:
    first = made(tmp_path / "a.h5", Macs(), latency(device="desk"))
    second = made(tmp_path / "b.h5", latency(device="pixel3"), before=LookupTable.open(tmp_path / "a.h5"))
    assert set(second.metrics) == {"macs", "latency_ms@desk", "latency_ms@pixel3"}
    arch, space = np.array([[1, 2, 0, 3, 4, 1]]), TINY.build().space
    both = [from_table(LookupTable.open(tmp_path / name).payload, space) for name in ("a.h5", "b.h5")]
    assert both[0].total("latency_ms@desk", arch) == both[1].total("latency_ms@desk", arch)
    assert first.payload.columns["latency_ms@desk"].evidence is not None


def test_one_metric_twice_is_refused_with_the_way_out(tmp_path: Path) -> None:
    made(tmp_path / "a.h5", Macs())
    with pytest.raises(UsageError, match="'macs' twice: --lut has it already"):
        made(tmp_path / "b.h5", Macs(), before=LookupTable.open(tmp_path / "a.h5"))
    with pytest.raises(UsageError, match="twice: two meters measure it") as caught:
        made(tmp_path / "b.h5", latency(), latency())
    assert "latency_ms@NAME" in caught.value.hint


def test_a_table_of_another_space_is_refused(tmp_path: Path) -> None:
    made(tmp_path / "a.h5", Macs())
    other = resolve("search_space", {"use": "tiny", "width": 8})
    with pytest.raises(Mismatch):
        made(tmp_path / "b.h5", Params(), before=LookupTable.open(tmp_path / "a.h5"), reference=other)


def test_evidence_comes_back_from_the_file(tmp_path: Path) -> None:
    made(tmp_path / "a.h5", Sized())
    evidence = LookupTable.open(tmp_path / "a.h5").payload.columns["sized"].evidence
    blocks = TINY.build().cost_blocks().blocks
    assert evidence is not None
    assert evidence.ids == tuple(block.id for block in blocks)
    sizes = [1 + sum(p.numel() for p in block.build().parameters()) for block in blocks]
    assert np.median(evidence.samples, axis=0).tolist() == sizes
    assert evidence.networks.shape[1] == len(evidence.archs) == 60


def test_an_interrupted_measurement_is_resumed(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    run = Run(path)
    run.stopping = True
    with pytest.raises(Interrupted):
        made(path, Sized(Sized.Config(rounds=8)), run=run)
    assert not path.exists()
    table = made(path, Sized(Sized.Config(rounds=8)), run=Run(path, resume=True))
    evidence = table.payload.columns["sized"].evidence
    assert evidence is not None
    assert len(evidence.samples) == 10  # a multiple of five: when agreement is looked at


def test_a_resumed_build_leaves_the_meters_that_are_done(tmp_path: Path) -> None:
    def meters() -> list[SampledMeter]:
        return [Sized(Sized.Config(rounds=3, networks=0)), Stopping(Stopping.Config(rounds=3, networks=0))]

    path, run = tmp_path / "a.h5", Run(tmp_path / "a.h5")
    Stopping.run = run
    with pytest.raises(Interrupted):
        made(path, *meters(), run=run)
    columns = made(path, *meters(), run=Run(path, resume=True)).payload.columns
    evidence = [columns[name].evidence for name in ("sized", "stopping")]
    assert [len(one.samples) for one in evidence if one is not None] == [5, 5]


def test_a_view_shows_what_the_table_predicts(tmp_path: Path) -> None:
    made(tmp_path / "a.h5", Macs(), latency(networks=30))
    facts = as_json(LookupTable.open(tmp_path / "a.h5"))
    shown = {title: rows for title, _, rows in tables_of(facts)}
    title = next(title for title in shown if "held-out networks" in title)
    assert title.startswith("latency_ms: 20 held-out networks between ")
    assert [row[0] for row in shown[title]] == ["table", "sum of blocks", "fitted MACs", "a constant", "measured again"]
    assert not any(str(row[1]).startswith("held_out_") for row in shown["conditions"])


GOOD = {"held_out_table": {"mape": 0.02}, "held_out_macs": {"mape": 0.1}, "load": {"others": 0.01, "waiting": 0.0}}


@pytest.mark.parametrize(
    ("notes", "expected"),
    [
        (GOOD, None),
        ({}, None),
        (GOOD | {"held_out_macs": {"mape": 0.02}}, "MACs predict held-out networks as well"),
        (GOOD | {"load": {"others": 1.2, "waiting": 0.0}}, "other processes took 1.2 cores"),
        (GOOD | {"load": {"others": None, "waiting": 0.3}}, "other processes took 30 % of the time"),
        (GOOD | {"reliability": 0.8, "min_reliability": 0.99}, "agree to 0.800 only"),
    ],
)
def test_doubts_are_said(notes: dict[str, Any], expected: str | None) -> None:
    found = list(doubts("latency_ms", notes))
    assert len(found) == (expected is not None)
    assert expected is None or expected in found[0]
    facts = {"kind": "lookup-table", "metrics": {"latency_ms": {"notes": notes}}}
    assert list(warnings_of(facts)) == found


def test_networks_that_cost_nothing_neither_correct_nor_judge_a_table(tmp_path: Path) -> None:
    metric = made(tmp_path / "lut.h5", Free(Free.Config(rounds=3, networks=12))).payload.columns["sized"]
    assert metric.error is None
    assert "correction" not in metric.notes


def test_rounds_go_on_until_blocks_agree_without_what_nothing_costs() -> None:
    blocks = [(nn.Identity(), (1, 2, 2))] * 20
    beside = Beside(Beside.Config(rounds=3, min_reliability=1e-9, tolerance=0.05))
    found = beside.sample_all(blocks, []).samples
    assert len(found) > 10
    assert 1 <= found.min() <= found.max() <= 3
    assert beside.empties == 5 * len(found)
    assert beside.notes()["half_difference"] <= 0.05
    assert beside.notes()["overhead"] == 1000


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mobile_K3", "mobile_K3_3x8x8_ab"),
        ("a b/c", "a-b-c_3x8x8_ab"),
        ("..", "block_3x8x8_ab"),
        ("x" * 99, f"{'x' * 60}_3x8x8_ab"),
    ],
)
def test_the_id_of_a_block_says_what_it_is(name: str, expected: str) -> None:
    assert block_id(name, (3, 8, 8), "ab") == expected
