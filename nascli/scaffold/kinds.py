"""What can be scaffolded: for each kind the settings that use it, and how it is tried before it is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nascli.component import load_object, resolve

Settings = dict[str, Any]


def _build(kind: str, use: str) -> Any:
    return resolve(kind, use).build()


def _describe_space(kind: str, use: str) -> None:
    _ = _build(kind, use).space


def _describe_data(kind: str, use: str) -> None:
    _build(kind, use).describe()


def _build_twice(kind: str, use: str) -> None:
    _build(kind, use).build()


def _build_block(kind: str, use: str) -> None:
    load_object(kind, use, Path())[0](4, 8, 2)


def _stripes(use: str) -> Settings:
    return {"dataflow": use, "search_space": {"use": "tiny", "input_shape": [1, 8, 8], "classes": 3}}


def _chain(use: str) -> Settings:
    """A chain space that has the block among its candidates."""
    structure = {"first": [{"op": "conv", "out": 8, "kernel": 3}], "search": [{"out": 16, "stride": 2, "repeat": 3}]}
    shape = {"use": "chain", "input_shape": [1, 8, 8], "classes": 10}
    return {"search_space": {**shape, **structure, "candidates": [{"op": "skip"}, {"op": use}]}}


@dataclass(frozen=True)
class Part:
    """One kind.

    Args:
        settings: reference → the lines of the YAML that use it.
        attempt: builds what a reference of this kind names, as far as it is cheap; raises where it does not work.
        styles: name of a style → template; the first is the default.
    """

    settings: Callable[[str], Settings]
    attempt: Callable[[str, str], Any] = _build
    styles: Mapping[str, str] | None = None


KINDS: Mapping[str, Part] = {
    "search_space": Part(
        lambda use: {"search_space": use},
        _describe_space,
        {"chain": "search_space", "mutables": "search_space_mutables"},
    ),
    "training_strategy": Part(lambda use: {"train_supernet": {"training_strategy": use}}),
    "search_strategy": Part(lambda use: {"search": {"search_strategy": use}}),
    "training_agent": Part(lambda use: {"training_agent": use}),
    "criterion": Part(lambda use: {"criterion": use}, _build_twice),
    "dataflow": Part(_stripes, _describe_data),
    "block": Part(_chain, _build_block),
    "meter": Part(lambda use: {"build_lut": {"meters": ["macs", "params", use]}}),
    "evaluator": Part(lambda use: {"search": {"evaluator": use}}),
}


def hyphened(kind: str) -> str:
    """The kind as the command line writes it."""
    return kind.replace("_", "-")
