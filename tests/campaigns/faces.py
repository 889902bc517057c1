"""Face recognition end to end on generated faces, with angular and triplet criteria, for several seeds.

    python tests/campaigns/faces.py [--seeds 3] [--folder DIR]

Each run trains a supernet of examples/faces.yaml, searches it under its constraint, retrains the winner and verifies
identities that no stage has seen. Prints a row a run, beside the cosines of raw pixels on the same pairs. Exits 1 if an
interval reaches chance, or what raw pixels do.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

from nascli.cli import run
from nascli.component import resolve
from nascli.training_agent.face_recognition import FaceRecognition
from nascli.training_agent.verification import drawn_pairs, similarities, verification

CONFIG = Path(__file__).parents[2] / "examples" / "faces.yaml"
CRITERIA = ("cosface", "arcface", "triplet")
RATES = {"triplet": "0.05"}


def chained(folder: Path, criterion: str, seed: int) -> dict[str, object]:
    """The report at the end of the stages."""
    rate = f"learning_rate={RATES.get(criterion, '0.1')}"
    told = ["-c", str(CONFIG), "-q", "--force", "--set", "threads=2", "--set", f"seed={seed}"]
    trains = ["--set", f"criterion={criterion}", "--set", rate]
    supernet, arch, model, report = (str(folder / name) for name in ("s.pt", "a.npy", "m.pt", "r.json"))
    for words in (
        [
            "train-supernet",
            *told,
            *(w.replace("criterion", "train_supernet.criterion") for w in trains),
            "-o",
            supernet,
        ],
        ["search", *told, "--supernet", supernet, "-o", arch],
        ["retrain", *told, *(w.replace("criterion", "retrain.criterion") for w in trains), "--arch", arch, "-o", model],
        ["evaluate", *told, "--model", model, "-o", report],
    ):
        errors = io.StringIO()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
            code = run(words)
        if code:
            raise SystemExit(f"{words[0]} ended with {code}:\n{errors.getvalue()}")
    found: dict[str, object] = json.loads(Path(report).read_text())["report"]
    return found


def raw() -> dict[str, object]:
    """The same pairs judged by the cosines of their pixels."""
    source = resolve("dataflow", {"use": "generated_faces"}).build().source("test")
    agent = FaceRecognition()
    pixels = source.load().reshape(len(source), -1).astype(np.float64)
    pairs = drawn_pairs(source.labels, agent.config.pairs, np.random.default_rng(agent.config.pairs_seed))
    return verification(similarities(pixels, pairs), pairs, source.labels, agent.config.folds, agent.config.far)


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    pixels, worse = raw(), 0
    print(
        f"{'criterion':10} {'seed':>4} {'AUC':>6} {'95 % interval':>16} {'accuracy':>9} {'EER':>6} {'TAR@.01':>9}  MACs"
    )
    rows = [("raw pixels", "", pixels)]
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        _print(*rows[0])
        for criterion in CRITERIA:
            for seed in range(options.seeds):
                report = chained(folder, criterion, seed)
                _print(criterion, str(seed), report)
                worse += report["auc_interval_95"][0] <= max(0.5, pixels["auc_interval_95"][1])  # type: ignore[index]
    print(f"{len(CRITERIA) * options.seeds} runs, {worse} not clearly better than chance and raw pixels")
    return 1 if worse else 0


def _print(criterion: str, seed: str, report: dict[str, object]) -> None:
    low, high = report["auc_interval_95"]  # type: ignore[misc]
    tar = report["tar_at_far"]["0.01"]  # type: ignore[index]
    macs = f"{report['macs']:,}" if "macs" in report else ""
    print(
        f"{criterion:10} {seed:>4} {report['auc']:6.3f} {f'{low:.3f} to {high:.3f}':>16} {report['accuracy']:9.3f} "
        f"{report['equal_error_rate']:6.3f} {tar:9.3f}  {macs}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
