"""What runs a block that is timed: torch, or onnxruntime."""

from __future__ import annotations

import copy
import os
import platform
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from nascli.cost.folding import folded
from nascli.cost.onnx_export import images, to_onnx
from nascli.cost.timing import Maker, Timed
from nascli.errors import UsageError
from nascli.extras import need

if TYPE_CHECKING:
    from nascli.cost.latency import Latency

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class Runtime(ABC):
    """Prepares blocks for timing under the conditions of a latency meter."""

    def __init__(self, config: Latency.Config) -> None:
        self.config = config

    @abstractmethod
    def ready(self) -> Any:
        """A context in which blocks are prepared and timed."""

    @abstractmethod
    def prepared(self, module: nn.Module, shape: tuple[int, ...]) -> Maker:
        """What makes what times forwards of a module on one batch of images of `shape` (C, H, W)."""

    def empty(self) -> Maker | None:
        """The same for a forward that does nothing; None where that costs next to nothing."""
        return None

    def facts(self) -> Mapping[str, Any]:
        """The device and the versions."""
        return {"machine": machine(), "cores": os.cpu_count(), "torch": torch.__version__}


class TorchRuntime(Runtime):
    """Eager or compiled torch, on the CPU or with CUDA, whose events time it there."""

    @contextmanager
    def ready(self) -> Iterator[None]:
        """As many threads as asked for, no gradients."""
        if self.config.accelerator == "cuda" and not torch.cuda.is_available():
            raise UsageError("no CUDA device is there", hint="--set meters.0.accelerator=cpu, or nascli doctor")
        before = torch.get_num_threads()
        torch.set_num_threads(self.config.threads)
        try:
            with torch.inference_mode():
                yield
        finally:
            torch.set_num_threads(before)

    def prepared(self, module: nn.Module, shape: tuple[int, ...]) -> Maker:
        """Wall-clock time, or that between two events of the GPU; what is compiled is made once."""
        config, device = self.config, torch.device(self.config.accelerator)
        dtype = DTYPES[config.precision]
        layout = torch.channels_last if config.layout == "channels_last" else torch.contiguous_format
        ready = folded(module) if config.fold_bn else copy.deepcopy(module)
        ready = ready.to(device=device, dtype=dtype)
        x = images(config.batch, shape).to(device=device, dtype=dtype)
        if x.ndim == 4:
            ready, x = ready.to(memory_format=layout), x.to(memory_format=layout)
        if device.type == "cpu" and not config.compiled:
            return lambda: partial(_by_clock, copy.deepcopy(ready), x.clone())
        run: Any = torch.compile(ready) if config.compiled else ready
        timed: Timed = partial(_by_events if device.type == "cuda" else _by_clock, run, x)
        return lambda: timed

    def facts(self) -> Mapping[str, Any]:
        """With the name of the GPU."""
        if self.config.accelerator == "cpu":
            return super().facts()
        return {**super().facts(), "gpu": torch.cuda.get_device_name(), "cuda": torch.version.cuda}


def _by_clock(run: Any, x: torch.Tensor, n: int) -> float:
    begun = time.perf_counter()
    for _ in range(n):
        run(x)
    return 1e3 * (time.perf_counter() - begun)


def _by_events(run: Any, x: torch.Tensor, n: int) -> float:
    first, last = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    first.record()
    for _ in range(n):
        run(x)
    last.record()
    torch.cuda.synchronize()
    return float(first.elapsed_time(last))


class OnnxRuntime(Runtime):
    """onnxruntime's CPU provider; each block is exported once."""

    def __init__(self, config: Latency.Config) -> None:
        super().__init__(config)
        import onnxruntime

        self._ort = onnxruntime

    @contextmanager
    def ready(self) -> Iterator[None]:
        """Without gradients."""
        with torch.no_grad():
            yield

    def prepared(self, module: nn.Module, shape: tuple[int, ...]) -> Maker:
        """Wall-clock time of a session's runs; the module is exported once."""
        return partial(self.timed_model, to_onnx(module, shape, self.config.batch, self.config.fold_bn), shape)

    def empty(self) -> Maker | None:
        """A session with one tensor and no operation."""
        return partial(self.timed_model, to_onnx(nn.Identity(), (1, 1, 1), 1), (1, 1, 1), batch=1)

    def timed_model(self, model: bytes, shape: tuple[int, ...], batch: int | None = None) -> Timed:
        """Wall-clock time of runs of an ONNX model on `batch` images of `shape` (C, H, W)."""
        session = self.session(model)
        feed = {session.get_inputs()[0].name: images(batch or self.config.batch, shape).numpy()}
        run = session.run

        def timed(n: int) -> float:
            begun = time.perf_counter()
            for _ in range(n):
                run(None, feed)
            return 1e3 * (time.perf_counter() - begun)

        return timed

    def session(self, model: bytes) -> Any:
        """What runs an ONNX model, with as many threads as asked for."""
        options = self._ort.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self.config.threads, 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle sessions leave the cores alone
        off = [] if self.config.fold_bn else ["ConvBNFusion", "ConvMulFusion", "ConvAddFusion"]
        providers = ["CPUExecutionProvider"]
        return self._ort.InferenceSession(model, options, providers=providers, disabled_optimizers=off)

    def facts(self) -> Mapping[str, Any]:
        """With the version of onnxruntime."""
        return {**super().facts(), "onnxruntime": self._ort.__version__}


def machine() -> str:
    """The name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def runtime(config: Latency.Config) -> Runtime:
    """The runtime that a meter asks for.

    Raises:
        UsageError: it is not installed.
    """
    if config.backend == "torch":
        return TorchRuntime(config)
    need("backend: onnxruntime", "onnx", "onnxruntime", instead="take backend: torch")
    return OnnxRuntime(config)
