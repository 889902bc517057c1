"""One-shot trainers of one's own: a training loop in Python whose model has choices, or what replaced them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from nascli.artifacts.files import atomic_write
from nascli.artifacts.torch_format import plain
from nascli.console import out, show
from nascli.engine import Engine
from nascli.errors import ArtifactError, UsageError
from nascli.run import stream_seed
from nascli.supernet.choices import choices_of
from nascli.supernet.mutables import InputChoice, LayerChoice, Mutable
from nascli.training_agent.optimisation import restore_optimizer

Batches = Iterable[Any] | Callable[[int], Iterable[Any]]
"""The batches of every epoch, or a function that gives those of an epoch, from 0."""

Metrics = Mapping[str, Tensor | float]
C = TypeVar("C", bound=Mutable)


class OneShotTrainer(ABC):
    """Searches by training one model.

    Override `training_step` and `export`, and whatever else should differ. Optimisers belong into `self.optimizers`,
    by names of your own: `save` and `load` then cover them. The random numbers of an epoch follow from seed and epoch,
    so that a loaded training goes on as if it had not been interrupted.

    Args:
        model: moved to the engine's device when training starts.
        epochs: how many there are in all.
        batches: tensors in tuples, lists or dicts; each is moved to the device.
        engine: device and precision; by default those of `Engine()`.
        seed: of the random numbers of torch while training.
    """

    def __init__(
        self, model: nn.Module, epochs: int, batches: Batches, engine: Engine | None = None, seed: int = 0
    ) -> None:
        self.model, self.epochs, self.batches, self.seed = model, epochs, batches, seed
        self.engine = engine or Engine()
        self.optimizers: dict[str, Optimizer] = {}
        self.epoch = 0
        """Epochs that are done."""
        self.history: list[dict[str, float]] = []
        """For each epoch, the means of what `training_step` returned."""

    def fit(self) -> None:
        """Train the epochs that are left."""
        self._place()
        for epoch in range(self.epoch, self.epochs):
            with self.engine.seeded(_seed(self.seed, epoch)):
                self.history.append(self._train(self._batches(epoch)))
                self.epoch = epoch + 1
                self.on_epoch_end(epoch)

    def _place(self) -> None:
        self.model = self.engine.place(self.model).train()

    def _batches(self, epoch: int) -> Iterable[Any]:
        return self.batches(epoch) if callable(self.batches) else self.batches

    def _train(self, batches: Iterable[Any]) -> dict[str, float]:
        sums: dict[str, Tensor] = {}
        steps = 0
        for batch in batches:
            for name, value in (self.training_step(moved(batch, self.engine.device)) or {}).items():
                sums[name] = sums.get(name, 0) + torch.as_tensor(value).detach().float()
            steps += 1
        if not steps:
            raise UsageError(f"{type(self).__name__} has no batches in epoch {self.epoch}")
        return {name: (total / steps).item() for name, total in sums.items()}

    def training_step(self, batch: Any) -> Metrics | None:
        """Train on one batch, on the device; metrics of it by name, scalars, if there are any."""
        raise UsageError(f"{type(self).__name__} has no training_step", hint="override training_step, or fit")

    def update(self, optimizer: str, loss: Callable[[], Tensor]) -> Tensor:
        """One step of an optimiser down a loss, which is computed in the engine's precision; the loss, detached."""
        chosen, scaler = self.optimizers[optimizer], self.engine.scaler
        chosen.zero_grad(set_to_none=True)
        with self.engine.autocast():
            value = loss()
        scaler.scale(value).backward()
        scaler.step(chosen)
        scaler.update()
        return value.detach()

    def on_epoch_end(self, epoch: int) -> None:
        """Called after each epoch, from 0; says the means of its metrics."""
        means = "  ".join(f"{name} {show(value)}" for name, value in self.history[-1].items())
        out.note(f"epoch {epoch + 1}/{self.epochs}  {means}".rstrip())

    @abstractmethod
    def export(self) -> Any:
        """The result of the search."""

    def state_dict(self) -> dict[str, Any]:
        """What `save` writes; override both this and `load_state_dict` to add to it."""
        return {
            "model": self.model.state_dict(),
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
            "scaler": self.engine.scaler.state_dict(),
            "epoch": self.epoch,
            "history": self.history,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a `state_dict`."""
        self._place()
        self.model.load_state_dict(state["model"])
        for name, optimizer in self.optimizers.items():
            restore_optimizer(optimizer, state["optimizers"][name])
        self.engine.scaler.load_state_dict(state["scaler"])
        self.epoch, self.history = state["epoch"], list(state["history"])

    def save(self, path: str | Path) -> None:
        """Write where the training stands, whole or not at all; best called from `on_epoch_end`.

        Raises:
            RunFailed: the file cannot be written.
        """
        state = plain(self.state_dict())
        atomic_write(Path(path), lambda stream: torch.save(state, stream))

    def load(self, path: str | Path) -> None:
        """Go on from what `save` wrote.

        Raises:
            ArtifactError: the file is missing, broken, or of another model.
        """
        try:
            self.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        except FileNotFoundError:
            raise ArtifactError(f"no such file: {path}") from None
        except Exception as error:
            raise ArtifactError(f"{path} does not fit this trainer", why=str(error).partition("\n")[0]) from error


def moved(batch: Any, device: torch.device) -> Any:
    """A batch of tensors in tuples, lists and dicts on the device."""
    if isinstance(batch, Tensor):
        return batch.to(device)
    if isinstance(batch, Mapping):
        return {name: moved(item, device) for name, item in batch.items()}
    if isinstance(batch, tuple | list):
        items = [moved(item, device) for item in batch]
        return type(batch)(*items) if hasattr(batch, "_fields") else type(batch)(items)
    return batch


def _seed(seed: int, epoch: int) -> int:
    entropy = np.random.SeedSequence(stream_seed(seed, "one-shot", epoch))
    return int(entropy.generate_state(1, np.uint64)[0]) >> 1


Pairs = list[tuple[str, nn.Module]]


def replace_layer_choice(
    model: nn.Module, factory: Callable[[LayerChoice], nn.Module], nas_modules: Pairs | None = None
) -> Pairs:
    """Put `factory(choice)` in the place of every layer choice of a model.

    Choices of one label get a module each; a choice inside the candidates of another comes after it.

    Args:
        model: changed in place; choices without a label are named by their place first.
        nas_modules: where the pairs (label, new module) are appended, in the order of the model's modules.

    Returns:
        `nas_modules`, or a new list.

    Raises:
        UsageError: the model itself is such a choice, or the factory gives no module.
    """
    return _replace(model, LayerChoice, factory, nas_modules)


def replace_input_choice(
    model: nn.Module, factory: Callable[[InputChoice], nn.Module], nas_modules: Pairs | None = None
) -> Pairs:
    """Put `factory(choice)` in the place of every input choice of a model; as `replace_layer_choice`."""
    return _replace(model, InputChoice, factory, nas_modules)


def _replace(model: nn.Module, kind: type[C], factory: Callable[[C], nn.Module], nas_modules: Pairs | None) -> Pairs:
    pairs: Pairs = [] if nas_modules is None else nas_modules
    if isinstance(model, kind):
        raise UsageError(f"the model is a {kind.__name__} itself", hint="put it into a module with a forward")
    if any(isinstance(module, Mutable) for module in model.modules()):
        choices_of(model)
    done: dict[nn.Module, nn.Module] = {}
    seen: set[nn.Module] = set()

    def walk(parent: nn.Module, held: frozenset[nn.Module]) -> None:
        """Replaces the choices below, but for those that the new module around them still holds."""
        if parent in seen:
            return
        seen.add(parent)
        for name, child in list(parent._modules.items()):
            if isinstance(child, kind) and child not in held:
                parent._modules[name] = made(child, held)
            elif child is not None:
                walk(child, held)

    def made(choice: C, held: frozenset[nn.Module]) -> nn.Module:
        if choice not in done:
            done[choice] = found = _module(factory(choice), choice)
            pairs.append((choice.label or "", found))
            walk(found, held | {choice})
        return done[choice]

    walk(model, frozenset())
    return pairs


def _module(found: object, choice: Mutable) -> nn.Module:
    if not isinstance(found, nn.Module):
        raise UsageError(f"a module takes the place of choice '{choice.label}', found {type(found).__name__}")
    return found
