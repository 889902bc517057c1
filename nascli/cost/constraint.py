"""Constraints on costs as people write them: `macs<=30e6`, `latency_ms>=1.5`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from nascli.errors import ConfigError, Infeasible

Window = tuple[float, float]

_METRIC = r"[a-z][a-z0-9_]*(?:@[A-Za-z0-9_.-]+)?"
_NUMBER = r"[0-9]+\.?[0-9]*(?:[eE][-+]?[0-9]+)?|\.[0-9]+(?:[eE][-+]?[0-9]+)?"
_PARTS = re.compile(r"(?P<metric>[^<>=]*)(?P<sign>[<>=]+)(?P<bound>[^<>=]*)")
_EXAMPLE = "for example: --constraint 'macs<=30e6'"


@dataclass(frozen=True)
class Constraint:
    """A bound on one metric, inclusive.

    Args:
        metric: its name, "latency_ms@pixel3" for a named device.
        bound: in the metric's unit, finite and not negative.
        upper: whether the cost may be at most `bound`; else it must be at least `bound`.
    """

    metric: str
    bound: float
    upper: bool

    def __str__(self) -> str:
        """The canonical text, which `parse` reads back without loss."""
        return f"{self.metric}{'<=' if self.upper else '>='}{number(self.bound)}"

    @classmethod
    def parse(cls, text: str) -> Constraint:
        """Read `METRIC<=BOUND` or `METRIC>=BOUND`; spaces do not matter.

        Raises:
            ConfigError: anything else, with an example of what works.
        """
        found = _PARTS.fullmatch(text)
        if found is None:
            raise _refused(text, "expected METRIC<=NUMBER or METRIC>=NUMBER")
        metric, sign, bound = (found[name].strip() for name in ("metric", "sign", "bound"))
        if sign in ("<", ">"):
            hint = f"write: --constraint '{metric}{sign}={bound}'"
            raise _refused(text, f"'{sign}' is not supported, bounds are inclusive", hint)
        if sign not in ("<=", ">="):
            raise _refused(text, f"'{sign}' is not supported, only <= and >=")
        if not re.fullmatch(_METRIC, metric):
            raise _refused(text, f"'{metric}' is not the name of a metric")
        return cls(metric, _bound(text, bound), sign == "<=")


def _bound(text: str, bound: str) -> float:
    value = float(bound) if re.fullmatch(_NUMBER, bound) else math.nan
    if bound.startswith("-"):
        raise _refused(text, f"the bound {bound} is negative")
    if not math.isfinite(value):
        raise _refused(text, f"the bound '{bound}' is not a finite number")
    return value


def _refused(text: str, why: str, hint: str = _EXAMPLE) -> ConfigError:
    return ConfigError(f"cannot read the constraint '{text}'", why=why, hint=hint)


def number(value: float) -> str:
    """A cost in words: whole numbers without a point, all others with every digit that matters."""
    whole = float(value).is_integer() and abs(value) < 1e16
    return str(int(value)) if whole else repr(float(value))


def windows(constraints: Iterable[Constraint]) -> dict[str, Window]:
    """The tightest (lower, upper) of each constrained metric; -inf and inf where a side is open.

    Raises:
        Infeasible: two constraints exclude each other.
    """
    result: dict[str, Window] = {}
    for constraint in constraints:
        lower, upper = result.get(constraint.metric, (-math.inf, math.inf))
        if constraint.upper:
            upper = min(upper, constraint.bound)
        else:
            lower = max(lower, constraint.bound)
        result[constraint.metric] = lower, upper
    for metric, (lower, upper) in result.items():
        if lower > upper:
            low, high = Constraint(metric, lower, upper=False), Constraint(metric, upper, upper=True)
            raise Infeasible(
                f"no architecture meets both {low} and {high}",
                why="the lower bound lies above the upper one",
                hint=f"drop one of them: --constraint '{high}'",
            )
    return result


def tightened(window: Window, margin: float) -> Window:
    """The window of estimates whose true cost lies inside `window`, if it is within `margin` of the estimate.

    An estimate x with a relative error e stands for a cost from x · (1 - e) to x · (1 + e).
    """
    lower, upper = window
    above = lower / (1 - margin) if margin < 1 else (math.inf if lower > 0 else lower)
    return above, upper / (1 + margin)


def stated(estimate: float, margin: float, *, upper: bool) -> float:
    """The bound to state so that an architecture of this estimate meets it with the margin."""
    bound, step = estimate * (1 + margin if upper else 1 - margin), math.inf if upper else -math.inf
    for _ in range(4):  # of rounding
        low, high = tightened((bound, bound), margin)
        if (estimate <= high) if upper else (estimate >= low):
            break
        bound = math.nextafter(bound, step)
    return max(bound, 0.0)


def describe(metric: str, window: Window) -> str:
    """A window as constraints: "macs>=10 and macs<=20"."""
    sides = zip(window, (False, True), strict=True)
    return " and ".join(str(Constraint(metric, bound, upper)) for bound, upper in sides if math.isfinite(bound))


def percent(margin: float) -> str:
    """A margin in words: "3.2 %"."""
    return f"{100 * margin:.3g} %"
