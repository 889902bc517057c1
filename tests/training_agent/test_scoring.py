from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.modules.batchnorm import _BatchNorm

from nascli.dataflow.base import Batch
from nascli.dataflow.synthetic import Synthetic
from nascli.engine import Engine
from nascli.space import Selection
from nascli.supernet.base import Supernet
from nascli.supernet.mutables import LayerChoice
from nascli.training_agent.classification import Classification
from nascli.training_agent.scoring import PathView, Replay, calibrate, predict, score

from .helpers import ARCH, OTHER, flow, fresh, tiny

ENGINE, AGENT = Engine("cpu"), Classification()
SPACE = tiny().space


def batches(*sizes: int) -> list[Batch]:
    generator = torch.Generator().manual_seed(3)
    return [
        Batch(torch.randn(n, 3, 8, 8, generator=generator), torch.randint(4, (n,), generator=generator)) for n in sizes
    ]


def path(arch: tuple[int, ...] = ARCH) -> PathView:
    return PathView(fresh(tiny().supernet), SPACE.forward(arch))


def statistics(view: nn.Module, given: list[Batch]) -> dict[str, tuple[Tensor, Tensor]]:
    """By hand: the mean over batches of each BatchNorm's batch mean and unbiased batch variance."""
    seen: dict[str, list[tuple[Tensor, Tensor]]] = {}

    def watch(name: str) -> Any:
        def hook(module: nn.Module, inputs: tuple[Tensor]) -> None:
            x = inputs[0].double()
            seen.setdefault(name, []).append((x.mean((0, 2, 3)), x.var((0, 2, 3), correction=1)))

        return hook

    modules = {name: m for name, m in view.named_modules() if isinstance(m, _BatchNorm)}
    hooks = [module.register_forward_pre_hook(watch(name)) for name, module in modules.items()]
    calibrate(view, given, ENGINE)
    for hook in hooks:
        hook.remove()
    return {
        name: tuple(torch.stack(part).mean(0) for part in zip(*values, strict=True)) for name, values in seen.items()
    }  # type: ignore[misc]


def test_statistics_are_the_mean_over_the_batches() -> None:
    view = path()
    expected = statistics(view, batches(8, 8, 5))
    assert len(expected) == 1 + 3 * 4
    modules = dict(view.named_modules())
    for name, (mean, variance) in expected.items():
        torch.testing.assert_close(modules[name].running_mean.double(), mean, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(modules[name].running_var.double(), variance, rtol=1e-5, atol=1e-6)


def test_statistics_do_not_depend_on_what_they_were() -> None:
    first, second = path(), path()
    calibrate(second, batches(7), ENGINE)
    for view in (first, second):
        calibrate(view, batches(8, 8), ENGINE)
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), name


def test_calibration_changes_no_weight_and_computes_no_gradient() -> None:
    view = path()
    before = {name: p.detach().clone() for name, p in view.named_parameters()}
    calibrate(view, batches(8), ENGINE)
    assert all(torch.equal(p, before[name]) and p.grad is None for name, p in view.named_parameters())


def test_training_a_path_trains_batchnorm_alone() -> None:
    choice = LayerChoice([nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Dropout(0.9))], label="a")
    view = PathView(Supernet(nn.Sequential(choice, nn.Flatten())), {"a": Selection((0,))}).train()
    training = {type(module): module.training for module in view.modules()}
    assert (training[nn.BatchNorm2d], training[nn.Dropout], view.training) == (True, False, False)
    assert not any(module.training for module in view.eval().modules())


def test_dropout_stays_off_while_statistics_are_estimated() -> None:
    made = nn.Sequential(nn.Dropout(0.9), nn.BatchNorm2d(3))
    view = PathView(Supernet(nn.Sequential(made, nn.Flatten())), {})
    (given,) = batches(16)
    calibrate(view, [given], ENGINE)
    torch.testing.assert_close(made[1].running_mean, given.images.mean((0, 2, 3)))


def test_a_score_is_the_mean_over_images_not_over_batches() -> None:
    view, given = path().eval(), batches(8, 8, 3)
    found = score(view, given, AGENT, ENGINE)
    images, labels = torch.cat([b.images for b in given]), torch.cat([b.labels for b in given])
    with torch.no_grad():
        outputs = view(images)
    assert found.images == 19
    assert found.accuracy == pytest.approx((outputs.argmax(1) == labels).double().mean().item())
    assert found.loss == pytest.approx(cross_entropy(outputs, labels).item(), rel=1e-5)
    assert found.error is None


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_is_an_error_and_no_score(bad: float) -> None:
    class Bad(nn.Module):
        """Its outputs are no numbers."""

        def forward(self, x: Tensor) -> Tensor:
            return torch.full((len(x), 4), bad)

    found = score(Bad(), batches(4), AGENT, ENGINE)
    assert found.error == "the loss is not finite"
    assert math.isnan(found.accuracy)
    assert math.isnan(found.loss)


def test_scoring_leaves_the_model_as_it_was() -> None:
    view = path()
    before = {name: value.clone() for name, value in view.state_dict().items()}
    score(view, batches(8), AGENT, ENGINE)
    assert all(torch.equal(value, before[name]) for name, value in view.state_dict().items())


def test_predictions_are_all_outputs_in_order() -> None:
    view, given = path(OTHER), batches(5, 2)
    outputs, labels = predict(view, given, ENGINE)
    assert torch.equal(labels, torch.cat([b.labels for b in given]))
    with torch.no_grad():
        torch.testing.assert_close(outputs, torch.cat([view.eval()(b.images) for b in given]))


class Counted(Synthetic):
    """Counts the passes."""

    passes = 0

    def batches(self, split: Any, **options: Any) -> Any:
        self.passes += 1
        return super().batches(split, **options)


def pixels(replay: Replay) -> Tensor:
    return torch.cat([batch.images for batch in replay])


def test_a_small_replay_reads_its_images_once() -> None:
    data = Counted(flow().config)
    replay = Replay(data, "valid", ENGINE, limit=None, seed=0)
    assert torch.equal(pixels(replay), pixels(replay))
    assert (data.passes, len(pixels(replay))) == (1, 12)


def test_a_large_replay_reads_its_images_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nascli.training_agent.scoring.KEEP_BYTES", 4 * 12 * 3 * 8 * 8 - 1)
    data = Counted(flow().config)
    replay = Replay(data, "valid", ENGINE, limit=None, seed=0)
    assert torch.equal(pixels(replay), pixels(replay))
    assert data.passes == 2


def test_a_limited_replay_takes_the_same_images_again_and_others_with_another_seed() -> None:
    found = [pixels(Replay(flow(), "train", ENGINE, limit=10, seed=seed)) for seed in (0, 0, 1)]
    assert len(found[0]) == 10
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
