"""Where an installed stage or component is defined, and what its docstring says; nothing is imported for it."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import EntryPoint
from pathlib import Path

from nascli.commands.fields import first_line


@dataclass(frozen=True)
class Definition:
    """A class or a function in its file; `description` is its docstring's first line, or why there is none.

    `options`: what a function takes by name alone, as written: "kernel", "se=False".
    """

    description: str
    file: Path | None = None
    line: int | None = None
    options: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """ "nascli/search_space/tiny.py:10"."""
        return "" if self.file is None else f"{self.file}:{self.line}" if self.line else str(self.file)


def definition(point: EntryPoint) -> Definition:
    """What the source says of an entry point's class or function."""
    spec = _find(point.module)
    if spec is None:
        return Definition(f"(there is no module {point.module})")
    if spec.origin is None or not spec.origin.endswith(".py"):
        return Definition("")
    file = Path(spec.origin)
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError) as error:
        return Definition(f"(cannot be read: {error})", file)
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in tree.body if isinstance(node, kinds) and node.name == point.attr]
    if not nodes:
        return Definition("", file)
    found = nodes[-1]
    return Definition(first_line(ast.get_docstring(found)), file, found.lineno, tuple(_options(found)))


def _options(found: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    if not isinstance(found, ast.ClassDef):
        for option, default in zip(found.args.kwonlyargs, found.args.kw_defaults, strict=True):
            yield option.arg if default is None else f"{option.arg}={ast.unparse(default)}"


def _find(module: str) -> ModuleSpec | None:
    """The spec of a module; unlike `importlib.util.find_spec` this does not import the packages above it."""
    top, *below = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    for depth in range(len(below)):
        folders: Sequence[str] | None = spec.submodule_search_locations if spec else None
        if folders is None:
            return None
        spec = PathFinder.find_spec(".".join([top, *below[: depth + 1]]), folders)
    return spec
