"""`nascli import-measurements`: a lookup table of what another machine, or another tool, measured."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nascli.artifacts.files import taken
from nascli.commands.options import Json, Verbose
from nascli.console import out
from nascli.errors import UsageError

if TYPE_CHECKING:
    from nascli.artifacts.lookup_table import LookupTable
    from nascli.artifacts.manifest import Manifest

EXAMPLES = (
    "nascli import-measurements blocks/measurements.csv --metric latency_ms --device pixel3 -o lut.h5",
    "nascli import-measurements watts.json --search-space fbnet_s --metric energy_mj --lut lut.h5 -o both.h5",
    "nascli import-measurements hw-nas-bench.json --format hw-nas-bench --search-space fbnet_l "
    "--set search_space.strides=imagenet --set 'search_space.input_shape=[3, 224, 224]' "
    "--set search_space.classes=1000 --metric latency_ms --device pixel3 -o lut.h5",
)


def import_measurements(  # noqa: PLR0913, PLR0917 (options of a command)
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What was measured.")],
    path: Annotated[Path, typer.Option("--out", "-o", metavar="PATH", help="Where the lookup table goes.")],
    metric: Annotated[str, typer.Option("--metric", metavar="NAME", help="Its name, with its unit: latency_ms.")],
    device: Annotated[
        str | None, typer.Option("--device", metavar="NAME", help="The machine: the metric is METRIC@NAME.")
    ] = None,
    unit: Annotated[
        str | None, typer.Option("--unit", metavar="UNIT", help="Of values that name none: s, ms, us, J, mJ, MB, …")
    ] = None,
    form: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="nascli (CSV or JSON), hw-nas-bench, ofa or nni.")
    ] = "nascli",
    fill: Annotated[
        str | None,
        typer.Option(
            "--fill",
            metavar="macs|nearest",
            help="How blocks that nobody measured are filled: by a line over MACs, or like the nearest measured block.",
        ),
    ] = None,
    search_space: Annotated[
        str | None, typer.Option("--search-space", metavar="REF", help="What can be searched.")
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", "-c", metavar="PATH", help="The YAML.")] = None,
    assign: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Set a key.")] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(
            "--manifest", metavar="PATH", help="That of export-blocks; without it, the one beside FILE if any."
        ),
    ] = None,
    lut: Annotated[
        Path | None,
        typer.Option("--lut", metavar="PATH", help="A lookup table whose metrics come into the new one too."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing table.")] = False,
    json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the path of the result alone.")] = False,
    verbose: Verbose = False,
) -> None:
    """Make a lookup table of costs that were measured elsewhere.

    A CSV or a list in JSON has one value a block (columns id, value, unit), as nascli export-blocks prepares it; rows
    with an architecture instead of an id are whole networks, which correct the table and tell its error. The search
    space may be left out where a manifest or --lut names it.
    """
    from nascli.commands.stage_command import present

    out.speak(json, quiet, verbose)
    _check(path, metric, device, force)
    given = Given(file, f"{metric}@{device}" if device else metric, unit, form, fill)
    present(_made(given, path, (search_space, config, assign or ()), manifest, lut), "wrote")


@dataclass(frozen=True)
class Given:
    """What a person said of a file."""

    file: Path
    metric: str
    unit: str | None
    form: str
    fill: str | None


def _check(path: Path, metric: str, device: str | None, force: bool) -> None:
    if path.suffix != ".h5" or path.is_dir():
        raise UsageError(f"-o {path}: a lookup table ends in .h5")
    if path.exists() and not force:
        raise taken(path)
    if not re.fullmatch(r"[a-z][a-z0-9_]*", metric):
        raise UsageError(f"--metric {metric}: a name has small letters, digits and _", hint="for example: latency_ms")
    if device is not None and not re.fullmatch(r"[A-Za-z0-9_.-]+", device):
        raise UsageError(f"--device {device}: a name has letters, digits, _, . and -", hint="for example: pixel3")


def _check_unit(metric: str, unit: str) -> None:
    """The name of a metric carries its unit; else a constraint would not say what its number counts."""
    from nascli.cost.units import UNITS, unit_of

    if unit in UNITS and unit_of(metric) is None:
        plain = metric.partition("@")[0]
        what = f"--metric {plain}: the values are in {unit}, and the name does not say so"
        raise UsageError(what, hint=f"--metric {plain}_{unit.lower().replace('µ', 'u')}")


def _made(
    given: Given,
    path: Path,
    named: tuple[str | None, Path | None, Sequence[str]],
    manifest: Path | None,
    lut: Path | None,
) -> LookupTable:
    from nascli.artifacts.lookup_table import LookupTable
    from nascli.artifacts.manifest import Manifest
    from nascli.commands.naming import named_space
    from nascli.cost.building import joined
    from nascli.cost.filling import known_fill
    from nascli.cost.formats import reader
    from nascli.cost.importing import imported
    from nascli.cost.measurements import Wanted, checked
    from nascli.cost.model import CostModel
    from nascli.run import Run

    fill, read = known_fill(given.fill), reader(given.form)
    listed = Manifest.read(manifest) if manifest else Manifest.beside(given.file)
    before = LookupTable.open(lut) if lut else None
    records = {"manifest": listed.space} if listed else {}
    space, record = named_space(*named, records | ({"lut": before.space} if before else {}))
    blocks, wanted = space.cost_blocks(), Wanted(given.metric, given.unit)
    found = checked(read(given.file, blocks, wanted), blocks, wanted, given.file)
    _check_unit(given.metric, found.unit)
    notes = _notes(given, listed)
    made = imported(given.metric, found, blocks, fill, notes)
    table = joined(CostModel(space.space, {made.name: made}), record, before)
    inputs = {"lut": before.header.as_input()} if before else {}
    run = Run(path, config={**notes, "metric": given.metric, "unit": given.unit, "fill": fill}, inputs=inputs)
    return run.complete(table).write(path)


def _notes(given: Given, listed: Manifest | None) -> dict[str, Any]:
    """Where the numbers come from."""
    from nascli.artifacts.files import sha256_stream
    from nascli.errors import ArtifactError

    try:
        with given.file.open("rb") as stream:
            digest = sha256_stream(stream)
    except OSError as error:
        raise ArtifactError(f"cannot read {given.file}", why=error.strerror or str(error)) from None
    conditions = {"batch": listed.batch, "fold_bn": listed.fold_bn} if listed else {}
    return {"format": given.form, "file": given.file.name, "sha256": digest, **conditions}
