"""Latency on this machine, by a deployment runtime (onnxruntime) or by torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from nascli.config import Precision, single
from nascli.cost.rounds import Rounds, Sampler
from nascli.cost.sampled_meter import Item, SampledMeter

if TYPE_CHECKING:
    from torch import nn

    from nascli.cost.runtimes import Runtime
    from nascli.cost.timing import Maker


class Latency(SampledMeter):
    """Milliseconds of one forward.

    Sums of blocks differ from whole networks, so some networks are measured in the same rounds: they fit a correction
    and tell the error of the table. What a runtime needs to do nothing is subtracted from each block.

    A sample is one forward after all others of the round: its weights are no longer in the fast caches, as those of a
    block are not when a network comes to it. Blocks that run again and again are faster than they are in networks. Each
    block is prepared anew every five samples, so that no table depends on where in memory one copy happened to lie.
    """

    class Config(SampledMeter.Config):
        """Conditions of the measurement, the same for blocks and whole networks."""

        backend: Literal["torch", "onnxruntime"] = Field(
            "torch",
            description="what runs the blocks; onnxruntime, nearer to deployment, is an extra: nascli[onnx]",
        )
        accelerator: Literal["cpu", "cuda"] = Field("cpu", description="where; cuda with torch alone")
        threads: int = Field(1, ge=1, description="threads of the runtime")
        batch: int = Field(1, ge=1, description="images a forward")
        precision: Annotated[Precision, single("fp32")] = Field("fp32", description="of weights and images; 32 is fp32")
        layout: Literal["contiguous", "channels_last"] = Field("contiguous", description="of images in memory")
        fold_bn: bool = Field(True, description="whether BatchNorm becomes part of the convolution before it")
        compiled: bool = Field(False, description="whether torch compiles the blocks")
        warmup: int = Field(3, ge=1, description="forwards before the first round")
        warm: bool = Field(
            False, description="whether the same forward runs just before; else everything else did, as in use"
        )

        @model_validator(mode="after")
        def _possible(self) -> Latency.Config:
            given = {name for name in _TORCH_ONLY if getattr(self, name) != type(self).model_fields[name].default}
            if self.backend == "onnxruntime" and given:
                raise ValueError(f"the backend onnxruntime has no {', '.join(sorted(given))}; take backend: torch")
            return self

    config: Config
    metric, unit = "latency_ms", "ms"
    _before: Callable[[], object] | None = None

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        self.threads = self.config.threads

    @cached_property
    def _runtime(self) -> Runtime:
        from nascli.cost.runtimes import runtime

        return runtime(self.config)

    def sample_all(self, blocks: Sequence[Item], networks: Sequence[Item]) -> Rounds:
        """Samples (rounds, blocks + networks); few blocks, which would stay in the caches, are driven out of them."""
        from nascli.cost.timing import flush

        few = len(blocks) + len(networks) < FEW and self.config.accelerator == "cpu"
        self._before = flush if few and not self.config.warm else None
        return super().sample_all(blocks, networks)

    def conditions(self) -> AbstractContextManager[Any]:
        """The runtime's threads, without gradients."""
        ready: AbstractContextManager[Any] = self._runtime.ready()
        return ready

    def sampler(self, module: nn.Module, shape: tuple[int, ...]) -> Sampler:
        """Milliseconds of one forward of `batch` images."""
        return self._sampler(self._runtime.prepared(module, shape), renew=False)

    def block_sampler(self, module: nn.Module, shape: tuple[int, ...]) -> Sampler:
        """The same, at one place in memory after another."""
        return self._sampler(self._runtime.prepared(module, shape), renew=True)

    def empty(self) -> Sampler | None:
        """Milliseconds that the runtime needs for no operation at all."""
        make = self._runtime.empty()
        return None if make is None else self._sampler(make, renew=True)

    def _sampler(self, make: Maker, renew: bool) -> Sampler:
        from nascli.cost.timing import sampling

        return sampling(make, self.config.warmup, self.config.warm, self._before, renew)

    def notes(self) -> Mapping[str, Any]:
        """The conditions with the device and the versions, and what is known of the samples."""
        return {**super().notes(), **self._runtime.facts()}


FEW = 20
_TORCH_ONLY = ("accelerator", "precision", "layout", "compiled")
