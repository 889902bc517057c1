"""The numbers of each section."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nascli.artifacts.architecture import Architecture, Choice
from nascli.artifacts.export import Export
from nascli.artifacts.history import History, Trials
from nascli.artifacts.lookup_table import Column, LookupTable, Table
from nascli.artifacts.report import Report
from nascli.artifacts.reported import Reported
from nascli.artifacts.strategy_state import LearnedState, StrategyState
from nascli.commands.reporting import comparison as reporting_comparison
from nascli.commands.reporting.material import Material
from nascli.commands.reporting.parts import Cell, cell
from nascli.commands.views.history import front_of
from nascli.space import Decision, Space
from tests.artifacts.helpers import record

from .helpers import (
    ROUNDS,
    Seen,
    comparison,
    data,
    history,
    log,
    lookup_table,
    of,
    pipeline,
    report,
    shown,
    space,
    supernet,
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return shown(pipeline(tmp_path_factory.mktemp("whole")))


def test_the_lineage_names_every_artifact_once_and_what_it_was_made_from(whole: Seen) -> None:
    rows = {row[1]: row for row in whole.table("the same as a table")}
    assert set(rows) == {"lut.h5", "supernet.pt", "arch.npy", "report.json"}
    assert rows["arch.npy"][3] == f"lut {rows['lut.h5'][2]}, supernet {rows['supernet.pt'][2]}"
    assert "+ arch.history.h5" in whole.text
    assert "+ report.mistakes.h5" in whole.text


def test_an_input_that_is_not_there_is_known_by_its_role(tmp_path: Path) -> None:
    pipeline(tmp_path)
    seen = shown(tmp_path / "report.json")
    assert {row[1] for row in seen.table("the same as a table")} == {"lut", "supernet", "arch", "report.json"}


def test_the_heat_map_holds_the_cost_of_every_candidate(whole: Seen) -> None:
    rows = whole.table("macs [MAC] of each candidate")
    assert rows == [[f"layer_{i}", "0", "1k", f"{20 * (i + 1)}k"] for i in range(3)]
    assert "60,000" in next(cells for title, cells in whole.exact.items() if title.startswith("macs"))


def test_the_fixed_part_has_a_unit(whole: Seen) -> None:
    assert re.search(r"The fixed part costs [\d,]+ MAC; whole networks cost from [\d,]+ to [\d,]+ MAC\.", whole.text)


def test_the_card_of_the_latency_says_how_it_was_measured() -> None:
    measured = {"latency_ms": 1.5, "backend": "torch", "device": None, "accelerator": "cpu", "threads": 2}
    assert "torch, cpu, 2 threads" in of(Report(Reported({"top1": 0.5}, measured))).text


def test_a_latency_beside_other_work_is_doubted() -> None:
    measured = {"latency_ms": 1.5, "load": {"others": 1.5, "waiting": 0.5}}
    assert "other processes took 1.5 cores" in of(Report(Reported({"top1": 0.5}, measured))).text


def test_the_best_so_far_of_a_comparison_grows_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.figure import Figure

    draws: list[Any] = []
    monkeypatch.setattr(reporting_comparison, "plotted", lambda name, words, draw, **_: draws.append(draw))
    list(reporting_comparison.sections(Material([comparison(space())])))
    axes = Figure().subplots()
    draws[0]([axes])
    assert {line.get_drawstyle() for line in axes.lines} == {"steps-post"}


def test_candidates_with_many_names_are_columns_by_their_number() -> None:
    decisions = tuple(Decision(f"d{i}", tuple(f"c{i}{k}" for k in range(3))) for i in range(5))
    costs = tuple(((i,), np.arange(3) + i) for i in range(5))
    known = Space("many", decisions, (1, 8, 8), 3)
    seen = of(LookupTable(Table({"macs": Column("MAC", 0, costs, True)}), space=record(known)))
    assert seen.table("macs [MAC] of each candidate")[4] == ["d4", "c40: 4", "c41: 5", "c42: 6"]


def test_costs_of_several_decisions_together_are_listed() -> None:
    joint = (((0, 1), np.arange(9).reshape(3, 3)), ((2,), np.arange(3)))
    seen = of(LookupTable(Table({"macs": Column("MAC", 0, joint, True)}), space=record(space())))
    assert ["layer_0, layer_1", "wide, conv", "7"] in seen.table("macs [MAC] of candidates of several decisions")


def test_the_validation_scatter_tells_how_far_held_out_networks_are_off(whole: Seen) -> None:
    assert "latency_ms: 6 held-out networks from" in whole.text
    assert "off by 9.1 % in the mean, 9.1 % at most" in whole.text  # measured is 1.1 times what is predicted


def test_of_a_table_that_was_not_corrected_all_networks_judge() -> None:
    lut = lookup_table(space())
    slow = lut.payload.columns["latency_ms"]
    known = replace(slow, notes={"statistic": "median"})
    seen = of(LookupTable(Table({"latency_ms": known}), space=record(space())))
    assert "latency_ms: 9 held-out networks from" in seen.text
    assert "fitted on" not in seen.text


def test_without_measured_networks_that_is_said() -> None:
    slow = tuple(((i,), np.ones(3)) for i in range(3))
    seen = of(LookupTable(Table({"latency_ms": Column("ms", 0.0, slow, False)}), space=record(space())))
    assert "latency_ms: no whole networks were measured" in seen.text


def test_a_panel_that_was_validated_once_is_no_curve() -> None:
    made = supernet(space(), data())
    made.header = made.header.model_copy(update={"summary": {**made.header.summary, "panel_rounds": ROUNDS[:1]}})
    seen = of(made)
    assert "The panel, 2 architectures, was validated once: mean accuracy 0.25" in seen.text
    assert seen.tags["svg"] == 1  # the lineage


def test_the_front_that_is_drawn_is_one_of_the_metric_drawn() -> None:
    rows = [
        {"accuracy": a, "loss": 1.0, "costs": {"ms": ms, "macs": macs}}
        for a, ms, macs in ((0.5, 1, 30), (0.75, 2, 10), (None, 0, 0))
    ]
    assert (front_of(rows, "ms"), front_of(rows, "macs")) == ([0, 1], [1])


def test_training_curves_come_from_the_log_and_the_panel_from_the_header(whole: Seen) -> None:
    assert "loss from 2.5 to 1.5 and accuracy from 0.25 to 0.75 in 30 steps" in whole.text
    assert "2 architectures in 3 rounds: mean accuracy 0.250 → 0.750, tau to the round before 0.875" in whole.text
    assert whole.table("the panel at the end") == [["0,0,1", "0.75"], ["1,1,1", "0.5"]]


def test_without_a_log_that_is_said() -> None:
    assert "No training curves: supernet.run/log.jsonl is not beside supernet" in of(supernet(space(), data())).text


def test_a_log_that_ends_elsewhere_is_doubted(tmp_path: Path) -> None:
    pipeline(tmp_path)
    log(tmp_path / "supernet.pt", ['{"event": "train", "step": 20, "loss": 1.0}', "no JSON", '{"event": 3}', "[]"])
    assert "The log ends at step 20, the training at 30" in shown(tmp_path / "supernet.pt").text


def test_of_a_long_log_the_last_step_is_shown(tmp_path: Path) -> None:
    pipeline(tmp_path)
    log(tmp_path / "supernet.pt", [{"event": "train", "step": i, "loss": 1 / i} for i in range(1, 1603)])
    assert "loss from 1 to 0.0006242 in 1,602 steps" in shown(tmp_path / "supernet.pt").text


def test_the_search_shows_every_candidate_the_front_and_the_bound(whole: Seen) -> None:
    assert "3 candidates, macs from 1,007 to 22,007, best accuracy 0.7500; chosen: 1,1,1 with 0.7500" in whole.text
    assert "2 on the front, within macs<=30000" in whole.text
    assert "From 0.2500 to 0.7500, reached by candidate 2 of 4" in whole.text
    assert [row[0] for row in whole.table("front")] == ["1", "2"]
    assert whole.table("1 failed") == [["4", "2,2,2", "the loss is nan"]]


def test_a_history_without_scores_or_costs_is_still_shown() -> None:
    nothing = Trials(np.zeros((1, 3), np.int64), np.array([math.nan]), np.array([math.nan]), np.zeros(1, int), {}, {})
    assert "No candidate has a score" in of(History(nothing, space=record(space()))).text
    scores = Trials(np.zeros((1, 3), np.int64), np.array([0.5]), np.array([0.5]), np.ones(1, int), {}, {})
    assert "no costs to draw the scores against" in of(History(scores, space=record(space()))).text


def test_many_candidates_are_drawn_as_pixels() -> None:
    n = 2100
    known = Space("wide", tuple(Decision(f"d{i}", tuple("abc")) for i in range(8)), (1, 8, 8), 3)
    archs = np.stack(np.unravel_index(np.arange(n), (3,) * 8), axis=1).astype(np.int64)
    costs = {"macs": np.arange(n)}
    trials = Trials(archs, np.linspace(0, 1, n), np.zeros(n), np.ones(n, np.int64), costs, {})
    seen = of(History(trials, space=record(known)))
    assert any(link.startswith("data:image/png;base64,") for link in seen.links)


def test_layers_are_drawn_with_their_shares(whole: Seen) -> None:
    text = whole.text.replace("\n", "")
    assert "three, layer by layer: 1,1,1" in text
    assert "macs 3.007k MAC" in text
    assert "latency_ms 3.5 ms" in text
    for words in ("layer_1", "conv", "33.3 %", "0.2 %", "28.6 %", "14.3 %"):
        assert words in whole.text


def test_without_a_table_the_costs_of_layers_are_not_known() -> None:
    seen = of(Architecture(Choice((0, 2, 1)), space=record(space())))
    assert "no lookup table of this search space was given" in seen.text
    assert seen.text.count("layer_") == 3


def test_a_vector_of_ones_own_is_drawn_in_the_space_of_the_table(tmp_path: Path) -> None:
    lookup_table(space()).write(tmp_path / "lut.h5")
    np.save(tmp_path / "own.npy", np.array([0, 2, 1]))
    assert "three, layer by layer: 0,2,1" in shown(tmp_path / "lut.h5", tmp_path / "own.npy").text.replace("\n", "")
    assert "names no search space, so its layers are unknown" in shown(tmp_path / "own.npy").text


def test_a_layer_that_does_not_exist_is_said_to_be_missing() -> None:
    outer = Decision("outer", ("a", "b"))
    known = Space("nested", (outer, Decision("inner", ("x", "y"), active_if=(("outer", (1,)),))), (1, 8, 8), 3)
    assert "not in this network" in of(Architecture(Choice((0, 1)), space=record(known))).text
    assert "not in this network" not in of(Architecture(Choice((1, 1)), space=record(known))).text


def test_channels_of_a_chain_stand_in_its_layers() -> None:
    layers = [{"in_channels": 4, "out_channels": 8 * (i + 1), "stride": 2} for i in range(3)]
    plain = space()
    known = Space("chain", plain.decisions, (1, 8, 8), 3, {"macro": {"search": layers}})
    assert "4 → 24 channels, stride 2" in of(Architecture(Choice((0, 2, 1)), space=record(known))).text


def test_the_confusion_matrix_counts_images(whole: Seen) -> None:
    assert whole.table("confusion matrix") == [["a", "3", "1", "0"], ["b", "0", "2", "0"], ["c", "0", "0", "2"]]
    assert "1 of 4 'a' called 'b'" in next(cells for title, cells in whole.exact.items() if title.startswith("conf"))


def test_mistakes_have_their_pictures(whole: Seen) -> None:
    (image,) = whole.images
    assert image["src"].startswith("data:image/png;base64,")
    assert "a called b" in whole.text
    assert "probability 0.9, of its own class 0.0625, image 5" in whole.text


def test_mistakes_without_pictures_are_told_in_words() -> None:
    seen = of(report(data(), space()))
    assert seen.images == []
    assert seen.table("worst mistakes") == [["5", "a", "b", "0.9", "0.0625"]]


def test_a_matrix_of_many_classes_is_drawn() -> None:
    n = 40
    values = {"images": n, "confusion_matrix": np.eye(n, dtype=int).tolist(), "mistakes": []}
    seen = of(Report(Reported(values), data=data(classes=[f"c{i}" for i in range(n)])))
    assert "40 classes, 0 of 40 test images off the diagonal" in seen.text
    assert "every test image was called what it is" in seen.text


@pytest.mark.parametrize("values", [{"tar": 0.5}, {"confusion_matrix": [[1]]}, {"mistakes": "many"}, {"mistakes": [1]}])
def test_other_tasks_have_figures_without_matrix_and_mistakes(values: dict[str, Any]) -> None:
    seen = of(Report(Reported({"images": 3, **values}), data=data()))
    assert ["images", "3"] in seen.table("figures")
    assert "No confusion matrix" in seen.text
    assert "No mistakes" in seen.text


def test_a_comparison_has_standings_and_curves() -> None:
    seen = of(comparison(space()))
    assert seen.table("standings")[0][:3] == ["evolution", "2", "0.8750 ± 0.1250"]
    assert "after 2 evaluations, 2 seeds: evolution 0.8750, random 0.5000" in seen.text
    assert seen.table("all 3 runs")[2] == ["random-seed0", "0.5", "2", "0,0,0"]


def test_a_narrow_interval_has_digits_that_are_not_zero() -> None:
    made = comparison(space())
    for interval, text in (([0.8749995, 0.8750005], "0.8750000 ± 0.0000005"), ([0.875, 0.875], "0.8750 ± 0.0000")):
        made.payload.standings[0]["interval"] = interval
        assert of(made).table("standings")[0][2] == text


def test_times_and_short_words_stay_in_one_line() -> None:
    assert cell("2026-11-26T03:35:11+00:00") == Cell("2026-11-26 03:35:11+00:00", whole=True)
    assert [cell(text).shape for text in ("1,0,1", "lut.h5", "a b", "x" * 30, "a " * 40)] == [
        "whole", "whole", "", "long", "long",
    ]  # fmt: skip


def test_all_settings_of_all_steps_are_there(whole: Seen) -> None:
    assert ["max_evaluations", "4"] in whole.table("nascli search (arch")
    assert ["meters", "macs"] in whole.table("nascli build-lut (lut.h5)")
    assert [row[0] for row in whole.table("where and when")][:2] == ["lut.h5", "supernet.pt"]


def test_the_settings_of_what_is_not_there_come_from_the_headers(tmp_path: Path) -> None:
    pipeline(tmp_path)
    assert ["epochs", "3"] in shown(tmp_path / "report.json").table("nascli train-supernet (supernet)")


def test_a_search_without_its_winner_is_shown() -> None:
    assert "chosen:" not in of(history(space(), data())).text


def test_an_export_tells_its_difference_and_its_latency() -> None:
    files = {"files": ["model.onnx"], "batch": None}
    told = {"onnx": files, "input": {"shape": [1, 8, 8]}, "output": {"classes": 3}, "classes": ["a", "b", "c"]}
    found = {"max_abs_difference": 1e-6, "largest_output": 2.0, "latency_ms": 0.5, "latency_interval_ms": [0.25, 0.75]}
    seen = of(Export(Reported(told, {"onnx": found | {"threads": 1}}), space=record(space())))
    assert seen.table("exported") == [["onnx", "model.onnx", "any", "1e-06 of 2"]]
    assert seen.table("latency of one image") == [["onnx", "0.5", "0.25 to 0.75", "1"]]


def test_what_a_strategy_learned_is_told() -> None:
    summary = {"strategy": "generator", "metric": "macs", "curve": {"requested": [100.0], "generated": [110]}}
    seen = of(StrategyState(LearnedState("generator", {}), space=record(space()), summary=summary))
    assert seen.table("macs, before any repair") == [["100", "110", "10"]]
