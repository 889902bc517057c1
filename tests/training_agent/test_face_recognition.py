from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import chisquare
from sklearn.metrics import roc_auc_score

from nascli.dataflow.generated_faces import GeneratedFaces
from nascli.errors import RunFailed, UsageError
from nascli.run import Run
from nascli.search_space.tiny import Tiny
from nascli.training_agent.base import Setup
from nascli.training_agent.face_recognition import FaceRecognition
from nascli.training_agent.verification import drawn_pairs, similarities, verification

AGENT = FaceRecognition()


def embeddings(
    identities: int = 5, images: int = 4, noise: float = 0.5, seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Around a direction for each identity."""
    rng = torch.Generator().manual_seed(seed)
    labels = torch.arange(identities).repeat_interleave(images)
    centres = torch.randn(identities, 6, generator=rng)
    return centres[labels] + noise * torch.randn(len(labels), 6, generator=rng), labels


def test_a_score_is_the_area_under_the_curve_of_each_probe() -> None:
    outputs, labels = embeddings(noise=1.0)
    scores, losses = AGENT.judge(outputs, labels)
    unit = torch.nn.functional.normalize(outputs, dim=1)
    cosines = (unit @ unit.T).numpy()
    for i in range(len(labels)):
        others = np.arange(len(labels)) != i
        same = (labels == labels[i]).numpy()[others]
        assert scores[i].item() == pytest.approx(roc_auc_score(same, cosines[i, others]), abs=1e-6)
        own, far = cosines[i, others][same].mean(), cosines[i, others][~same].mean()
        assert losses[i].item() == pytest.approx(1 - own + far, abs=1e-5)


def test_equal_embeddings_tell_nothing() -> None:
    _, labels = embeddings()
    scores, losses = AGENT.judge(torch.ones(len(labels), 6), labels)
    assert scores.tolist() == [0.5] * len(labels)
    torch.testing.assert_close(losses, torch.ones(len(labels)))


def test_nothing_to_compare_is_a_half() -> None:
    outputs, _ = embeddings()
    scores, losses = AGENT.judge(outputs[:3], torch.arange(3))
    assert scores.tolist() == [0.5] * 3
    assert losses.isfinite().all()


def test_a_pass_is_judged_as_a_whole_however_it_was_cut() -> None:
    outputs, labels = embeddings(noise=1.0)
    cut, whole = AGENT.judged(), AGENT.judged()
    for rows in torch.arange(len(labels)).split(7):
        cut.add(outputs[rows], labels[rows])
    whole.add(outputs, labels)
    assert cut.score() == whole.score()
    assert cut.score().accuracy == pytest.approx(AGENT.judge(outputs, labels)[0].mean().item())


def test_embeddings_that_are_not_finite_are_an_error() -> None:
    outputs, labels = embeddings()
    account = AGENT.judged()
    account.add(outputs * torch.nan, labels)
    assert account.score().error == "the loss is not finite"


def test_the_teacher_is_imitated_in_direction_alone() -> None:
    outputs, _ = embeddings()
    assert AGENT.imitate(outputs, 3 * outputs).item() == pytest.approx(0, abs=1e-6)
    assert AGENT.imitate(outputs, -outputs).item() == pytest.approx(2)


def test_the_outputs_may_have_any_size_and_the_images_may_not() -> None:
    flow = GeneratedFaces(GeneratedFaces.Config(identities=6, test_identities=2, pictures=2, size=8))
    AGENT.check(Tiny(Tiny.Config(input_shape=(3, 8, 8), classes=17)), flow)
    with pytest.raises(UsageError, match="expects images") as caught:
        AGENT.check(Tiny(Tiny.Config(input_shape=(1, 8, 8), classes=17)), flow)
    assert caught.value.hint == "set search_space.input_shape: [3, 8, 8]; or name other data: --dataflow or -c"


def test_the_report_verifies_the_test_identities(tmp_path: Path) -> None:
    flow = GeneratedFaces(GeneratedFaces.Config(identities=6, test_identities=5, pictures=4, size=8))
    setup = Setup(AGENT, flow, Run(tmp_path / "report.json"))
    AGENT.check(Tiny(Tiny.Config(input_shape=(3, 8, 8), classes=6)), flow)
    outputs, labels = embeddings(noise=0.05)
    report = setup.agent.report(outputs, labels, flow.classes())
    assert report["pairs_from"] == "drawn"
    assert report["identities"] == 5
    assert report["accuracy"] == report["auc"] == 1
    assert report["equal_error_rate"] == 0
    assert report["tar_at_far"] == {"0.1": 1.0, "0.01": 1.0, "0.001": 1.0}


def test_pairs_are_different_and_half_of_them_of_one_identity() -> None:
    labels = np.repeat(np.arange(6), 5)
    pairs = drawn_pairs(labels, 60, np.random.default_rng(0))
    assert len({(i, j) for i, j, _ in pairs.tolist()}) == 60
    assert pairs[:, 2].sum() == 30
    assert ((labels[pairs[:, 0]] == labels[pairs[:, 1]]) == pairs[:, 2]).all()
    assert 0 < pairs[:30, 2].sum() < 30  # the order is drawn: folds hold both kinds


def test_every_pair_is_drawn_once_where_all_are_wanted() -> None:
    labels = np.array([3, 1, 1, 0, 3, 3, 1])
    pairs = drawn_pairs(labels, 1000, np.random.default_rng(0))
    expected = [(i, j, int(labels[i] == labels[j])) for i in range(7) for j in range(i + 1, 7)]
    assert sorted(map(tuple, pairs.tolist())) == expected


def test_pairs_of_a_kind_are_equally_likely() -> None:
    labels, rng = np.array([0, 0, 0, 1, 1]), np.random.default_rng(0)
    seen = Counter(tuple(pair[:2]) for _ in range(3000) for pair in drawn_pairs(labels, 2, rng).tolist())
    assert sum(seen.values()) == 6000
    expected = [3000 / (4 if labels[i] == labels[j] else 6) for i, j in seen]
    assert len(seen) == 10
    assert chisquare(list(seen.values()), expected).pvalue > 0.001


def test_a_few_pairs_of_many_images_need_no_list_of_all() -> None:
    labels = np.arange(200_000) // 4  # two times ten to the tenth pairs
    pairs = drawn_pairs(labels, 6000, np.random.default_rng(0))
    assert len({(i, j) for i, j, _ in pairs.tolist()}) == 6000
    assert ((labels[pairs[:, 0]] == labels[pairs[:, 1]]) == pairs[:, 2]).all()


@pytest.mark.parametrize("labels", [np.arange(4), np.zeros(4, dtype=np.int64)])
def test_pairs_of_one_kind_alone_verify_nothing(labels: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
    with pytest.raises(RunFailed, match="verification needs two identities"):
        drawn_pairs(labels, 10, np.random.default_rng(0))


def test_accuracy_uses_a_threshold_from_the_other_folds() -> None:
    """The last fold wants another threshold than the others; it must not get it."""
    same = np.tile([1, 0], 20)
    cosines = np.where(same, 0.8, 0.2).astype(float)
    cosines[36:] = np.where(same[36:], 0.15, 0.05)
    pairs = np.stack([np.arange(40), np.arange(40) + 40, same], axis=1)
    found = verification(cosines, pairs, np.arange(80), 10, (0.5,))
    assert found["accuracy_of_folds"] == [1.0] * 9 + [0.5]
    assert found["accuracy"] == pytest.approx(0.95)


def test_chance_lies_inside_the_interval_of_random_embeddings() -> None:
    rng = np.random.default_rng(1)
    labels = np.repeat(np.arange(20), 6)
    pairs = drawn_pairs(labels, 1000, rng)
    found = verification(similarities(rng.normal(size=(120, 8)), pairs), pairs, labels, 10, (0.1,))
    low, high = found["auc_interval_95"]
    assert low < 0.5 < high
    assert found["equal_error_rate"] == pytest.approx(0.5, abs=0.06)
    assert found["tar_at_far"]["0.1"] == pytest.approx(0.1, abs=0.06)


def test_a_missing_package_is_named_before_anything_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    flow = GeneratedFaces(GeneratedFaces.Config(identities=6, test_identities=2, pictures=2, size=8))
    with pytest.raises(UsageError, match="verification needs the package scikit-learn"):
        AGENT.check(Tiny(Tiny.Config(input_shape=(3, 8, 8), classes=17)), flow)
