"""`nascli export`: a trained network as files that are used without nascli."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from nascli.artifacts.export import Export
from nascli.artifacts.files import atomic_folder, taken
from nascli.commands.options import Json, Verbose
from nascli.config import closest
from nascli.console import out
from nascli.errors import ArtifactError, UsageError

EXAMPLES = (
    "nascli export --model model.pt -o exported",
    "nascli export --model model.pt --format onnx --format torch --threads 2 -o exported --force",
)
FORMATS = ("torch", "onnx")
FILES = {"export.json", "network.py", "weights.pth", "network.pt2", "model.onnx", "__pycache__"}


def export(  # noqa: PLR0913, PLR0917 (options of a command)
    folder: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="Where the files and export.json go.")],
    model: Annotated[str, typer.Option("--model", metavar="PATH", help="A retrained network (torch).")],
    formats: Annotated[
        list[str] | None,
        typer.Option("--format", metavar="NAME", help="torch or onnx; repeat it for both. Without it: torch."),
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", "-c", metavar="PATH", help="The YAML.")] = None,
    search_space: Annotated[
        str | None, typer.Option("--search-space", metavar="REF", help="What it was searched in, if that is your own.")
    ] = None,
    threads: Annotated[
        int, typer.Option("--threads", metavar="N", min=1, help="Of onnxruntime, when its latency is measured.")
    ] = 1,
    assign: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Set a key.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier export.")] = False,
    json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the path of export.json alone.")] = False,
    verbose: Verbose = False,
) -> None:
    """Write a retrained network for use without nascli.

    torch: network.py, which needs torch alone, and weights.pth, its state_dict. onnx (an extra: nascli[onnx]):
    model.onnx, with its latency in onnxruntime. Each is compared with the network on seeded inputs and refused if it
    computes something else. export.json says what goes in and comes out: image size, normalisation, class names.
    """
    out.speak(json, quiet, verbose)
    from nascli.artifacts.model import Model
    from nascli.commands.naming import named
    from nascli.commands.stage_command import present
    from nascli.commands.views import as_json, warnings_of

    for name in formats or ():
        if name not in FORMATS:
            what = f"--format {name}: no such format{closest(name, FORMATS)}"
            raise UsageError(what, why=f"known: {', '.join(FORMATS)}")
    _check_folder(folder, force)
    opened = Model.open(Path(model))
    space = named("evaluate", search_space, config, assign or [])
    with atomic_folder(folder) as place:
        made = _made(opened, space, formats or ["torch"], place, threads)
    made.path = folder / "export.json"
    if made.payload.report["input"]["mean"] is None:
        out.warning(f"{model} does not say how its images were normalised: an older nascli made it")
    for sentence in warnings_of(as_json(made)):
        out.warning(sentence)
    present(made, "wrote")


def _check_folder(folder: Path, force: bool) -> None:
    """Raises UsageError unless nothing is there, or an earlier export that may be replaced."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UsageError(f"-o {folder} is a file, expected a folder")
    names = {path.name for path in folder.iterdir()}
    if names and not force:
        raise taken(folder)
    if names and ("export.json" not in names or not names <= FILES):
        other = sorted(names - FILES) or sorted(names)
        why = f"it is no export, or more than that: {other[0]}"
        raise UsageError(f"{folder} is not replaced", why=why, hint="choose another -o")
    try:
        if names:
            Export.open(folder / "export.json")
    except ArtifactError as error:
        raise UsageError(f"{folder} is not replaced", why=error.what, hint="choose another -o") from None


def _made(model: Any, space: Any, formats: list[Any], place: Path, threads: int) -> Export:
    from nascli.export.exporting import export

    return export(model, space, formats, place, threads)
