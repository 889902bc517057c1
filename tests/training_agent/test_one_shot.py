from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nascli.console import out
from nascli.engine import Engine
from nascli.errors import ArtifactError, RunFailed, UsageError
from nascli.supernet.mutables import InputChoice, LayerChoice
from nascli.training_agent.one_shot import OneShotTrainer, moved, replace_input_choice, replace_layer_choice

CPU = Engine("cpu")


class DartsLayerChoice(nn.Module):
    """As in NNI's guide."""

    def __init__(self, layer_choice):
        super().__init__()
        self.name = layer_choice.label
        self.op_choices = nn.ModuleDict(layer_choice.named_children())
        self.alpha = nn.Parameter(torch.randn(len(self.op_choices)) * 1e-3)

    def forward(self, *args, **kwargs):
        op_results = torch.stack([op(*args, **kwargs) for op in self.op_choices.values()])
        alpha_shape = [-1] + [1] * (len(op_results.size()) - 1)
        return torch.sum(op_results * F.softmax(self.alpha, -1).view(*alpha_shape), 0)


def layers(*sizes: int, label: str | None = None) -> LayerChoice:
    return LayerChoice({f"l{i}": nn.Linear(*sizes) for i in range(2)}, label=label)


def net() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(layers(3, 4, label="a"), nn.Dropout(0.2), nn.BatchNorm1d(4), layers(4, 2, label="b"))


def data(n: int = 3) -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    images = [torch.rand(8, 3, generator=generator) for _ in range(n)]
    return [(x, (x[:, 0] > x[:, 1]).long()) for x in images]


class DartsTrainer(OneShotTrainer):
    """Weights and alphas on the same batches; keeps a checkpoint where it is told to."""

    def __init__(self, epochs: int = 4, *, engine: Engine = CPU, kept: Path | None = None, **options: Any) -> None:
        super().__init__(net(), epochs, data(), engine, **options)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.nas_modules = replace_layer_choice(self.model, DartsLayerChoice, [])
        alphas = [module.get_parameter("alpha") for _, module in self.nas_modules]
        weights = [p for name, p in self.model.named_parameters() if not name.endswith("alpha")]
        self.optimizers["weights"] = torch.optim.SGD(weights, 0.1, 0.9)
        self.optimizers["alphas"] = torch.optim.Adam(alphas, 0.05)
        self.kept, self.ended = kept, list[int]()

    def training_step(self, batch: Any) -> dict[str, Any]:
        x, y = batch
        self.update("alphas", lambda: F.cross_entropy(self.model(x), y))
        return {"loss": self.update("weights", lambda: F.cross_entropy(self.model(x), y)), "one": 1}

    def on_epoch_end(self, epoch: int) -> None:
        self.ended.append(epoch)
        if self.kept is not None:
            self.save(self.kept)

    def export(self) -> dict[str, str]:
        return {name: list(m.op_choices)[int(m.alpha.argmax())] for name, m in self.nas_modules}  # type: ignore


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


def states_equal(one: OneShotTrainer, other: OneShotTrainer) -> bool:
    left, right = one.model.state_dict(), other.model.state_dict()
    return left.keys() == right.keys() and all(torch.equal(value, right[name]) for name, value in left.items())


def test_a_loaded_training_goes_on_bit_for_bit(tmp_path: Path) -> None:
    whole, first, second = DartsTrainer(4), DartsTrainer(2, kept=tmp_path / "c.pt"), DartsTrainer(4)
    whole.fit()
    first.fit()
    second.load(tmp_path / "c.pt")
    with torch.random.fork_rng():
        torch.manual_seed(5)
        second.fit()
    assert states_equal(whole, second)
    assert second.history == whole.history
    assert second.ended == [2, 3]


class Convolved(OneShotTrainer):
    """A convolution and a fused optimiser, whose momentum lies in memory as the weights do."""

    def __init__(self, epochs: int) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        images = torch.rand(8, 3, 6, 6, generator=torch.Generator().manual_seed(1))
        super().__init__(model, epochs, [(images, torch.arange(8) % 4)], CPU)
        self.optimizers["weights"] = torch.optim.SGD(self.model.parameters(), 0.1, 0.9, fused=True)

    def training_step(self, batch: Any) -> None:
        x, y = batch
        self.update("weights", lambda: F.cross_entropy(self.model(x), y))

    def export(self) -> None: ...


def test_a_loaded_momentum_lies_in_memory_as_its_weights_do(tmp_path: Path) -> None:
    whole, first, second = Convolved(3), Convolved(2), Convolved(3)
    whole.fit()
    first.fit()
    first.save(tmp_path / "c.pt")
    second.load(tmp_path / "c.pt")
    second.fit()
    assert states_equal(whole, second)


def test_random_numbers_follow_from_the_seed_and_leave_torchs_generator_alone() -> None:
    trainers = [DartsTrainer(1, seed=seed) for seed in (0, 0, 1)]
    with torch.random.fork_rng():
        before = torch.get_rng_state()
        for i, trainer in enumerate(trainers):
            torch.manual_seed(i)
            before = torch.get_rng_state()
            trainer.fit()
            assert torch.equal(torch.get_rng_state(), before)
    assert states_equal(trainers[0], trainers[1])
    assert not states_equal(trainers[0], trainers[2])


def test_a_failed_save_keeps_the_old_file(tmp_path: Path) -> None:
    class Broken(DartsTrainer):
        def state_dict(self) -> dict[str, Any]:
            return {"a": object()}

    path = tmp_path / "c.pt"
    trainer = DartsTrainer(1)
    trainer.save(path)
    before = path.read_bytes()
    with pytest.raises(TypeError, match="a state may hold"):
        Broken(1).save(path)
    assert path.read_bytes() == before
    (tmp_path / "file").touch()
    with pytest.raises(RunFailed, match="cannot write"):
        trainer.save(tmp_path / "file" / "c.pt")


def test_a_file_that_does_not_fit_is_refused_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    with pytest.raises(ArtifactError, match=r"no such file: .*c\.pt"):
        DartsTrainer(1).load(path)
    path.write_bytes(b"no checkpoint")
    with pytest.raises(ArtifactError, match=r"c\.pt does not fit this trainer"):
        DartsTrainer(1).load(path)
    other = DartsTrainer(1)
    other.model.append(nn.Linear(2, 2))
    other.save(path)
    with pytest.raises(ArtifactError, match=r"c\.pt does not fit this trainer") as caught:
        DartsTrainer(1).load(path)
    assert "state_dict" in caught.value.why


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


def test_replacing_names_the_new_modules_by_label_in_order() -> None:
    model = nn.Sequential(layers(3, 3, label="b"), nn.Sequential(layers(3, 3, label="a")), layers(3, 3, label="b"))
    given: list[tuple[str, nn.Module]] = [("before", model)]
    pairs = replace_layer_choice(model, DartsLayerChoice, given)
    assert pairs is given
    assert [label for label, _ in pairs] == ["before", "b", "a", "b"]
    assert [module for _, module in pairs[1:]] == [model[0], model[1][0], model[2]]
    assert model[0] is not model[2]
    assert model(torch.rand(2, 3)).shape == (2, 3)


def test_a_new_list_is_returned_where_none_is_given() -> None:
    assert [label for label, _ in replace_layer_choice(net(), DartsLayerChoice)] == ["a", "b"]


def test_choices_without_a_label_have_their_place_for_a_label() -> None:
    model = nn.Sequential(nn.Identity(), layers(3, 3))
    assert [label for label, _ in replace_layer_choice(model, DartsLayerChoice)] == ["1"]


def test_choices_inside_candidates_are_replaced_after_the_one_around_them() -> None:
    inner = layers(3, 3, label="inner")
    model = nn.Sequential(LayerChoice([nn.Sequential(inner), inner, nn.Linear(3, 3)], label="outer"))
    pairs = replace_layer_choice(model, DartsLayerChoice)
    assert [label for label, _ in pairs] == ["outer", "inner"]
    assert not any(isinstance(module, LayerChoice) for module in model.modules())
    assert model[0].op_choices["0"][0] is model[0].op_choices["1"]
    model(torch.rand(2, 3)).sum().backward()
    assert pairs[1][1].alpha.grad is not None


class Holding(nn.Module):
    """Keeps the choice that it replaces."""

    def __init__(self, choice: LayerChoice) -> None:
        super().__init__()
        self.choice = choice

    def forward(self, x: Tensor) -> Any:
        return self.choice[0](x)


def test_a_module_may_keep_the_choice_that_it_replaces() -> None:
    shared = nn.Sequential(LayerChoice([nn.Sequential(layers(3, 3, label="inner"))], label="outer"))
    model = nn.Sequential(shared, shared)
    pairs = replace_layer_choice(model, Holding)
    assert [label for label, _ in pairs] == ["outer", "inner"]
    assert isinstance(model[0][0].choice, LayerChoice)
    assert isinstance(model[0][0].choice[0][0], Holding)
    assert model(torch.rand(2, 3)).shape == (2, 3)


def test_one_choice_in_two_places_is_one_module() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = self.b = layers(3, 3, label="x")

    model = Twice()
    assert len(replace_layer_choice(model, DartsLayerChoice)) == 1
    assert model.a is model.b
    assert isinstance(model.a, DartsLayerChoice)


class Mean(nn.Module):
    def __init__(self, choice: InputChoice) -> None:
        super().__init__()
        self.n = choice.n_candidates

    def forward(self, tensors: Any) -> Any:
        return sum(tensors) / self.n


class Mixed(nn.Module):
    """A choice of each kind."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.inputs = layers(3, 3), InputChoice(2)

    def forward(self, x: Tensor) -> Any:
        return self.inputs([x, self.layer(x)])


def test_input_choices_and_layer_choices_are_replaced_apart() -> None:
    model = Mixed()
    assert [label for label, _ in replace_input_choice(model, Mean)] == ["inputs"]
    assert isinstance(model.layer, LayerChoice)
    assert [label for label, _ in replace_layer_choice(model, DartsLayerChoice)] == ["layer"]
    assert model(torch.ones(2, 3)).shape == (2, 3)
    assert replace_input_choice(model, Mean) == []


def test_a_model_that_is_a_choice_itself_cannot_be_replaced() -> None:
    with pytest.raises(UsageError, match="the model is a LayerChoice itself"):
        replace_layer_choice(layers(3, 3), DartsLayerChoice)


def test_what_is_no_module_replaces_nothing() -> None:
    with pytest.raises(UsageError, match="a module takes the place of choice 'a', found tuple"):
        replace_layer_choice(net(), lambda choice: tuple(choice.named_children()))  # type: ignore[arg-type, return-value]


def test_a_generator_of_batches_serves_one_epoch() -> None:
    def batches(epoch: int) -> Iterator[Any]:
        yield from data(1 + epoch)

    trainer = DartsTrainer(2)
    trainer.batches = batches
    trainer.fit()
    assert len(trainer.history) == 2
