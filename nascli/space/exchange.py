"""Search spaces and architectures in the JSON of NNI, in both directions.

A search space is `{key: {"_type": "layer_choice", "_value": [names]}}`, or with "input_choice" and
`{"candidates": [names], "n_chosen": k or null}`; an answer to it is `{key: {"_value": name or names, "_idx": …}}`.
The format knows neither conditions nor decisions whose order does not matter: such a space loses them on the way out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nascli.config import closest
from nascli.errors import ArtifactError, UsageError
from nascli.space.decision import Archs, Decision
from nascli.space.space import Space

LAYER, INPUT = "layer_choice", "input_choice"
VALUE, INDICES = "_value", ("_idx", "_idex")  # the second one as the guide of NNI spells it in one place
FORM = '{"_value": …, "_idx": …}'
SHOWN = 8

Answer = Mapping[str, Mapping[str, Any]]


def to_nni(space: Space) -> dict[str, Any]:
    """The search space in JSON values.

    Decisions of another number than one candidate are input choices, and those that `details["inputs"]` lists.
    """
    return {d.label: _described(d, _is_input(d, space)) for d in space.decisions}


def _is_input(decision: Decision, space: Space) -> bool:
    return decision.n_chosen != 1 or decision.label in space.details.get("inputs", ())


def _described(decision: Decision, is_input: bool) -> dict[str, Any]:
    candidates = list(decision.candidates)
    if not is_input:
        return {"_type": LAYER, VALUE: candidates}
    return {"_type": INPUT, VALUE: {"candidates": candidates, "n_chosen": decision.n_chosen}}


def from_nni(search_space: Any) -> Space:
    """The space that a search space in JSON describes.

    What the format does not say is empty: `input_shape` is (), `classes` 0, so that it equals no space of a network.

    Raises:
        UsageError: it is no such search space; the key is named.
    """
    if not isinstance(search_space, Mapping):
        raise UsageError(f"a search space maps keys to choices, found {search_space!r:.60}")
    decisions = tuple(_decision(key, entry) for key, entry in search_space.items())
    inputs = [key for key, entry in search_space.items() if entry["_type"] == INPUT]
    return Space("nni", decisions, (), 0, {"inputs": inputs})


def _decision(key: Any, entry: Any) -> Decision:
    _require(isinstance(key, str), key, "is no text")
    _require(_has_keys(entry, "_type", VALUE), key, 'expected {"_type": …, "_value": …}', entry)
    kind, value = entry["_type"], entry[VALUE]
    if kind == LAYER:
        return Decision(key, _names(key, value))
    _require(kind == INPUT, key, f"_type is '{LAYER}' or '{INPUT}'", kind)
    _require(_has_keys(value, "candidates", "n_chosen"), key, 'expected {"candidates": …, "n_chosen": …}', value)
    n_chosen = value["n_chosen"]
    _require(n_chosen is None or _is_whole(n_chosen), key, "n_chosen is a whole number or null", n_chosen)
    return Decision(key, _names(key, value["candidates"]), n_chosen)


def _names(key: str, value: Any) -> tuple[str, ...]:
    _require(isinstance(value, list | tuple), key, "expected a list of candidates", value)
    for name in value:
        _require(isinstance(name, str), key, "a candidate is a name", name)
    return tuple(value)


def _require(holds: bool, key: Any, rule: str, *found: Any) -> None:
    if not holds:
        raise UsageError(f"search space in JSON: key '{key}': {rule}" + "".join(f", found {f!r:.60}" for f in found))


def _has_keys(value: Any, *keys: str) -> bool:
    return isinstance(value, Mapping) and value.keys() == {*keys}


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def to_answer(space: Space, arch: Sequence[int] | Archs) -> dict[str, dict[str, Any]]:
    """The answer that stands for an architecture (d,): the decisions that exist in it, lists for input choices."""
    import numpy as np

    canonical = space.canonical(np.asarray(arch))
    chosen = zip(space.decisions, canonical.tolist(), space.exists(canonical).tolist(), strict=True)
    return {d.label: _answered(d, d.chosen(i), _is_input(d, space)) for d, i, exists in chosen if exists}


def _answered(decision: Decision, chosen: tuple[int, ...], is_input: bool) -> dict[str, Any]:
    names, indices = [decision.candidates[i] for i in chosen], list(chosen)
    return {VALUE: names, "_idx": indices} if is_input else {VALUE: names[0], "_idx": indices[0]}


def wrong_form(answer: Any) -> str:
    """Why a value is no answer to any search space; empty where it may be one."""
    if not isinstance(answer, Mapping) or not answer:
        return f"an answer maps keys to what is chosen, found {answer!r:.60}"
    for key, entry in answer.items():
        if not isinstance(entry, Mapping) or not entry or entry.keys() - {VALUE, *INDICES}:
            return f"key '{key}': expected {FORM}, found {entry!r:.60}"
    return ""


def read_answer(space: Space, answer: Any) -> Archs:
    """The canonical architecture (d,) that an answer means.

    A key may say candidates by name, by index or by both, alone or in a list of any order. Keys of decisions that do
    not exist in the architecture may be there or not.

    Raises:
        ArtifactError: a key is missing or unknown, or does not say which candidates; it is named.
    """
    import numpy as np

    if why := wrong_form(answer):
        raise ArtifactError(why)
    labels = [decision.label for decision in space.decisions]
    for key in answer:
        if key not in labels:
            raise ArtifactError(f"key '{key}' is no decision of '{space.name}'{closest(str(key), labels)}")
    indices = [_index(d, answer[d.label]) if d.label in answer else 0 for d in space.decisions]
    vector = np.array(indices, dtype=np.int64)
    for label, exists in zip(labels, space.exists(vector).tolist(), strict=True):
        if exists and label not in answer:
            raise ArtifactError(f"key '{label}' is missing", why=f"it is a decision of '{space.name}'")
    return space.canonical(space.check(vector)[0])


def _index(decision: Decision, entry: Mapping[str, Any]) -> int:
    """The index that all fields of an entry mean."""
    said = {field: _chosen(decision, field, value) for field, value in entry.items()}
    (first, chosen), *others = said.items()
    for field, other in others:
        if other != chosen:
            found = f"{first} is {entry[first]!r:.60}, {field} is {entry[field]!r:.60}"
            raise ArtifactError(f"key '{decision.label}': {first} and {field} disagree", why=found)
    return decision.index(chosen)


def _chosen(decision: Decision, field: str, value: Any) -> tuple[int, ...]:
    """The positions of the candidates that one field names, ascending."""
    several = value if isinstance(value, list | tuple) else [value]
    found = tuple(sorted(_position(decision, field, one) for one in several))
    k = decision.n_chosen
    if len(set(found)) < len(found) or not found or len(found) != (k or len(found)):
        what = f"takes {k or 'at least 1'} of its candidates, each once, found {value!r:.60}"
        raise ArtifactError(f"key '{decision.label}': {field} {what}")
    return found


def _position(decision: Decision, field: str, one: Any) -> int:
    names, where = decision.candidates, f"key '{decision.label}': {field}"
    if field != VALUE:
        if not _is_whole(one) or not 0 <= one < len(names):
            raise ArtifactError(f"{where} takes 0 to {len(names) - 1}, found {one!r:.60}")
        return int(one)
    if one not in names:
        more = f", and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        why = f"its candidates: {', '.join(names[:SHOWN])}{more}"
        raise ArtifactError(f"{where} names no candidate: {one!r:.60}", why=why)
    return names.index(one)
