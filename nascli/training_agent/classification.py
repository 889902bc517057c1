"""Image classification."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from nascli.errors import RunFailed, UsageError
from nascli.training_agent.base import TrainingAgent

if TYPE_CHECKING:
    from torch import Tensor

    from nascli.dataflow.base import Dataflow
    from nascli.search_space.base import SearchSpace


class Classification(TrainingAgent):
    """One class an image: cross-entropy, top-k, each class by itself, which are confused, the worst mistakes."""

    class Config(TrainingAgent.Config):
        """Options of the classification agent."""

        top: tuple[Annotated[int, Field(ge=1)], ...] = Field(
            (1, 5), description="each k of top-k: the right class is among the k likeliest; 1 always is there"
        )
        per_class: bool = Field(True, description="whether the report tells each class by itself")
        confusions: int = Field(5, ge=0, description="how many pairs of confused classes the report names")
        matrix: int = Field(100, ge=0, description="up to so many classes, the report has the whole confusion matrix")
        mistakes: int = Field(12, ge=0, description="how many of the worst mistakes the report shows")

    config: Config
    conventions = {
        "topK": "share of test images whose class is among the K likeliest, 0 to 1",
        "loss": "mean cross-entropy per test image, nats",
        "recall": "share of the images of a class that were called so, 0 to 1",
        "precision": "share of the images called so that are of the class, 0 to 1; null where none was",
        "f1": "harmonic mean of precision and recall, 0 to 1",
        "confusion_matrix": "test images of each class (rows) that were called what (columns)",
        "mistakes": "the wrong ones whose own class seemed least likely; image: its place in the test split, from 0; "
        "probability: of the predicted class, true_probability: of its own",
    }

    def check(self, space: SearchSpace, dataflow: Dataflow) -> None:
        """Images and classes as everywhere, and one class an image.

        Raises:
            UsageError: labels that are numbers, several for an image, or maps.
        """
        super().check(space, dataflow)
        labels = dataflow.labels_of(dataflow.indices("train")[:1])
        if labels.ndim != 1 or labels.dtype.kind == "f":
            has = f"{labels.dtype} {list(labels.shape[1:]) or 'numbers'}"
            what = f"classification knows one class an image, '{dataflow.name}' has {has}"
            raise UsageError(what, hint="write an agent for such labels: nascli scaffold training-agent NAME")

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
        """Loss, top-1 with its Wilson interval (Wilson, 1927), other top-k, the classes, confusions, mistakes.

        Raises:
            RunFailed: a label that stands for no class.
        """
        wrong = labels[(labels < 0) | (labels >= len(classes))]
        if len(wrong):
            raise RunFailed(f"a test image has label {wrong[0]}, but labels go from 0 to {len(classes) - 1}")
        right, loss = self.judge(outputs, labels)
        n, top1 = len(labels), right.double().mean().item()
        counts = _table(outputs.argmax(1), labels, len(classes))
        return {
            "images": n,
            "loss": loss.double().mean().item(),
            "top1": top1,
            "top1_interval_95": _wilson(top1, n),
            **{f"top{k}": _top(outputs, labels, k) for k in sorted({*self.config.top} - {1})},
            **({"per_class": _per_class(counts, classes)} if self.config.per_class else {}),
            "confusions": self._confusions(counts, classes),
            **({"confusion_matrix": counts.tolist()} if len(classes) <= self.config.matrix else {}),
            "mistakes": self._mistakes(outputs, labels, classes),
        }

    def _confusions(self, counts: Tensor, classes: Sequence[str]) -> list[dict[str, Any]]:
        """Pairs by how often they occur."""
        wrong = counts.clone().fill_diagonal_(0).flatten()
        order = wrong.argsort(descending=True, stable=True)[: self.config.confusions].tolist()
        return [
            {"true": classes[i // len(classes)], "predicted": classes[i % len(classes)], "images": int(wrong[i])}
            for i in order
            if wrong[i] > 0
        ]

    def _mistakes(self, outputs: Tensor, labels: Tensor, classes: Sequence[str]) -> list[dict[str, Any]]:
        """Wrong images, from the one whose own class seemed least likely."""
        wrong = (outputs.argmax(1) != labels).nonzero()[:, 0]
        likely = outputs[wrong].float().softmax(1)
        own = likely.gather(1, labels[wrong][:, None])[:, 0]
        called = likely.argmax(1)
        return [
            {
                "image": int(wrong[i]),
                "true": classes[int(labels[wrong[i]])],
                "predicted": classes[int(called[i])],
                "probability": likely[i, called[i]].item(),
                "true_probability": own[i].item(),
            }
            for i in own.argsort(stable=True)[: self.config.mistakes].tolist()
        ]


def _table(predicted: Tensor, labels: Tensor, classes: int) -> Tensor:
    """How many images of each class (rows) were called what (columns), int64 (classes, classes)."""
    return (labels * classes + predicted).bincount(minlength=classes**2).view(classes, classes)


def _top(outputs: Tensor, labels: Tensor, k: int) -> float:
    likeliest = outputs.topk(min(k, outputs.shape[1]), 1).indices
    return (likeliest == labels[:, None]).any(1).double().mean().item()


def _per_class(counts: Tensor, classes: Sequence[str]) -> list[dict[str, Any]]:
    """How many images each class has, and how well they are found."""
    right, images, called = counts.diagonal().tolist(), counts.sum(1).tolist(), counts.sum(0).tolist()
    return [
        {
            "class": name,
            "images": images[i],
            "recall": right[i] / images[i] if images[i] else None,
            "precision": right[i] / called[i] if called[i] else None,
            "f1": 2 * right[i] / (images[i] + called[i]) if images[i] + called[i] else None,
        }
        for i, name in enumerate(classes)
    ]


def _wilson(share: float, n: int, z: float = 1.959964) -> list[float]:
    """The 95 % score interval of a share of n."""
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5
    return [max(0.0, centre - half), min(1.0, centre + half)]
