"""Seeded damage: to bytes, to text, to JSON values, and to the headers and contents of artifacts, resealed."""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from nascli.artifacts.base import FORMATS
from nascli.artifacts.header import Header, SpaceRecord
from nascli.commands.opening import open_any
from nascli.errors import NascliError
from nascli.space import Space

EDGES = (0, 1, 0x7F, 0x80, 0xFF)
NASTY: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 2**31, 2**63, 2**64, -(2**63), 1e308, -0.5, float("nan"), float("inf"), "",
    " ", "x" * 5000,
    "[bold]no[/bold]", "a\nb\x1b[31m", "../../x", "macs", "0", [], {}, [[]], [None],
    {"": {}}, {"use": "tiny"}, [0] * 3000,
)  # fmt: skip
WORDS = ("{", "}", "[", "]", ":", ",", "-", "\n", "  ", "\t", "#", "&a", "*a", "!!int", "'", '"', "|", ">", "<<", "%",
         "null", "true", "1e999", "-1", "0x1F", ".nan", "é", "\u2028", "=", ".",
         "99999999999999999999", "..", "@", "<=")  # fmt: skip


def damaged(raw: bytes, rng: random.Random) -> bytes:
    """One to six of: a bit flipped, a byte or a number overwritten, bytes cut out, added, doubled, zeroed; an end."""
    data = bytearray(raw)
    for _ in range(rng.choice((1, 1, 2, 6))):
        at = rng.randrange(len(data) + 1)
        span = min(len(data) - at, rng.choice((1, 4, 8, 64, 1024)))
        match rng.randrange(8):
            case 0 | 1 if at < len(data):
                data[at] ^= 1 << rng.randrange(8)
            case 2 if at < len(data):
                data[at] = rng.choice(EDGES)
            case 3:
                number = rng.choice((0, 1, 2**31 - 1, 2**32 - 1, 2**63 - 1)).to_bytes(8, "little")
                data[at : at + min(span, 8)] = number[: min(span, 8)]
            case 4:
                del data[at : at + span]
            case 5:
                data[at:at] = rng.randbytes(span)
            case 6:
                data[at:at] = data[at : at + span]
            case 7:
                data[at : at + span] = bytes(span)
    if rng.random() < 0.15:
        del data[rng.randrange(len(data) + 1) :]
    return bytes(data)


def garbled(text: str, rng: random.Random) -> str:
    """One to four tokens of a text replaced, removed, doubled, or exchanged for another of its tokens."""
    tokens = re.findall(r"\w+|\s+|[^\w\s]", text)
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(tokens) + 1)
        match rng.randrange(5):
            case 0:
                tokens[at : at + 1] = [rng.choice(WORDS)]
            case 1:
                tokens[at : at + rng.choice((1, 1, 5))] = []
            case 2:
                tokens[at:at] = tokens[at : at + rng.choice((1, 5, 40))]
            case 3:
                tokens[at:at] = [rng.choice(tokens or [""])]
            case 4:
                tokens[at:at] = [rng.choice(WORDS)]
    return "".join(tokens)


def _places(value: Any, depth: int = 0) -> list[tuple[Any, Any]]:
    """(container, key) of everything in a nested value."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [place for key in keys for place in ((value, key), *_places(value[key], depth + 1))]


def spoilt(value: Any, rng: random.Random) -> Any:
    """A nested value, one to three of its parts replaced, removed, renamed or put elsewhere; changed in place."""
    for _ in range(rng.choice((1, 1, 1, 3))):
        places = _places(value)
        if not places:
            return rng.choice(NASTY)
        holder, key = rng.choice(places)
        match rng.randrange(6):
            case 0 | 1 | 2:
                holder[key] = _bent(holder[key], rng)
            case 3:
                del holder[key]
            case 4 if isinstance(holder, dict):
                holder[rng.choice(("x", "", "use", f"{key}_"))] = holder.pop(key)
            case 5:
                other, name = rng.choice(places)
                if name in other if isinstance(other, dict) else name < len(other):
                    holder[key] = copy.deepcopy(other[name])
    return value


def _bent(value: Any, rng: random.Random) -> Any:
    """A value near the old one, or anything."""
    if isinstance(value, bool) or rng.random() < 0.5:
        return rng.choice(NASTY)
    if isinstance(value, int | float):
        return rng.choice((value + 1, value - 1, -value, value * 2**40, float(value), str(value)))
    if isinstance(value, str):
        return garbled(value, rng)
    if isinstance(value, list):
        return rng.choice((value[1:], value[:-1], value * 2, value[::-1], [value]))
    return rng.choice(NASTY)


class RawHeader:
    """A header as the formats write it, that no schema has seen."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def to_bytes(self) -> bytes:
        """The JSON."""
        return json.dumps(self.value).encode()

    def model_copy(self, update: Mapping[str, Any]) -> RawHeader:
        """With other fields; what is no mapping stays as it is."""
        return RawHeader({**self.value, **update} if isinstance(self.value, dict) else self.value)

    def model_dump(self, mode: str) -> Any:
        """The value."""
        return self.value


def with_header(source: Path, target: Path, rng: random.Random) -> None:
    """An artifact whose header was spoilt; where it still is one, its digests are made to fit."""
    artifact = open_any(source)
    content = artifact.pack(artifact.payload)
    value = artifact.header.model_dump(mode="json")
    part = rng.choice(("space", "summary", "config", "data", "inputs", "conventions", "manifest", "", ""))
    if part and value.get(part):
        value[part] = spoilt(value[part], rng)
    else:
        value = spoilt(value, rng)
    header: Any = _resealed(value)
    FORMATS[source.suffix].write(target, header, content)


def _resealed(value: Any) -> Any:
    try:
        header = Header.model_validate_json(json.dumps(value))
        space = header.space and _fitting(header.space)
        return header.model_copy(update={"space": space}).sealed(header.manifest)
    except (ValidationError, ValueError, RecursionError):
        return RawHeader(value)


def _fitting(record: SpaceRecord) -> SpaceRecord:
    """A spoilt space with the fingerprint that fits it, if it is one."""
    try:
        return record.model_copy(update={"fingerprint": Space.from_description(record.description).fingerprint})
    except (NascliError, KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError):
        return record


def with_content(source: Path, target: Path, rng: random.Random) -> None:
    """An artifact whose contents were spoilt, under a header that fits them."""
    artifact = open_any(source)
    content = artifact.pack(artifact.payload)
    content = _other_arrays(content, rng) if source.suffix in (".h5", ".npy") else _other_state(content, rng)
    form = FORMATS[source.suffix]
    form.write(target, artifact.header.sealed(form.manifest(content)), content)


def _other_arrays(content: Mapping[str, Any], rng: random.Random) -> dict[str, Any]:
    import numpy as np

    arrays = {name: np.array(array) for name, array in content.items()}
    for _ in range(rng.choice((1, 1, 2))):
        name = rng.choice(sorted(arrays))
        array = arrays[name]
        match rng.randrange(7):
            case 0:
                arrays[name] = array.astype(rng.choice((np.float32, np.float64, np.int8, np.uint8, np.uint64, bool)))
            case 1:
                arrays[name] = rng.choice((array.reshape(-1), array[None], array[..., None], array.reshape(-1)[:0]))
            case 2 if array.ndim:
                arrays[name] = rng.choice((array[1:], array[:-1], array[::-1], np.concatenate([array, array])))
            case 3 | 4 if array.size:
                bad = rng.choice((np.nan, np.inf, -1, 2**40, 255) if array.dtype.kind == "f" else (-1, 2**40, 99, 0))
                with np.errstate(all="ignore"):
                    array.reshape(-1)[rng.randrange(array.size)] = np.array(bad).astype(array.dtype)
            case 5 if len(arrays) > 1:
                del arrays[name]
            case 6:
                arrays[rng.choice(("x", "a/b", f"{name}/x"))] = arrays.pop(name)
    return arrays if "arch" in arrays or "arch" not in content else {"arch": next(iter(arrays.values()))}


def _other_state(content: Any, rng: random.Random) -> Any:
    """A nested state, or a report, with parts replaced; a tensor by one of another shape, dtype or value."""
    import torch

    content = spoilt(content, rng)
    tensors = [place for place in _places(content) if isinstance(place[0][place[1]], torch.Tensor)]
    if tensors and rng.random() < 0.7:
        holder, key = rng.choice(tensors)
        old = holder[key]
        holder[key] = rng.choice((
            old.reshape(-1), old[None], old.to(torch.float16), old.to(torch.int64), torch.full_like(old, -1),
            old * float("nan") if old.is_floating_point() else old, torch.zeros(0), torch.zeros(3, 3), 0.5,
        ))  # fmt: skip
    return content
