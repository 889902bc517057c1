"""Small spaces of every kind, and their rules written out in plain Python."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

import numpy as np
from hypothesis import strategies as st

from nascli.space import Archs, Condition, Decision, Space, Unordered

A = ("a", "b", "c")


def space(*decisions: Decision, **fields: Any) -> Space:
    return Space("test", decisions, **{"input_shape": (3, 8, 8), "classes": 10, **fields})


def chained() -> Space:
    """`width` exists where `op` is 1 or 2, and `act` where `width` exists and is 1; `tail` is free."""
    return space(
        Decision("op", A),
        Decision("width", ("narrow", "wide"), active_if=(("op", (1, 2)),)),
        Decision("tail", ("none", "pool")),
        Decision("act", A, active_if=(("width", (1,)),)),
    )


def either() -> Space:
    """`shared` exists where `left` is 1, or where `right`, which hangs on `left` being 0, is 2."""
    return space(
        Decision("left", ("a", "b")),
        Decision("right", A, active_if=(("left", (0,)),)),
        Decision("shared", A, active_if=(("left", (1,)), ("right", (2,)))),
    )


def places(n: int = 3, candidates: tuple[str, ...] = A, at_least: int = 0) -> Space:
    """A free decision, and `n` places whose order does not matter; the last candidate leaves a place empty."""
    labels = tuple(f"place_{i}" for i in range(n))
    rule = Unordered(labels, len(candidates) - 1, at_least)
    return space(Decision("op", ("x", "y")), *(Decision(label, candidates) for label in labels), unordered=(rule,))


@st.composite
def conditions(draw: st.DrawFn, earlier: list[Decision]) -> tuple[Condition, ...]:
    """Up to three, on different parents or on one; a condition may hold for no index."""
    parents = draw(st.lists(st.sampled_from(earlier), max_size=3)) if earlier else []
    some = [draw(st.lists(st.integers(0, parent.size - 1), unique=True)) for parent in parents]
    return tuple((parent.label, tuple(indices)) for parent, indices in zip(parents, some, strict=True))


@st.composite
def decisions(draw: st.DrawFn, most: int) -> list[Decision]:
    """Single and subset ones, nested or not, each perhaps hanging on several earlier ones."""
    found: list[Decision] = []
    for i in range(draw(st.integers(0, most))):
        n = draw(st.integers(1, 3))
        n_chosen = draw(st.sampled_from([1, 1, None, *range(1, n + 1)]))
        nested, active_if = draw(st.booleans()), draw(conditions(found))
        found.append(Decision(f"d{i}", tuple("xyz"[:n]), n_chosen, active_if, nested))
    return found


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    """Up to five decisions with conditions, up to two rules for unordered ones among them, and perhaps a tie."""
    found, rules = draw(decisions(5)), []
    for r in range(draw(st.sampled_from([0, 0, 1, 2] if found else [1, 2]))):
        n, candidates = draw(st.integers(1, 3)), tuple("uvw"[: draw(st.integers(1, 3))])
        at_least = draw(st.integers(0, n)) if len(candidates) > 1 else 0
        labels = [f"p{r}{i}" for i in range(n)]
        for label in labels:
            found.insert(draw(st.integers(0, len(found))), Decision(label, candidates))
        rules.append(Unordered(tuple(draw(st.permutations(labels))), len(candidates) - 1, at_least))
    names = [decision.label for decision in found]
    tied = tuple(draw(st.lists(st.lists(st.sampled_from(names), min_size=2, max_size=3).map(tuple), max_size=1)))
    return space(*found, unordered=tuple(rules), tied=tied)


def small(most: int = 400) -> st.SearchStrategy[Space]:
    """Spaces with few enough vectors to try them all."""
    return spaces().filter(lambda of: prod(of.sizes) <= most)


def everything(of: Space) -> Archs:
    return np.array(list(product(*map(range, of.sizes))), dtype=np.int64)


def exists_by_hand(of: Space, arch: list[int]) -> dict[str, bool]:
    """Label → whether the decision exists, one after another."""
    chosen = dict(zip((d.label for d in of.decisions), arch, strict=True))
    exists: dict[str, bool] = {}
    for d in of.decisions:
        holds = [exists[parent] and chosen[parent] in indices for parent, indices in d.active_if]
        exists[d.label] = any(holds) or not holds
    return exists


def network_by_hand(of: Space, arch: list[int]) -> tuple[object, ...] | None:
    """What a network is made of: what exists chose, and what unordered places hold; None where too few are taken."""
    chosen = dict(zip((d.label for d in of.decisions), arch, strict=True))
    exists, unordered = exists_by_hand(of, arch), {label for rule in of.unordered for label in rule.labels}
    alone = tuple((label, chosen[label]) for label in chosen if exists[label] and label not in unordered)
    held = [sorted(chosen[label] for label in rule.labels) for rule in of.unordered]
    taken = [sum(i != rule.empty for i in row) for row, rule in zip(held, of.unordered, strict=True)]
    enough = all(n >= rule.at_least for n, rule in zip(taken, of.unordered, strict=True))
    return (alone, *map(tuple, held)) if enough else None
