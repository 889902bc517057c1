"""YAML and `--set` in all their wrong forms."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.campaigns.fault_kit import SEARCH, TRAIN, Case

ON_BAD = [TRAIN.replace("run.yaml", "bad.yaml")]


def yaml(text: str | bytes) -> Callable[[Path], None]:
    """Writes bad.yaml."""

    def prepare(folder: Path) -> None:
        (folder / "bad.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())

    return prepare


def laughs(levels: int, each: int = 9) -> str:
    """Anchors that stand for each other: each ** levels words if anyone unfolds them."""
    lines = ["a0: &a0 [lol, lol, lol]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * each)}]" for i in range(1, levels)]
    return "\n".join(lines)


WRONG_YAML = {  # name → text, words of the message
    "unknown key": ("seed: 1\nsearhc_space: tiny\n", ["bad.yaml:2", "did you mean 'search_space'"]),
    "unknown key in a section": ("train_supernet:\n  epocs: 3\n", ["bad.yaml:2", "did you mean 'epochs'"]),
    "unknown option of a component": ("dataflow:\n  use: digits\n  batchsize: 3\n", ["bad.yaml:3", "'batch_size'"]),
    "key of another stage misspelt": ("retrain:\n  mixpu: 0.2\n", ["bad.yaml:2", "did you mean 'mixup'"]),
    "section misspelt": ("train-supernet: {epochs: 3}\n", ["bad.yaml:1", "did you mean 'train_supernet'"]),
    "wrong type": ("train_supernet: {epochs: many}\n", ["bad.yaml:1", "epochs", "'many'"]),
    "fraction for a whole number": ("train_supernet: {epochs: 1.5}\n", ["bad.yaml:1", "1.5"]),
    "word for yes or no": ("dataflow: {use: digits, augment: {flip: on}}\n", ["bad.yaml:1", "'on'"]),
    "out of range": ("train_supernet: {epochs: -1}\n", ["bad.yaml:1", "-1"]),
    "not a number": ("train_supernet: {learning_rate: .nan}\n", ["bad.yaml:1", "finite"]),
    "list for a mapping": ("train_supernet: [1, 2]\n", ["bad.yaml:1"]),
    "mapping for a number": ("seed: {a: 1}\n", ["bad.yaml:1"]),
    "number for a component": ("dataflow: 3\n", ["bad.yaml:1"]),
    "duplicate key": ("seed: 1\nseed: 2\n", ["bad.yaml:2", "stands twice"]),
    "duplicate key below": ("train_supernet:\n  epochs: 1\n  epochs: 2\n", ["bad.yaml:3", "stands twice"]),
    "tab": ("train_supernet:\n\tepochs: 3\n", ["line 2"]),
    "list at the top": ("- seed\n", ["bad.yaml:1"]),
    "scalar at the top": ("seed\n", ["bad.yaml:1"]),
    "two documents": ("seed: 1\n---\nseed: 2\n", ["line 2"]),
    "open bracket": ("seed: [1, 2\n", ["line"]),
    "alias": ("seed: &s 1\nthreads: *s\n", ["line 1", "aliases (*) are not supported"]),
    "merge key": ("<<: {seed: 1}\n", ["bad.yaml:1"]),
    "tag that makes objects": ("seed: !!python/object/apply:os.system ['touch sprung']\n", ["bad.yaml:1"]),
    "key that is a list": ("? [a, b]\n: 1\n", ["bad.yaml:1"]),
    "nested too deep": ("seed: " + "[" * 100_000 + "\n", ["line 1"]),
    "control character": ("seed: \x07\n", ["bad.yaml"]),
    "not UTF-8": (b"seed: 1\n# \xff\xfe caf\xe9\n", ["not UTF-8"]),
    "UTF-16": ("seed: 1\n".encode("utf-16"), ["not UTF-8"]),
    "markup in a key": ("'[bold]x[/bold]': 1\n", ["[bold]x[/bold]"]),
    "markup in a value": ("train_supernet: {epochs: '[red]2[/red]'}\n", ["[red]2[/red]"]),
    "stages names nobody": ("stages: {search: nobody-has-this}\n", ["bad.yaml:1", "nobody-has-this"]),
}
WRONG_SETS = (
    "x", "=1", "", "seed", ".seed=1", "seed.=1", "a..b=1", "seeed=1", "train_supernet.epocs=1", "epochs=a=b",
    "epochs=", "epochs=1e3", "epochs=on", "epochs=1.5", "epochs=[1]", "epochs={a: 1}", "epochs=[1", "epochs=.nan",
    "epochs=1e999", "epochs.deep=1", "train_supernet=5", "search=[1]", "dataflow=nothing", "dataflow.use=nothing",
    "dataflow=3", "dataflow={use: 3}", "dataflow.batchsize=3", "dataflow.batch_size=x", "dataflow.augment.flip=on",
    "stages.search=x", "epochs=!!python/name:os.system", "epochs=&a [*a]", "retrain.mixpu=1", "'[bold]=1'",
)  # fmt: skip

CASES = [
    *(Case(f"YAML: {name}", ON_BAD, 2, prepare=yaml(text), says=says) for name, (text, says) in WRONG_YAML.items()),
    Case("YAML: a billion laughs", ON_BAD, 2, prepare=yaml(laughs(12)), says=["aliases (*)"], mib=200),
    Case("YAML: laughs in 10 MB", ON_BAD, 2, prepare=yaml(laughs(100_000, 20)), mib=900, slow=True),
    Case("YAML missing", ON_BAD, 2, says=["cannot read bad.yaml"]),
    Case("YAML is a folder", ON_BAD, 2, prepare=lambda folder: (folder / "bad.yaml").mkdir(), says=["bad.yaml"]),
    Case("YAML empty", ["build-lut -c bad.yaml --dry-run -o new.h5"], 0, prepare=yaml("")),
    *(Case(f"--set {text}", [f'{TRAIN} --set "{text}"'], 2) for text in WRONG_SETS),
    Case("--set without a value", [f"{TRAIN} --set"], 2),
    Case("--set constraint=5", [f"{SEARCH} --set 'constraint={value}'" for value in ("5", "[5]", "{macs: 5}")], 2),
    Case("--set constraint=[macs<=x]", [f"{SEARCH} --set 'constraint=[macs<=x]'"], 2, says=["cannot read the"]),
    Case("NASCLI_SEED=abc", [TRAIN], 2, env={"NASCLI_SEED": "abc"}, says=["NASCLI_SEED"]),
    Case("NASCLI_SEED=-1", [TRAIN], 2, env={"NASCLI_SEED": "-1"}, says=["NASCLI_SEED"]),
    Case(
        "flags: wrong values",
        [
            f"{TRAIN} {flag}"
            for flag in (
                "--epochs x",
                "--seed 1.5",
                "--accelerator gpu",
                "--precision 8",
                "--nothing",
                "word",
                "--epochs 0",
            )
        ],
        2,
    ),
    Case("flags: no -o", ["build-lut -c run.yaml"], 2, says=["--out"]),
    Case("flags: no required input", ["retrain -c run.yaml -o new.pt", "evaluate -o new.json"], 2, says=["make one"]),
    Case("command unknown", ["serach", "inspct lut.h5", "--nothing"], 2),
]
