"""A task of one's own in one file: several labels an image. Data, agent, criterion; the search space is `tiny`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid

from nascli.criterion.base import Criterion
from nascli.dataflow.base import Augment, Dataflow
from nascli.dataflow.sampling import Labels, Pixels
from nascli.dataflow.sources import ArraySource, Part, Source
from nascli.training_agent.base import TrainingAgent

SHAPE, CLASSES = (1, 16, 16), ("square", "cross", "ring", "bar")


class Scenes(Dataflow):
    """Grey scenes in which each of four shapes may lie, alone or over others."""

    name: ClassVar[str] = "scenes"

    class Config(Dataflow.Config):
        """How many, and how noisy."""

        train_images: int = Field(800, ge=1, description="images of the training part")
        test_images: int = Field(200, ge=1, description="images of the test part")
        noise: int = Field(60, ge=0, le=255, description="largest change of a pixel, which is 0 to 255")
        augment: Augment = Augment(crop_padding=1)

    config: Config

    def classes(self) -> tuple[str, ...]:
        """One for each column of the labels."""
        return CLASSES

    def source(self, part: Part) -> Source | None:
        """Labels are float32 (N, 4), 1 where the shape is in the image."""
        if part == "valid":
            return None
        size = self.config.train_images if part == "train" else self.config.test_images
        return ArraySource(f"{part} {size} {self.config.noise}", SHAPE, size, lambda: self.draw(part, size))

    def draw(self, part: Part, size: int) -> tuple[Pixels, Labels]:
        """Images uint8 (size, 1, 16, 16) and their labels; the same each time."""
        rng = np.random.default_rng(0 if part == "train" else 1)
        there = rng.integers(0, 2, size=(size, len(CLASSES)))
        images = rng.integers(0, self.config.noise + 1, size=(size, *SHAPE[1:]))
        for image, row in zip(images, there, strict=True):
            for shape in np.flatnonzero(row):
                top, left = rng.integers(0, SHAPE[1] - 5, size=2)
                image[top : top + 5, left : left + 5] += 150 * stamps()[shape]
        return images.clip(0, 255).astype(np.uint8)[:, None], there.astype(np.float32)


def stamps() -> np.ndarray[Any, Any]:
    """The four shapes, (4, 5, 5) of 0 and 1."""
    rows, columns = np.mgrid[-2:3, -2:3]
    far = np.maximum(abs(rows), abs(columns))
    return np.stack([far < 2, (rows == 0) | (columns == 0), far == 2, abs(rows) < 1]).astype(int)


class MultiLabel(TrainingAgent):
    """Each class by itself: is it there? The score of an image is the share of classes that are told rightly."""

    conventions = {
        "accuracy": "share of right answers over test images and classes, 0 to 1",
        "exact": "share of test images with all classes right, 0 to 1",
        "loss": "mean binary cross-entropy per image and class, nats",
    }

    def judge(self, outputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs and labels (n, 4)."""
        outputs = outputs.float()
        losses = binary_cross_entropy_with_logits(outputs, labels, reduction="none")
        return ((outputs > 0) == (labels > 0.5)).float().mean(1), losses.mean(1)

    def imitate(self, outputs: Tensor, teacher: Tensor) -> Tensor:
        """Binary cross-entropy against the teacher's probabilities."""
        return binary_cross_entropy_with_logits(outputs, teacher.float().sigmoid())

    def report(self, outputs: Tensor, labels: Tensor, classes: Sequence[str]) -> dict[str, Any]:
        """Over all classes, and each by itself."""
        right = (outputs > 0) == (labels > 0.5)
        return {
            "images": len(labels),
            "loss": self.judge(outputs, labels)[1].mean().item(),
            "accuracy": right.double().mean().item(),
            "exact": right.all(1).double().mean().item(),
            "per_class": [
                {"class": name, "images": int(labels[:, i].sum()), "accuracy": right[:, i].double().mean().item()}
                for i, name in enumerate(classes)
            ],
        }


class BinaryFocal(Criterion):
    """Binary cross-entropy in which what is sure counts less (Lin et al., 2017)."""

    class Config(Criterion.Config):
        """How much less."""

        gamma: float = Field(1.0, ge=0, description="0 is the binary cross-entropy")

    config: Config

    def build(self) -> nn.Module:
        """A new loss."""
        return BinaryFocalLoss(self.config.gamma)


class BinaryFocalLoss(nn.Module):
    """See `BinaryFocal`."""

    def __init__(self, gamma: float) -> None:
        super().__init__()
        self.gamma = gamma

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Outputs and targets (n, classes) → the mean over everything."""
        wrong = outputs.sigmoid() * (1 - targets) + (1 - outputs.sigmoid()) * targets
        losses = -targets * logsigmoid(outputs) - (1 - targets) * logsigmoid(-outputs)
        return (wrong**self.gamma * losses).mean()
