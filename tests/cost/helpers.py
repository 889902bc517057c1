"""Small spaces and cost models, and brute force over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
from hypothesis import strategies as st

from nascli.cost.constraint import Constraint
from nascli.cost.feasible import FeasibleSet
from nascli.cost.model import CostModel, Factor, Metric
from nascli.space import Archs, Decision, Space, Unordered

Table = Sequence[Sequence[int | float]]

WHOLE = st.integers(0, 60)
REAL = st.floats(0, 60, allow_nan=False, width=32)


def tables(cells: st.SearchStrategy, most: int = 5) -> st.SearchStrategy:
    """Costs of the candidates of 1 to `most` decisions with 1 to 5 candidates."""
    return st.lists(st.lists(cells, min_size=1, max_size=5), min_size=1, max_size=most)


def space(sizes: Sequence[int]) -> Space:
    decisions = [Decision(f"layer_{i}", tuple(f"op{j}" for j in range(size))) for i, size in enumerate(sizes)]
    return Space("test", tuple(decisions), (3, 8, 8), 10)


def metric(name: str, costs: Table, base: int | float = 0, exact: bool = True) -> Metric:
    return Metric(name, "1", base, tuple(Factor((i,), np.array(c)) for i, c in enumerate(costs)), exact)


def chain(costs: Mapping[str, Table], base: int | float = 0) -> CostModel:
    """A cost model over independent decisions, one table a metric, all of the same sizes."""
    sizes = [len(row) for row in next(iter(costs.values()))]
    return CostModel(space(sizes), {name: metric(name, table, base) for name, table in costs.items()})


def nested() -> CostModel:
    """`width` exists only where `op` is 1 or 2, and `depth` stands between them in the vector."""
    op = Decision("op", ("skip", "conv", "wide"))
    depth = Decision("depth", ("one", "two", "three"))
    width = Decision("width", ("w1", "w2", "w3", "w4"), active_if=(("op", (1, 2)),))
    tail = Decision("tail", ("none", "pool"))
    joint = np.array([[0, 0, 0, 0], [3, 5, 7, 9], [6, 10, 14, 18]])
    factors = Factor((0, 2), joint), Factor((1,), np.array([1, 2, 4])), Factor((3,), np.array([0, 1]))
    nest = Space("nested", (op, depth, width, tail), (3, 8, 8), 10)
    return CostModel(nest, {"macs": Metric("macs", "MAC", 10, factors, True)})


def unordered() -> CostModel:
    """Three alike decisions whose order does not matter, the last candidate empty, and one decision beside them."""
    names = ("k3", "k5", "none")
    alike = tuple(Decision(f"part_{i}", names) for i in range(3))
    rule = Unordered(tuple(d.label for d in alike), empty=2, at_least=1)
    of = Space("unordered", (*alike, Decision("tail", ("a", "b"))), (3, 8, 8), 10, unordered=(rule,))
    costs = {"macs": [[4, 7, 0]] * 3 + [[1, 5]], "ms": [[0.9, 0.2, 0.0]] * 3 + [[0.55, 0.1]]}
    return CostModel(of, {name: metric(name, table, exact=name == "macs") for name, table in costs.items()})


def large(seed: int = 0) -> CostModel:
    """22 decisions with 9 candidates: about 1e21 architectures, with whole and real costs."""
    rng = np.random.default_rng(seed)
    whole = [rng.integers(1, 4000, 9) * 128 for _ in range(22)]
    real = [rng.random(9) * 3 for _ in range(22)]
    return chain({"macs": whole, "latency_ms": real})


def excluding() -> FeasibleSet:
    """Three metrics of which any two can be met together, but not all: they sum to 10."""
    names = ("macs", "params", "ms")
    model = chain({name: [[int(i == j) for j in range(3)]] * 10 for i, name in enumerate(names)})
    return feasible(model, *(f"{name}<=3" for name in names))


def everything(of: Space) -> Archs:
    """All canonical architectures."""
    archs = np.array(list(product(*map(range, of.sizes))), dtype=np.int64)
    return np.unique(of.canonical(archs), axis=0)


def feasible(model: CostModel, *texts: str) -> FeasibleSet:
    return FeasibleSet(model, [Constraint.parse(text) for text in texts])


def inside(model: CostModel, *texts: str) -> Archs:
    """The feasible architectures, by brute force."""
    archs = everything(model.space)
    keep = np.ones(len(archs), dtype=bool)
    for constraint in map(Constraint.parse, texts):
        total = model[constraint.metric].total(archs)
        keep &= (total <= constraint.bound) if constraint.upper else (total >= constraint.bound)
    return archs[keep]


def chi_square(drawn: Archs, among: Archs) -> float:
    """Standard scores of the chi-square of draws against the uniform distribution over `among`."""
    rows, counts = np.unique(drawn, axis=0, return_counts=True)
    assert {tuple(row) for row in rows} <= {tuple(row) for row in among}
    expected = len(drawn) / len(among)
    statistic = ((counts - expected) ** 2 / expected).sum() + (len(among) - len(rows)) * expected
    freedom = max(len(among) - 1, 1)
    return float((statistic - freedom) / np.sqrt(2 * freedom))
