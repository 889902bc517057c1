"""The four splits of a data set, and the record that says what they are.

Images have *sample numbers*: the training part comes first, then the validation part that a data set may bring,
then the test part. `train`, `arch` and a carved `valid` are numbers of the training part.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nascli.artifacts.header import DataRecord
from nascli.dataflow.sampling import Indices, Labels, stratified, stream
from nascli.dataflow.sources import PARTS, Part, Source

SPLITS = ("train", "arch", "valid", "test")


@dataclass(frozen=True)
class SplitOptions:
    """How the training part is divided; `valid_share` is 0 where the data set brings its own validation part."""

    seed: int
    valid_share: float
    arch_share: float


def first_numbers(sources: Mapping[Part, Source]) -> dict[Part, int]:
    """The sample number of the first image of each part."""
    firsts, n = {}, 0
    for part in PARTS:
        if part in sources:
            firsts[part] = n
            n += len(sources[part])
    return firsts


def make_splits(sources: Mapping[Part, Source], options: SplitOptions) -> dict[str, Indices]:
    """Divide the data: ascending sample numbers, int64, for each of `SPLITS`.

    `valid` is a stratified share of the training part, unless there is a validation part; `train` is the rest, and
    `arch` is a stratified share of `train` (a subset of it). Labels that are no classes have one stratum.
    """
    labels, firsts = _strata(sources["train"].labels), first_numbers(sources)
    whole = {part: np.arange(first, first + len(sources[part])) for part, first in firsts.items()}
    held_out = round(options.valid_share * len(labels))
    valid = stratified(labels, held_out, stream(options.seed, "split"))
    train = np.setdiff1d(whole["train"], valid, assume_unique=True)
    arch = train[stratified(labels[train], round(options.arch_share * len(train)), stream(options.seed, "arch"))]
    return {"train": train, "arch": arch, "valid": whole.get("valid", valid), "test": whole["test"]}


def _strata(labels: Labels) -> Indices:
    is_class = labels.ndim == 1 and labels.dtype.kind != "f"
    return labels.astype(np.int64, copy=False) if is_class else np.zeros(len(labels), np.int64)


def describe(
    name: str,
    classes: tuple[str, ...],
    sources: Mapping[Part, Source],
    options: SplitOptions,
    splits: Mapping[str, Indices],
    normalise: str,
) -> DataRecord:
    """Put the record together."""
    shape = sources["train"].image_shape
    split: dict[str, float | int] = {**vars(options)}
    identities = {part: source.identity for part, source in sources.items()}
    identity = {"name": name, "classes": classes, "shape": shape, "parts": identities, "split": split}
    text = json.dumps({**identity, "normalise": normalise}, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode())
    for key in SPLITS:
        digest.update(key.encode() + b"\0" + splits[key].astype("<i8").tobytes())
    sizes = {key: len(splits[key]) for key in SPLITS}
    fingerprint = digest.hexdigest()
    return DataRecord(name=name, classes=classes, image_shape=shape, sizes=sizes, split=split, fingerprint=fingerprint)
