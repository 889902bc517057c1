"""Where the settings of a stage come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from nascli.artifacts.architecture import Architecture, Choice
from nascli.errors import ConfigError
from nascli.stage import stage_of
from nascli.stage.current import current
from nascli.stage.declaration import Input
from nascli.stage.execution import new_run, open_input
from nascli.stage.settings import load_config, settings
from stages.retrain import RetrainConfig, retrain
from stages.search import SearchConfig, search
from stages.train_supernet import TrainSupernetConfig, train_supernet

YAML = """
seed: 3
dataflow: {use: digits, batch_size: 16}
train_supernet: {epochs: 2, seed: 4}
retrain: {epochs: 3}
"""


def supernet(*assignments: str, file: Path | None = None, **flags: object) -> TrainSupernetConfig:
    config = load_config(stage_of(train_supernet), file, assignments, flags)
    assert isinstance(config, TrainSupernetConfig)
    return config


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "run.yaml"
    path.write_text(YAML)
    return path


def test_a_section_wins_over_a_shared_key(file: Path) -> None:
    assert supernet(file=file).seed == 4
    other = load_config(stage_of(retrain), file, (), {})
    assert isinstance(other, RetrainConfig)
    assert other.seed == 3


def test_flags_win_over_set_over_environment_over_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASCLI_SEED", "5")
    assert supernet(file=file).seed == 5
    assert supernet("seed=6", file=file).seed == 6
    assert supernet("seed=6", file=file, seed=7).seed == 7


def test_a_wrong_seed_of_the_environment_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASCLI_SEED", "1e999")
    with pytest.raises(ConfigError, match=r"^NASCLI_SEED:1: cannot read the value"):
        supernet()


def test_a_result_of_another_benchmark_is_not_current(tmp_path: Path) -> None:
    target, table, path = stage_of(search), tmp_path / "benchmark.json", tmp_path / "arch.npy"
    table.write_text('{"0": {"mean_acc": 50}}')
    config = load_config(target, None, [f"evaluator={{use: table, path: {table}}}"], {})
    new_run(config, {}, path).complete(Architecture(Choice((0,)))).write(path)
    assert current(target, config, {}, path) is not None
    (tmp_path / "moved.json").write_bytes(table.read_bytes())
    moved = load_config(target, None, [f"evaluator={{use: table, path: {tmp_path}/moved.json}}"], {})
    assert current(target, moved, {}, path) is not None
    table.write_text('{"0": {"mean_acc": 60}}')
    assert current(target, config, {}, path) is None


def test_set_reaches_the_section_with_and_without_its_name(file: Path) -> None:
    assert supernet("epochs=9", file=file).epochs == 9
    assert supernet("train_supernet.epochs=9", file=file).epochs == 9


def test_set_of_what_only_another_stage_has_is_passed_over(file: Path) -> None:
    assert supernet("retrain.epochs=9", "constraint=['macs<=1']", file=file).epochs == 2


def test_options_without_a_name_are_those_of_the_default_component() -> None:
    assert supernet("dataflow.batch_size=8").dataflow.options.model_dump()["batch_size"] == 8


def test_an_unknown_top_level_key_names_its_line_and_the_closest_one(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("seed: 1\ndataflo: digits\n")
    with pytest.raises(ConfigError, match=r"run.yaml:2: unknown key 'dataflo'; did you mean 'dataflow'\?"):
        supernet(file=path)


def test_a_component_in_a_section_replaces_the_shared_one_whole(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("dataflow: {use: digits, batch_size: 16}\ntrain_supernet: {dataflow: synthetic}\n")
    config = supernet(file=path)
    assert config.dataflow.use == "synthetic"
    assert config.dataflow.options.model_dump()["batch_size"] == 64


def test_an_unknown_key_in_the_section_of_another_stage_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("retrain: {epochz: 3}\n")
    with pytest.raises(ConfigError, match=r"run.yaml:1: unknown key 'retrain.epochz'; did you mean 'epochs'\?"):
        supernet(file=path)


def test_precision_may_be_the_number_that_yaml_reads() -> None:
    assert supernet("precision=32").precision == "32"


def test_single_precision_is_called_as_meters_call_it_too() -> None:
    assert supernet("precision=fp32").precision == "32"


def test_one_bound_may_stand_alone() -> None:
    config = load_config(stage_of(search), None, ("constraint=macs<=3e5",), {})
    assert isinstance(config, SearchConfig)
    assert config.constraint == ("macs<=3e5",)


def test_options_that_a_component_takes_without_declaring_them_are_settings_too() -> None:
    layers = "first: [{op: conv, out: 8, kernel: 5}], search: [{out: 8, repeat: 1}], candidates: [{op: skip}]"
    told = settings(supernet(f"search_space={{use: chain, {layers}}}"), everything=False)
    assert told["search_space"]["first"][0]["kernel"] == 5


def test_an_architecture_of_one_decision_is_written_as_its_number() -> None:
    found = open_input(Input("arch", Architecture, optional=False), "3")
    assert found is not None
    assert found.payload.arch == (3,)
