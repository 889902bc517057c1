"""Fronts of points with several objectives, all of which are to be small."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


def front_of(points: Points) -> Rows:
    """Rows of (n, m) points that no other point beats; of equal points the first one alone.

    A point beats another where it is nowhere worse and somewhere better.
    """
    kept: list[int] = []
    for row in np.lexsort((np.arange(len(points)), *points.T[::-1])).tolist():
        if not (points[kept] <= points[row]).all(axis=1).any():
            kept.append(row)
    return np.array(sorted(kept), dtype=np.int64)


def fronts(points: Points) -> list[Rows]:
    """All rows of (n, m) points, front by front (Deb et al., 2002); equal points are in fronts of their own."""
    left, found = np.arange(len(points)), []
    while len(left):
        rows = front_of(points[left])
        found.append(left[rows])
        left = np.delete(left, rows)
    return found


def crowding(points: Points) -> Points:
    """How much room each point (n, m) of a front has between its neighbours, (n,); infinite at the ends.

    The crowding distance of Deb et al., 2002: for each objective the gap between the next point on either side, as a
    share of the front's range.
    """
    distance = np.zeros(len(points))
    for values in points.T:
        order = np.argsort(values, kind="stable")
        span = float(values[order[-1]] - values[order[0]])
        distance[order[[0, -1]]] = np.inf
        if span > 0:
            distance[order[1:-1]] += (values[order[2:]] - values[order[:-2]]) / span
    return distance


def knee(points: Points) -> int:
    """The row of a front (n, m) that lies furthest below the plane through its ends, ranges made equal (Das, 1999)."""
    low, high = points.min(axis=0), points.max(axis=0)
    return int(((points - low) / np.where(high > low, high - low, 1.0)).sum(axis=1).argmin())
