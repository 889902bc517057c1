"""Units of measured costs, and exact conversion between those of one kind."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from nascli.config import closest

THOUSAND, KIBI = Fraction(1000), Fraction(1024)

KINDS: tuple[Mapping[str, Fraction], ...] = (
    {"s": Fraction(1), "ms": 1 / THOUSAND, "us": THOUSAND**-2, "µs": THOUSAND**-2, "ns": THOUSAND**-3},
    {"J": Fraction(1), "mJ": 1 / THOUSAND, "uJ": THOUSAND**-2, "µJ": THOUSAND**-2, "nJ": THOUSAND**-3},
    {"W": Fraction(1), "mW": 1 / THOUSAND},
    {"B": Fraction(1)}
    | {f"{prefix}B": THOUSAND**power for prefix, power in (("k", 1), ("M", 2), ("G", 3))}
    | {f"{prefix}iB": KIBI**power for prefix, power in (("K", 1), ("M", 2), ("G", 3))},
)
"""Of each kind, what one of a unit is worth."""

UNITS = tuple(unit for kind in KINDS for unit in kind)

_NAMED = {unit.lower(): unit for unit in UNITS if unit.isascii()}


def unit_of(metric: str) -> str | None:
    """The unit that the name of a metric carries: that of "latency_ms@pixel3" is "ms"; None where it has none."""
    name, _, last = metric.partition("@")[0].rpartition("_")
    return _NAMED.get(last) if name else None


def convert(value: float, unit: str, into: str) -> float:
    """A finite value in another unit, rounded once; of equal units, the value itself.

    Raises:
        ValueError: an unknown unit, or two kinds of units.
    """
    if unit == into:
        return value
    kind = next((kind for kind in KINDS if unit in kind), None)
    if kind is None:
        raise ValueError(f"unknown unit '{unit}'{closest(unit, UNITS)}; known: {', '.join(UNITS)}")
    if into not in kind:
        raise ValueError(f"'{unit}' cannot become '{into}'")
    return float(Fraction(value) * kind[unit] / kind[into])
