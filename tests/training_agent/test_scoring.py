from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from nascli.dataflow.base import Batch
from nascli.dataflow.synthetic import Synthetic
from nascli.engine import Engine
from nascli.training_agent.classification import Classification
from nascli.training_agent.scoring import Replay, full, in_chunks, predict, score

from .helpers import ARCH, OTHER, flow, fresh, tiny

ENGINE, AGENT = Engine("cpu"), Classification()


def batches(*sizes: int) -> list[Batch]:
    generator = torch.Generator().manual_seed(3)
    return [
        Batch(torch.randn(n, 3, 8, 8, generator=generator), torch.randint(4, (n,), generator=generator)) for n in sizes
    ]


def network(arch: tuple[int, ...] = ARCH) -> nn.Module:
    made: nn.Module = fresh(lambda: tiny().model(arch))
    return made


def test_a_score_is_the_mean_over_images_not_over_batches() -> None:
    view, given = network().eval(), batches(8, 8, 3)
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
    view = network()
    before = {name: value.clone() for name, value in view.state_dict().items()}
    score(view, batches(8), AGENT, ENGINE)
    assert all(torch.equal(value, before[name]) for name, value in view.state_dict().items())


def test_predictions_are_all_outputs_in_order() -> None:
    view, given = network(OTHER), batches(5, 2)
    for (outputs, labels), batch in zip(predict(view, given, ENGINE), given, strict=True):
        assert torch.equal(labels, batch.labels)
        with torch.no_grad():
            torch.testing.assert_close(outputs, view.eval()(batch.images))


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


def test_batches_smaller_than_the_first_are_left_out_unless_there_is_one_alone() -> None:
    assert [len(batch.images) for batch in full(batches(8, 8, 3))] == [8, 8]
    assert [len(batch.images) for batch in full(batches(3))] == [3]


def test_chunks_are_all_batches_in_order_and_ordinary_tensors() -> None:
    data = flow(train_images=60)
    with torch.inference_mode():
        chunks = list(in_chunks(Replay(data, "train", ENGINE, limit=None, seed=0), 4))
    assert [len(chunk) for chunk in chunks] == [4, 2]
    assert not any(batch.images.is_inference() for chunk in chunks for batch in chunk)
    together = torch.cat([batch.images for chunk in chunks for batch in chunk])
    assert torch.equal(together, pixels(Replay(data, "train", ENGINE, limit=None, seed=0)))
