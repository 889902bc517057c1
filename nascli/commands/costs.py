"""`nascli list search-space --costs`: how large each space is, and what its supernet and its architectures cost.

"costs" of a space at its default options: "input_shape", "classes", "layers" (how many there are of each kind: "count",
and "decisions", "candidates" and "n_chosen" of one), "architectures" (canonical ones), "supernet_params" (parameters
of the whole supernet), and "macs" of `SAMPLE` uniform architectures: "min", "median", "max", "exact".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nascli.commands.views.common import MILLION, View, one_line, rounded
from nascli.component import resolve
from nascli.errors import NascliError

if TYPE_CHECKING:
    from nascli.search_space.base import SearchSpace
    from nascli.space import Space

SAMPLE, SEED = 1000, 0
STATISTICS = ("min", "median", "max")
SIZES = ["name", "images", "layers × candidates", "architectures"]
COSTS = ["name", "supernet parameters", *(f"MACs {name}" for name in STATISTICS)]

Measured = dict[str, Any]


def measured(name: str) -> Measured:
    """An installed space as {"costs": …, "error": None}; one that cannot be built as {"costs": None, "error": why}."""
    try:
        return {"costs": _facts(resolve("search_space", name).build()), "error": None}
    except NascliError as error:
        return {"costs": None, "error": error.what}
    except Exception as error:
        return {"costs": None, "error": f"{type(error).__name__}: {error}"}


def _facts(found: SearchSpace) -> dict[str, Any]:
    space = found.space
    return {
        "input_shape": list(space.input_shape),
        "classes": space.classes,
        "layers": layers_of(space),
        "architectures": space.count,
        "supernet_params": _parameters(found),
        "macs": _macs(found),
    }


def layers_of(space: Space) -> list[dict[str, Any]]:
    """Equal layers together; decisions in no order are one layer, each other decision is one of its own."""
    unordered = {label: rule for rule in space.unordered for label in rule.labels}
    kinds = Counter(
        (len(unordered[d.label].labels) if d.label in unordered else 1, len(d.candidates), d.n_chosen)
        for d in space.decisions
    )
    return [
        {"count": n // decisions, "decisions": decisions, "candidates": candidates, "n_chosen": n_chosen}
        for (decisions, candidates, n_chosen), n in kinds.items()
    ]


def _parameters(found: SearchSpace) -> int:
    """Those of the supernet, a shared one counted once; the weights are not kept, nor is the random state changed."""
    from nascli.search_space.randomness import own_randomness

    with own_randomness():
        return sum(parameter.numel() for parameter in found.supernet().parameters())


def _macs(found: SearchSpace) -> dict[str, Any]:
    import numpy as np

    from nascli.cost.feasible import FeasibleSet
    from nascli.cost.macs import Macs

    model = found.lookup_table([Macs()])
    archs = FeasibleSet(model).sample(SAMPLE, np.random.default_rng(SEED))
    totals = model.total("macs", archs)
    low, high = int(totals.min()), int(totals.max())
    return {"min": low, "median": float(np.median(totals)), "max": high, "exact": model["macs"].exact}


def tables(rows: Sequence[Mapping[str, Any]]) -> Iterator[View]:
    """The spaces that were measured, and why others were not; each row has "name", "costs" and "error"."""
    known = [(row["name"], row["costs"]) for row in rows if row["costs"]]
    yield "search spaces at default options", SIZES, [_size(*space) for space in known]
    yield f"in millions; MACs of {SAMPLE:,} uniform architectures", COSTS, [_cost(*space) for space in known]
    failed: list[list[object]] = [[row["name"], one_line(row["error"])] for row in rows if row["error"]]
    if failed:
        yield "not measured", ["name", "why"], failed


def _size(name: str, costs: Mapping[str, Any]) -> list[object]:
    images = "×".join(map(str, costs["input_shape"]))
    return [name, images, ", ".join(map(_layer, costs["layers"])), rounded(costs["architectures"])]


def _cost(name: str, costs: Mapping[str, Any]) -> list[object]:
    numbers = (costs["supernet_params"], *(costs["macs"][statistic] for statistic in STATISTICS))
    return [name, *(number / MILLION for number in numbers)]


def _layer(kind: Mapping[str, Any]) -> str:
    """Such as "22 × 9", "21 × 6 × 4" for several decisions a layer, "2 × (2 of 3)" where some are taken together."""
    parts = [str(kind["count"])] + ([str(kind["decisions"])] if kind["decisions"] > 1 else [])
    chosen = "some" if kind["n_chosen"] is None else kind["n_chosen"]
    candidates = str(kind["candidates"]) if chosen == 1 else f"({chosen} of {kind['candidates']})"
    return " × ".join([*parts, candidates])
