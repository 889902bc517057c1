"""A network as files that torch alone reads: a `state_dict` and the Python that it belongs to, or a program."""

from __future__ import annotations

import io
import runpy
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from string import Template
from textwrap import indent

import torch
from torch import Tensor, nn

from nascli.export.facts import Facts
from nascli.export.form import MADE_WITH, Form, Run, Unfit, inputs, said
from nascli.export.tracing import Traced, Untraceable, traced

TAB = " " * 4
CODE, WEIGHTS, PROGRAM = "network.py", "weights.pth", "network.pt2"


def torch_forms(network: nn.Module, facts: Facts) -> Iterator[Form]:
    """`network.py` with `weights.pth`, where its operations can be written down as Python.

    Else `network.pt2`, a program of `torch.export`, which follows forwards with control flow on shapes, and a
    `network.py` that loads it.
    """
    yield Form("source", None, lambda: _source(network, facts), _load)
    yield Form("program", None, lambda: _program(network, facts, MADE_WITH), _load)
    yield Form("program of one image", 1, lambda: _program(network, facts, 1), _load)


def _load(folder: Path) -> Run:
    network: Run = runpy.run_path(str(folder / CODE))["load"]()
    return network


def _source(network: nn.Module, facts: Facts) -> Mapping[str, bytes]:
    try:
        found = traced(network, inputs(MADE_WITH, facts.input_shape))
    except Untraceable as error:
        raise Unfit(str(error)) from error
    buffer = io.BytesIO()
    torch.save(_state(found), buffer)
    return {CODE: _text(found, facts).encode(), WEIGHTS: buffer.getvalue()}


def _state(found: Traced) -> dict[str, Tensor]:
    """All tensors under the names that they have in the file; none is a view of a larger one."""
    named = [(name, module.state_dict()) for name, (module, _) in found.modules.items()]
    state = {f"{name}.{own}": tensor for name, tensors in named for own, tensor in tensors.items()}
    return {name: tensor.detach().clone() for name, tensor in {**state, **found.tensors}.items()}


def _text(found: Traced, facts: Facts) -> str:
    members = [f"self.{name} = {text}" for name, (_, text) in found.modules.items()]
    members += [_held(name, tensor) for name, tensor in found.tensors.items()]
    words = {
        "imports": "".join(f"{line}\n" for line in found.imports),
        "facts": facts.as_python(),
        "members": indent("\n".join(members), 2 * TAB),
        "forward": indent(found.forward.replace("(self, x):", "(self, x: Tensor) -> Tensor:", 1), TAB),
    }
    return _template("network").substitute(words)


def _held(name: str, tensor: Tensor) -> str:
    """The line that makes a place for a tensor that the forward takes by itself."""
    like = f"torch.empty({tuple(tensor.shape)}, dtype={tensor.dtype})"
    if isinstance(tensor, nn.Parameter):
        return f"self.{name} = nn.Parameter({like})"
    return f"self.register_buffer({name!r}, {like})"


def _program(network: nn.Module, facts: Facts, batch: int) -> Mapping[str, bytes]:
    buffer = io.BytesIO()
    open_ = {0: torch.export.Dim.AUTO} if batch > 1 else None
    try:
        with torch.no_grad():
            found = torch.export.export(network, (inputs(batch, facts.input_shape),), dynamic_shapes=(open_,))
        torch.export.save(found, buffer)
    except Exception as error:  # whatever torch.export says of a forward that it cannot follow
        raise Unfit(said(error)) from error
    return {CODE: _template("program").substitute(facts=facts.as_python()).encode(), PROGRAM: buffer.getvalue()}


def _template(name: str) -> Template:
    return Template((files("nascli") / "templates" / f"{name}.txt").read_text(encoding="utf-8"))
