"""Every bad input and fault that nascli must survive, tried through the command line.

    python tests/campaigns/faults.py [--only WORDS] [--jobs 2] [--folder DIR]

Each fault starts from a fresh copy of a small chain of artifacts. Prints a table and exits 1 if an exit code, a
message or the memory is not what it must be, or a file that was there is not what it was.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from nascli.console import out
from tests.campaigns import (
    fault_cases_artifacts,
    fault_cases_components,
    fault_cases_config,
    fault_cases_costs,
    fault_cases_hostile,
    fault_cases_images,
    fault_cases_measurements,
    fault_cases_output,
    fault_cases_processes,
    fault_cases_runs,
)
from tests.campaigns.fault_kit import Case, Result, child, make_base, run_case

MODULES = (
    fault_cases_artifacts,
    fault_cases_hostile,
    fault_cases_costs,
    fault_cases_config,
    fault_cases_components,
    fault_cases_output,
    fault_cases_images,
    fault_cases_measurements,
    fault_cases_processes,
    fault_cases_runs,
)
CASES: tuple[Case, ...] = tuple(case for module in MODULES for case in module.CASES)
COLUMNS = ("", "fault", "tries", "expected", "found", "files kept", "message", "peak MiB")


def row(result: Result) -> tuple[object, ...]:
    """A line of the table; what is wrong is marked."""
    said = any(word in wrong for wrong in result.wrong for word in ("no line", "traceback", "is not said"))
    mark = "WRONG" if result.wrong else ""
    case = result.case
    peak = round(result.mib) or None
    return (mark, case.fault, len(result.tried), case.code, result.codes, result.kept, not said, peak)


def run_all(cases: Sequence[Case], folder: Path, jobs: int) -> list[Result]:
    """All cases, `jobs` at a time; those that are timed against processes come alone, at the end."""
    base = make_base(folder / "base", child)
    numbered = [(case, base, folder / f"case {i}") for i, case in enumerate(cases)]
    together = [entry for entry in numbered if not entry[0].act]
    with ThreadPoolExecutor(jobs) as pool:
        results = list(pool.map(lambda entry: run_case(*entry), together))
    return results + [run_case(*entry) for entry in numbered if entry[0].act]


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="faults whose names hold these words")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=None)
    told = parser.parse_args()
    folder = told.folder or Path(tempfile.mkdtemp(prefix="nascli-faults-"))
    results = run_all([case for case in CASES if told.only in case.fault], folder, told.jobs)
    out.table("faults", COLUMNS, [row(result) for result in results])
    wrong = [result for result in results if result.wrong]
    for result in wrong:
        out.text("\n  ".join((f"{result.case.fault}:", *result.wrong)))
    tries = sum(len(result.tried) for result in results)
    out.text(f"{len(results)} faults, {tries} tries, {len(wrong)} with a mismatch")
    shutil.rmtree(folder / "base" if told.folder else folder, ignore_errors=True)
    return 1 if wrong or not results else 0


if __name__ == "__main__":
    sys.exit(main())
