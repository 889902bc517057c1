"""`nascli export-blocks`: what must be measured on another machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nascli.commands.options import Json, Verbose
from nascli.console import out

EXAMPLES = (
    "nascli export-blocks --search-space fbnet_s -o blocks",
    "nascli export-blocks -c examples/quickstart.yaml --networks 60 -o blocks",
    "nascli export-blocks --search-space tiny --set search_space.width=8 --no-onnx -o blocks",
)


def export_blocks(  # noqa: PLR0913, PLR0917 (options of a command)
    folder: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="A new folder for the files.")],
    search_space: Annotated[
        str | None, typer.Option("--search-space", metavar="REF", help="What can be searched.")
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", "-c", metavar="PATH", help="The YAML.")] = None,
    assign: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Set a key.")] = None,
    batch: Annotated[int, typer.Option("--batch", metavar="N", min=1, help="Images a forward.")] = 1,
    networks: Annotated[
        int,
        typer.Option(
            "--networks",
            metavar="N",
            min=0,
            help="Whole networks to measure as well: they correct and judge the table.",
        ),
    ] = 0,
    fold_bn: Annotated[
        bool, typer.Option("--fold-bn/--keep-bn", help="Whether BatchNorm becomes part of the convolution before it.")
    ] = True,
    onnx: Annotated[
        bool, typer.Option("--onnx/--no-onnx", help="Whether models are written, or the list of blocks alone.")
    ] = True,
    json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the path of the folder alone.")] = False,
    verbose: Verbose = False,
) -> None:
    """Write every distinct block of a search space as ONNX, to measure them on another machine.

    The folder holds the models, manifest.json, which says what they are, and measurements.csv: fill its column "value"
    (and "unit") in, and nascli import-measurements makes a lookup table of it.
    """
    from nascli.commands.naming import named_space
    from nascli.cost.exporting import MEASUREMENTS, BlockExport, export
    from nascli.search_space.randomness import own_randomness

    out.speak(json, quiet, verbose)
    space, record = named_space(search_space, config, assign or (), {})
    with own_randomness():
        made = export(folder, space.cost_blocks(), space.model, record, BlockExport(batch, fold_bn, networks, onnx))
    if out.mode == "quiet":
        out.text(str(folder))
    elif out.mode == "json":
        out.json({"path": str(folder), **made.model_dump(mode="json", exclude={"space"})})
    else:
        rows = [[b.id, b.name, "×".join(map(str, b.input_shape)), sum(p.times for p in b.places)] for b in made.blocks]
        out.table(f"distinct blocks of {record.use}", ["id", "name", "input", "places"], rows)
        then = f"nascli import-measurements {folder / MEASUREMENTS} --metric latency_ms --device NAME -o lut.h5"
        out.note(f"wrote {folder}; when {MEASUREMENTS} is filled in: {then}")
