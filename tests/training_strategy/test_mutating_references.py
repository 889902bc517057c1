"""References that name users' mutators."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nascli.component import Reference, find_class, resolve
from nascli.config import Origin
from nascli.errors import ComponentError, ConfigError
from nascli.run import Run
from nascli.training_strategy.adapted import adapted
from nascli.training_strategy.base import TrainingStrategy
from nascli.training_strategy.mutator import BaseMutator
from stages.train_supernet import TrainSupernetConfig
from stages.train_supernet import train_supernet as train_supernet_stage
from tests.conftest import Write
from tests.training_agent.helpers import events, fresh, tiny

FILE = '''
from nascli.training_strategy.mutator import BaseMutator, RandomMutator

class Mine(RandomMutator):
    """Mine."""
    def __init__(self, model, sharpness, seed=None, *, name="mine"):
        super().__init__(model, seed)
        self.sharpness, self.name = sharpness, name

class Callbacks(BaseMutator):
    pass

class Elsewhere:
    pass
'''


def named(write: Write, cls: str, **options: Any) -> Reference:
    path = write("my.py", FILE)
    return resolve("training_strategy", {"use": f"./my.py:{cls}", **options}, Origin(base=path.parent))


def test_a_reference_names_a_mutator_and_its_arguments_are_options(write: Write) -> None:
    reference = named(write, "Mine", sharpness=3, name="other")
    assert reference.cls.__name__ == "Mine"
    assert reference.name == "my.py:Mine"
    strategy = reference.build()
    strategy.setup(tiny().space, None, None)
    strategy.bind(fresh(tiny().supernet))
    assert (strategy.mutator.sharpness, strategy.mutator.name) == (3, "other")


def test_equal_references_are_equal(write: Write) -> None:
    assert named(write, "Mine", sharpness=3) == named(write, "Mine", sharpness=3)


@pytest.mark.parametrize(
    ("options", "said"),
    [({}, "'sharpness' is missing"), ({"sharpness": 1, "nme": 2}, "unknown key 'nme'; did you mean 'name'")],
)
def test_options_are_checked_like_those_of_any_component(options: Any, said: str, write: Write) -> None:
    with pytest.raises(ConfigError, match=said):
        named(write, "Mine", **options)


def test_callbacks_alone_do_not_train(write: Write) -> None:
    with pytest.raises(ComponentError, match="'Callbacks' samples nothing"):
        named(write, "Callbacks")


def test_a_class_of_another_kind_is_refused_as_before(write: Write) -> None:
    with pytest.raises(ComponentError, match=r"'\./my\.py:Elsewhere' is not a TrainingStrategy"):
        named(write, "Elsewhere")


def test_an_abstract_mutator_is_refused() -> None:
    with pytest.raises(ComponentError, match="'Mutator' is not complete: it lacks sample_search"):
        find_class("training_strategy", "nascli.training_strategy.mutator:Mutator")


def test_what_is_no_mutator_stays_what_it_is() -> None:
    for found in (BaseMutator.forward, 3, TrainingStrategy):
        assert adapted(found) is found


def test_naming_another_strategy_imports_no_torch() -> None:
    code = "from nascli.component import find_class; find_class('training_strategy', 'uniform')"
    check = f"{code}\nimport sys\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", check], check=True)


def test_the_stage_trains_by_a_users_mutator(write: Write, tmp_path: Path) -> None:
    reference = named(write, "Mine", sharpness=3)
    space = {"use": "tiny", "width": 4}
    data = {"use": "digits", "batch_size": 256}
    config = TrainSupernetConfig(
        training_strategy=reference, search_space=space, dataflow=data, epochs=1, accelerator="cpu"
    )
    found = train_supernet_stage(config, Run(tmp_path / "supernet.pt"), lut=None, teacher=None)
    assert found.header.summary["steps"] > 0
    assert events(tmp_path, "train")
