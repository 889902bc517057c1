from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from nascli.dataflow.base import Dataflow
from nascli.dataflow.sources import ArraySource, Part, Source
from nascli.errors import RunFailed, UsageError
from nascli.training_agent.classification import Classification

from .helpers import CLASSES as CLASSES_OF_SPACE
from .helpers import SHAPE, tiny

CLASSES = tuple("abcdefg")


class Labelled(Dataflow):
    """Black images with any labels."""

    def __init__(self, labels: np.ndarray[Any, Any]) -> None:
        super().__init__()
        self._labels = labels

    def classes(self) -> tuple[str, ...]:
        return CLASSES[:CLASSES_OF_SPACE]

    def source(self, part: Part) -> Source | None:
        images = np.zeros((len(self._labels), *SHAPE), np.uint8)
        return None if part == "valid" else ArraySource.of(images, self._labels)


def outputs(predicted: list[int], classes: int = 7) -> Tensor:
    """Class i, then i + 1, i + 2 … in order of preference."""
    ranks = (torch.arange(classes) - torch.tensor(predicted)[:, None]) % classes
    return -ranks.float()


def report(predicted: list[int], labels: list[int], classes: int = 7, **options: Any) -> dict[str, Any]:
    agent = Classification(Classification.Config(**options))
    return agent.report(outputs(predicted, classes), torch.tensor(labels), CLASSES[:classes])


def test_top1_and_top5_are_shares_of_the_images() -> None:
    found = report([0, 0, 0, 0], [0, 4, 5, 1])
    assert (found["images"], found["top1"], found["top5"]) == (4, 0.25, 0.75)


def test_top5_of_fewer_classes_is_all() -> None:
    assert report([0, 1], [2, 0], classes=3)["top5"] == 1.0


def test_other_shares_of_the_likeliest_can_be_asked_for() -> None:
    found = report([0, 0, 0, 0], [0, 1, 2, 5], top=(3, 2))
    assert {name: value for name, value in found.items() if name.startswith("top") and "_" not in name} == {
        "top1": 0.25,
        "top2": 0.5,
        "top3": 0.75,
    }


def test_every_class_is_told_by_itself() -> None:
    found = report([0, 0, 1, 1, 1], [0, 0, 0, 1, 2], classes=4)["per_class"]
    assert [row["class"] for row in found] == ["a", "b", "c", "d"]
    assert [row["images"] for row in found] == [3, 1, 1, 0]
    assert [row["recall"] for row in found] == [2 / 3, 1.0, 0.0, None]
    assert [row["precision"] for row in found] == [1.0, 1 / 3, None, None]
    assert [row["f1"] for row in found] == [0.8, 0.5, 0.0, None]


def test_classes_can_be_left_out_of_the_report() -> None:
    assert "per_class" not in report([0], [0], per_class=False)


def test_loss_is_the_mean_cross_entropy() -> None:
    total = sum(math.exp(-rank) for rank in range(7))
    assert report([0, 3], [0, 5])["loss"] == pytest.approx((math.log(total) + math.log(total) + 2) / 2)


# Wilson 1927: the solutions p of |share - p| = z sqrt(p (1 - p) / n)
@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [
        (8, 10, 0.4901625, 0.9433178),
        (0, 10, 0.0, 0.2775328),
        (10, 10, 0.7224672, 1.0),
        (500, 1000, 0.4690696, 0.5309304),
    ],
)
def test_the_interval_of_top1_is_wilsons(right: int, n: int, low: float, high: float) -> None:
    found = report([0] * n, [0] * right + [1] * (n - right))
    assert found["top1_interval_95"] == pytest.approx([low, high], abs=2e-7)


def test_confusions_are_the_most_frequent_pairs() -> None:
    found = report([1, 1, 1, 2, 2, 3, 6], [0, 0, 0, 4, 4, 3, 5])["confusions"]
    assert found == [
        {"true": "a", "predicted": "b", "images": 3},
        {"true": "e", "predicted": "c", "images": 2},
        {"true": "f", "predicted": "g", "images": 1},
    ]


@pytest.mark.parametrize("n", [0, 1, 2])
def test_so_many_confusions_are_named(n: int) -> None:
    assert len(report([1, 2, 3], [0, 0, 0], confusions=n)["confusions"]) == n


def test_without_mistakes_there_are_no_confusions() -> None:
    assert report([0, 1, 2], [0, 1, 2])["confusions"] == []


def test_images_are_judged_one_by_one() -> None:
    right, loss = Classification().judge(outputs([0, 3]), torch.tensor([0, 5]))
    assert right.tolist() == [1.0, 0.0]
    assert (loss[1] - loss[0]).item() == pytest.approx(2.0, rel=1e-5)


def test_mixed_labels_count_by_their_largest_share() -> None:
    mixed = torch.tensor([[0.4, 0.6, 0.0], [0.9, 0.1, 0.0]])
    right, loss = Classification().judge(outputs([1, 1], 3), mixed)
    assert right.tolist() == [1.0, 0.0]
    logs = outputs([1, 1], 3).log_softmax(1)
    torch.testing.assert_close(loss, -(mixed * logs).sum(1))


def test_imitation_is_the_cross_entropy_against_the_teachers_probabilities() -> None:
    student, teacher = outputs([0, 3], 4), 2 * outputs([1, 3], 4)
    expected = -(teacher.softmax(1) * student.log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(Classification().imitate(student, teacher), expected)


def test_the_confusion_matrix_counts_images_by_class_and_answer() -> None:
    found = report([0, 1, 1, 2], [0, 0, 0, 1], classes=3)
    assert found["confusion_matrix"] == [[1, 2, 0], [0, 0, 1], [0, 0, 0]]


def test_of_too_many_classes_there_is_no_confusion_matrix() -> None:
    assert "confusion_matrix" not in report([0], [0], classes=3, matrix=2)


def test_mistakes_begin_with_the_image_whose_class_seemed_least_likely() -> None:
    found = report([0, 1, 2, 3], [0, 2, 5, 1])["mistakes"]
    assert [(item["image"], item["true"], item["predicted"]) for item in found] == [
        (3, "b", "d"),
        (2, "f", "c"),
        (1, "c", "b"),
    ]
    weights = [math.exp(-rank) for rank in range(7)]
    assert found[0]["probability"] == pytest.approx(weights[0] / sum(weights), rel=1e-5)
    assert found[0]["true_probability"] == pytest.approx(weights[5] / sum(weights), rel=1e-5)


def test_mistakes_are_as_many_as_asked_for() -> None:
    assert len(report([1] * 20, [0] * 20)["mistakes"]) == 12
    assert report([1], [0], mistakes=0)["mistakes"] == []


def test_a_test_label_that_stands_for_no_class_is_refused() -> None:
    with pytest.raises(RunFailed, match="a test image has label 9, but labels go from 0 to 6"):
        report([0, 1], [0, 9])


@pytest.mark.parametrize(
    ("labels", "has"),
    [
        (np.zeros((6, CLASSES_OF_SPACE), np.float32), rf"float32 \[{CLASSES_OF_SPACE}\]"),
        (np.zeros(6, np.float32), "float32 numbers"),
        (np.zeros((6, 2, 3), np.int64), r"int64 \[2, 3\]"),
    ],
)
def test_labels_that_are_no_single_class_are_refused(labels: np.ndarray[Any, Any], has: str) -> None:
    with pytest.raises(UsageError, match=f"classification knows one class an image, 'custom' has {has}"):
        Classification().check(tiny(), Labelled(labels))
