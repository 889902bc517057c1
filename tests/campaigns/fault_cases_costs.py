"""Lookup tables with wrong cells, architectures that fit no space, constraints, a space without a choice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.campaigns.fault_cases_artifacts import readers
from tests.campaigns.fault_kit import LUT, RETRAIN, SEARCH, YAML, Case, Tried

Factors = tuple[tuple[tuple[int, ...], Any], ...]


def table(change: Callable[[Factors], Factors]) -> Callable[[Path], None]:
    """Writes bad-lut.h5: other costs of the MACs, under a digest that fits."""

    def prepare(folder: Path) -> None:
        from nascli.artifacts.lookup_table import LookupTable, Table

        lut = LookupTable.open(folder / "lut.h5")
        columns = dict(lut.payload.columns)
        columns["macs"] = replace(columns["macs"], factors=change(columns["macs"].factors))
        LookupTable(Table(columns), header=lut.header).write(folder / "bad-lut.h5")

    return prepare


def cell(value: float) -> Callable[[Factors], Factors]:
    """layer_02's third candidate costs `value`."""

    def change(factors: Factors) -> Factors:
        costs = factors[2][1].astype(float)
        costs[2] = value
        return (*factors[:2], ((2,), costs), *factors[3:])

    return change


def no_layer(factors: Factors) -> Factors:
    """The first layer is missing."""
    return factors[1:]


def no_candidate(factors: Factors) -> Factors:
    """layer_00 lacks its last candidate."""
    return ((factors[0][0], factors[0][1][:-1]), *factors[1:])


def vectors(folder: Path) -> None:
    """Plain vectors of numpy that are no architecture of the space, with and without a header."""
    import numpy as np

    good = [0, 0, 1, 0, 1, 0]
    bad = {
        "short": good[:-1], "long": [*good, 0], "large": [9, *good[1:]], "negative": [-1, *good[1:]],
        "float": [float(i) for i in good], "square": [good, good], "text": list("001010"), "none": [],
    }  # fmt: skip
    for name, vector in bad.items():
        np.save(folder / f"{name}.npy", np.array(vector))


def sealed(arch: Sequence[int]) -> Callable[[Path], None]:
    """Writes bad-arch.npy: an architecture under a digest that fits, but not of its space."""

    def prepare(folder: Path) -> None:
        from nascli.artifacts.architecture import Architecture, Choice

        Architecture(Choice(tuple(arch)), header=Architecture.open(folder / "arch.npy").header).write(
            folder / "bad-arch.npy"
        )

    return prepare


def cheapest(folder: Path, tried: Sequence[Tried]) -> str:
    """What is wrong if the search did not find the one architecture that is left."""
    import numpy as np

    return "" if not np.load(folder / "new.npy").any() else "not the cheapest architecture"


def one_candidate(folder: Path) -> None:
    """A user's space: three layers, and nothing to choose."""
    (folder / "spaces").mkdir()
    (folder / "spaces/only.py").write_text(ONLY)


def huge(folder: Path) -> None:
    """Settings of 4^50 architectures, more than 10^30; and two spaces with nothing to choose from."""
    beside = "\n".join(line for line in YAML.splitlines() if not line.startswith(("search_space:", "  ", "search:")))
    (folder / "huge.yaml").write_text(HUGE + beside)
    (folder / "none.yaml").write_text((HUGE + beside).replace(HUGE_CANDIDATES, "[]"))
    (folder / "none.py").write_text(ONLY.replace(ONLY_CANDIDATES, "()"))


def told_to_be_huge(folder: Path, tried: Sequence[Tried]) -> str:
    """What is wrong if the number of architectures is not told."""
    return "" if "1.3e30 architectures" in tried[-1].stdout else f"1.3e30 is not said: {tried[-1].stdout[-300:]}"


ONLY = """
from nascli.search_space.chain import Block, ChainSpace, Layer, Macro, Stage


class Only(ChainSpace):
    def macro_cfg(self) -> Macro:
        stem = Stage(Block("stem", "conv", {"kernel": 3}), self.config.input_shape[0], 4)
        pool, head = Stage(Block("pool", "global_average"), 4, 4), Stage(Block("head", "classifier"), 4, 10)
        return Macro((stem,), (Layer(4, 4), Layer(4, 4, stride=2), Layer(4, 4)), (pool, head))

    def micro_cfg(self) -> tuple[Block, ...]:
        return (Block("mobile", "mobile", {"kernel": 3, "expansion": 2}),)
"""
OF_ONE = "-c run.yaml --search-space ./spaces/only.py:Only --set search_space.input_shape=[1,8,8]"
HUGE = """
search_space:
  use: chain
  input_shape: [1, 8, 8]
  classes: 10
  first: [{op: conv, out: 4, kernel: 3, stride: 2}]
  search: [{out: 4, repeat: 50}]
  candidates: [{op: skip}, {op: conv, kernel: 1}, {op: conv, kernel: 3}, {op: depthwise, kernel: 3}]
build_lut: {meters: [macs]}
search: {max_evaluations: 4}
"""
HUGE_CANDIDATES = HUGE.partition("candidates: ")[2].splitlines()[0]
ONLY_CANDIDATES = ONLY.rpartition("return ")[2].strip()
CHAIN_OF_ONE = [
    f"build-lut {OF_ONE} -o new.h5",
    f"train-supernet {OF_ONE} -o new.pt",
    f"search {OF_ONE} --lut new.h5 --supernet new.pt -o new.npy",
    f"retrain {OF_ONE} --arch new.npy --init new.pt -o newer.pt",
    f"evaluate {OF_ONE} --model newer.pt --lut new.h5 -o new.json",
]
HAND = "retrain -c run.yaml -o old.pt --force --search-space tiny --set search_space.width=4 --arch"
MINIMUM = 2464 + 512 + 512  # MACs of the fixed part and of the two skips that change the shape

CASES = [
    *(
        Case(f"table with {name}", readers(lambda file: f"bad-{file}", "lut.h5"), prepare=table(change), says=says)
        for name, change, says in (
            ("NaN", cell(float("nan")), ["layer_02=mobile_k3_e4 is nan"]),
            ("an infinite cost", cell(float("inf")), ["layer_02=mobile_k3_e4 is inf"]),
            ("a negative cost", cell(-1.0), ["layer_02=mobile_k3_e4 is -1.0"]),
            ("a missing layer", no_layer, ["layer_00"]),
            ("a missing candidate", no_candidate, ["layer_00"]),
        )
    ),
    *(
        Case(
            f"architecture, {name}", [f"{HAND} {file}.npy", f"{HAND} {file}.npy --dry-run"], prepare=vectors, says=says
        )
        for name, file, says in (
            ("too short", "short", ["6"]),
            ("too long", "long", ["6"]),
            ("index too large", "large", ["layer_00"]),
            ("index negative", "negative", ["layer_00"]),
            ("float", "float", ["float64"]),
            ("two-dimensional", "square", ["(2, 6)"]),
            ("text", "text", ["<U1"]),
            ("empty", "none", []),
        )
    ),
    Case(
        "architecture by hand", [f"{HAND}{arch}" for arch in ("=0,1", "=0,a,0,0,0,0", "=9,0,0,0,0,0", "=-1,0,0,0,0,0")]
    ),
    *(
        Case(
            f"architecture sealed, {name}",
            [RETRAIN.replace("arch.npy", "bad-arch.npy"), "inspect --check bad-arch.npy"],
            prepare=sealed(arch),
        )
        for name, arch in (("too short", (0, 0)), ("index too large", (9, 0, 0, 0, 0, 0)))
    ),
    Case(
        "constraint infeasible",
        [f"{SEARCH} --constraint '{bound}'" for bound in (f"macs<={MINIMUM - 1}", "params>=1e12")]
        + [
            f"{SEARCH} --constraint 'macs<={MINIMUM - 1}' --dry-run",
            f"{SEARCH} --constraint 'macs<=1e4' --constraint 'macs>=2e4'",
        ],
        4,
    ),
    Case("constraint names the smallest", [f"{SEARCH} --constraint 'macs<=1'"], 4, says=[f"{MINIMUM}"]),
    Case(
        "constraint exactly minimal",
        [f"search -c run.yaml --lut lut.h5 --supernet supernet.pt -o new.npy --constraint 'macs<={MINIMUM}'"],
        0,
        after=cheapest,
        makes=["new.npy", "new.history.h5"],
    ),
    Case("constraint on an unknown metric", [f"{SEARCH} --constraint 'mcas<=1e5'"], 2, says=["did you mean 'macs'"]),
    Case(
        "constraint malformed",
        [
            f"{SEARCH} --constraint '{bound}'"
            for bound in (
                "macs",
                "macs<3",
                "macs=3",
                "<=3",
                "macs<=",
                "macs<=x",
                "macs<=-1",
                "macs<=nan",
                "macs<=1e999",
                "macs<=3<=4",
                "[bold]<=3",
                "",
            )
        ],
        2,
        says=["cannot read the constraint"],
    ),
    Case(
        "one candidate everywhere",
        CHAIN_OF_ONE,
        0,
        prepare=one_candidate,
        makes=["new.h5", "new.pt", "new.npy", "new.history.h5", "newer.pt", "new.json", "new.mistakes.h5"],
    ),
    Case(
        "10^30 architectures",
        [
            "build-lut -c huge.yaml -o new.h5",
            "train-supernet -c huge.yaml -o new.pt",
            "search -c huge.yaml --lut new.h5 --supernet new.pt --constraint 'macs<=1e4' -o new.npy",
            "inspect new.npy",
        ],
        0,
        prepare=huge,
        after=told_to_be_huge,
        makes=["new.h5", "new.pt", "new.npy", "new.history.h5"],
    ),
    Case(
        "a layer without candidates",
        ["build-lut -c none.yaml -o old.h5 --force", f"{LUT} --search-space ./none.py:Only"],
        2,
        ["candidates"],
        huge,
    ),
]
