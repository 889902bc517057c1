"""Verification: are two images of one identity? Pairs, their similarities, and how well those tell.

What there is from scikit-learn, the extra `face`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nascli.dataflow.identities import Pairs
from nascli.errors import RunFailed

Values = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

POINTS = 200  # of the curve that a report keeps
NORMAL_95 = 1.959964


def drawn_pairs(labels: npt.NDArray[np.int64], n: int, rng: np.random.Generator) -> Pairs:
    """At most `n` different pairs (m, 3) in random order, half of them of one identity where there are so many.

    Args:
        labels: identities (images,).

    Raises:
        RunFailed: no two images of one identity, or no two identities.
    """
    order = np.argsort(labels, kind="stable")
    first = np.searchsorted(labels[order], labels[order])  # where the identity of each place begins
    own, half = np.arange(len(labels)) - first, max(1, n // 2)
    if not own.any() or not first.any():
        raise RunFailed("verification needs two identities, and two images of one", why=f"of {len(labels)} images")
    later, before = _distinct(own, half, rng)  # a pair belongs to the later of its places
    same = np.stack([order[later], order[first[later] + before], np.ones_like(later)], axis=1)
    later, before = _distinct(first, half, rng)
    others = np.stack([order[later], order[before], np.zeros_like(later)], axis=1)
    pairs: Pairs = rng.permutation(np.concatenate([same, others])).astype(np.int64)
    pairs[:, :2].sort(axis=1)
    return pairs


def _distinct(sizes: npt.NDArray[np.int64], n: int, rng: np.random.Generator) -> tuple[Any, Any]:
    """At most `n` of the cells of a ragged table with rows of `sizes` cells, each once: their rows and columns."""
    ends = sizes.cumsum()
    cells = rng.choice(ends[-1], min(n, int(ends[-1])), replace=False)
    rows = np.searchsorted(ends, cells, side="right")
    return rows, cells - ends[rows] + sizes[rows]


def similarities(embeddings: Values, pairs: Pairs) -> Values:
    """The cosines (m,) between the embeddings (images, d) of each pair; 0 where one of them is 0."""
    unit = embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)
    cosines: Values = (unit[pairs[:, 0]] * unit[pairs[:, 1]]).sum(axis=1)
    return cosines


def verification(
    cosines: Values, pairs: Pairs, labels: npt.NDArray[np.int64], folds: int, far: Sequence[float]
) -> dict[str, Any]:
    """What a report says of some pairs.

    `accuracy`: the mean over folds of pairs, in the order they have, by the threshold that is best on the others
    (the protocol of LFW, Huang et al., 2007). `auc` with an interval by leaving out one identity at a time, since
    pairs share identities. `tar_at_far`: the share of true pairs accepted where at most so many false ones are.
    """
    from sklearn.metrics import roc_auc_score, roc_curve

    same = pairs[:, 2] == 1
    accuracies = _accuracies(cosines, same, min(folds, len(pairs)))
    fpr, tpr, _ = roc_curve(same, cosines)
    kept = np.unique(np.linspace(0, len(fpr) - 1, POINTS).round().astype(int))
    auc = float(roc_auc_score(same, cosines))
    error = _error_of_auc(cosines, pairs, labels)
    return {
        "pairs": len(pairs),
        "accuracy": float(np.mean(accuracies)),
        "accuracy_of_folds": [float(a) for a in accuracies],
        "auc": auc,
        "auc_interval_95": [max(0.0, auc - NORMAL_95 * error), min(1.0, auc + NORMAL_95 * error)],
        "equal_error_rate": _equal_error(fpr, tpr),
        "tar_at_far": {f"{rate:g}": float(tpr[fpr <= rate].max()) for rate in far},
        "roc": {"far": fpr[kept].tolist(), "tar": tpr[kept].tolist()},
    }


def _accuracies(cosines: Values, same: Flags, folds: int) -> list[float]:
    found = []
    for tested in np.array_split(np.arange(len(cosines)), folds):
        others = np.setdiff1d(np.arange(len(cosines)), tested)
        threshold = _best_threshold(cosines[others], same[others])
        found.append(float(((cosines[tested] >= threshold) == same[tested]).mean()))
    return found


def _best_threshold(cosines: Values, same: Flags) -> float:
    """The lowest accepted cosine with which most pairs are judged rightly, midway to the next lower one."""
    order = np.argsort(-cosines, kind="stable")
    rightly = np.concatenate([[0], np.where(same[order], 1, -1).cumsum()])
    values = np.concatenate([[np.inf], cosines[order], [-np.inf]])
    ends = np.flatnonzero(values[:-1] != values[1:])  # no threshold lies between equal cosines
    best = ends[rightly[ends].argmax()]
    low, high = values[best + 1], values[best]
    if np.isinf(high):
        return float(low) + 1.0
    return float(high) if np.isinf(low) else float((low + high) / 2)


def _equal_error(fpr: Values, tpr: Values) -> float:
    """Where as many true pairs are refused as false ones accepted, between the points of the curve."""
    gap = fpr - (1 - tpr)
    i = int(np.flatnonzero(gap >= 0)[0])
    if i == 0 or gap[i] == 0:
        return float(fpr[i])
    share = -gap[i - 1] / (gap[i] - gap[i - 1])
    return float(fpr[i - 1] + share * (fpr[i] - fpr[i - 1]))


def _error_of_auc(cosines: Values, pairs: Pairs, labels: npt.NDArray[np.int64]) -> float:
    """The jackknife's standard error over identities."""
    from sklearn.metrics import roc_auc_score

    of_pair, same = labels[pairs[:, :2]], pairs[:, 2] == 1
    values = []
    for identity in np.unique(of_pair):
        kept = (of_pair != identity).all(axis=1)
        if same[kept].any() and not same[kept].all():
            values.append(roc_auc_score(same[kept], cosines[kept]))
    n = len(values)
    return float(np.sqrt((n - 1) / n * np.sum((np.array(values) - np.mean(values)) ** 2))) if n > 1 else 0.5
