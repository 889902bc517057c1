"""The ways in which a network can be written, tried one after another until one computes the same."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nascli.artifacts.files import write_bytes
from nascli.console import show
from nascli.errors import RunFailed

MADE_WITH = 2
"""Images of the inputs that forms for any number of images are made with."""
CHECKED_WITH = (8, 1)

Run = Callable[[Tensor], Tensor]


class Unfit(Exception):
    """This form cannot hold the network."""


@dataclass(frozen=True)
class Form:
    """One way to write a network.

    Args:
        name: for people.
        batch: the only number of images it takes; None: any.
        make: file name → contents; raises Unfit.
        load: the network again, from the folder with the files.
    """

    name: str
    batch: int | None
    make: Callable[[], Mapping[str, bytes]]
    load: Callable[[Path], Run]


@dataclass(frozen=True)
class Written:
    """What was written, and how far it is from the network."""

    form: Form
    files: tuple[str, ...]
    max_abs_difference: float
    largest_output: float


def inputs(batch: int, shape: tuple[int, ...]) -> Tensor:
    """Always the same (batch, *shape), spread as normalised images are."""
    return torch.randn(batch, *shape, generator=torch.Generator().manual_seed(batch))


def write_first(
    forms: Iterable[Form], network: nn.Module, shape: tuple[int, ...], folder: Path, tolerance: float
) -> Written:
    """Write a network in the first form that computes the same.

    Args:
        network: in evaluation mode, on the CPU.
        shape: of one image, (C, H, W).
        tolerance: the largest absolute difference, as a share of the largest output.

    Raises:
        RunFailed: none of them does.
    """
    reasons = []
    for form in forms:
        files: Mapping[str, bytes] = {}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of torch and runtimes about themselves
                files = form.make()
                for name, data in files.items():
                    write_bytes(folder / name, data)
                written = _compared(form, tuple(files), network, shape, folder)
            allowed = tolerance * written.largest_output
            if written.max_abs_difference <= allowed:
                return written
            reason = f"outputs differ by {show(written.max_abs_difference)}, {show(allowed)} is allowed"
        except Unfit as error:
            reason = str(error)
        reasons.append(f"{form.name}: {reason}")
        for name in files:
            (folder / name).unlink()
    raise RunFailed("the network cannot be written so that it computes the same", why="; ".join(reasons))


def _compared(form: Form, files: tuple[str, ...], network: nn.Module, shape: tuple[int, ...], folder: Path) -> Written:
    difference = largest = 0.0
    try:
        run = form.load(folder)
        with torch.no_grad():
            for batch in CHECKED_WITH if form.batch is None else (form.batch,):
                x = inputs(batch, shape)
                expected, found = network(x.clone()), run(x)
                if found.shape != expected.shape:
                    raise Unfit(f"{list(found.shape)} comes out, expected {list(expected.shape)}")
                difference = max(difference, _max(found - expected))
                largest = max(largest, _max(expected))
    except Unfit:
        raise
    except Exception as error:  # whatever a runtime says of a network that it cannot run
        raise Unfit(said(error)) from error
    return Written(form, files, difference, largest)


def _max(x: Tensor) -> float:
    """The largest absolute value; infinite where something is no number."""
    return float(x.abs().nan_to_num(nan=torch.inf).max())


def said(error: BaseException) -> str:
    """The first line of what an exception says."""
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]


def as_json(written: Written, tolerance: float) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a second export repeats, and what it does not."""
    told = {"form": written.form.name, "files": list(written.files), "batch": written.form.batch}
    numbers = {"max_abs_difference": written.max_abs_difference, "largest_output": written.largest_output}
    return told, {**numbers, "tolerance": tolerance}
