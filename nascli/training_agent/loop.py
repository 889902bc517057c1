"""The training loop: one for supernets and for decoded networks, resumable bit for bit on the CPU."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import count
from typing import Any, NoReturn

from torch import nn

from nascli.artifacts.checkpoint import Checkpoint, Progress
from nascli.artifacts.formats import using
from nascli.console import Bar, out
from nascli.dataflow.base import Batch
from nascli.engine import Engine
from nascli.errors import RunFailed, UsageError
from nascli.supernet.base import Supernet
from nascli.training_agent.averaging import MovingAverage
from nascli.training_agent.base import Setup
from nascli.training_agent.checking import built, checked, updates_of
from nascli.training_agent.curves import Curves
from nascli.training_agent.mixing import mix_of
from nascli.training_agent.optimisation import arch_optimizer_of, optimizer_of, schedule_of
from nascli.training_agent.panel import Panel
from nascli.training_agent.settings import Training
from nascli.training_agent.snapshot import restored, snapshot
from nascli.training_agent.streams import Stream
from nascli.training_agent.tally import Seen, Tally
from nascli.training_agent.updates import Teacher, Updater
from nascli.training_strategy.base import Losses, Pass, TrainingStrategy, Update

LOG_EVERY = 50


class Trainer:
    """Trains a module by the updates of a strategy.

    Args:
        module: already initialised; it is moved to the device.
        split: what "train" means: one split or several.
        teacher: imitated by every pass on labels.
        panel: architectures that are scored after every few epochs, and after the last.
        outputs: how many numbers the module gives for an image; None: one a class.
    """

    def __init__(
        self,
        module: nn.Module,
        strategy: TrainingStrategy,
        setup: Setup,
        options: Training,
        *,
        split: str | Sequence[str] = "train",
        teacher: nn.Module | None = None,
        panel: Panel | None = None,
        outputs: int | None = None,
    ) -> None:
        self.setup, self.options, self.strategy, self.run = setup, options, strategy, setup.run
        self.ranks = setup.run.ranks
        self.engine = options.engine()
        self.module = self.engine.place(module).train()
        self.panel = panel
        self.mix = mix_of(options, len(setup.dataflow.describe().classes))
        self.ema = MovingAverage(self.module, options.ema_decay) if options.ema_decay else None
        self.updater = self._updater(teacher, self._criterion(outputs))
        arch, seed = "arch" in self.updater.optimizers, setup.run.seed
        self.streams = {"train": Stream(setup.dataflow, split, self.engine, seed, withhold_arch=arch, ranks=self.ranks)}
        if arch:
            self.streams["arch"] = Stream(setup.dataflow, "arch", self.engine, seed, ranks=self.ranks)
        self.per_epoch = self.streams["train"].steps
        self.total = strategy.total_steps = options.epochs * self.per_epoch
        self.schedule = schedule_of(self.updater.optimizers["weights"], options, self.per_epoch)
        self.step = 0
        self._last: dict[str, float] = {}
        self.tally = Tally()

    def _criterion(self, outputs: int | None) -> nn.Module:
        classes = len(self.setup.dataflow.describe().classes)
        with Engine("cpu").seeded(self.run.torch_seed("criterion")):
            return built(self.options.criterion.build(), outputs or classes, classes)

    def _updater(self, teacher: nn.Module | None, criterion: nn.Module) -> Updater:
        optimizers = {"weights": optimizer_of([self.module, criterion], self.options, self.engine)}
        arch = list(self.strategy.arch_parameters().values())
        if arch:
            optimizers["arch"] = arch_optimizer_of(arch)
        taught = None
        if teacher is not None:
            taught = Teacher(self.engine.place(teacher).eval().requires_grad_(False), self.options.distillation)
        placed, clip = criterion.to(self.engine.device), self.options.clip_grad
        sync = self.options.sync_batchnorm
        return Updater(self.module, placed, self.setup.agent, self.engine, optimizers, clip, taught, sync)

    def fit(self) -> dict[str, Any]:
        """Train to the end, or on from a checkpoint; what happened, for the header."""
        self.run.resumable = True
        self.run.facts["data"] = self.setup.dataflow.describe().fingerprint
        self._restore()
        self._announce()
        self._clock = time.monotonic(), self.step
        curves = self.options.tensorboard and self.ranks.is_first
        self.curves = Curves(self.run.folder / "tensorboard" if curves else None, self.step)
        with self.curves, self.run.progress("training", self.total, self.step) as bar:
            while self.step < self.total:
                self._one_step(bar)
        self._check()
        seen = {f"train_{name}": value for name, value in self._last.items()}
        judged = {} if self.panel is None else self.panel.summary()
        return {"steps": self.total, "epochs": self.options.epochs, **seen, **judged}

    def _announce(self) -> None:
        n = self.ranks.world_size
        norm = "synchronised" if self.options.sync_batchnorm else "local"
        told = {"processes": n, "batchnorm": norm} if n > 1 else {}
        self.run.log(event="start", step=self.step, total=self.total, **told)
        if n > 1:
            by = "the whole batch" if norm == "synchronised" else "each process's share of the batch"
            out.note(f"{n} processes; BatchNorm is {norm}: by the statistics of {by}, running ones are means over all")

    def _one_step(self, bar: Bar) -> None:
        self._train_step()
        bar.advance()
        last = self.step == self.total
        if self.step == 1:
            self._check_losses()
        if last or self.step % LOG_EVERY == 0:
            self._report(bar)
        if self.panel is not None and self.panel.is_due(self.step, self.per_epoch, self.total):
            found = self.panel.evaluate(self.result(), self.step)
            self.run.log(event="panel", **found)
            curves = {f"panel_{name}": found[name] for name in ("mean", "spread", "tau")}
            self.curves.add(self.step, **curves)
        if not last and self.ranks.any_of([self._checkpoint_due()])[0]:
            self._save()

    def _checkpoint_due(self) -> bool:
        every = self.options.checkpoint_steps
        return bool(every and self.step % every == 0) or self.run.checkpoint_due(self.options.checkpoint_minutes)

    def _train_step(self) -> None:
        updates = updates_of(self.strategy, self.step, self.run.rng("path", self.step))
        batches: dict[str, Batch] = {}
        losses: Any = None  # which starts the generator
        with self.engine.seeded(self.run.torch_seed("step", self.step)):
            for number in count():
                try:
                    update = updates.send(losses)
                except StopIteration:
                    break
                losses = self._update(checked(self.strategy, update), number, batches)
        self.schedule.step()
        self.step += 1

    def _update(self, update: Update, number: int, batches: dict[str, Batch]) -> Losses:
        """Run one update of a step; all of its updates on a split have one batch."""
        if update.split not in batches:
            batches[update.split] = self._batch(update.split)
        with self._chances(update, number):
            losses = self.updater.run(update, batches[update.split], self.streams[update.split].share)
        self.tally.add(self.step, self._rate, [path_of(item) for item in update.passes], losses)
        if self.ema is not None and update.params == "weights":
            self.ema.update(self.module)
        return losses

    def _chances(self, update: Update, number: int) -> AbstractContextManager[None]:
        """What layers draw differs from process to process; what strategies draw, and mutators in layers, must not."""
        if self.ranks.world_size == 1:
            return nullcontext()
        mutated = isinstance(self.module, Supernet) and any(item.forward is None for item in update.passes)
        rank = 0 if mutated else self.ranks.rank
        return self.engine.seeded(self.run.torch_seed(f"update {number} of rank {rank}", self.step))

    def _batch(self, split: str) -> Batch:
        if split not in self.streams:
            raise UsageError(f"the training strategy asks for the split '{split}', but arch_parameters() is empty")
        batch = self.streams[split].next()
        return batch if self.mix is None or split != "train" else self.mix(batch)

    @property
    def _rate(self) -> float:
        return float(self.schedule.get_last_lr()[0])

    def _check(self) -> None:
        """Raises RunFailed if a loss since the last report, or a weight now, is not finite."""
        self._check_losses()
        if not all(p.isfinite().all() for p in self.module.parameters()):
            self._fail("a weight", self.tally.last or Seen(self.step - 1, self._rate, ""))

    def _check_losses(self) -> None:
        broken = self.tally.broken()
        if broken is not None:
            self._fail("the loss", broken)

    def _report(self, bar: Bar) -> None:
        self._check_losses()
        self._last = self.tally.means() or self._last
        (started, first), self._clock = self._clock, (time.monotonic(), self.step)
        speed = (self.step - first) * self.setup.dataflow.config.batch_size / max(1e-9, self._clock[0] - started)
        self.run.log(event="train", step=self.step, images_per_s=round(speed, 1), lr=self._rate, **self._last)
        self.curves.add(self.step, images_per_s=speed, lr=self._rate, **self._last)
        text = "  ".join(f"{name} {value:.3f}" for name, value in self._last.items())
        bar.advance(f"{text}  {speed:.0f} img/s", by=0)

    def _fail(self, what: str, seen: Seen) -> NoReturn:
        where = f", path {seen.path}" if seen.path else ""
        again = "and start anew with --force"
        learned = f"lower learning_rate or clip_grad, {again}"
        raise RunFailed(
            f"{what} is not finite at step {seen.step}{where}",
            why=f"learning rate {seen.rate:g} at that step, precision {self.options.precision}",
            hint=learned if seen.step else f"nothing was learned yet: look at criterion and images, {again}",
        )

    def _save(self) -> None:
        self._check()
        progress = Progress(self.step, snapshot(self))
        self.run.checkpoint(Checkpoint(progress, summary={"step": self.step, "steps": self.total}))
        self.run.log(event="checkpoint", step=self.step)
        (self.run.stopping,) = self.ranks.any_of([self.run.stopping])
        self.run.stop_if_asked()

    def _restore(self) -> None:
        progress = self.ranks.first_does(lambda: self.run.restore(Checkpoint))
        if progress is not None:
            with using(self.run.folder):
                self.step = progress.step
                restored(self, progress.state)
            self.run.log(event="resume", step=self.step)

    def result(self) -> nn.Module:
        """The trained module: the moving average where one is kept."""
        return self.ema.module if self.ema is not None else self.module


def path_of(item: Pass) -> str:
    """What a pass runs, for people: the candidates of each decision; nothing for a module as it stands."""
    selections = () if item.forward is None else item.forward.values()
    return ",".join("+".join(map(str, selection.active)) or "-" for selection in selections)
