"""What all views share: tables as plain data, values that JSON can hold, the facts of a header."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from nascli.artifacts.base import Artifact
from nascli.console import show

MILLION = 10**6
LONG = 40  # values of a list beyond which only their number is shown

View = tuple[str, list[str], list[list[object]]]


def clean(value: Any) -> Any:
    """A value as JSON can hold it: numbers of numpy become plain ones; NaN and infinity become None."""
    if isinstance(value, Mapping):
        return {str(key): clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def flat(values: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Nested values as (dotted name, value)."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        elif isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
            yield from flat(dict(enumerate(value)), f"{prefix}{key}.")
        elif isinstance(value, list | tuple) and len(value) > LONG:
            yield f"{prefix}{key}", f"{len(value)} values"
        else:
            yield f"{prefix}{key}", ", ".join(map(show, value)) if isinstance(value, list | tuple) else value


def percent(part: float | None, whole: float | None) -> float | None:
    """A share in percent, to a tenth; None of nothing."""
    return round(100 * part / whole, 1) if whole and part is not None else None


def named(metric: str, unit: str) -> str:
    """A metric with its unit: "latency_ms [ms]"; counts have none."""
    return metric if unit in ("1", "") else f"{metric} [{unit}]"


def rounded(number: int) -> str:
    """A count for people: "15,625", "4.0e18"."""
    return f"{number:,}" if number < MILLION else f"{Decimal(number):.1e}".replace("+", "")


def one_line(text: object) -> str:
    """Text without line breaks and control characters, which paths may hold."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "replace").decode() for c in str(text))


def header_facts(artifact: Artifact[Any]) -> dict[str, Any]:
    """What every header tells."""
    header = artifact.header
    fields = {"kind", "schema_version", "nascli_version", "digest", "config", "summary", "provenance"}
    result: dict[str, Any] = {"schema": f"nascli.inspect.{header.kind}/1", "path": str(artifact.path)}
    result |= header.model_dump(mode="json", include=fields)
    result["space"] = {"name": header.space.use, "fingerprint": header.space.fingerprint} if header.space else None
    result["data"] = header.data.model_dump(mode="json") if header.data else None
    result["inputs"] = {role: source.digest for role, source in header.inputs.items()}
    return result


def header_table(facts: Mapping[str, Any]) -> View:
    """What every header tells, and the plain values of its summary."""
    rows: list[list[object]] = [["file", facts["path"]], ["digest", facts["digest"][:16]]]
    for name, record in (("search space", facts["space"]), ("data", facts["data"])):
        if record:
            rows.append([name, f"{record['name']} ({record['fingerprint'][:12]})"])
    rows += [[f"from --{role}", digest[:12]] for role, digest in facts["inputs"].items()]
    rows += [
        [key, value]
        for key, value in flat({**facts["summary"], **_counted(facts["summary"])})
        if not key.startswith(("metrics.", "panel", "curve."))
    ]
    rows.append(["made", facts["provenance"].get("created")])
    shown: list[list[object]] = [[key, show(value)] for key, value in rows if value is not None]
    return f"{facts['kind']} of nascli {facts['nascli_version']}", ["", "value"], shown


def _counted(summary: Mapping[str, Any]) -> dict[str, Any]:
    """How many architectures of a space are feasible, in one line; where the number is not known, its bounds."""
    whole, found = summary.get("of"), summary.get("feasible")
    if whole is None or found is None:
        return {}
    bounds = " to ".join(rounded(int(number)) for number in (found if isinstance(found, list) else [found]))
    return {"feasible": f"{bounds} of {rounded(int(whole))} architectures", "of": None}
