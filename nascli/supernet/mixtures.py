"""From architecture parameters to what a supernet runs: mixtures of all candidates, and sampled paths.

Parameters belong to the indices of a decision. Where an index stands for a subset of the candidates, a candidate's
weight is the sum over the indices whose subset contains it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from nascli.space import Archs, Decision, Forward, Selection, Space


class Form(Protocol):
    """A way to run candidates so that architecture parameters get a gradient."""

    def __call__(self, space: Space, logits: Sequence[Tensor], noise: Sequence[Tensor], temperature: float) -> Forward:
        """What the supernet runs.

        Args:
            space: the search space.
            logits: architecture parameters, (size,) a decision.
            noise: see `gumbel`.
            temperature: of a softmax over perturbed parameters, greater than 0; the lower, the closer to one-hot.
        """


def gumbel(logits: Sequence[Tensor], generator: torch.Generator) -> list[Tensor]:
    """Noise from the standard Gumbel distribution in the form of `logits`.

    The largest of logits + noise is a draw from their softmax, the two largest are two draws without replacement.
    """
    noise = torch.empty(sum(map(len, logits)), dtype=torch.float64).exponential_(generator=generator).log().neg()
    parts = noise.split([len(values) for values in logits])
    return [part.to(values) for part, values in zip(parts, logits, strict=True)]


def softmax(space: Space, logits: Sequence[Tensor], noise: Sequence[Tensor], temperature: float) -> Forward:
    """All candidates, weighted by their probabilities (DARTS, Liu et al., 2019, arXiv:1806.09055)."""
    return _mixed(space, [values.softmax(0) for values in logits])


def gumbel_softmax(space: Space, logits: Sequence[Tensor], noise: Sequence[Tensor], temperature: float) -> Forward:
    """All candidates, weighted by a relaxed draw (Jang et al., 2017, arXiv:1611.01144), as FBNet is trained."""
    return _mixed(space, [_relaxed(*pair, temperature) for pair in zip(logits, noise, strict=True)])


def weighted_sum(space: Space, logits: Sequence[Tensor], noise: Sequence[Tensor], temperature: float) -> Forward:
    """All candidates, weighted by the parameters as they stand."""
    return _mixed(space, logits)


def gdas(space: Space, logits: Sequence[Tensor], noise: Sequence[Tensor], temperature: float) -> Forward:
    """One drawn path; its weights are 1 and have the gradients of a relaxed draw.

    Dong and Yang, 2019, arXiv:1910.04465.
    """
    drawn = [(index,) for index in drawn_path(space, logits, noise)]
    relaxed = [_relaxed(*pair, temperature) for pair in zip(logits, noise, strict=True)]
    weights = [_straight_through(soft[list(index)]) for soft, index in zip(relaxed, drawn, strict=True)]
    return _selected(space, drawn, weights)


def proxyless(space: Space, logits: Sequence[Tensor], noise: Sequence[Tensor], temperature: float) -> Forward:
    """A drawn path, and beside it a second draw of each decision, which counts for the gradient alone.

    The weights are 1 and 0 and have the gradients of the softmax over both
    (ProxylessNAS, Cai et al., 2019, arXiv:1812.00332).
    """
    drawn: list[tuple[int, ...]] = []
    for first, values, added in zip(drawn_path(space, logits, noise), logits, noise, strict=True):
        others = (values + added).detach().index_fill(0, torch.tensor(first, device=values.device), -torch.inf)
        drawn.append((first, int(others.argmax())) if len(values) > 1 else (first,))
    weights = [_straight_through(values[list(pair)].softmax(0)) for values, pair in zip(logits, drawn, strict=True)]
    return _selected(space, drawn, weights, probing=True)


MIXTURES: Mapping[str, Form] = {"softmax": softmax, "gumbel_softmax": gumbel_softmax, "sum": weighted_sum}
SAMPLED: Mapping[str, Form] = {"gdas": gdas, "proxyless": proxyless}


def drawn_path(space: Space, logits: Sequence[Tensor], noise: Sequence[Tensor]) -> list[int]:
    """The index that each decision draws.

    Unordered decisions have their draws sorted. A decision that does not exist keeps its draw, since it does exist
    where a second draw of another decision runs beside the first.
    """
    drawn = [int((values + added).argmax()) for values, added in zip(logits, noise, strict=True)]
    ordered: Archs = space.canonical(np.array(drawn))
    return [
        draw if decision.active_if else int(index)
        for decision, draw, index in zip(space.decisions, drawn, ordered, strict=True)
    ]


def _relaxed(logits: Tensor, noise: Tensor, temperature: float) -> Tensor:
    return ((logits + noise) / temperature).softmax(0)


def _straight_through(soft: Tensor) -> Tensor:
    """Exactly (1, 0, …) with the gradient of `soft`."""
    hard = torch.zeros_like(soft)
    hard[0] = 1
    return hard + (soft - soft.detach())


def _mixed(space: Space, weights: Sequence[Tensor]) -> Forward:
    return _selected(space, [tuple(range(size)) for size in space.sizes], weights)


def _selected(
    space: Space, drawn: Sequence[tuple[int, ...]], weights: Sequence[Tensor], *, probing: bool = False
) -> Forward:
    """Selections of the drawn indices; nothing for decisions that none of their parents' draws make exist.

    `probing`: all draws but the first have a weight of 0.
    """
    forward: dict[str, Selection] = {}
    taken: dict[str, tuple[int, ...]] = {}
    for decision, indices, values in zip(space.decisions, drawn, weights, strict=True):
        exists = not decision.active_if or any(
            not set(taken[parent]).isdisjoint(wanted) for parent, wanted in decision.active_if
        )
        taken[decision.label] = indices if exists else ()
        forward[decision.label] = _selection(decision, indices, values, probing) if exists else Selection(())
    return forward


def _selection(decision: Decision, indices: tuple[int, ...], weights: Tensor, probing: bool) -> Selection:
    """The candidates of some indices (k,) with these weights (k,)."""
    if decision.n_chosen == 1:
        return Selection(indices, weights, probed=indices[1:] if probing else ())
    subsets = [decision.chosen(index) for index in indices]
    active = tuple(sorted(set().union(*subsets)))
    members = torch.tensor([[candidate in subset for candidate in active] for subset in subsets])
    return Selection(active, weights @ members.to(weights))
