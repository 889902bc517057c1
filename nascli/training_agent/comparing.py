"""Judging embeddings: every image as a probe among all others."""

from __future__ import annotations

from math import isfinite, nan

import torch
from torch import Tensor
from torch.nn.functional import normalize

from nascli.search_strategy.base import Score
from nascli.training_agent.judging import NOT_FINITE, Judge

ROWS = 1024  # of the matrix of cosines at a time


class Compared:
    """Embeddings that are kept, and compared when the score is asked for."""

    def __init__(self, agent: Judge) -> None:
        self._agent = agent
        self._outputs: list[Tensor] = []
        self._labels: list[Tensor] = []

    def add(self, outputs: Tensor, labels: Tensor) -> None:
        """One more batch."""
        self._outputs.append(outputs.float())
        self._labels.append(labels)

    def score(self) -> Score:
        """The means over all images."""
        scores, losses = self._agent.judge(torch.cat(self._outputs), torch.cat(self._labels))
        loss = losses.double().mean().item()
        if not isfinite(loss):
            return Score(nan, nan, len(scores), NOT_FINITE)
        return Score(scores.double().mean().item(), loss, len(scores))


def compared(outputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """(score, loss) of each image as a probe, as `FaceRecognition.judge` says.

    Args:
        outputs: embeddings, float (n, d).
        labels: identities, int64 (n,).
    """
    unit = normalize(outputs.float(), dim=1)
    places = torch.arange(len(labels), device=labels.device)
    parts = [_probes(unit, labels, rows) for rows in places.split(ROWS)]
    return torch.cat([score for score, _ in parts]), torch.cat([loss for _, loss in parts])


def _probes(unit: Tensor, labels: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Score and loss of some images as probes among all."""
    cosines = unit[rows] @ unit.T
    same = labels[rows, None] == labels
    itself = torch.zeros_like(same).scatter_(1, rows[:, None], value=True)
    own, others = same & ~itself, ~same
    below = cosines.masked_fill(itself, -2.0)  # its own cosine ranks first and counts for nothing
    ranked = below.sort(dim=1).values.contiguous()
    ranks = (torch.searchsorted(ranked, below) + torch.searchsorted(ranked, below, right=True) + 1) / 2 - 1
    n_own, n_others = own.sum(1), others.sum(1)
    pairs = (n_own * n_others).clamp_min(1)
    area = ((ranks * own).sum(1) - n_own * (n_own + 1) / 2) / pairs
    near = (cosines * own).sum(1) / n_own.clamp_min(1)
    far = (cosines * others).sum(1) / n_others.clamp_min(1)
    return torch.where((n_own > 0) & (n_others > 0), area, 0.5), 1 - near + far
