"""Face recognition: the network gives embeddings, and their cosines say who is who."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from nascli.dataflow.base import Dataflow
from nascli.dataflow.identities import Identities
from nascli.extras import need
from nascli.training_agent.base import TrainingAgent, check_images
from nascli.training_agent.judging import Account

if TYPE_CHECKING:
    from torch import Tensor

    from nascli.search_space.base import SearchSpace


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
    conventions: ClassVar[Mapping[str, str]] = {
        "accuracy": "share of pairs judged rightly, by a threshold from the other folds",
        "tar_at_far": "share of true pairs accepted where at most so many false ones are",
    }

    def check(self, space: SearchSpace, dataflow: Dataflow) -> None:
        """Any number of outputs will do: it is the size of the embedding.

        Raises:
            UsageError: images of another shape; or scikit-learn is missing, which `report` works with.
        """
        need("verification", "sklearn")
        check_images(space, dataflow, outputs_are_classes=False)
        self._named = dataflow.pairs() if isinstance(dataflow, Identities) else None

    def judged(self) -> Account:
        """All images are compared with each other."""
        from nascli.training_agent.comparing import Compared

        return Compared(self)

    def judge(self, outputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """How well the cosines to the other images tell those of the same identity from the rest, image by image.

        The score is the area under the curve of each image as a probe: how often one of the same identity is nearer
        than one of another; a half where there is nothing to compare. The loss is 1 - the mean cosine to its own
        + the mean cosine to the others, 0 to 3.
        """
        from nascli.training_agent.comparing import compared

        return compared(outputs, labels)

    def imitate(self, outputs: Tensor, teacher: Tensor) -> Tensor:
        """1 - the mean cosine between the embeddings of both."""
        from torch.nn.functional import cosine_similarity

        return 1 - cosine_similarity(outputs.float(), teacher.float(), dim=1).mean()

    def report(self, outputs: Tensor, labels: Tensor, classes: Sequence[str]) -> dict[str, Any]:
        """Verification on the test identities; see `verification`."""
        from nascli.training_agent.verification import drawn_pairs, similarities, verification

        embeddings, identities = outputs.double().numpy(), labels.numpy()
        named = self._named
        rng = np.random.default_rng(self.config.pairs_seed)
        pairs = drawn_pairs(identities, self.config.pairs, rng) if named is None else named
        cosines = similarities(embeddings, pairs)
        found = verification(cosines, pairs, identities, self.config.folds, self.config.far)
        counts = {"images": len(identities), "identities": len(np.unique(identities))}
        return {**counts, "pairs_from": "drawn" if named is None else "file", **found}
