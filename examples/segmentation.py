"""A task of one's own in one file: the class of every pixel. Space, data, agent; the criterion is `cross_entropy`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, interpolate
from torchvision.ops import Conv2dNormActivation

from nascli.dataflow.base import Augment, Dataflow
from nascli.dataflow.sampling import Labels, Pixels
from nascli.dataflow.sources import UNLABELLED, ArraySource, Part, Source
from nascli.search_space.blocks.aspp import aspp
from nascli.search_space.blocks.mobile import mobile
from nascli.search_strategy.base import Score
from nascli.supernet.mutables import InputChoice, LayerChoice, Repeat
from nascli.training_agent.base import TrainingAgent

SIZE, CLASSES = 24, ("background", "disc", "square", "stripe")


class EncoderDecoder(nn.Module):
    """An encoder, a searched bottleneck, a decoder that may take the encoder's details: 2 · 3 · 4 · 3 architectures."""

    def __init__(
        self, width: int = 8, input_shape: tuple[int, int, int] = (1, SIZE, SIZE), classes: int = len(CLASSES)
    ) -> None:
        super().__init__()
        deep = 2 * width
        self.stem = Conv2dNormActivation(input_shape[0], width, 3)
        kernels = {f"mobile_k{k}": mobile(width, deep, 2, kernel=k, expansion=2) for k in (3, 5)}
        self.down = LayerChoice(kernels, label="down")
        self.depth = Repeat(lambda i: mobile(deep, deep, 1, kernel=3, expansion=2), depth=(1, 3), label="depth")
        bottlenecks = {
            "pyramid": aspp(deep, deep, 1, rates=(2, 4, 6)),
            "narrow_pyramid": aspp(deep, deep, 1, rates=(1, 2)),
            "conv": Conv2dNormActivation(deep, deep, 3),
            "none": nn.Identity(),
        }
        self.bottleneck = LayerChoice(bottlenecks, label="bottleneck")
        self.narrow = Conv2dNormActivation(deep, width, 1)
        self.join = InputChoice(n_candidates=2, n_chosen=None, reduction="mean", label="join")
        self.classifier = nn.Conv2d(width, classes, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N, classes, H, W)."""
        fine = self.stem(x)
        coarse = self.narrow(self.bottleneck(self.depth(self.down(fine))))
        output: Tensor = self.classifier(self.join([fine, interpolate(coarse, fine.shape[2:], mode="nearest")]))
        return output


class Shapes(Dataflow):
    """A disc, a square and a stripe on a noisy ground, each of them somewhere, some over others.

    Disc and square are of one grey: their rims, some pixels away, tell them apart, so it pays to look around.
    """

    name: ClassVar[str] = "shapes"

    class Config(Dataflow.Config):
        """How many, and how noisy."""

        train_images: int = Field(400, ge=1, description="images of the training part")
        test_images: int = Field(100, ge=1, description="images of the test part")
        noise: int = Field(20, ge=0, le=127, description="largest change of a pixel, which is 0 to 255")
        augment: Augment = Augment(crop_padding=2)

    config: Config

    def classes(self) -> tuple[str, ...]:
        """Names of the values of a label map."""
        return CLASSES

    def source(self, part: Part) -> Source | None:
        """Labels are maps int64 (N, H, W), cropped and mirrored with their images."""
        if part == "valid":
            return None
        size = self.config.train_images if part == "train" else self.config.test_images
        identity = f"{part} {size} {self.config.noise}"
        return ArraySource(identity, (1, SIZE, SIZE), size, lambda: self.draw(part, size))

    def draw(self, part: Part, size: int) -> tuple[Pixels, Labels]:
        """Images uint8 (size, 1, H, W) and labels int64 (size, H, W); the same each time."""
        rng = np.random.default_rng(0 if part == "train" else 1)
        rows, columns = np.mgrid[:SIZE, :SIZE]
        labels, grey = np.zeros((size, SIZE, SIZE), np.int64), np.full((size, SIZE, SIZE), 60)
        for label, picture in zip(labels, grey, strict=True):
            y, x, radius = (*rng.integers(4, SIZE - 4, size=(2, 3)), rng.integers(5, 9, size=2))
            stripe = abs(rows - columns - y[2] + x[2]) < 3
            label[stripe], picture[stripe] = 3, 200
            disc = np.hypot(rows - y[0], columns - x[0]) - radius[0]
            square = np.maximum(abs(rows - y[1]), abs(columns - x[1])) - radius[1]
            for shape, outside, rim in ((1, disc, 190), (2, square, 90)):
                label[outside < 0] = shape
                picture[outside < 0] = np.where(outside < -1.5, 130, rim)[outside < 0]
        grey += rng.integers(-self.config.noise, self.config.noise + 1, size=grey.shape)
        return grey.clip(0, 255).astype(np.uint8)[:, None], labels


class Segmentation(TrainingAgent):
    """The score is the mean intersection over union of the classes, over all images of a validation together."""

    conventions = {
        "mean_iou": "mean over classes of intersection / union, pixels of all test images together, 0 to 1",
        "pixel_accuracy": "share of labelled pixels that are right, 0 to 1",
        "loss": "mean cross-entropy per pixel, nats",
    }

    def judge(self, outputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """(share of right pixels, mean cross-entropy) of each image; outputs (n, classes, H, W), labels (n, H, W)."""
        there = labels != UNLABELLED
        losses = cross_entropy(outputs.float(), labels, ignore_index=UNLABELLED, reduction="none")
        right, n = (outputs.argmax(1) == labels) & there, there.flatten(1).sum(1).clamp_min(1)
        return right.flatten(1).sum(1) / n, losses.flatten(1).sum(1) / n

    def judged(self) -> Account:
        """Intersection over union is no mean over images: it needs an account of its own."""
        return Account(self)

    def imitate(self, outputs: Tensor, teacher: Tensor) -> Tensor:
        """Cross-entropy against the teacher's probabilities of every pixel."""
        return cross_entropy(outputs, teacher.float().softmax(1))

    def report(self, outputs: Tensor, labels: Tensor, classes: Sequence[str]) -> dict[str, Any]:
        """Over all pixels, and each class by itself."""
        counts = confusion(outputs, labels)
        ratios = iou(counts).tolist()
        return {
            "images": len(labels),
            "loss": self.judge(outputs, labels)[1].mean().item(),
            "pixel_accuracy": (counts.trace() / counts.sum()).item(),
            "mean_iou": iou(counts).nanmean().item(),
            "per_class": [
                {"class": name, "pixels": int(n), "iou": ratio if ratio == ratio else None}
                for name, n, ratio in zip(classes, counts.sum(1), ratios, strict=True)
            ],
        }


class Account:
    """Adds up one validation."""

    def __init__(self, agent: Segmentation) -> None:
        self.agent, self.images, self.loss = agent, 0, 0.0
        self.counts: Tensor | None = None

    def add(self, outputs: Tensor, labels: Tensor) -> None:
        """One more batch."""
        counts = confusion(outputs, labels)
        self.counts = counts if self.counts is None else self.counts + counts
        self.loss += self.agent.judge(outputs, labels)[1].double().sum().item()
        self.images += len(labels)

    def score(self) -> Score:
        """Of all batches."""
        if self.counts is None or self.loss != self.loss:
            return Score(float("nan"), float("nan"), self.images, "the loss is not a number")
        return Score(iou(self.counts).nanmean().item(), self.loss / self.images, self.images)


def confusion(outputs: Tensor, labels: Tensor) -> Tensor:
    """How many pixels of each class (rows) were called what (columns), (classes, classes)."""
    there, classes = labels != UNLABELLED, outputs.shape[1]
    pairs = labels[there] * classes + outputs.argmax(1)[there]
    return torch.bincount(pairs, minlength=classes**2).view(classes, classes).double()


def iou(counts: Tensor) -> Tensor:
    """Intersection over union of each class; NaN where it is nowhere."""
    return counts.diagonal() / (counts.sum(0) + counts.sum(1) - counts.diagonal())
