from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from nascli.artifacts.model import Model, TrainedModel
from nascli.component import Reference, resolve
from nascli.config import Origin
from nascli.errors import ComponentError
from nascli.run import Run
from nascli.search_space.base import record_of
from nascli.training_agent.classification import Classification
from nascli.training_agent.jobs import retrain
from nascli.training_agent.teaching import Taught, taught_by
from nascli.training_agent.updates import Teacher, Updater
from nascli.training_strategy.base import Pass, Update

from .helpers import ARCH, OTHER, SHAPE, batch, flow, fresh, gradients, setup, state_of, tiny, training, updater

ONE, TWO = (tiny().space.forward(arch) for arch in (ARCH, OTHER))
BATCH = batch()
OPTIONS = {"input_shape": list(SHAPE), "classes": 4, "width": 4}
OWN = """
from nascli.search_space.tiny import Tiny


class Mine(Tiny):
    pass
"""


def pupil(module: nn.Module, weight: float = 0.5) -> tuple[Updater, nn.Module]:
    """What trains `module`, and the teacher that it imitates."""
    runner, network = updater(module), fresh(lambda: tiny().model(OTHER), seed=1).eval()
    runner.teacher = Teacher(network, weight)
    return runner, network


def model_of(reference: Reference) -> Model:
    """A network with fresh weights, decoded from a space."""
    space = reference.build()
    state = fresh(lambda: space.model(ARCH), seed=2).state_dict()
    return Model(TrainedModel(ARCH, state), space=record_of(reference, space.space), data=flow().describe())


def mine(folder: Path) -> Reference:
    """A space in a file of the user's own."""
    (folder / "space.py").write_text(OWN)
    return resolve("search_space", {"use": "./space.py:Mine", **OPTIONS}, Origin(base=folder))


def test_the_gradient_is_that_of_the_criterion_and_the_weighted_imitation() -> None:
    module = fresh(tiny().supernet)
    by_hand, (runner, teacher) = deepcopy(module), pupil(module)
    output = by_hand(BATCH.images, ONE)
    taught = teacher(BATCH.images).detach().softmax(1)
    (cross_entropy(output, BATCH.labels) + 0.5 * cross_entropy(output, taught)).backward()
    runner.run(Update([Pass(ONE)]), BATCH)
    found, expected = gradients(module), gradients(by_hand)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value)


def test_passes_that_imitate_another_pass_have_no_other_teacher() -> None:
    module = fresh(tiny().supernet)
    first, second = (deepcopy(module)(BATCH.images, forward) for forward in (ONE, TWO))
    losses = pupil(module)[0].run(Update([Pass(ONE), Pass(TWO, target=0)]), BATCH).losses
    torch.testing.assert_close(losses[1], Classification().imitate(second, first.detach()).detach())


def trained(folder: Path, taught: Taught | None, **options: Any) -> dict[str, torch.Tensor]:
    folder.mkdir()
    result, _ = retrain(tiny(), ARCH, setup(Run(folder / "m.pt")), training(epochs=1, **options), teacher=taught)
    return dict(result.state_dict)


def test_a_teacher_changes_what_is_trained_and_stays_what_it_was(tmp_path: Path) -> None:
    class Remembering(Taught):
        """Shows its network."""

        def network(self, setup: Any) -> nn.Module:
            made.append(super().network(setup))
            return made[0]

    made: list[nn.Module] = []
    model = model_of(resolve("search_space", {"use": "tiny", **OPTIONS}))
    alone, taught = trained(tmp_path / "a", None), trained(tmp_path / "b", Remembering(model, tiny()))
    assert any(not torch.equal(value, taught[name]) for name, value in alone.items())
    assert gradients(made[0]) == {}
    for name, value in state_of(made[0]).items():
        assert torch.equal(value, model.payload.state_dict[name])


def test_the_weight_of_a_teacher_is_an_option(tmp_path: Path) -> None:
    model = model_of(resolve("search_space", {"use": "tiny", **OPTIONS}))
    weights = [trained(tmp_path / str(w), Taught(model, tiny()), distillation=w) for w in (0.5, 2.0)]
    assert any(not torch.equal(value, weights[1][name]) for name, value in weights[0].items())


def test_no_teacher_teaches_nothing() -> None:
    assert taught_by(None, None) is None


def test_a_teacher_of_an_installed_space_needs_no_name(tmp_path: Path) -> None:
    reference = resolve("search_space", {"use": "tiny", **OPTIONS})
    for named in (None, reference, mine(tmp_path)):
        found = taught_by(model_of(reference), named)
        assert found is not None
        assert found.space.space.fingerprint == tiny().space.fingerprint


def test_a_teacher_of_a_space_of_ones_own_is_built_by_the_space_that_the_settings_name(tmp_path: Path) -> None:
    reference = mine(tmp_path)
    found = taught_by(model_of(reference), reference)
    assert found is not None
    assert type(found.space).__name__ == "Mine"


@pytest.mark.parametrize("named", [None, "tiny"])
def test_a_teacher_of_a_space_of_ones_own_is_asked_for_its_file(named: str | None, tmp_path: Path) -> None:
    model = model_of(mine(tmp_path))
    with pytest.raises(ComponentError, match="--teacher was made with the search space") as caught:
        taught_by(model, None if named is None else resolve("search_space", named))
    assert caught.value.hint == "name it: --teacher-space ./space.py:Mine"


def test_a_pupil_of_another_space_than_its_teacher_names_both(tmp_path: Path) -> None:
    found = taught_by(model_of(mine(tmp_path)), resolve("search_space", {"use": "tiny", **OPTIONS}), mine(tmp_path))
    assert found is not None
    assert type(found.space).__name__ == "Mine"
