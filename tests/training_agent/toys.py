"""Small problems whose scores are a formula."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nascli.search_strategy.base import Score
from nascli.space import Archs
from tests.search_strategy.helpers import Formulaic, Toy, toy

TABLES = [[0, 3, 5], [1, 2, 9, 4]]
FAILED = Score(float("nan"), float("nan"), 3, "broken")


def archs(*rows: list[int]) -> Archs:
    return np.array(rows, dtype=np.int64)


def toy_of(kind: type[Formulaic], folder: Path) -> Toy:
    """The problem of an evaluator of one's own."""
    parts = toy(folder, TABLES)
    parts.kind = kind
    return parts
