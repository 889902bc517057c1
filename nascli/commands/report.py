"""`nascli report`: one HTML file that shows artifacts to people, without network and without scripts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nascli.artifacts.files import taken, write_bytes
from nascli.commands.options import Json, Verbose
from nascli.console import out
from nascli.errors import UsageError
from nascli.extras import need

EXAMPLES = (
    "nascli report . -o report.html",
    "nascli report lut.h5 supernet.pt arch.npy model.pt report.json -o report.html",
)
SUFFIXES = (".html", ".htm")


def report(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Artifacts, or folders of them.")],
    path: Annotated[Path, typer.Option("--out", "-o", metavar="PATH", help="Where the page goes: an .html file.")],
    title: Annotated[str, typer.Option("--title", metavar="TEXT", help="The heading of the page.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace the page if it exists.")] = False,
    json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the path of the page alone.")] = False,
    verbose: Verbose = False,
) -> None:
    """Show artifacts to people: one HTML file that needs no network.

    Lineage, costs of the candidates, training curves, every candidate of the search, the chosen architecture layer by
    layer, the evaluation with its mistakes, comparisons, all settings. Logs and side files are found beside the
    artifacts; what is not there is said on the page. Needs the extra: pip install 'nascli[report]'.
    """
    from nascli.commands.reporting.material import gather
    from nascli.commands.reporting.page import page

    out.speak(json, quiet, verbose)
    if path.suffix not in SUFFIXES:
        raise UsageError(f"-o {path}: a report is an HTML file", hint=f"-o {path.with_suffix('.html')}")
    if path.exists() and (path.is_dir() or not force):
        raise taken(path)
    need("a report", "jinja2", "matplotlib")
    made = page(gather(paths), title or f"Search of {paths[0].resolve().name or paths[0]}")
    write_bytes(path, made.html.encode("utf-8", "replace"))
    if json:
        found = [{"anchor": s.anchor, "title": s.title, "source": s.source} for s in made.sections]
        out.json({"schema": "nascli.report/1", "path": str(path), "sections": found, "missing": list(made.missing)})
        return
    for line in made.missing:
        out.note(f"not in it: {line}")
    out.text(str(path))
