"""A network as an ONNX model, and how fast onnxruntime runs it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nascli.cost.latency import Latency
from nascli.cost.onnx_export import to_onnx
from nascli.cost.rounds import Goal, run_rounds
from nascli.cost.runtimes import OnnxRuntime
from nascli.cost.timing import flush, sampling
from nascli.errors import RunFailed
from nascli.export.form import MADE_WITH, Form, Run, Unfit
from nascli.extras import need

MODEL = "model.onnx"
GOAL = Goal(rounds=30, reliability=1.0, tolerance=0.02, budget_s=1.0)


def onnx_runtime(threads: int) -> OnnxRuntime:
    """What runs ONNX models.

    Raises:
        UsageError: it is not installed.
    """
    need("--format onnx", "onnx", "onnxruntime", instead="take --format torch")
    return OnnxRuntime(Latency.Config(backend="onnxruntime", threads=threads))


def onnx_forms(network: nn.Module, shape: tuple[int, ...], runtime: OnnxRuntime) -> Iterator[Form]:
    """For any number of images; where the forward fixes that number, for one."""

    def load(folder: Path) -> Run:
        session = runtime.session((folder / MODEL).read_bytes())

        def run(x: Tensor) -> Tensor:
            found: Tensor = torch.from_numpy(session.run(None, {"x": x.numpy()})[0])
            return found

        return run

    def make(batch: int) -> Mapping[str, bytes]:
        try:
            return {MODEL: to_onnx(network, shape, batch, any_batch=batch > 1)}
        except RunFailed as error:
            raise Unfit(error.why) from error

    yield Form("any number of images", None, lambda: make(MADE_WITH), load)
    yield Form("one image", 1, lambda: make(1), load)


def latency(model: bytes, shape: tuple[int, ...], runtime: OnnxRuntime) -> dict[str, Any]:
    """Milliseconds of one image: median and its 95 % interval, and the conditions.

    As `nascli evaluate` measures: the caches are emptied before each forward.
    """
    from scipy.stats import binom

    config = runtime.config
    make = partial(runtime.timed_model, model, shape)
    found = run_rounds("latency_ms", [sampling(make, config.warmup, config.warm, flush)], np.asarray, GOAL)
    samples = found.samples[:, 0]
    ordered = np.sort(samples)
    outside = max(1, int(binom.ppf(0.025, len(ordered), 0.5)))  # order statistics: no distribution is assumed
    return {
        "latency_ms": float(np.median(samples)),
        "latency_interval_ms": [float(ordered[outside - 1]), float(ordered[-outside])],
        "forwards": len(samples),
        "threads": config.threads,
        "batch": config.batch,
        "device": config.accelerator,
        **runtime.facts(),
        **found.facts,
    }
