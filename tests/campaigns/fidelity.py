"""How well supernets rank architectures: a space where the truth is known, and what each training strategy gets of it.

    python tests/campaigns/fidelity.py [truth] [supernets] [report] [--folder DIR] [--data DIR] [--doc FILE]
        [--seeds 10] [--supernets 5] [--minutes M]

`truth` trains every architecture alone, `supernets` trains and scores supernets, `report` compares them and puts the
tables into the page; all three by default. What is done is kept in the folder: a campaign that was stopped goes on.
With --minutes it stops by itself, and exits 75 as long as something is left.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.campaigns.fidelity_report import DOC, run_report
from tests.campaigns.fidelity_supernets import run_supernets
from tests.campaigns.fidelity_truth import DATA, run_truth

STEPS = ("truth", "supernets", "report")


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("steps", nargs="*", choices=[*STEPS, []], default=[], metavar="truth | supernets | report")
    parser.add_argument("--folder", type=Path, default=Path("fidelity.run"), help="where trainings are kept")
    parser.add_argument("--data", type=Path, default=DATA, help="where the tables are")
    parser.add_argument("--doc", type=Path, default=DOC, help="the page that shows them")
    parser.add_argument("--seeds", type=int, default=10, help="trainings of each architecture alone")
    parser.add_argument("--supernets", type=int, default=5, help="supernets of each strategy")
    parser.add_argument("--minutes", type=float, default=1e9)
    told = parser.parse_args()
    told.folder.mkdir(parents=True, exist_ok=True)
    jobs = {
        "truth": lambda: run_truth(told.folder, told.data, told.seeds, told.minutes),
        "supernets": lambda: run_supernets(told.folder, told.data, told.supernets, told.minutes),
        "report": lambda: run_report(told.data, told.doc),
    }
    for step in told.steps or STEPS:
        code = jobs[step]()
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
