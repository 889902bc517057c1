"""What whoever deploys a network has to know of it, from the header of its file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nascli.artifacts.model import Model


@dataclass(frozen=True)
class Facts:
    """What goes in and what comes out.

    Args:
        space: the name of the search space.
        arch: one index per decision.
        input_shape: (C, H, W).
        output_shape: of one image.
        classes: their names in the order of the outputs; none where outputs are no classes.
        mean: one number per channel, of pixels from 0 to 1; None where the model does not tell.
        std: the same.
    """

    space: str
    arch: tuple[int, ...]
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    classes: tuple[str, ...]
    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None

    def as_json(self) -> dict[str, Any]:
        """As `export.json` has it."""
        return {
            "architecture": list(self.arch),
            "input": {
                "name": "x",
                "dtype": "float32",
                "shape": list(self.input_shape),
                "mean": None if self.mean is None else list(self.mean),
                "std": None if self.std is None else list(self.std),
            },
            "output": {"name": "y", "dtype": "float32", "shape": list(self.output_shape)},
            "classes": list(self.classes),
        }

    def as_python(self) -> str:
        """As constants; all text is quoted, since it comes from files of others."""
        named = {
            "SPACE": self.space,
            "ARCHITECTURE": self.arch,
            "INPUT_SHAPE": self.input_shape,
            "OUTPUT_SHAPE": self.output_shape,
            "CLASSES": self.classes,
            "MEAN": self.mean,
            "STD": self.std,
        }
        return "\n".join(f"{name} = {value!r}" for name, value in named.items())


def facts_of(model: Model, input_shape: Sequence[int], output_shape: Sequence[int]) -> Facts:
    """The facts of a model whose network was run once."""
    header, outputs = model.header, tuple(output_shape)
    classes = header.data.classes if header.data else ()
    known = header.summary.get("normalisation") or {}
    mean, std = (tuple(map(float, known[key])) if key in known else None for key in ("mean", "std"))
    named = classes if outputs[:1] == (len(classes),) else ()
    return Facts(model.space.use, model.payload.arch, tuple(input_shape), outputs, named, mean, std)
