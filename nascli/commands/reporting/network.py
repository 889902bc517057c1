"""The chosen architecture, layer by layer, with what each layer costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nascli.artifacts.architecture import Architecture
from nascli.artifacts.base import Artifact
from nascli.artifacts.header import SpaceRecord
from nascli.artifacts.lookup_table import LookupTable
from nascli.artifacts.model import Model
from nascli.artifacts.report import Report
from nascli.commands.reporting.material import Material, name_of
from nascli.commands.reporting.parts import Diagram, Note, Part, Section, short
from nascli.commands.views.architecture import cost_shares
from nascli.commands.views.common import percent
from nascli.errors import NascliError
from nascli.space import Space, compact

TINTS = 8  # colours of candidates

Layer = dict[str, Any]


def sections(material: Material) -> Iterator[Section]:
    """One section a network: those of searches first, then those that a model or a report alone tells of."""
    tables, shown = material.of(LookupTable), set()
    told: list[Artifact[Any]] = [*material.of(Architecture), *material.of(Model), *material.of(Report)]
    for artifact in told:
        arch, record = _arch(artifact), artifact.header.space or _adopting(artifact, tables)
        key = (record.fingerprint if record else None, tuple(arch))
        if arch and key not in shown:
            shown.add(key)
            anchor = f"network-{len(shown) - 1}"
            yield Section(anchor, "The chosen architecture", name_of(artifact), [*_parts(arch, record, tables)])


def _arch(artifact: Artifact[Any]) -> list[int]:
    """Without the weights of a model, which its header does without."""
    if isinstance(artifact, Architecture):
        return [] if artifact.answer else list(artifact.payload.arch)
    known = artifact.payload.report if isinstance(artifact, Report) else artifact.header.summary
    return [int(i) for i in known.get("architecture") or ()]


def _adopting(artifact: Artifact[Any], tables: Sequence[LookupTable]) -> SpaceRecord | None:
    """The space of a table that an architecture of one's own fits."""
    for lut in tables:
        try:
            if isinstance(artifact, Architecture):
                artifact.adopt(lut.space)
                return lut.space
        except NascliError:
            continue
    return None


def _parts(arch: Sequence[int], record: SpaceRecord | None, tables: Sequence[LookupTable]) -> Iterator[Part]:
    if record is None:
        yield Note(f"The architecture {compact(arch)} names no search space, so its layers are unknown.")
        return
    space = record.space()
    layers = list(_layers(space, arch))
    metrics: dict[str, Any] = {}
    known = [lut for lut in tables if lut.space.fingerprint == record.fingerprint]
    for lut in known:
        metrics |= _cost(lut, arch, layers, metrics)
    data = {
        "input": "×".join(map(str, space.input_shape)),
        "classes": space.classes,
        "layers": layers,
        "metrics": metrics,
        "arch": compact(arch),
    }
    yield Diagram("network", f"{space.name}, layer by layer", data)
    if any(len(decisions) > 1 for lut in known for c in lut.payload.columns.values() for decisions, _ in c.factors):
        yield Note("A cost that several decisions have together stands at the first of them.")
    if not metrics:
        yield Note("What the layers cost is not known: no lookup table of this search space was given.")


def _layers(space: Space, arch: Sequence[int]) -> Iterator[Layer]:
    """The fixed part, then each decision; "tint" is equal for equal candidates."""
    vector = space.canonical(space.check(list(arch))[0])
    names = list(space.names(vector))
    tints = {name: i % TINTS for i, name in enumerate(dict.fromkeys(name for _, name in names))}
    places = _places(space)
    there = space.exists(vector).tolist()
    fixed = {"label": "fixed part", "name": "stem, head, and all that is not searched"}
    yield fixed | {"tint": None, "place": "", "costs": {}}
    for i, (label, name) in enumerate(names):
        known = {"label": label, "name": name if there[i] else "not in this network", "costs": {}}
        yield known | {"tint": tints[name] if there[i] else None, "place": places[i] if places else ""}


def _places(space: Space) -> list[str]:
    """Channels and stride of each layer, where the space is a chain that describes them."""
    macro = space.details.get("macro")
    described = macro.get("search") if isinstance(macro, Mapping) else None
    if not isinstance(described, list) or len(described) != len(space.decisions):
        return []
    try:
        return [f"{d['in_channels']} → {d['out_channels']} channels, stride {d['stride']}" for d in described]
    except (KeyError, TypeError):
        return []


def _cost(lut: LookupTable, arch: Sequence[int], layers: list[Layer], known: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in the costs of the layers; the totals of the metrics that are new."""
    from nascli.artifacts.architecture import Choice

    found = cost_shares(lut, Architecture(Choice(tuple(arch)), space=lut.space))
    new = {name: metric for name, metric in found["metrics"].items() if name not in known}
    for layer, costs in zip(layers, found["layers"], strict=True):
        for name, metric in new.items():
            share = percent(costs["costs"][name], metric["total"])
            layer["costs"][name] = {"share": share or 0.0, "text": short(costs["costs"][name])}
    return {name: {"unit": metric["unit"], "text": short(metric["total"])} for name, metric in new.items()}
