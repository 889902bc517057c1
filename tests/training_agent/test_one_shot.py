from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from nascli.console import out
from nascli.engine import Engine
from nascli.errors import UsageError
from nascli.training_agent.one_shot import OneShotTrainer, moved, replace_layer_choice

from .one_shot_trainers import CPU, DartsLayerChoice, DartsTrainer, data, net


def test_training_lowers_the_loss_and_exports_a_candidate_of_each_choice() -> None:
    trainer = DartsTrainer(30)
    trainer.fit()
    assert trainer.history[-1]["loss"] < trainer.history[0]["loss"] - 0.1
    assert set(trainer.export()) == {"a", "b"}
    assert set(trainer.export().values()) <= {"l0", "l1"}


def test_every_epoch_runs_every_batch_and_ends_once() -> None:
    trainer = DartsTrainer(2)
    trainer.fit()
    assert trainer.ended == [0, 1]
    assert (trainer.epoch, len(trainer.history)) == (2, 2)
    assert trainer.history[0]["one"] == 1
    trainer.fit()
    assert trainer.ended == [0, 1], "nothing is left"


def test_the_history_has_the_means_of_an_epoch() -> None:
    class Counting(DartsTrainer):
        calls = 0

        def training_step(self, batch: Any) -> dict[str, Any]:
            self.calls += 1
            return {"calls": torch.tensor(float(self.calls), requires_grad=True)}

    trainer = Counting(2)
    trainer.fit()
    assert trainer.history == [{"calls": 2.0}, {"calls": 5.0}]


def test_batches_may_depend_on_the_epoch() -> None:
    seen = []

    class Watching(DartsTrainer):
        def training_step(self, batch: Any) -> None:
            seen.append(batch)

    trainer = Watching(2)
    trainer.batches = lambda epoch: [10 * epoch, 10 * epoch + 1]
    trainer.fit()
    assert seen == [0, 1, 10, 11]


def test_an_epoch_without_batches_is_refused() -> None:
    trainer = DartsTrainer(2)
    trainer.batches = iter(data())
    with pytest.raises(UsageError, match="DartsTrainer has no batches in epoch 1"):
        trainer.fit()


def test_half_precision_comes_with_the_engine() -> None:
    seen = []

    class Watching(DartsTrainer):
        def training_step(self, batch: Any) -> None:
            def loss() -> Tensor:
                seen.append((batch[0] @ batch[0].T).dtype)
                return self.model(batch[0]).float().mean()

            self.update("weights", loss)

    Watching(1, engine=Engine("cpu", "bf16")).fit()
    assert set(seen) == {torch.bfloat16}


def test_updates_of_one_optimiser_leave_the_parameters_of_another() -> None:
    trainer = DartsTrainer(1)
    before = {name: value.clone() for name, value in trainer.model.named_parameters()}
    x, y = data()[0]
    loss = trainer.update("alphas", lambda: F.cross_entropy(trainer.model(x), y))
    moved_names = {name for name, value in trainer.model.named_parameters() if not torch.equal(value, before[name])}
    assert moved_names == {"0.alpha", "3.alpha"}
    assert not loss.requires_grad


def test_the_means_of_an_epoch_are_said_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    class Speaking(DartsTrainer):
        def on_epoch_end(self, epoch: int) -> None:
            OneShotTrainer.on_epoch_end(self, epoch)

    Speaking(1).fit()
    assert out.mode == "human"
    assert "epoch 1/1  loss 0." in capsys.readouterr().err


def test_a_trainer_may_override_fit_alone() -> None:
    class Guide(OneShotTrainer):
        """As in NNI's guide, which calls no constructor but its own."""

        def __init__(self, model, loss, metrics, optimizer):
            self.model = model
            self.num_epochs = 10
            self.nas_modules = []
            replace_layer_choice(self.model, DartsLayerChoice, self.nas_modules)

        def fit(self):
            self.fitted = self.num_epochs

        def export(self):
            result = dict()  # noqa: C408
            for name, module in self.nas_modules:
                if name not in result:
                    result[name] = int(module.alpha.argmax())
            return result

    trainer = Guide(net(), None, None, None)
    trainer.fit()
    assert trainer.fitted == 10
    assert set(trainer.export()) == {"a", "b"}


def test_a_trainer_without_a_step_says_what_to_override() -> None:
    class Empty(OneShotTrainer):
        def export(self) -> None: ...

    with pytest.raises(UsageError, match="Empty has no training_step"):
        Empty(net(), 1, data(), CPU).fit()


def test_a_trainer_without_an_export_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="export"):
        OneShotTrainer(net(), 1, data(), CPU)  # type: ignore[abstract]


class Pair(NamedTuple):
    x: Tensor
    y: Any


def test_batches_move_to_the_device_whatever_holds_the_tensors() -> None:
    x = torch.zeros(1)
    found = moved({"a": [x, (x, 3)], "b": Pair(x, "text")}, torch.device("meta"))
    assert found["a"][0].is_meta
    assert isinstance(found["a"][1], tuple)
    assert (found["a"][1][0].is_meta, found["a"][1][1]) == (True, 3)
    assert isinstance(found["b"], Pair)
    assert (found["b"].x.is_meta, found["b"].y) == (True, "text")


def test_a_generator_of_batches_serves_one_epoch() -> None:
    def batches(epoch: int) -> Iterator[Any]:
        yield from data(1 + epoch)

    trainer = DartsTrainer(2)
    trainer.batches = batches
    trainer.fit()
    assert len(trainer.history) == 2
