"""What a trainer saves, and that what it loads goes on alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from nascli.errors import ArtifactError, RunFailed
from nascli.training_agent.one_shot import OneShotTrainer

from .one_shot_trainers import CPU, DartsTrainer


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
