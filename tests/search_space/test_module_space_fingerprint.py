from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from nascli.component import resolve
from nascli.config import Origin
from nascli.search_space.module_space import ModuleSpace
from nascli.supernet.mutables import LayerChoice

from .networks import CLASSES, SHAPE, of

MINE = """
import torch
from torch import nn
from nascli.supernet.mutables import LayerChoice


class Mine(nn.Module):
    '''Mine.'''

    def __init__(self, input_shape: tuple[int, int, int], classes: int, width: int = 4, pool: int = 2) -> None:
        super().__init__()
        torch.manual_seed(torch.seed())  # other weights each time
        self.choice = LayerChoice([nn.Conv2d(input_shape[0], width, k, padding=k // 2) for k in (1, 3)])
        self.pool, self.head = nn.MaxPool2d(pool), nn.Linear(width, classes)

    def forward(self, x):
        return self.head(self.pool(self.choice(x)).mean((2, 3)))
"""
USE = {"use": "./mine.py:Mine", "input_shape": [2, 8, 8], "classes": 3}


def fingerprint(folder: Path, text: str = MINE, **options: object) -> str:
    folder.mkdir(exist_ok=True)
    (folder / "mine.py").write_text(text)
    space: ModuleSpace = resolve("search_space", {**USE, **options}, Origin(base=folder)).build()
    return space.space.fingerprint


def test_the_fingerprint_is_that_of_another_process(tmp_path: Path) -> None:
    here = fingerprint(tmp_path)
    code = f"""
from nascli.component import resolve
filler = [object() for _ in range(10_000)]
print(resolve("search_space", {USE!r}).build().space.fingerprint)
"""
    command = [sys.executable, "-c", code]
    there = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert there.stdout.strip() == here


def test_the_fingerprint_does_not_change_with_weights(tmp_path: Path) -> None:
    assert fingerprint(tmp_path) == fingerprint(tmp_path)


CHANGES = {
    "an option": {"width": 6},
    "an option without weights": {"pool": 1},
    "the input shape": {"input_shape": [2, 6, 8]},
    "the classes": {"classes": 4},
}


@pytest.mark.parametrize("what", CHANGES)
def test_the_fingerprint_changes_with(what: str, tmp_path: Path) -> None:
    assert fingerprint(tmp_path, **CHANGES[what]) != fingerprint(tmp_path)


def test_the_fingerprint_changes_with_a_comment_in_the_file(tmp_path: Path) -> None:
    assert fingerprint(tmp_path / "a", MINE + "# note\n") != fingerprint(tmp_path / "b")


def test_the_fingerprint_changes_with_the_shapes_of_weights() -> None:
    def made(width: int) -> ModuleSpace:
        def network() -> nn.Module:
            layer = nn.Conv2d(SHAPE[0], width, 1)
            layers = LayerChoice([nn.Identity(), nn.ReLU()]), nn.Flatten(), nn.LazyLinear(CLASSES)
            net = nn.Sequential(layer, *layers)
            with torch.no_grad():
                net[3](torch.zeros(1, width * SHAPE[1] * SHAPE[2]))
            return net

        return of(network)

    assert made(4).space.fingerprint == made(4).space.fingerprint != made(5).space.fingerprint
