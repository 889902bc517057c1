"""Image classification."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from nascli.training_agent.base import TrainingAgent

if TYPE_CHECKING:
    from torch import Tensor


class Classification(TrainingAgent):
    """One label per image: cross-entropy, top-1 and top-5, the most confused classes."""

    class Config(TrainingAgent.Config):
        """Options of the classification agent."""

        confusions: int = Field(5, ge=0, description="how many pairs of confused classes the report names")

    config: Config

    def judge(self, outputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """(right or wrong, cross-entropy) of each image."""
        from torch.nn.functional import cross_entropy

        outputs = outputs.float()
        hard = labels.argmax(1) if labels.dim() == 2 else labels
        return (outputs.argmax(1) == hard).float(), cross_entropy(outputs, labels, reduction="none")

    def imitate(self, outputs: Tensor, teacher: Tensor) -> Tensor:
        """Cross-entropy against the teacher's probabilities (Hinton et al., 2015, arXiv:1503.02531)."""
        from torch.nn.functional import cross_entropy

        return cross_entropy(outputs, teacher.float().softmax(1))

    def report(self, outputs: Tensor, labels: Tensor, classes: Sequence[str]) -> dict[str, Any]:
        """Loss, top-1 with its Wilson interval (Wilson, 1927), top-5, and the most confused pairs."""
        right, loss = self.judge(outputs, labels)
        n, top1 = len(labels), right.double().mean().item()
        top5 = (outputs.topk(min(5, outputs.shape[1]), 1).indices == labels[:, None]).any(1).double().mean().item()
        return {
            "images": n,
            "loss": loss.double().mean().item(),
            "top1": top1,
            "top1_interval_95": _wilson(top1, n),
            "top5": top5,
            "confusions": self._confusions(outputs.argmax(1), labels, classes),
        }

    def _confusions(self, predicted: Tensor, labels: Tensor, classes: Sequence[str]) -> list[dict[str, Any]]:
        wrong = predicted != labels
        pairs = labels[wrong] * len(classes) + predicted[wrong]
        counts = pairs.bincount(minlength=len(classes) ** 2)
        order = counts.argsort(descending=True, stable=True)[: self.config.confusions].tolist()
        return [
            {"true": classes[i // len(classes)], "predicted": classes[i % len(classes)], "images": int(counts[i])}
            for i in order
            if counts[i] > 0
        ]


def _wilson(share: float, n: int, z: float = 1.959964) -> list[float]:
    """The 95 % score interval of a share of n."""
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5
    return [max(0.0, centre - half), min(1.0, centre + half)]
