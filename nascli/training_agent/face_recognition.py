"""Face recognition: the network gives embeddings, and their cosines say who is who."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from nascli.dataflow.base import Dataflow
from nascli.dataflow.identities import Identities
from nascli.training_agent.base import TrainingAgent

if TYPE_CHECKING:
    from torch import Tensor

ROWS = 1024  # of the matrix of cosines at a time


class FaceRecognition(TrainingAgent):
    """Embeddings of identities that were never trained on, told apart by their cosine.

    The network's outputs are the embedding: `classes` of the search space is its size. For criteria with class weights
    (`arcface`, `cosface`, `angular_softmax`) and for `triplet`.
    """

    class Config(TrainingAgent.Config):
        """Options of face recognition."""

        pairs: int = Field(6000, ge=10, description="test pairs that are drawn where the dataflow names none")
        pairs_seed: int = Field(0, ge=0, description="of that draw, not of the run")
        folds: int = Field(10, ge=2, description="of the pairs, for the threshold")
        far: tuple[float, ...] = Field((0.1, 0.01, 0.001), description="false acceptance rates that are reported")

    config: Config
    together: ClassVar[bool] = True

    def __init__(self, config: Config | None = None) -> None:
        super().__init__(config)
        self._dataflow: Dataflow | None = None

    def attend(self, dataflow: Dataflow) -> None:
        """Remember who may name the test pairs."""
        self._dataflow = dataflow

    def outputs(self, classes: int) -> int | None:
        """Any: the size of the embedding."""
        return None

    def judge(self, outputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """How well the cosines to the other images tell those of the same identity from the rest, image by image.

        The score is the area under the curve of each image as a probe: how often one of the same identity is nearer
        than one of another; a half where there is nothing to compare. The loss is 1 - the mean cosine to its own
        + the mean cosine to the others, 0 to 3.
        """
        import torch

        unit = torch.nn.functional.normalize(outputs.float(), dim=1)
        places = torch.arange(len(labels), device=labels.device)
        parts = [_probes(unit, labels, rows) for rows in places.split(ROWS)]
        scores, losses = (torch.cat(part) for part in zip(*parts, strict=True))
        return scores, losses

    def imitate(self, outputs: Tensor, teacher: Tensor) -> Tensor:
        """1 - the mean cosine between the embeddings of both."""
        from torch.nn.functional import cosine_similarity

        return 1 - cosine_similarity(outputs.float(), teacher.float(), dim=1).mean()

    def report(self, outputs: Tensor, labels: Tensor, classes: Sequence[str]) -> dict[str, Any]:
        """Verification on the test identities; see `verification`."""
        from nascli.training_agent.verification import drawn_pairs, similarities, verification

        embeddings, identities = outputs.double().numpy(), labels.numpy()
        named = self._dataflow.pairs() if isinstance(self._dataflow, Identities) else None
        rng = np.random.default_rng(self.config.pairs_seed)
        pairs = drawn_pairs(identities, self.config.pairs, rng) if named is None else named
        cosines = similarities(embeddings, pairs)
        found = verification(cosines, pairs, identities, self.config.folds, self.config.far)
        counts = {"images": len(identities), "identities": len(np.unique(identities))}
        return {**counts, "pairs_from": "drawn" if named is None else "file", **found}


def _probes(unit: Tensor, labels: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Score and loss of some images as probes among all."""
    import torch

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
