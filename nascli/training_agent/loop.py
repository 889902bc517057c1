"""The training loop: one for supernets and for decoded networks, resumable bit for bit on the CPU."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from nascli.artifacts.checkpoint import Checkpoint, Progress
from nascli.console import Bar
from nascli.dataflow.base import Batch
from nascli.errors import RunFailed, UsageError
from nascli.training_agent.base import Setup
from nascli.training_agent.optimisation import optimizer_of, restore_optimizer, schedule_of
from nascli.training_agent.settings import Training
from nascli.training_agent.streams import Stream
from nascli.training_agent.tally import Tally
from nascli.training_agent.updates import Updater
from nascli.training_strategy.base import TrainingStrategy

LOG_EVERY = 50

Mix = Callable[[Batch], Batch]


class Trainer:
    """Trains a module by the updates of a strategy.

    Args:
        module: already initialised; it is moved to the device.
        split: what "train" means: one split or several.
        mix: applied to each training batch on the device (mixup, cutmix).
        ema_decay: when given, an exponential moving average of weights and buffers is kept, and is the result.
    """

    def __init__(
        self,
        module: nn.Module,
        strategy: TrainingStrategy,
        setup: Setup,
        options: Training,
        *,
        split: str | Sequence[str] = "train",
        mix: Mix | None = None,
        ema_decay: float | None = None,
    ) -> None:
        self.setup, self.options, self.strategy, self.run = setup, options, strategy, setup.run
        self.engine = options.engine()
        self.module = self.engine.place(module).train()
        self.mix = mix
        self.ema = (
            AveragedModel(self.module, multi_avg_fn=partial(self._average, ema_decay), use_buffers=True)
            if ema_decay
            else None
        )
        self.updater = self._updater()
        arch, seed = "arch" in self.updater.optimizers, setup.run.seed
        self.streams = {"train": Stream(setup.dataflow, split, self.engine, seed, withhold_arch=arch)}
        if arch:
            self.streams["arch"] = Stream(setup.dataflow, "arch", self.engine, seed)
        self.per_epoch = self.streams["train"].steps
        self.total = options.epochs * self.per_epoch
        self.schedule = schedule_of(self.updater.optimizers["weights"], options, self.per_epoch)
        self.step = 0
        self._last: dict[str, float] = {}
        self.tally = Tally()

    def _average(self, decay: float, averages: Any, current: Any, updates: Any) -> None:
        """The decay grows to its value over the first steps; else a short training would end near its first weights."""
        grown = min(decay, (1 + self.step) / (10 + self.step))
        get_ema_multi_avg_fn(grown)(averages, current, updates)

    def _updater(self) -> Updater:
        criterion = self.options.criterion.build().build()
        optimizers = {"weights": optimizer_of([self.module, criterion], self.options, self.engine)}
        arch = list(self.strategy.arch_parameters().values())
        if arch:
            optimizers["arch"] = torch.optim.Adam(arch, lr=3e-4, betas=(0.5, 0.999), weight_decay=1e-3)
        clip = self.options.clip_grad
        return Updater(self.module, criterion.to(self.engine.device), self.setup.agent, self.engine, optimizers, clip)

    def fit(self) -> dict[str, Any]:
        """Train to the end, or on from a checkpoint; what happened, for the header."""
        self.run.resumable = True
        self.run.facts["data"] = self.setup.dataflow.describe().fingerprint
        self._restore()
        self.run.log(event="start", step=self.step, total=self.total)
        self._clock = time.monotonic(), self.step
        with self.run.progress("training", self.total, self.step) as bar:
            while self.step < self.total:
                self._train_step()
                bar.advance()
                last = self.step == self.total
                if last or self.step % LOG_EVERY == 0:
                    self._report(bar)
                if not last and self._checkpoint_due():
                    self._save()
        self._check()
        return {
            "steps": self.total,
            "epochs": self.options.epochs,
            **{f"train_{name}": value for name, value in self._last.items()},
        }

    def _checkpoint_due(self) -> bool:
        every = self.options.checkpoint_steps
        return bool(every and self.step % every == 0) or self.run.checkpoint_due(self.options.checkpoint_minutes)

    def _train_step(self) -> None:
        updates = self.strategy.updates(self.step, self.run.rng("path", self.step))
        batches: dict[str, Batch] = {}
        with self.engine.seeded(self.run.torch_seed("step", self.step)):
            try:
                update = next(updates)
                while True:
                    if update.split not in batches:
                        batches[update.split] = self._batch(update.split)
                    losses = self.updater.run(update, batches[update.split])
                    self.tally.add(self.step, losses)
                    update = updates.send(losses)
            except StopIteration:
                pass
        self.schedule.step()
        if self.ema is not None:
            self.ema.update_parameters(self.module)
        self.step += 1

    def _batch(self, split: str) -> Batch:
        if split not in self.streams:
            raise UsageError(f"the training strategy asks for the split '{split}', but arch_parameters() is empty")
        batch = self.streams[split].next()
        return batch if self.mix is None else self.mix(batch)

    def _check(self) -> None:
        """Raises RunFailed if a loss since the last report, or a weight now, is not finite."""
        step = self.tally.broken()
        if step is None and not all(p.isfinite().all() for p in self.module.parameters()):
            step = self.step - 1
        if step is not None:
            self._fail(step)

    def _report(self, bar: Bar) -> None:
        broken = self.tally.broken()
        if broken is not None:
            self._fail(broken)
        self._last = self.tally.means() or self._last
        (started, first), self._clock = self._clock, (time.monotonic(), self.step)
        speed = (self.step - first) * self.setup.dataflow.config.batch_size / max(1e-9, self._clock[0] - started)
        rate = self.schedule.get_last_lr()[0]
        self.run.log(event="train", step=self.step, images_per_s=round(speed, 1), lr=rate, **self._last)
        text = "  ".join(f"{name} {value:.3f}" for name, value in self._last.items())
        bar.advance(f"{text}  {speed:.0f} img/s", by=0)

    def _fail(self, step: int) -> None:
        rng = self.run.rng("path", step)
        first = next(iter(next(self.strategy.updates(step, rng)).passes), None)
        path = {} if first is None or first.forward is None else {k: v.active for k, v in first.forward.items()}
        where = f", path {','.join(str(v[0]) for v in path.values())}" if path else ""
        raise RunFailed(
            f"the loss is not finite at step {step}{where}",
            why=f"learning rate {self.options.learning_rate:g}, precision {self.options.precision}",
            hint="lower learning_rate or clip_grad, and start anew with --force",
        )

    def _save(self) -> None:
        self._check()
        state: dict[str, Any] = {
            "module": self.module.state_dict(),
            "criterion": self.updater.criterion.state_dict(),
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.updater.optimizers.items()},
            "schedule": self.schedule.state_dict(),
            "scaler": self.engine.scaler.state_dict(),
            "strategy": self.strategy.state_dict(),
            "arch": {name: p.detach() for name, p in self.strategy.arch_parameters().items()},
            "streams": {name: stream.position for name, stream in self.streams.items()},
            "ema": self.ema.state_dict() if self.ema is not None else None,
            "tally": self.tally.state_dict(),
        }
        self.run.checkpoint(Checkpoint(Progress(self.step, state), summary={"step": self.step, "steps": self.total}))
        self.run.log(event="checkpoint", step=self.step)
        self.run.stop_if_asked()

    def _restore(self) -> None:
        progress = self.run.restore(Checkpoint)
        if progress is None:
            return
        state = progress.state
        self.step = progress.step
        self.module.load_state_dict(state["module"])
        self.updater.criterion.load_state_dict(state["criterion"])
        for name, optimizer in self.updater.optimizers.items():
            restore_optimizer(optimizer, state["optimizers"][name])
        self.schedule.load_state_dict(state["schedule"])
        self.engine.scaler.load_state_dict(state["scaler"])
        self.strategy.load_state_dict(state["strategy"])
        self._restore_arch(state["arch"])
        for name, stream in self.streams.items():
            stream.position = state["streams"][name]
        if self.ema is not None:
            self.ema.load_state_dict(state["ema"])
        self.tally.load_state_dict(state["tally"])
        self.run.log(event="resume", step=self.step)

    def _restore_arch(self, saved: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, parameter in self.strategy.arch_parameters().items():
                parameter.copy_(saved[name])

    def result(self) -> nn.Module:
        """The trained module: the moving average where one was kept."""
        return self.ema.module if self.ema is not None else self.module
