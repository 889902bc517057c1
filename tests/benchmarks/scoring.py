"""What each measure saves in scoring a population with the weights of a supernet, and all of them together.

    python -m tests.benchmarks.scoring --rounds 6 --out scoring.jsonl

The baseline scores one network after another, eager, NCHW, with torch's `update_bn`. In each round all ways of scoring
are timed in random order, so a ratio compares neighbours in time. The populations are those of
`recorded_evolution.json`. A measure that works on one network at a time is timed on the first few of a population;
the prefix tree, and all measures together, on the whole of it.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nascli.dataflow.synthetic import Synthetic
from nascli.engine import Engine
from nascli.search_space.base import SearchSpace
from nascli.search_strategy.base import Score
from nascli.space import Archs
from nascli.training_agent.classification import Classification
from nascli.training_agent.prefix_tree import grow, saved
from nascli.training_agent.scorer import Images, Measures, Scorer
from nascli.training_agent.scoring import Replay
from tests.benchmarks.pairs import Clock, ratio
from tests.benchmarks.recorded_evolution import GENERATIONS, SPACES, built, recorded
from tests.training_agent.helpers import scored_alone

ENGINE, AGENT = Engine("cpu"), Classification()
IMAGES = 256
SWITCHES = ("inference", "overwrite", "fold", "small")
NOTHING: dict[str, Any] = {**dict.fromkeys(SWITCHES, False), "prefix_tree": "off"}
ALONE: dict[str, dict[str, Any]] = {
    "inference mode": {"inference": True},
    "channels_last": {"channels_last": True},
    "overwriting": {"overwrite": True},
    "folding": {"fold": True},
    "32 at a time": {"small": True},
    "prefix tree": {"prefix_tree": "on"},
}
TOGETHER = {"channels_last": True, **dict.fromkeys(SWITCHES, True), "prefix_tree": "auto"}
WHOLE = ("prefix tree", "together")
Way = Callable[[Archs], list[Score]]


def data() -> Synthetic:
    """256 images to re-estimate BatchNorm, and 256 to judge, in batches of 64."""
    sizes = {"train_images": 2 * IMAGES, "test_images": 64, "batch_size": 64, "valid_share": 0.5}
    return Synthetic(Synthetic.Config(classes=10, image_shape=(3, 32, 32), **sizes))


def given(*, channels_last: bool) -> Images:
    """The images, read."""
    splits = ("train", "valid")
    images = Images(
        *(Replay(data(), split, ENGINE, limit=IMAGES, seed=0, channels_last=channels_last) for split in splits)
    )
    assert [sum(len(b.images) for b in part) for part in (images.calibration, images.validation)] == [IMAGES, IMAGES]
    return images


def placed(module: Any, *, channels_last: bool) -> Any:
    """A copy in one layout."""
    return copy.deepcopy(module).to(memory_format=torch.channels_last if channels_last else torch.contiguous_format)


def ways(space: SearchSpace) -> dict[str, Way]:
    """All ways to score, with the same weights."""
    with ENGINE.seeded(0):
        module = space.supernet()
    eager, images = placed(module, channels_last=False), given(channels_last=False)

    def baseline(archs: Archs) -> list[Score]:
        return [scored_alone(eager, space.space.forward(arch), images, AGENT, ENGINE) for arch in archs]

    def way(*, channels_last: bool = False, **measures: Any) -> Way:
        found = Scorer(
            placed(module, channels_last=channels_last),
            space.space,
            given(channels_last=channels_last),
            AGENT,
            ENGINE,
            Measures(**{**NOTHING, **measures}),
        )

        def scored(archs: Archs) -> list[Score]:
            scores: dict[int, Score] = {}
            for rows in found.groups(archs):
                scores |= dict(zip(rows, found.score(archs[rows]), strict=True))
            return [scores[row] for row in range(len(archs))]

        return scored

    return {"baseline": baseline, **{name: way(**told) for name, told in ALONE.items()}, "together": way(**TOGETHER)}


def one_round(found: dict[str, Way], archs: Archs, few: int, rng: np.random.Generator, clock: Clock) -> dict[str, Any]:
    """Seconds of each way, of the baseline on few architectures and on all; and how far its scores are from those."""
    sizes = {name: sizes_of(name, few, len(archs)) for name in found}
    sizes["baseline"] = tuple({n for several in sizes.values() for n in several})
    works = {f"{name} {n}": (found[name], archs[:n]) for name, several in sizes.items() for n in several}
    seconds: dict[str, float] = {}
    scores: dict[str, list[Score]] = {}
    for name in rng.permutation(list(works)).tolist():
        way, rows = works[name]
        start = clock()
        scores[name] = way(rows)
        seconds[name] = clock() - start
    expected = scores[f"baseline {len(archs)}"]
    off = {
        name: max(abs(a.accuracy - b.accuracy) for a, b in zip(rows, expected, strict=False))
        for name, rows in scores.items()
    }
    return {"seconds": seconds, "off": off}


def sizes_of(name: str, few: int, everyone: int) -> tuple[int, ...]:
    """On how many architectures a way is timed."""
    return (everyone,) if name in WHOLE or name == "baseline" else (few,)


def measured(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One row a round, space and generation."""
    rng, made = np.random.default_rng(arguments.seed), {name: built(name) for name in arguments.space}
    clock = time.process_time if arguments.clock == "cpu" else time.perf_counter
    found = {
        name: {way: work for way, work in ways(space).items() if way in ("baseline", *arguments.ways)}
        for name, space in made.items()
    }
    for n in range(arguments.rounds):
        for name, all_ways in found.items():
            for generation in arguments.generation:
                archs = recorded(name, generation)[: arguments.candidates]
                if not n:
                    one_round(all_ways, archs[:1], 1, rng, clock)
                threads = torch.get_num_threads()
                row = {"space": name, "generation": generation, "few": min(arguments.few, len(archs)), "n": len(archs)}
                yield {**row, "threads": threads, **one_round(all_ways, archs, row["few"], rng, clock)}


def table(rows: list[dict[str, Any]]) -> str:
    """Ratios with their intervals, in Markdown."""
    cases: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        cases[row["space"], row["generation"]].append(row)
    names = [*ALONE, "together"]
    shares = {case: share(*case) for case in cases}
    lines = [
        "| space | generation | MACs a tree saves | one by one, s a network | " + " | ".join(names) + " |",
        "|" + "---|" * (4 + len(names)),
    ]
    for (space, generation), several in cases.items():
        few, n = several[0]["few"], several[0]["n"]
        base = np.median([row["seconds"][f"baseline {n}"] for row in several]) / n
        cells = []
        for name in names:
            size = n if name in WHOLE else few
            seconds = [row["seconds"] for row in several if f"{name} {size}" in row["seconds"]]
            pairs = [(row[f"baseline {size}"], row[f"{name} {size}"]) for row in seconds]
            cells.append(str(ratio(pairs)) if pairs else "")
        head = f"| {space} | {generation} | {shares[space, generation]:.1%} | {base:.2f} | "
        lines.append(head + " | ".join(cells) + " |")
    worst = max(value for row in rows for value in row["off"].values())
    return "\n".join([*lines, "", f"Largest change of an accuracy by any measure: {worst * IMAGES:.0f} of {IMAGES}."])


def share(name: str, generation: int) -> float:
    """What a tree saves of a recorded generation."""
    space = built(name)
    images = given(channels_last=True)
    scorer = Scorer(space.supernet(), space.space, images, AGENT, ENGINE)
    return saved(grow(scorer.pieces, recorded(name, generation)))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--space", nargs="+", default=SPACES)
    parser.add_argument("--generation", nargs="+", type=int, default=GENERATIONS)
    parser.add_argument("--ways", nargs="+", default=[*ALONE, "together"], help="what is timed beside the baseline")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--candidates", type=int, default=16)
    parser.add_argument("--few", type=int, default=4, help="candidates for what works on one network at a time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="cpu: where others use the machine")
    parser.add_argument("--out", type=Path, default=Path("scoring.jsonl"), help="rounds are appended to it")
    arguments = parser.parse_args()
    if arguments.clock == "cpu" and torch.get_num_threads() != 1:
        parser.error("--clock cpu needs one thread: OMP_NUM_THREADS=1")
    for row in measured(arguments):
        with arguments.out.open("a") as stream:
            stream.write(json.dumps(row) + "\n")
    print(table([json.loads(line) for line in arguments.out.read_text().splitlines()]))


if __name__ == "__main__":
    main()
