"""The loss of a relaxed forward through a frozen supernet: what differentiable search strategies learn from."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from nascli.console import out
from nascli.engine import Engine
from nascli.space import Forward
from nascli.training_agent.base import Setup
from nascli.training_agent.memory import activation_bytes
from nascli.training_agent.streams import Stream
from nascli.training_agent.updates import batch_statistics_alone, frozen

MIB = 2**20


class Relaxed:
    """Losses on training batches of the `arch` split, epoch after epoch.

    Weights are frozen, BatchNorm runs on batch statistics, no buffer is written, and all else is as in evaluation.

    Args:
        module: the supernet, on the device; scoring may use it in between.
    """

    def __init__(self, module: nn.Module, setup: Setup, engine: Engine) -> None:
        self.module, self.setup, self.engine = module, setup, engine
        self._stream: Stream | None = None

    def loss(self, forward: Forward, call: int) -> Tensor:
        """The mean loss of a forward on batch number `call`, a scalar on the CPU.

        Raises:
            ConfigError: the `arch` split has no images.
        """
        batch = self._batches(forward, call).next()
        placed = self._placed(forward)
        self._set_modes()
        seeded = self.engine.seeded(self.setup.run.torch_seed("relaxed", call))
        with seeded, frozen(self.module.parameters()), batch_statistics_alone(self.module.modules()):
            with self.engine.autocast():
                outputs = self.module(batch.images, placed)
            _, losses = self.setup.agent.judge(outputs, batch.labels)
        return losses.mean().cpu()

    def _batches(self, forward: Forward, call: int) -> Stream:
        if self._stream is None:
            self._state_memory(forward)
        if self._stream is None or self._stream.position != call:
            self._stream = Stream(self.setup.dataflow, "arch", self.engine, self.setup.run.seed)
            self._stream.position = call
        return self._stream

    def _placed(self, forward: Forward) -> Forward:
        """The same forward with its weights on the device."""
        return {
            label: item if item.weights is None else replace(item, weights=item.weights.to(self.engine.device))
            for label, item in forward.items()
        }

    def _set_modes(self) -> None:
        self.module.eval()
        for module in self.module.modules():
            if isinstance(module, _BatchNorm):
                module.training = True

    def _state_memory(self, forward: Forward) -> None:
        """Say what the first of many forwards keeps, before it runs."""
        data = self.setup.dataflow
        shape, batch_size = data.describe().image_shape, data.config.batch_size
        self._set_modes()
        with frozen(self.module.parameters()):
            size = activation_bytes(self.module, self._placed(forward), shape, batch_size)
        candidates = max((len(item.active) for item in forward.values()), default=0)
        out.note(
            f"a relaxed forward runs up to {candidates} candidates a decision and keeps about {size / MIB:,.0f} MiB of "
            "activations for each batch"
        )
