"""Latency tables of once-for-all (arXiv:1908.09791) and ProxylessNAS (arXiv:1812.00332), in YAML.

An entry is `expanded_conv-input:7x7x192-output:7x7x320-expand:6-kernel:5-stride:1-idskip:0: {count, mean, var}`, with
sizes as height x width x channels and the mean in ms. An identity has no entry; it costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from nascli.cost.blocks import Blocks
from nascli.cost.formats.operators import Operator, operator
from nascli.cost.measurements import Row, Wanted, file_text
from nascli.errors import ArtifactError

UNIT = "ms"

Entries = Mapping[str, tuple[str, str]]
"""Key → (place, mean)."""


def read(path: Path, blocks: Blocks, wanted: Wanted) -> list[Row]:
    """The rows of the blocks that the table knows; identities cost 0, and a pooling that is part of the classifier.

    Raises:
        ArtifactError: no YAML, or no table of this form.
    """
    entries, unit = _entries(path), wanted.unit or UNIT
    operators = {block.id: found for block in blocks.blocks if (found := operator(block))}
    rows: dict[str, Row] = {}
    for name, of in operators.items():
        if (key := next((key for key in keys(of) if key in entries), None)) is not None:
            rows[name] = Row(*entries[key], unit, name)
        elif of.is_identity:
            rows[name] = Row("an identity", 0.0, unit, name)
    return list((rows | _pooled(operators, entries, unit, rows)).values())


def _pooled(operators: Mapping[str, Operator], entries: Entries, unit: str, rows: Mapping[str, Row]) -> dict[str, Row]:
    """The classifiers whose entry begins with the map that is pooled, as those of ProxylessNAS do."""
    found: dict[str, Row] = {}
    pools = {name: of for name, of in operators.items() if of.kind == "pool" and name not in rows}
    for name, of in operators.items():
        for pool, before in pools.items():
            whole = replace(of, input=before.input)
            key = next((key for key in keys(whole) if key in entries), None)
            if of.kind == "linear" and name not in rows and of.input == before.output and key is not None:
                found |= {name: Row(*entries[key], unit, name), pool: Row("in the classifier", 0.0, unit, pool)}
    return found


def keys(of: Operator) -> Iterator[str]:
    """The names that an operator may have, those that say most first."""
    channels, height, width = of.input
    entry, made = f"input:{height}x{width}x{channels}", f"output:{of.output[1]}x{of.output[2]}x{of.output[0]}"
    match of.kind:
        case "conv" if of.groups == 1 and of.kernel == 1:
            yield from (f"{name}-{entry}-{made}" for name in ("Conv_1", "Conv_2", "Conv"))
        case "conv" if of.groups == 1:
            yield f"Conv-{entry}-{made}"
        case "mobile" if of.groups == 1:
            yield from _mobile(of, f"{entry}-{made}")
        case "pool":
            yield f"AvgPool2D-{entry}-output:1x1x{channels}"
        case "linear":
            yield from (f"Logits-{entry}-output:{of.output[0]}", f"Logits-{entry}-output:1x1x{of.output[0]}")


def _mobile(of: Operator, sizes: str) -> Iterator[str]:
    size = f"expand:{of.expansion}-kernel:{of.kernel}-stride:{of.stride}-idskip:{int(of.is_residual)}"
    yield f"expanded_conv-{sizes}-{size}-se:{int(of.se)}-hs:{int(of.activation == 'hswish')}"
    if not of.se:
        yield f"expanded_conv-{sizes}-{size}"


def _entries(path: Path) -> Entries:
    text = file_text(path)
    try:
        top = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        why = f"line {mark.line + 1}: {getattr(error, 'problem', '')}" if mark else str(error)[:200]
        raise ArtifactError(f"{path} is no YAML", why=why) from None
    if not isinstance(top, yaml.MappingNode):
        raise ArtifactError(f"{path}: expected entries such as '{_EXAMPLE}'")
    found: dict[str, tuple[str, str]] = {}
    for name, value in top.value:
        where = f"line {name.start_mark.line + 1}"
        if name.value in found:
            raise ArtifactError(f"{path}: {where}: '{name.value}' stands twice")
        found[str(name.value)] = where, _mean(value, path, where)
    return found


_EXAMPLE = "expanded_conv-input:7x7x192-output:7x7x320-expand:6-kernel:5-stride:1-idskip:0: {count: 9, mean: 5.2}"


def _mean(value: Any, path: Path, where: str) -> str:
    pairs = value.value if isinstance(value, yaml.MappingNode) else []
    fields = {key.value: node for key, node in pairs if isinstance(key, yaml.ScalarNode)}
    if not isinstance(fields.get("mean"), yaml.ScalarNode):
        raise ArtifactError(f"{path}: {where} has no mean", hint=f"expected {_EXAMPLE}")
    return str(fields["mean"].value)
