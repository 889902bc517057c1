"""Cross-entropy with smoothed labels."""

from __future__ import annotations

from pydantic import Field

from nascli.criterion.cross_entropy import CrossEntropy


class LabelSmoothing(CrossEntropy):
    """Cross-entropy with a tenth of the target on all classes (Szegedy et al., 2016, arXiv:1512.00567)."""

    class Config(CrossEntropy.Config):
        """Options of label smoothing."""

        label_smoothing: float = Field(0.1, ge=0, lt=1, description="share of the target spread over all classes")

    config: Config
