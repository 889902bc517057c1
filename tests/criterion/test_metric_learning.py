from __future__ import annotations

import math
import sys

import pytest
import torch
from torch.nn.functional import cross_entropy, normalize

from nascli.component import resolve
from nascli.criterion.base import Criterion
from nascli.errors import UsageError

LABELS = torch.arange(4).repeat_interleave(4)


def embeddings(seed: int = 0) -> torch.Tensor:
    return torch.randn(16, 8, generator=torch.Generator().manual_seed(seed), requires_grad=True)


def criterion(name: str, **options: object) -> Criterion:
    built: Criterion = resolve("criterion", {"use": name, **options}).build()
    return built


@pytest.mark.parametrize(("name", "margin"), [("arcface", 0.3), ("cosface", 0.2), ("angular_softmax", 0.0)])
def test_angular_losses_are_those_of_their_papers(name: str, margin: float) -> None:
    loss = criterion(name, scale=16.0).sized(8, 4)
    (weights,) = loss.parameters()
    outputs = embeddings()
    kernel = weights if weights.shape[0] == 8 else weights.T
    cosines = normalize(outputs, dim=1) @ normalize(kernel, dim=0)
    rows = torch.arange(16)
    right = cosines[rows, LABELS]
    moved = torch.cos(torch.acos(right) + margin) if name == "arcface" else right - margin
    logits = cosines.clone()
    logits[rows, LABELS] = moved
    torch.testing.assert_close(loss(outputs, LABELS), cross_entropy(16 * logits, LABELS), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["arcface", "cosface", "angular_softmax"])
def test_class_weights_learn_and_follow_the_seed(name: str) -> None:
    found = []
    for seed in (0, 0, 1):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            loss = criterion(name).sized(8, 4)
        (weights,) = loss.parameters()
        loss(embeddings(), LABELS).backward()
        assert weights.grad is not None
        assert weights.grad.abs().sum() > 0
        found.append(weights.detach())
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_a_loss_with_class_weights_needs_their_number() -> None:
    with pytest.raises(UsageError, match="built for a number of identities"):
        criterion("arcface").build()


def by_hand(outputs: torch.Tensor, margin: float, mining: str) -> float:
    distances = torch.cdist(normalize(outputs, dim=1), normalize(outputs, dim=1)).detach()
    found = []
    for anchor in range(16):
        own = [i for i in range(16) if LABELS[i] == LABELS[anchor] and i != anchor]
        others = [i for i in range(16) if LABELS[i] != LABELS[anchor]]
        if mining == "hard":
            own = [max(own, key=lambda i: distances[anchor, i])]
            others = [min(others, key=lambda i: distances[anchor, i])]
        for positive in own:
            for negative in others:
                gap = (distances[anchor, negative] - distances[anchor, positive]).item()
                if mining == "hard" or 0 < gap <= margin:
                    found.append(max(0.0, margin - gap))
    kept = [value for value in found if value > 0]
    return math.fsum(kept) / len(kept)


@pytest.mark.parametrize("mining", ["hard", "semihard"])
def test_triplets_of_a_batch(mining: str) -> None:
    outputs = embeddings()
    loss = criterion("triplet", margin=0.3, mining=mining).build()
    assert loss(outputs, LABELS).item() == pytest.approx(by_hand(outputs, 0.3, mining), rel=1e-4)


def test_a_batch_without_triplets_has_no_loss() -> None:
    loss = criterion("triplet").build()(embeddings(), torch.arange(16))
    assert loss.item() == 0
    loss.backward()


@pytest.mark.parametrize("name", ["arcface", "triplet"])
def test_mixed_labels_are_refused(name: str) -> None:
    loss = criterion(name).sized(8, 4)
    with pytest.raises(UsageError, match="compares identities"):
        loss(embeddings(), torch.full((16, 4), 0.25))


@pytest.mark.parametrize(("name", "told"), [("arcface", "ArcFace"), ("triplet", "triplet")])
def test_without_the_package_it_is_named(name: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pytorch_metric_learning", None)
    with pytest.raises(UsageError, match=f"the criterion '{told}' needs the package pytorch-metric-learning"):
        criterion(name).sized(8, 4)
