"""Data sets of identities: those that validate and test are never trained on; batches of P identities × K images."""

from __future__ import annotations

from typing import Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from nascli.dataflow.base import Dataflow
from nascli.dataflow.sampling import Indices, epoch_order, stream

Pairs = npt.NDArray[np.int64]


class Identities(Dataflow):
    """Images with an identity as their label.

    The classes are the identities of the training part. A data set of your own implements `source` so that no
    identity lies in two parts; `held_out` chooses those that validate. Labels of the parts "train" and "valid" are
    positions in `classes`, those of "test" have numbers of their own.
    """

    class Config(Dataflow.Config):
        """Options of data sets of identities."""

        valid_share: float = Field(0.1, ge=0, lt=1, description="of the identities, if no validation part exists")
        per_identity: int = Field(
            4, ge=1, description="images of each identity in a training batch; 1: drawn whatever their identity"
        )

        @model_validator(mode="after")
        def _balanced(self) -> Self:
            if self.batch_size % self.per_identity:
                raise ValueError(f"a batch_size of {self.batch_size} is no multiple of per_identity")
            return self

    config: Config

    def held_out(self, n: int) -> Indices:
        """The identities out of `n` that validate, ascending; at least two stay on either side where there are four."""
        wanted = round(self.config.valid_share * n)
        if self.config.valid_share > 0:
            wanted = min(max(wanted, 2), max(n - 2, 0))
        drawn: Indices = np.sort(stream(self.config.split_seed, "identities").permutation(n)[:wanted])
        return drawn

    def order(self, numbers: Indices, seed: int, epoch: int) -> Indices:
        """Groups of `per_identity` images of one identity, in turns; images that fill no group come last.

        A turn has one group of every identity that fills another one, in an order of its own: where two turns meet,
        both groups may be of one identity.
        """
        shuffled = epoch_order(numbers, seed, epoch)
        size = self.config.per_identity
        if size == 1:
            return shuffled
        labels = self.labels_of(shuffled)
        grouped = shuffled[np.argsort(labels, kind="stable")]
        counts = np.unique(labels, return_counts=True)[1]
        firsts = np.cumsum(counts) - counts
        rng, groups, rest = stream(seed, "identities of an epoch", epoch), [], []
        for turn in range(int(counts.max()) // size):
            ready = np.flatnonzero(counts >= size * (turn + 1))
            starts = firsts[rng.permutation(ready)] + turn * size
            groups.append(grouped[starts[:, None] + np.arange(size)].reshape(-1))
        for first, count in zip(firsts, counts, strict=True):
            rest.append(grouped[first + count // size * size : first + count])
        return np.concatenate([*groups, *rest])

    def pairs(self) -> Pairs | None:
        """The pairs that evaluation compares: rows (i, j, same), positions in the test part; None: pairs are drawn."""
        return None
