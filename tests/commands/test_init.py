"""`nascli init`: the YAML of all stages."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, create_model

from nascli.commands.fields import Key, keys
from nascli.commands.init import WIDTH, document
from nascli.component import KINDS, find_class, installed, resolve
from nascli.config import Config, Origin, validate
from nascli.document import read_document
from nascli.errors import ConfigError
from nascli.stage import Stage, installed_stages
from nascli.stage.settings import load_config, settings
from tests.conftest import Command

STAGES = [plugin.stage for plugin in installed_stages() if plugin.stage is not None]


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "my.yaml"
    path.write_text(document(STAGES, {}), encoding="utf-8")
    return path


def same_but_null_space(config: Config) -> dict[str, Any]:
    """The settings; a stage that takes the search space from its inputs by default gets the shared one."""
    found = settings(config)
    if "search_space" in found:
        shared = settings(validate(STAGES[0].config, {}, Origin()))["search_space"]
        found["search_space"] = found["search_space"] or shared
    return found


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_the_file_gives_every_stage_its_defaults(stage: Stage, written: Path) -> None:
    found = load_config(stage, written, [], {})
    assert settings(found) == same_but_null_space(validate(stage.config, {}, Origin()))


def test_a_stage_runs_with_the_file(in_process: Command, tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text(in_process("init").stdout)
    done = in_process("build-lut", "-c", "my.yaml", "-o", "lut.h5", "-q")
    assert (done.returncode, done.stdout, done.stderr) == (0, "lut.h5\n", "")


def test_init_imports_no_torch() -> None:
    code = "import sys; from nascli.cli import run; run(['init']); print(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


def test_every_key_of_every_stage_is_written_once_where_it_belongs(written: Path) -> None:
    data = read_document(written).data
    for stage in STAGES:
        for name in stage.config.model_fields:
            assert name in data or name in data[stage.section], f"{stage.section}.{name}"
    assert "seed" not in data["train_supernet"]


def test_a_default_that_differs_from_the_shared_one_stands_in_the_section(written: Path) -> None:
    data = read_document(written).data
    assert data["criterion"]["label_smoothing"] == 0
    assert data["retrain"]["criterion"]["label_smoothing"] == 0.1


def test_comments_name_meaning_range_and_alternatives(written: Path) -> None:
    text = written.read_text(encoding="utf-8")
    assert "# how many times the training images are seen; integer, >= 1" in text
    assert f"installed: {', '.join(installed('search_space'))} " in text.replace("\n# ", " ").replace("\n", " ")
    assert "sgd | adamw" in text
    assert all(len(line) <= WIDTH for line in text.splitlines())


def test_a_named_component_is_written_with_its_options() -> None:
    text = document(STAGES, {"search_space": resolve("search_space", "nasbench_macro")})
    assert "  use: nasbench_macro\n  input_shape: [3, 32, 32]" in text
    assert "use: tiny" not in text


def test_a_required_option_is_marked_and_named_when_it_is_not_filled_in(in_process: Command, tmp_path: Path) -> None:
    done = in_process("init", "--dataflow", "image_folder")
    assert "  path: null " in done.stdout
    assert "REQUIRED; a folder or .zip file" in done.stdout
    (tmp_path / "my.yaml").write_text(done.stdout)
    failed = in_process("train-supernet", "-c", "my.yaml", "-o", "s.pt")
    assert failed.returncode == 2
    assert "'dataflow.path'" in failed.stderr


def test_an_unknown_component_exits_2_and_writes_nothing(in_process: Command) -> None:
    done = in_process("init", "--search-space", "tinny")
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean 'tiny'?" in done.stderr


def models() -> Iterator[type[BaseModel]]:
    yield from (stage.config for stage in STAGES)
    yield from (find_class(kind, name).Config for kind in KINDS for name in installed(kind))


def nested(model: type[BaseModel]) -> Iterator[Key]:
    for key in keys(model):
        yield from nested(key.below) if key.below else (key,)


@pytest.mark.parametrize("model", list(models()), ids=lambda model: model.__qualname__)
def test_every_setting_has_a_description(model: type[BaseModel]) -> None:
    assert [key.name for key in nested(model) if not key.description] == []


class Odd(Config):
    """Values that need care in YAML."""

    text: str = "on: # [x]"
    number: str = "32"
    quote: str = "it's"
    empty: str = ""
    small: float = 1e-7
    pairs: tuple[tuple[int, str], ...] = ((1, "a"), (2, "null"))
    nothing: str | None = None


def test_odd_values_come_back_as_they_were(tmp_path: Path) -> None:
    stage = Stage("odd", lambda: None, Odd, (), STAGES[0].output, ())  # type: ignore[arg-type,return-value]
    path = tmp_path / "odd.yaml"
    path.write_text(document([stage], {}))
    assert validate(Odd, read_document(path).data["odd"], Origin()) == Odd()


NUMBERS = st.from_regex(r"[-+]?[0-9.]{1,5}(e[-+]?[0-9]{1,4})?", fullmatch=True)
TEXTS = st.text(max_size=50) | NUMBERS | st.sampled_from(["1e999", "-.inf", ".nan", "~", "No", "a: b", "./f.py:Class"])


@given(TEXTS)
@example("1e999")
@example("9" * 5000)
@example(" two\n\nlines\t")
@example("\x00\x85\u2028\ufeff\U0001f600")
def test_any_text_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    lists = (tuple[str, ...], (text, text))
    model = create_model("Told", __base__=Config, text=(str, text), texts=lists, named=(dict[str, str], {"a": text}))
    stage = Stage("told", lambda: None, model, (), STAGES[0].output, ())  # type: ignore[arg-type,return-value]
    path = tmp_path_factory.getbasetemp() / "told.yaml"
    path.write_text(document([stage], {}), encoding="utf-8")
    assert validate(model, read_document(path).data["told"], Origin()) == model()


class Demanding(Config):
    """A stage of someone else's, with a key that has no default."""

    target: int


def test_a_stage_with_a_required_key_of_its_own_does_not_stop_the_others() -> None:
    stage = Stage("demanding", lambda: None, Demanding, (), STAGES[0].output, ())  # type: ignore[arg-type,return-value]
    assert "  target: null" in document([*STAGES, stage], {})
    with pytest.raises(ConfigError):
        validate(Demanding, {}, Origin())
