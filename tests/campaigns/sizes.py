"""Sizes of files and functions, docstrings and annotations, beside those of well-kept code bases of others.

    python tests/campaigns/sizes.py [FOLDER ...] [--json]

A function is any `def`, its decorators left out; its body is what is left of it without its docstring. "doc": public
functions and methods with a docstring. "annotated": parameters, `self` and `cls` left out. "comments": lines that are
nothing but a comment, of all lines that are neither comments nor empty. The figures of others were measured in
November 2026 at the commits in `data/sizes.csv`, without their tests.
"""

from __future__ import annotations

import argparse
import ast
import csv
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from nascli.console import out

ROOT = Path(__file__).parents[2]
OTHERS = Path(__file__).parent / "data" / "sizes.csv"
FOLDERS = ("nascli", "stages", "tests")
WORST = 5

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Sizes:
    """A row of the table; sizes in lines, shares in percent."""

    code: str
    files: int
    file_median: int
    file_p90: int
    file_max: int
    function_median: int
    function_p90: int
    body_median: int
    body_p90: int
    longest: int
    doc: int
    annotated: int
    comments: float


@dataclass(frozen=True)
class Source:
    """A file, parsed."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def lines(self) -> int:
        return len(self.text.splitlines())

    def functions(self) -> Iterator[Function]:
        return (node for node in ast.walk(self.tree) if isinstance(node, Function))


def sources(folder: Path) -> list[Source]:
    """The Python files below a folder that are not empty."""
    read = ((path, path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("*.py")))
    return [Source(path, text, ast.parse(text)) for path, text in read if text.strip()]


def length(function: Function) -> int:
    """Lines from `def` to the end."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def body(function: Function) -> int:
    """Lines of the body without its docstring."""
    first = function.body[0]
    start = first.lineno
    if ast.get_docstring(function) is not None:
        start = (first.end_lineno or first.lineno) + 1
    return max(0, (function.end_lineno or start) - start + 1)


def public(node: ast.Module | ast.ClassDef) -> Iterator[Function]:
    """The functions of a module and the methods of its classes that no underscore calls private; none inside others."""
    for child in node.body:
        if isinstance(child, ast.ClassDef) and not child.name.startswith("_"):
            yield from public(child)
        elif isinstance(child, Function) and not child.name.startswith("_"):
            yield child


def annotations(function: Function) -> list[bool]:
    """Of each parameter, whether it is annotated."""
    given = function.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs, *filter(None, (given.vararg, given.kwarg))]
    return [one.annotation is not None for one in every if one.arg not in ("self", "cls")]


def p90(values: Sequence[int]) -> int:
    """The value that nine in ten do not pass."""
    return sorted(values)[-(-9 * len(values) // 10) - 1]


def percent(truths: Sequence[bool]) -> int:
    """The share that is true."""
    return round(100 * sum(truths) / len(truths)) if truths else 100


def measured(name: str, found: Sequence[Source]) -> Sizes:
    """The row of some files."""
    files = [source.lines for source in found]
    functions = [function for source in found for function in source.functions()]
    lengths, bodies = [length(one) for one in functions] or [0], [body(one) for one in functions] or [0]
    stripped = [line.strip() for source in found for line in source.text.splitlines()]
    comments = sum(line.startswith("#") for line in stripped)
    code = sum(bool(line) for line in stripped) - comments
    return Sizes(
        name,
        len(files),
        round(statistics.median(files)),
        p90(files),
        max(files),
        round(statistics.median(lengths)),
        p90(lengths),
        round(statistics.median(bodies)),
        p90(bodies),
        max(lengths),
        percent([ast.get_docstring(one) is not None for source in found for one in public(source.tree)]),
        percent([truth for one in functions for truth in annotations(one)]),
        round(100 * comments / code, 1) if code else 0.0,
    )


def others() -> list[Sizes]:
    """The rows of other code bases."""
    with OTHERS.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    numbers = [field.name for field in fields(Sizes)][1:-1]
    return [Sizes(r["code"], *(int(r[name]) for name in numbers), float(r["comments"])) for r in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description="Sizes of files and functions.")
    parser.add_argument("folders", nargs="*", default=FOLDERS, help="below the root of the repository")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    found = {name: sources(ROOT / name) for name in options.folders}
    rows = [measured(name, files) for name, files in found.items()]
    if options.json:
        columns = [field.name for field in fields(Sizes)]
        out.json({"ours": [vars(row) for row in rows], "others": [vars(row) for row in others()], "columns": columns})
        return
    columns = [field.name.replace("_", " ") for field in fields(Sizes)]
    out.table("sizes in lines, shares in percent", columns, [list(astuple(row)) for row in (*rows, *others())])
    everything = [source for files in found.values() for source in files]
    longest = sorted(everything, key=lambda source: -source.lines)[:WORST]
    out.table("longest files", ["file", "lines"], [[str(s.path.relative_to(ROOT)), s.lines] for s in longest])
    every = [(source, one) for source in everything for one in source.functions()]
    bodies = [(body(one), f"{source.path.relative_to(ROOT)}:{one.lineno}", one.name) for source, one in every]
    shown = [[place, name, lines] for lines, place, name in sorted(bodies, reverse=True)[:WORST]]
    out.table("longest function bodies", ["place", "function", "lines"], shown)


if __name__ == "__main__":
    main()
