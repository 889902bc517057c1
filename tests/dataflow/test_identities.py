from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nascli.dataflow.faces import Faces
from nascli.dataflow.generated_faces import GeneratedFaces, Portraits
from nascli.dataflow.sources import Part, Source
from nascli.errors import ConfigError
from nascli.stage.settings import files


def generated(**options: Any) -> GeneratedFaces:
    small = {"identities": 12, "test_identities": 4, "pictures": 6, "size": 12, "batch_size": 8, "per_identity": 4}
    return GeneratedFaces(GeneratedFaces.Config(**{**small, **options}))


def folders(root: Path, **parts: dict[str, int]) -> Path:
    """Pictures of one colour, so many of each name."""
    for part, names in parts.items():
        for name, n in names.items():
            (root / part / name).mkdir(parents=True)
            for i in range(1, n + 1):
                Image.new("RGB", (6, 6), (40 * i, 0, 0)).save(root / part / name / f"{name}_{i:04d}.png")
    return root


PEOPLE = {"train": {"ann": 3, "bob": 3, "cid": 3, "dan": 3}, "test": {"eve": 3, "fay": 2}}


def faces(root: Path, **options: Any) -> Faces:
    sizes = {"batch_size": 4, "per_identity": 2, "valid_share": 0.5}
    return Faces(Faces.Config(path=root, **{**sizes, **options}))


def identities(flow: GeneratedFaces | Faces, split: str) -> set[int]:
    return set(flow.labels_of(flow.indices(split)).tolist())


def test_no_identity_is_in_two_splits() -> None:
    flow = generated(valid_share=0.25)
    train, valid = identities(flow, "train"), identities(flow, "valid")
    assert len(train) == 9
    assert len(valid) == 3
    assert not train & valid
    assert not identities(flow, "test") & (train | valid)
    assert identities(flow, "arch") <= train


def test_the_split_depends_on_its_seed_alone() -> None:
    assert identities(generated(), "valid") == identities(generated(), "valid")
    assert any(identities(generated(split_seed=seed), "valid") != identities(generated(), "valid") for seed in (1, 2))


def test_batches_hold_groups_of_one_identity_and_every_image_comes_once() -> None:
    flow = generated(valid_share=0.25, pictures=8)
    numbers = flow.order(flow.indices("train"), 0, 0)
    assert sorted(numbers) == flow.indices("train").tolist()
    groups = flow.labels_of(numbers).reshape(-1, 4)
    assert (groups == groups[:, :1]).all()
    assert all(len(set(turn)) == 9 for turn in groups[:, 0].reshape(-1, 9).tolist())
    again, other = flow.order(flow.indices("train"), 0, 0), flow.order(flow.indices("train"), 0, 1)
    assert (numbers == again).all()
    assert (numbers != other).any()


def test_images_that_fill_no_group_come_last() -> None:
    flow = generated(pictures=6)
    labels = flow.labels_of(flow.order(flow.indices("train"), 0, 0))
    whole = labels[: len(set(labels.tolist())) * 4].reshape(-1, 4)
    assert (whole == whole[:, :1]).all()


def test_one_image_an_identity_is_the_usual_order() -> None:
    flow, usual = generated(per_identity=1), generated()
    assert (flow.order(flow.indices("train"), 3, 1) != usual.order(usual.indices("train"), 3, 1)).any()
    assert sorted(flow.order(flow.indices("train"), 3, 1)) == flow.indices("train").tolist()


def test_a_batch_holds_whole_groups() -> None:
    with pytest.raises(ValueError, match="batch_size of 10 is no multiple of per_identity"):
        generated(batch_size=10)


def test_generated_faces_differ_by_identity_more_than_by_picture() -> None:
    """In the middle of the face, where the background does not show."""
    flow = generated(size=24, identities=8)
    source = flow.source("train")
    assert source is not None
    middle = source.load()[:, :, 8:16, 8:16].astype(float).mean(axis=(2, 3))
    middle /= middle.sum(axis=1, keepdims=True)  # the light's strength
    means = np.stack([middle[source.labels == label].mean(0) for label in np.unique(source.labels)])
    within = np.concatenate(
        [middle[source.labels == label] - middle[source.labels == label].mean(0) for label in np.unique(source.labels)]
    )
    assert means.std(0).sum() > within.std(0).sum()


def test_a_picture_is_the_same_each_time() -> None:
    first, second = generated().source("test"), generated().source("test")
    assert first is not None
    assert second is not None
    assert (first.read(3) == second.read(3)).all()
    assert (first.read(3) != first.read(4)).any()
    assert first.identity == second.identity != generated(seed=1).source("test").identity  # type: ignore[union-attr]


def test_folders_of_people(tmp_path: Path) -> None:
    flow = faces(folders(tmp_path, **PEOPLE))
    assert flow.classes() == ("ann", "bob", "cid", "dan")
    assert len(identities(flow, "train")) == len(identities(flow, "valid")) == 2
    assert not identities(flow, "train") & identities(flow, "valid")
    assert flow.describe().sizes["test"] == 5


def test_people_of_a_validation_folder_validate(tmp_path: Path) -> None:
    flow = faces(folders(tmp_path, **PEOPLE, val={"gus": 2, "hal": 2}))
    assert flow.classes() == ("ann", "bob", "cid", "dan", "gus", "hal")
    assert identities(flow, "train") == {0, 1, 2, 3}
    assert identities(flow, "valid") == {4, 5}


@pytest.mark.parametrize("part", ["test", "val"])
def test_somebody_who_is_trained_on_may_not_be_in_another_part(tmp_path: Path, part: str) -> None:
    parts: dict[str, dict[str, int]] = {**PEOPLE, part: {"ann": 2, "zoe": 2}}
    with pytest.raises(ConfigError, match="an identity that is trained on: ann"):
        faces(folders(tmp_path, **parts)).describe()


PAIRS = "2\t1\neve 1 3\neve\t1\tfay\t2\nfay 1 2\n"


def test_pairs_of_a_file(tmp_path: Path) -> None:
    folders(tmp_path, **PEOPLE)
    (tmp_path / "pairs.txt").write_text(PAIRS)
    found = faces(tmp_path, pairs=tmp_path / "pairs.txt").pairs()
    assert found is not None
    assert found.tolist() == [[0, 2, 1], [0, 4, 0], [3, 4, 1]]
    assert faces(tmp_path).pairs() is None


def test_the_contents_of_a_file_of_pairs_count_and_not_its_place(tmp_path: Path) -> None:
    folders(tmp_path, **PEOPLE)
    found = []
    for name, text in (("a", PAIRS), ("b", PAIRS), ("c", PAIRS + "fay 1 3\n")):
        (tmp_path / f"{name}.txt").write_text(text)
        found.append(files(faces(tmp_path, pairs=tmp_path / f"{name}.txt").config))
    assert found[0] == found[1] != found[2]
    assert files(faces(tmp_path).config) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("eve 1 9\neve 1 fay 1\n", "pairs.txt:1: there is no picture 9 of 'eve'"),
        ("eve 1 2\nann 1 fay 1\n", "pairs.txt:2: there is no picture 1 of 'ann'"),
        ("eve 1\n", "pairs.txt:1: 'eve 1' is no pair"),
        ("eve 1 2\neve one fay 1\n", "pairs.txt:2: 'eve one fay 1' is no pair"),
        ("eve 1 2\n", "has no pairs of one identity, or none of two"),
        ("", "has no pairs of one identity, or none of two"),
    ],
)
def test_a_file_of_pairs_that_makes_no_sense(tmp_path: Path, text: str, message: str) -> None:
    folders(tmp_path, **PEOPLE)
    (tmp_path / "pairs.txt").write_text(text)
    with pytest.raises(ConfigError, match=message):
        faces(tmp_path, pairs=tmp_path / "pairs.txt").pairs()


def test_a_file_of_pairs_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        faces(folders(tmp_path, **PEOPLE), pairs=tmp_path / "nothing.txt").pairs()


class Sealed(Portraits):
    """Labels that nobody may ask for."""

    @property
    def labels(self) -> Any:  # type: ignore[override]
        raise AssertionError("the test part was asked for its labels")


class SealedFaces(GeneratedFaces):
    def source(self, part: Part) -> Source | None:
        return Sealed(self.config, np.arange(12, 16)) if part == "test" else super().source(part)


def test_the_order_of_training_asks_nothing_of_the_test_part() -> None:
    flow = SealedFaces(generated(valid_share=0.25).config)
    numbers = flow.indices("train")
    assert sorted(flow.order(numbers, 0, 0)) == numbers.tolist()
