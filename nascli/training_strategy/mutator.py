"""Mutators: modules that decide what the choices of a model run, so that a plain `model(x)` works.

A mutator and a model belong together for life. The model stays an ordinary model: it does not become a part of the
mutator, whose parameters are its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NoReturn, cast

import numpy as np
import torch
from torch import Tensor, nn

from nascli.errors import UsageError
from nascli.space import Selection
from nascli.supernet.choices import choices_of
from nascli.supernet.mutables import InputChoice, LayerChoice, Mutable, Repeat
from nascli.training_strategy.samples import Sample, Sampled, checked, plain

__all__ = ["BaseMutator", "InputChoice", "LayerChoice", "Mutator", "RandomMutator", "Repeat", "Sample"]


class BaseMutator(nn.Module):
    """Runs the choices of one model by callbacks.

    Override `on_forward_layer_choice`, `on_forward_input_choice` and `on_forward_repeat`, those of them that the model
    needs: each is called once for every call of such a choice, and its result is the output of the choice.

    Args:
        model: has choices, and no mutator yet.

    Raises:
        UsageError: the model has nothing to search, or it or the mutator is bound already.
    """

    def __init__(self, model: nn.Module) -> None:
        if "_bound" in vars(self):
            self._refuse(model)
        super().__init__()
        found = {key: tuple(place.choice for place in places) for key, places in choices_of(model).items()}
        choices = [choice for places in found.values() for choice in places]
        for choice in choices:
            if choice.chooser is not None:
                raise UsageError(
                    f"{type(self).__name__} cannot be bound to {type(model).__name__}: "
                    f"its choice '{choice.label}' is bound to {type(choice.chooser).__name__}",
                    hint="a model has one mutator for life: make a new model",
                )
        for choice in choices:
            choice.chooser = cast("Any", self)  # callbacks are called by place, whatever their arguments are called
        # in a tuple, since a module among the attributes of a module is a part of it
        self._bound, self._choices = (model,), found

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "model" and "_bound" in vars(self):
            if value is not self.model:
                self._refuse(value)
            return
        super().__setattr__(name, value)

    def _refuse(self, model: object) -> NoReturn:
        raise UsageError(
            f"{type(self).__name__} is bound to {type(self.model).__name__} "
            f"and cannot be bound to {type(model).__name__}",
            hint="a mutator has one model for life: make a new mutator",
        )

    @property
    def model(self) -> nn.Module:
        """The model that the mutator is bound to."""
        return self._bound[0]

    @property
    def mutables(self) -> tuple[Mutable, ...]:
        """The choices of the model in the order of its modules; of those with one key, the first."""
        return tuple(places[0] for places in self._choices.values())

    def on_forward_layer_choice(self, mutable: LayerChoice, *args: Any, **kwargs: Any) -> Any:
        """The output of a layer choice that was called with these arguments."""
        self._missing(mutable, "on_forward_layer_choice")

    def on_forward_input_choice(self, mutable: InputChoice, tensors: list[Tensor | None]) -> Any:
        """The output of an input choice among `tensors`, in the order of its candidates."""
        self._missing(mutable, "on_forward_input_choice")

    def on_forward_repeat(self, mutable: Repeat, x: Any) -> Any:
        """The output of a repeated block that was called with `x`."""
        self._missing(mutable, "on_forward_repeat")

    def _missing(self, mutable: Mutable, callback: str) -> NoReturn:
        raise UsageError(f"{type(self).__name__} does not say how to run '{mutable.key}'", hint=f"override {callback}")


class Mutator(BaseMutator, ABC):
    """Samples what the choices of one model run.

    It may hold parameters: weights of a sample that depend on them carry their gradient.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        self._sampled: Sampled | None = None

    @abstractmethod
    def sample_search(self) -> Sample:
        """What to run next while searching, key → BoolTensor or FloatTensor; called by every `reset`."""

    def sample_final(self) -> Sample:
        """The result of the search, in the form of `sample_search`; called by every `export`."""
        raise UsageError(f"{type(self).__name__} has nothing to export", hint="write its sample_final()")

    def reset(self) -> None:
        """Sample anew; the model runs this sample until the next reset."""
        self.apply_on_model(self.sample_search())

    def apply_on_model(self, sample: Sample) -> None:
        """The model runs this sample until the next one.

        Raises:
            UsageError: a key is missing or unknown, or a value is no mask and no weights of the candidates.
        """
        self._sampled = Sampled(checked(self._choices, sample, f"the sample of {type(self).__name__}"))

    @property
    def applied(self) -> Sample | None:
        """The sample that the model runs now."""
        return None if self._sampled is None else self._sampled.sample

    def export(self) -> dict[str, Tensor]:
        """The final sample; the model goes on running the last one.

        Raises:
            UsageError: as `apply_on_model`.
        """
        return checked(self._choices, self.sample_final(), f"the final sample of {type(self).__name__}")

    def export_json(self) -> dict[str, list[bool] | list[float]]:
        """The final sample as plain lists, which `json.dump` takes."""
        return plain(self.export())

    def on_forward_layer_choice(self, mutable: LayerChoice, *args: Any, **kwargs: Any) -> Any:
        """The sampled candidates' outputs, reduced."""
        return self._chooser(mutable).on_forward_layer_choice(mutable, *args, **kwargs)

    def on_forward_input_choice(self, mutable: InputChoice, tensors: list[Tensor | None]) -> Any:
        """The sampled tensors, reduced."""
        return self._chooser(mutable).on_forward_input_choice(mutable, tensors)

    def on_forward_repeat(self, mutable: Repeat, x: Any) -> Any:
        """The sampled depths' outputs, reduced."""
        return self._chooser(mutable).on_forward_repeat(mutable, x)

    def of(self, mutable: Mutable) -> Selection:
        """What the sample selects for a choice, for modules that look at several choices at once (`sgnas`)."""
        return self._chooser(mutable).of(mutable)

    def _chooser(self, mutable: Mutable) -> Sampled:
        if self._sampled is None:
            name = type(self).__name__
            raise UsageError(f"{name} has not sampled anything for '{mutable.key}' yet", hint="call its reset() first")
        return self._sampled


class RandomMutator(Mutator):
    """Samples every choice uniformly: one candidate, one of the subsets, one depth.

    Args:
        seed: of its own generator. As a training strategy it draws from the run's instead.
    """

    def __init__(self, model: nn.Module, seed: int | None = None) -> None:
        super().__init__(model)
        self.rng = np.random.default_rng(seed)

    def sample_search(self) -> dict[str, Tensor]:
        """A mask for each key."""
        return {choice.decision.label: self._mask(choice) for choice in self.mutables}

    def sample_final(self) -> dict[str, Tensor]:
        """Another sample."""
        return self.sample_search()

    def _mask(self, choice: Mutable) -> Tensor:
        n, k = len(choice.decision.candidates), choice.decision.n_chosen
        if k is None:  # the bits of a number from 1 are a subset that is not empty
            bits = int(self.rng.integers(1, 2**n))
            return torch.tensor([bool(bits >> i & 1) for i in range(n)])
        mask = torch.zeros(n, dtype=torch.bool)
        mask[torch.from_numpy(self.rng.choice(n, k, replace=False))] = True
        return mask
