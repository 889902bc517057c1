"""Components that are not there, do not import, are of another kind, or lack a part."""

from __future__ import annotations

from pathlib import Path

from tests.campaigns.fault_kit import LUT, TRAIN, Case

MODULES = {
    "raises.py": "import math\n\n\ndef deeper() -> float:\n    return math.sqrt(-1)\n\n\ndeeper()\n",
    "exits.py": "import sys\n\nsys.exit('[bold]no[/bold]')\n",
    "syntax.py": "class Mine:\n    def loss(self:\n        pass\n",
    "lacks_import.py": "import a_package_that_nobody_has\n",
    "binary.py": "\x00\x01",
    "other.py": "from nascli.criterion.base import Criterion\n\n\nclass Mine(Criterion):\n    def build(self): ...\n",
    "plain.py": "class Mine:\n    pass\n",
    "incomplete.py": "from nascli.search_space.base import SearchSpace\n\n\nclass Mine(SearchSpace):\n    pass\n",
    "function.py": "def Mine():\n    pass\n",
    "recursive.py": "from nascli.component import resolve\n\nresolve('search_space', 'recursive.py:Mine')\n",
    "loud.py": "class Mine(\n",
}


def modules(folder: Path) -> None:
    """Files of a user's own, each wrong in its way."""
    for name, text in MODULES.items():
        (folder / name).write_text(text)
    (folder / "folder").mkdir()
    (folder / "not_python.txt").write_text("Mine\n")


REFERENCES = {  # reference → words of the message
    "tinny": ["did you mean 'tiny'"],
    "[bold]": ["[bold]"],
    "''": ["search_space"],
    "nowhere.module:Mine": ["nowhere"],
    "nascli.search_space.tiny:Tinny": ["did you mean 'Tiny'"],
    "nascli.criterion.cross_entropy:CrossEntropy": ["not a SearchSpace"],
    "./nothing.py:Mine": ["nothing.py"],
    "./folder:Mine": ["folder"],
    "./not_python.txt:Mine": ["not_python.txt"],
    "./raises.py:Mine": ["raises.py", "line 5", "ValueError"],
    "./exits.py:Mine": ["exits.py", "line 3"],
    "./syntax.py:Mine": ["syntax.py", "line 2"],
    "./lacks_import.py:Mine": ["a_package_that_nobody_has", "line 1"],
    "./binary.py:Mine": ["binary.py"],
    "./other.py:Mine": ["not a SearchSpace"],
    "./plain.py:Mine": ["not a SearchSpace"],
    "./plain.py:Yours": ["no class 'Yours'"],
    "./plain.py:": ["plain.py"],
    "./function.py:Mine": ["gives a NoneType, not an nn.Module"],
    "./incomplete.py:Mine": ["lacks describe"],
    ":Mine": ["could not be imported"],
    "a:b:c": ["a:b"],
}


def in_yaml(folder: Path) -> None:
    """The YAML in a folder of its own: references start there, and the message says where they stand."""
    modules(folder)
    (folder / "settings").mkdir()
    (folder / "settings/mine.yaml").write_text("seed: 1\nsearch_space: {use: ./raises.py:Mine}\n")
    (folder / "settings/raises.py").write_text("raise RuntimeError('in the folder of the YAML')\n")


CASES = [
    *(
        Case(f"component {use}", [f"{LUT} --search-space {use}"], 2, prepare=modules, says=says)
        for use, says in REFERENCES.items()
    ),
    Case("component imports itself", [f"{LUT} --search-space ./recursive.py:Mine"], 2, prepare=modules),
    Case(
        "component named in the YAML",
        [LUT.replace("run.yaml", "settings/mine.yaml")],
        2,
        prepare=in_yaml,
        says=["settings/mine.yaml:2", "in the folder of the YAML"],
    ),
    Case(
        "component of each kind",
        [f"{TRAIN} --{kind} no" for kind in ("training-strategy", "training-agent", "criterion", "dataflow")]
        + ["search -o new.npy --search-strategy no", "search -o new.npy --evaluator no", f"{LUT} --set meters=[no]"],
        2,
        says=["is called 'no'", "nascli list"],
    ),
]
