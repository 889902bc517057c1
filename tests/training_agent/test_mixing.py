from __future__ import annotations

from pathlib import Path

import pytest
import torch

from nascli.cost.feasible import FeasibleSet
from nascli.cost.macs import Macs
from nascli.dataflow.base import Batch
from nascli.errors import UsageError
from nascli.run import Run
from nascli.training_agent.loop import Trainer
from nascli.training_agent.mixing import mix_of

from .helpers import CLASSES, Mixture, batch, fresh, setup, tiny, training


def mixed(**options: float) -> Batch:
    mix = mix_of(training(**options), CLASSES)
    assert mix is not None
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return mix(batch())


def test_nothing_is_mixed_unless_it_is_wanted() -> None:
    assert mix_of(training(), CLASSES) is None


@pytest.mark.parametrize("wanted", ["mixup", "cutmix"])
def test_labels_of_mixed_images_are_probabilities(wanted: str) -> None:
    found = mixed(**{wanted: 0.5})
    assert found.labels.shape == (8, CLASSES)
    torch.testing.assert_close(found.labels.sum(1), torch.ones(8))
    assert found.images.shape == batch().images.shape


def test_numbers_for_each_class_are_mixed_like_probabilities() -> None:
    mix, several = mix_of(training(mixup=0.5), CLASSES), torch.eye(CLASSES).repeat(2, 1)
    assert mix is not None
    with torch.random.fork_rng():
        torch.manual_seed(0)
        found = mix(Batch(batch().images, several)).labels
    torch.testing.assert_close(found.sum(1), torch.ones(8))
    assert not torch.equal(found, several)


def test_maps_are_not_mixed() -> None:
    mix = mix_of(training(cutmix=0.5), CLASSES)
    assert mix is not None
    with pytest.raises(UsageError, match=r"cannot mix labels of shape \(8, 8, 8\)"):
        mix(Batch(batch().images, torch.zeros(8, 8, 8, dtype=torch.int64)))


def test_mixup_blends_each_image_with_the_one_before_by_the_share_of_its_label() -> None:
    found, whole = mixed(mixup=0.5), batch()
    hot = torch.nn.functional.one_hot(whole.labels, CLASSES).float()
    pairs = zip(hot, hot.roll(1, 0), found.labels, strict=True)
    share = next((new[one.argmax()] for one, other, new in pairs if not torch.equal(one, other)), torch.ones(()))
    assert 0 < share < 1
    torch.testing.assert_close(found.images, share * whole.images + (1 - share) * whole.images.roll(1, 0))


def test_cutmix_takes_every_pixel_from_one_of_two_images() -> None:
    found, whole = mixed(cutmix=0.5).images, batch().images
    own, other = found == whole, found == whole.roll(1, 0)
    assert (own | other).all()
    assert not own.all()


def test_batches_of_the_train_split_alone_are_mixed(tmp_path: Path) -> None:
    space, strategy = tiny(), Mixture()
    costs = space.lookup_table([Macs()])
    strategy.setup(space.space, costs, FeasibleSet(costs))
    trainer = Trainer(fresh(space.supernet), strategy, setup(Run(tmp_path / "s.pt")), training(mixup=0.5))
    dims = {split: trainer._batch(split).labels.dim() for split in ("train", "arch")}
    assert dims == {"train": 2, "arch": 1}
