"""What a mutator samples, key → mask or weights of the candidates: its check, what it runs, its other forms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nascli.errors import UsageError
from nascli.space import Archs, Decision, Selection, Space
from nascli.supernet.mutables import InputChoice, LayerChoice, Mutable
from nascli.supernet.selected import Selected

Sample = Mapping[str, Tensor]
"""Key of a choice → bool (n,), true for the candidates that run, or float (n,), the weights of all of them."""


def checked(choices: Mapping[str, Sequence[Mutable]], sample: Any, where: str) -> dict[str, Tensor]:
    """The sample itself, in the order of the choices.

    Args:
        choices: key → the places that follow it.
        where: what gave the sample, for errors.

    Raises:
        UsageError: a key is missing or unknown; a value is no mask and no weights of the candidates.
    """
    _check_keys(choices, sample, where)
    for key, places in choices.items():
        _check_values(places[0].decision, sample[key], where)
        if sample[key].dtype == torch.bool:
            _check_number(places, int(sample[key].sum()), where)
    return {key: sample[key] for key in choices}


def _check_keys(known: Mapping[str, Any], sample: Any, where: str) -> None:
    if not isinstance(sample, Mapping):
        raise UsageError(f"{where} gives a mapping from keys to tensors, found {type(sample).__name__}")
    for key in known:
        if key not in sample:
            raise UsageError(f"{where} gives nothing for the choice '{key}'")
    for key in sample:
        if key not in known:
            raise UsageError(f"{where} gives something for '{key}', but no choice has this key")


def _check_values(decision: Decision, values: Any, where: str) -> None:
    place, n = f"{where}, choice '{decision.label}'", len(decision.candidates)
    if not isinstance(values, Tensor) or not (values.dtype == torch.bool or values.is_floating_point()):
        found = f"a tensor of {values.dtype}" if isinstance(values, Tensor) else type(values).__name__
        raise UsageError(f"{place}: expected a BoolTensor or a FloatTensor, found {found}")
    if values.shape != (n,):
        raise UsageError(f"{place}: expected {n} values, one for each candidate, found shape {tuple(values.shape)}")


def _check_number(places: Sequence[Mutable], selected: int, where: str) -> None:
    """An input choice takes as many as it says; no candidate at all means zeros, which only sums and means have."""
    for choice in places:
        k = choice.n_chosen if isinstance(choice, InputChoice) else None
        if k is not None and selected != k:
            raise _wrong_number(choice.decision, selected, where)
        reduction = getattr(choice, "reduction", None)
        if not selected and reduction not in ("sum", "mean"):
            raise UsageError(
                f"{where}, choice '{choice.key}': no candidate is selected",
                why=f"with reduction '{reduction}' there is no output then" if reduction else "some depth must run",
            )


def _wrong_number(decision: Decision, selected: int, where: str) -> UsageError:
    wanted = decision.n_chosen or "at least 1"
    return UsageError(f"{where}, choice '{decision.label}': {wanted} of its candidates are chosen, found {selected}")


def _selection(values: Tensor) -> Selection:
    """What runs: the candidates of a mask as they are, or all of them with their weights."""
    if values.dtype == torch.bool:
        return Selection(tuple(values.nonzero().flatten().tolist()))
    return Selection(tuple(range(len(values))), values)


def detached(sample: Sample) -> dict[str, Tensor]:
    """The same sample without gradient."""
    return {key: values.detach() for key, values in sample.items()}


class Sampled(Selected):
    """A chooser that follows a sample; a choice of which nothing is selected gives zeros."""

    def __init__(self, sample: Sample) -> None:
        super().__init__({key: _selection(values) for key, values in sample.items()})
        self.sample = sample

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy carries no gradient: tensors that do cannot be copied."""
        return Sampled, (detached(self.sample),)

    def on_forward_layer_choice(self, choice: LayerChoice, *args: Any, **kwargs: Any) -> Any:
        """The selected candidates' outputs, reduced."""
        if self.of(choice).active:
            return super().on_forward_layer_choice(choice, *args, **kwargs)
        return _zeros(choice[0], *args, **kwargs)

    def on_forward_input_choice(self, choice: InputChoice, tensors: list[Tensor | None]) -> Any:
        """The selected tensors, reduced."""
        if self.of(choice).active:
            return super().on_forward_input_choice(choice, tensors)
        return torch.zeros_like(next(tensor for tensor in tensors if tensor is not None))


def _zeros(layer: nn.Module, *args: Any, **kwargs: Any) -> Tensor:
    """Zeros of the shape of a layer's output; the layer keeps its buffers and gets no gradient."""
    training = [module for module in layer.modules() if module.training]
    layer.eval()
    try:
        with torch.no_grad():
            return torch.zeros_like(layer(*args, **kwargs))
    finally:
        for module in training:
            module.training = True


def plain(sample: Sample) -> dict[str, list[bool] | list[float]]:
    """Lists instead of tensors, as JSON takes them."""
    return {key: values.tolist() for key, values in sample.items()}


def architecture(space: Space, sample: Mapping[str, Any]) -> Archs:
    """The canonical architecture, int64 (d,), that a sample selects: its mask, or the candidates of greatest weight.

    Args:
        sample: tensors, or the lists that `plain` gave.

    Raises:
        UsageError: as `checked`; the sample selects no architecture, or does not say which.
    """
    decisions = {decision.label: decision for decision in space.decisions}
    _check_keys(decisions, sample, "the sample")
    values = {label: torch.as_tensor(sample[label]) for label in decisions}
    indices = [_index(decision, values[label]) for label, decision in decisions.items()]
    return space.canonical(np.array(indices, dtype=np.int64))


def _index(decision: Decision, values: Tensor) -> int:
    _check_values(decision, values, "the sample")
    k = decision.n_chosen
    if values.dtype == torch.bool:
        chosen = tuple(values.nonzero().flatten().tolist())
    elif k is None:
        raise UsageError(f"choice '{decision.label}' takes any number of candidates: weights do not say which")
    else:
        chosen = tuple(sorted(values.topk(k).indices.tolist()))
    if not chosen or len(chosen) != (k or len(chosen)):
        raise _wrong_number(decision, len(chosen), "the sample")
    return decision.index(chosen)
