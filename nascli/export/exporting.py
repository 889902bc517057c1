"""Writing a trained network in the formats that are asked for."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nascli.artifacts.export import Export
from nascli.artifacts.files import sha256
from nascli.artifacts.header import provenance
from nascli.artifacts.model import Model
from nascli.artifacts.reported import Reported
from nascli.component import Reference
from nascli.export.facts import Facts, facts_of
from nascli.export.form import as_json, inputs, write_first
from nascli.search_space.base import realise, trained_network

RECORD = "export.json"
TORCH_TOLERANCE, ONNX_TOLERANCE = 1e-6, 1e-4


def export(model: Model, space: Reference | None, formats: Collection[str], folder: Path, threads: int) -> Export:
    """Write a model's network into an empty folder, with `export.json` beside it.

    Args:
        model: the network.
        space: the search space it was decoded from; None: that of its header, which is installed then.
        formats: "onnx", "torch".
        folder: where to.
        threads: of the runtime whose latency is measured.

    Raises:
        UsageError: a format that needs what is not installed.
        ArtifactError: the weights are not those of the network.
        ComponentError: the search space is one of the user's own, and is not named.
        Mismatch: the search space is another one.
        RunFailed: a format in which the network does not compute the same.
    """
    realised, record = realise(space, {"model": model.space})
    shape = tuple(realised.config.input_shape)
    network = trained_network(realised, model).eval()
    with torch.no_grad():
        facts = facts_of(model, shape, network(inputs(1, shape)).shape[1:])
    report, measured = facts.as_json(), dict[str, Any]()
    for name, write in (("torch", _torch), ("onnx", _onnx)):
        if name in formats:
            report[name], measured[name] = write(network, facts, folder, threads)
    report["files"] = {path.name: sha256(path.read_bytes()) for path in sorted(folder.iterdir())}
    made = Export(Reported(report, measured), space=record, data=model.header.data)
    told = {"inputs": {"model": model.header.as_input()}, "provenance": provenance()}
    made.header = made.header.model_copy(update=told)
    return made.write(folder / RECORD)


def _torch(network: nn.Module, facts: Facts, folder: Path, threads: int) -> tuple[dict[str, Any], dict[str, Any]]:
    from nascli.export.source import torch_forms

    written = write_first(torch_forms(network, facts), network, facts.input_shape, folder, TORCH_TOLERANCE)
    return as_json(written, TORCH_TOLERANCE)


def _onnx(network: nn.Module, facts: Facts, folder: Path, threads: int) -> tuple[dict[str, Any], dict[str, Any]]:
    from nascli.cost.onnx_export import OPSET
    from nascli.export.onnx_model import MODEL, latency, onnx_forms, onnx_runtime

    runtime = onnx_runtime(threads)
    forms = onnx_forms(network, facts.input_shape, runtime)
    told, numbers = as_json(write_first(forms, network, facts.input_shape, folder, ONNX_TOLERANCE), ONNX_TOLERANCE)
    timed = latency((folder / MODEL).read_bytes(), facts.input_shape, runtime)
    return {**told, "opset": OPSET}, {**numbers, **timed}
