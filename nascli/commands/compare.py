"""`nascli compare`: search strategies, and supernets, on one problem with equal budgets."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from nascli.commands.options import Json, Verbose
from nascli.console import out
from nascli.errors import UsageError

EXAMPLES = (
    "nascli compare -c examples/quickstart.yaml --supernet supernet.pt --strategy evolution --seeds 3 -o compared",
    "nascli compare -c examples/quickstart.yaml --supernet a.pt --supernet b.pt --max-evaluations 40 -o compared",
)


def compare(  # noqa: PLR0913, PLR0917 (options of a command)
    folder: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="Where runs and compare.json go.")],
    config: Annotated[Path | None, typer.Option("--config", "-c", metavar="PATH", help="The YAML.")] = None,
    strategy: Annotated[
        list[str] | None, typer.Option("--strategy", metavar="REF", help="A search strategy; repeat it for several.")
    ] = None,
    supernet: Annotated[
        list[str] | None, typer.Option("--supernet", metavar="PATH", help="A supernet; repeat it for several.")
    ] = None,
    lut: Annotated[str | None, typer.Option("--lut", metavar="PATH", help="A lookup table.")] = None,
    seeds: Annotated[int, typer.Option("--seeds", metavar="N", min=1, help="Searches of each: seeds 0, 1, …")] = 5,
    max_evaluations: Annotated[
        int | None, typer.Option("--max-evaluations", metavar="N", min=1, help="Architectures that a search may score.")
    ] = None,
    truth: Annotated[
        str | None,
        typer.Option(
            "--truth",
            metavar="FILE[:FIELD]",
            help="A tabular benchmark that ranks the winners; a field as the evaluator table has it.",
        ),
    ] = None,
    assign: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Set a key.")] = None,
    json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the path of the result alone.")] = False,
    verbose: Verbose = False,
) -> None:
    """Compare search strategies, or supernets, on one problem.

    Every strategy searches with the same number of evaluations and the same seeds, and random search is always among
    them. The problem is that of `nascli search` with this YAML. Runs that are there already and current are kept; an
    interrupted comparison goes on when the same command is given again. A strategy with options:
    --strategy '{use: pareto, pick: accuracy}', whose winner is else the knee of its front. With
    --set executor=ray the candidates of each search are scored by the workers of one Ray.
    """
    from nascli.commands.arena import Contest, contend
    from nascli.commands.stage_command import present
    from nascli.stage import stage_for

    out.speak(json, quiet, verbose)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"-o {folder} is a file, expected a folder")
    assignments = list(assign or [])
    if max_evaluations is not None:
        assignments.append(f"search.max_evaluations={max_evaluations}")
    inputs = {"lut": lut} if lut else {}
    contest = Contest(stage_for("search", config), config, assignments, strategy or (), supernet or (), seeds, inputs)
    known = _truth(contest, truth) if truth else None
    before = _before(folder / "compare.json")
    folder.mkdir(parents=True, exist_ok=True)
    with _session(contest), out.warning_once():
        runs, seconds = contend(contest, folder, known)
    present(_written(folder / "compare.json", runs, {**before, **seconds}), "wrote")


def _session(contest: Any) -> AbstractContextManager[None]:
    """What all searches share: their executor's session, where the stage has an executor."""
    executor = getattr(next(iter(contest.configs(0).values())), "executor", None)
    return nullcontext() if executor is None else cast(AbstractContextManager[None], executor.build().session())


def _truth(contest: Any, text: str) -> Any:
    """The benchmark, with the costs of the space that is searched."""
    from nascli.artifacts.lookup_table import LookupTable
    from nascli.artifacts.supernet import SupernetCheckpoint
    from nascli.commands.truth import Truth
    from nascli.search_space.base import realise
    from nascli.training_agent.searching import costs_of

    config: Any = next(iter(contest.configs(0).values()))
    lut = LookupTable.open(Path(contest.inputs["lut"])) if "lut" in contest.inputs else None
    records = {"lut": lut.space} if lut else {}
    if contest.supernets:
        records["supernet"] = SupernetCheckpoint.open(Path(contest.supernets[0])).space
    space, _ = realise(config.search_space, records)
    return Truth(text, costs_of(space, lut))


def _before(path: Path) -> dict[str, float]:
    """The seconds of earlier runs, from the file that is there; one that cannot be read is refused before any run."""
    from nascli.artifacts.comparison import Comparison

    found: dict[str, float] = Comparison.open(path).payload.measured.get("seconds", {}) if path.exists() else {}
    return found


def _written(path: Path, runs: list[dict[str, Any]], seconds: dict[str, float]) -> Any:
    """The comparison as a file; the seconds are of its runs, and perhaps of others."""
    from nascli.artifacts.architecture import Architecture
    from nascli.artifacts.comparison import Comparison, Runs
    from nascli.artifacts.header import provenance
    from nascli.commands.standings import standings

    names = [run["run"] for run in runs]
    measured = {"seconds": {name: took for name, took in seconds.items() if name in names}}
    headers = {name: Architecture.open(path.with_name(f"{name}.npy")).header for name in names}
    first = headers[names[0]]
    made = Comparison(Runs(runs, standings(runs), measured), space=first.space, data=first.data)
    inputs = {name: header.as_input() for name, header in headers.items()}
    made.header = made.header.model_copy(update={"inputs": inputs, "provenance": provenance()})
    return made.write(path)
