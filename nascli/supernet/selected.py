"""Running choices by a `Forward`: each choice does what the selection of its label says."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from nascli.errors import UsageError
from nascli.space import Forward, Selection
from nascli.supernet.recomputing import recomputed

if TYPE_CHECKING:
    from nascli.supernet.mutables import InputChoice, LayerChoice, Mutable, Reduction, Repeat


def reduce(outputs: Sequence[Any], weights: Tensor | None = None, reduction: Reduction = "sum") -> Any:
    """Outputs times their weights, reduced.

    Args:
        outputs: at least one; of one shape for "sum" and "mean", of one but for the channels for "concat".
        weights: (len(outputs),), or None for no factor.
        reduction: "mean" divides the sum by the number of outputs; "none" gives the list.
    """
    weighted = list(outputs) if weights is None else [w * o for w, o in zip(weights, outputs, strict=True)]
    if reduction == "none":
        return weighted
    if reduction == "concat":
        return weighted[0] if len(weighted) == 1 else torch.cat(weighted, dim=1)
    total = weighted[0]
    for output in weighted[1:]:
        total = total + output
    return total / len(weighted) if reduction == "mean" and len(weighted) > 1 else total


class Selected:
    """A chooser that follows a `Forward`.

    Args:
        recompute: keep no activations of candidates; the backward computes them again.
    """

    def __init__(self, forward: Forward, *, recompute: bool = False) -> None:
        self.selections, self.recompute = forward, recompute

    def _run(self, candidate: nn.Module, *args: Any, **kwargs: Any) -> Any:
        if self.recompute and torch.is_grad_enabled():
            return recomputed(candidate, self, *args, **kwargs)
        return candidate(*args, **kwargs)

    def of(self, choice: Mutable) -> Selection:
        """The selection for a choice.

        Raises:
            UsageError: the forward has none.
        """
        found = self.selections.get(choice.label or "")
        if found is None:
            hint = "space.forward(architecture) selects for all decisions"
            raise UsageError(f"the forward selects nothing for '{choice.label}'", hint=hint)
        return found

    def on_forward_layer_choice(self, choice: LayerChoice, *args: Any, **kwargs: Any) -> Any:
        """The selected candidates' outputs, reduced; None where the decision does not exist."""
        selection = self.of(choice)
        if not selection.active:
            return None
        outputs = [
            _without_gradient(choice[i], *args, **kwargs)
            if i in selection.probed
            else self._run(choice[i], *args, **kwargs)
            for i in selection.active
        ]
        return reduce(outputs, selection.weights, choice.reduction)

    def on_forward_input_choice(self, choice: InputChoice, tensors: list[Tensor | None]) -> Any:
        """The selected tensors, reduced; None where the decision does not exist.

        Raises:
            UsageError: a selected tensor is the output of a choice that does not exist.
        """
        selection = self.of(choice)
        if not selection.active:
            return None
        chosen = [tensors[i] for i in selection.active]
        if any(tensor is None for tensor in chosen):
            missing = next(choice.choose_from[i] for i in selection.active if tensors[i] is None)
            raise UsageError(f"input choice '{choice.label}' takes '{missing}', which this architecture does not have")
        return reduce(chosen, selection.weights, choice.reduction)

    def on_forward_repeat(self, choice: Repeat, x: Any) -> Any:
        """The outputs of the selected depths, reduced; each block runs at most once."""
        selection = self.of(choice)
        if not selection.active:
            return None
        depths = [choice.least + i for i in selection.active]
        reached = {0: x}
        for i, block in enumerate(islice(choice.blocks, max(depths)), start=1):
            x = self._run(block, x)
            reached[i] = x
        return reduce([reached[depth] for depth in depths], selection.weights)


@torch.no_grad()
def _without_gradient(candidate: nn.Module, *args: Any, **kwargs: Any) -> Any:
    return candidate(*args, **kwargs)
