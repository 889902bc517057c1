"""A few steps of supernet training with every strategy on a chain space, a cell space and a network of one's own.

    python tests/campaigns/strategies.py [--folder DIR]

Prints a row for each strategy and space: images a second, the loss, or why the strategy refuses the space. Exits 1
if a training fails, or if a refusal or a training comes where the other is expected.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import sys
import tempfile
from pathlib import Path

from nascli.cli import run

EXAMPLES = Path(__file__).parents[2] / "examples"
SPACES = {
    "tiny": "{use: tiny, input_shape: [3, 32, 32], width: 4, classes: 4}",
    "spos": "{use: spos, strides: shipped, classes: 4}",
    "nasbench201": "{use: nasbench201, channels: 4, cells: 1, classes: 4}",
    "my_model": f"{{use: '{EXAMPLES}/my_model.py:MyModel', input_shape: [3, 32, 32], classes: 4}}",
}
MIXTURES = ("softmax", "gumbel_softmax", "sum", "gdas", "proxyless")
STRATEGIES = {
    "uniform": "uniform",
    "fair": "fair",
    "sandwich": "{use: sandwich, allow_unshared: true}",
    "constrained": "constrained",
    **{
        f"differentiable {mixture}": f"{{use: differentiable, mixture: {mixture}, "
        "hardware: [{metric: macs, weight: 0.1}]}"
        for mixture in MIXTURES
    },
}
REFUSED = {("my_model", "fair")}  # it takes k of n inputs
YAML = """
search_space: {space}
dataflow: {{use: synthetic, classes: 4, image_shape: [3, 32, 32], train_images: 128, test_images: 16, batch_size: 16}}
train_supernet: {{training_strategy: {strategy}, epochs: 1, panel: 2, panel_images: 16}}
threads: 2
"""


def trained(folder: Path, space: str, strategy: str) -> tuple[int, str]:
    """The exit code of a training, and what it said."""
    config = folder / "run.yaml"
    config.write_text(YAML.format(space=SPACES[space], strategy=STRATEGIES[strategy]))
    words = ["train-supernet", "-c", str(config), "-o", str(folder / "supernet.pt"), "--force", "--json"]
    bound = ["--constraint", "macs<=1e9"] if strategy == "constrained" else []
    said, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(errors):
        code = run([*words, *bound])
    if code:
        return code, errors.getvalue().strip().splitlines()[-1]
    log = [json.loads(line) for line in (folder / "supernet.pt.run" / "log.jsonl").read_text().splitlines()]
    last = [event for event in log if event["event"] == "train"][-1]
    return code, f"{last['images_per_s']:7.1f} images/s   loss {last['loss']:.3f}"


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for space in SPACES:
            for strategy in STRATEGIES:
                code, said = trained(folder, space, strategy)
                expected = 2 if (space, strategy) in REFUSED else 0
                wrong += code != expected
                mark = "" if code == expected else f"   WRONG: exit {code}, expected {expected}"
                print(f"{space:12} {strategy:30} {said[:120]}{mark}", flush=True)
    print(f"{len(SPACES) * len(STRATEGIES)} trainings, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
