from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from nascli.errors import ConfigError
from nascli.run import Run
from nascli.space import Forward, Selection
from nascli.supernet.base import Supernet
from nascli.training_agent.classification import Classification
from nascli.training_agent.relaxing import Relaxed
from nascli.training_agent.scorer import Images, Scorer
from nascli.training_agent.scoring import Replay
from nascli.training_agent.settings import Engines
from nascli.training_agent.streams import Stream
from nascli.training_agent.updates import batch_statistics_alone

from .helpers import ARCH, flow, fresh, setup, state_of, tiny

SPACE = tiny().space
ENGINE = Engines(accelerator="cpu").engine()


@pytest.fixture
def supernet() -> Supernet:
    module: Supernet = fresh(tiny().supernet)
    return module


def relaxed(folder: Path, module: nn.Module, **options: Any) -> Relaxed:
    return Relaxed(module, setup(Run(folder / "arch.npy"), flow(**options)), ENGINE)


def mixture(values: Tensor) -> Forward:
    """All candidates of every layer, weighted by the softmax of `values`, (6, 5)."""
    return {d.label: Selection(tuple(range(5)), row) for d, row in zip(SPACE.decisions, values.softmax(1), strict=True)}


def logits() -> Tensor:
    return torch.randn(6, 5, generator=torch.Generator().manual_seed(0)).requires_grad_()


def by_hand(module: Supernet, forward: Forward, call: int) -> Tensor:
    """The loss on a batch of the `arch` split in training mode, without a thing frozen."""
    stream = Stream(flow(), "arch", ENGINE, 0)
    stream.position = call
    batch = stream.next()
    with batch_statistics_alone(module.train().modules()):
        return cross_entropy(module(batch.images, forward), batch.labels)


@pytest.mark.parametrize("call", [0, 2, 7])
def test_the_loss_is_that_of_a_batch_of_the_arch_split_on_batch_statistics(
    tmp_path: Path, supernet: Supernet, call: int
) -> None:
    values, again = logits(), logits()
    found = relaxed(tmp_path, supernet).loss(mixture(values), call)
    expected = by_hand(supernet, mixture(again), call)
    torch.testing.assert_close(found, expected)
    found.backward()
    expected.backward()
    torch.testing.assert_close(values.grad, again.grad)


def test_weights_get_no_gradient_and_no_buffer_is_written(tmp_path: Path, supernet: Supernet) -> None:
    before = state_of(supernet)
    relaxed(tmp_path, supernet).loss(mixture(logits()), 0).backward()
    assert all(p.grad is None and p.requires_grad for p in supernet.parameters())
    assert all(torch.equal(value, before[name]) for name, value in supernet.state_dict().items())


def test_the_batch_depends_on_the_number_of_the_call_alone(tmp_path: Path, supernet: Supernet) -> None:
    one = SPACE.forward(ARCH)
    first = relaxed(tmp_path, supernet)
    losses = [first.loss(one, call).item() for call in range(5)]
    assert len(set(losses)) == 5
    second = relaxed(tmp_path, supernet)
    assert [second.loss(one, call).item() for call in (3, 4, 0)] == [losses[3], losses[4], losses[0]]


def test_scoring_in_between_changes_nothing(tmp_path: Path, supernet: Supernet) -> None:
    source, one = relaxed(tmp_path, supernet), SPACE.forward(ARCH)
    before = source.loss(one, 1).item()
    replays = (Replay(flow(), split, ENGINE, limit=None, seed=0) for split in ("train", "valid"))
    assert Scorer(supernet, SPACE, Images(*replays), Classification(), ENGINE).score(np.array([ARCH]))[0].error is None
    assert source.loss(one, 1).item() == before


def test_what_is_random_in_training_is_as_in_evaluation(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(192, 4))
    source = relaxed(tmp_path, Supernet(module))
    state = torch.get_rng_state()
    assert source.loss({}, 0).item() == source.loss({}, 0).item()
    assert torch.equal(torch.get_rng_state(), state)


def test_what_a_forward_keeps_is_said_once_before_the_first(
    tmp_path: Path, supernet: Supernet, capsys: pytest.CaptureFixture[str]
) -> None:
    source = relaxed(tmp_path, supernet)
    sizes = []
    for forward in (SPACE.forward(ARCH), mixture(logits())):
        source = relaxed(tmp_path, supernet)
        source.loss(forward, 0)
        source.loss(forward, 1)
        said = capsys.readouterr().err
        assert said.count("MiB of activations") == 1
        sizes.append(said)
    assert "up to 1 candidates" in sizes[0]
    assert "up to 5 candidates" in sizes[1]


def test_a_data_set_without_an_arch_split_is_refused(tmp_path: Path, supernet: Supernet) -> None:
    with pytest.raises(ConfigError, match="split arch") as caught:
        relaxed(tmp_path, supernet, arch_share=0.0).loss(SPACE.forward(ARCH), 0)
    assert "arch_share" in caught.value.hint


def test_weights_of_a_path_reach_its_loss(tmp_path: Path, supernet: Supernet) -> None:
    weight = torch.ones(1, requires_grad=True)
    forward = {label: replace(item, weights=weight) for label, item in SPACE.forward(ARCH).items()}
    relaxed(tmp_path, supernet).loss(forward, 0).backward()
    assert weight.grad is not None
    assert np.isfinite(weight.grad.item())
