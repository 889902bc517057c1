"""`nascli doctor`: what it finds, and that nothing it looks at can break it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from nascli.commands.checkup import ENVIRONMENT, _reinstall, _requirement, check_environment, check_folder
from tests.commands.plugin import install
from tests.conftest import ROOT, Command


def examined(nascli: Command, code: int, **env: str) -> dict[str, Any]:
    done = nascli("doctor", "--json", **env)
    assert (done.returncode, done.stderr) == (code, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def faked(folder: Path, torch: str, torchvision: str) -> dict[str, str]:
    """Packages of these contents before the installed ones."""
    for name, text in (("torch", torch), ("torchvision", torchvision)):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(text)
    return {"PYTHONPATH": str(folder)}


def test_a_good_installation_exits_0(nascli: Command) -> None:
    done = nascli("doctor", "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 0
    assert {"python", "nascli", "torch", "torchvision", "numpy", "h5py", "pydantic"} <= found["versions"].keys()
    assert found["devices"]["cpu_threads"] == 1
    assert found["plugins"]["stages"][0] == "build-lut"
    assert found["disk"]["writable"]
    assert not [problem for problem in found["problems"] if problem["fatal"]]


def test_a_torchvision_that_does_not_fit_is_named_with_the_pip_command(nascli: Command, tmp_path: Path) -> None:
    broken = 'raise RuntimeError("operator torchvision::nms does not exist")'
    done = nascli("doctor", COLUMNS="300", **faked(tmp_path / "site", "", broken))
    assert done.returncode == 2
    assert re.search(r"torchvision \S+ does not fit torch \S+: it cannot be imported", done.stdout)
    assert "operator torchvision::nms does not exist" in done.stdout
    assert "pip install --force-reinstall" in done.stdout


@pytest.mark.parametrize(
    ("torch", "why"),
    [("raise ImportError('libcudart.so.13')", "libcudart.so.13"), ("import os; os._exit(7)", "ended with code 7")],
)
def test_a_torch_that_fails_or_crashes_does_not_break_doctor(
    torch: str, why: str, nascli: Command, tmp_path: Path
) -> None:
    found = examined(nascli, 2, **faked(tmp_path / "site", torch, ""))
    assert found["devices"] == {}
    assert any(p["fatal"] and p["what"].startswith("torch ") and why in p["why"] for p in found["problems"])


def test_a_broken_plugin_is_a_warning(nascli: Command, tmp_path: Path) -> None:
    text = "[nascli.stages]\nprune = broken:prune\n[nascli.meter]\nwatts = broken:Watts\n"
    path = install(tmp_path / "site", "broken", text, {"broken.py": "import nothing_like_it"})
    problems = examined(nascli, 0, PYTHONPATH=path)["problems"]
    assert [problem["what"].partition("'")[2].partition("'")[0] for problem in problems] == ["prune", "watts"]
    assert all("nothing_like_it" in problem["why"] for problem in problems)


def test_a_name_that_two_packages_claim_is_a_warning(nascli: Command, tmp_path: Path) -> None:
    path = install(tmp_path / "site", "other", "[nascli.meter]\nmacs = other:Macs\n", {"other.py": ""})
    (problem,) = examined(nascli, 0, PYTHONPATH=path)["problems"]
    assert "nascli and other" in problem["what"]


def test_an_unknown_variable_is_a_warning_with_the_closest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASCLI_SEEED", "1")
    facts, problems = check_environment()
    assert facts["NASCLI_SEEED"] == "1"
    assert problems[0].what == "NASCLI_SEEED has no effect; did you mean 'NASCLI_SEED'?"


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="root may write everywhere else")
def test_a_folder_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    facts, problems = check_folder(Path("/proc"))
    assert not facts["writable"]
    assert any("cannot be written" in problem.what for problem in problems)
    assert check_folder(tmp_path)[0]["writable"]


def test_the_documented_variables_are_those_that_the_code_reads() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "nascli").rglob("*.py")]
    assert {name for text in texts for name in re.findall(r"NASCLI_[A-Z_]+[A-Z]", text)} == set(ENVIRONMENT)


@pytest.mark.parametrize(
    ("torch", "command"),
    [
        (
            "2.11.0+cpu",
            "pip install --force-reinstall torchvision --index-url https://download.pytorch.org/whl/cpu",
        ),
        ("2.11.0", "pip install --force-reinstall torch torchvision"),
    ],
)
def test_torchvision_comes_from_where_torch_is_from(torch: str, command: str) -> None:
    assert _reinstall({"torch": torch}) == command


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("torch>=2.11", ("torch", "2.11")),
        ("torchvision", ("torchvision", "")),
        ("hypothesis>=6; extra == 'dev'", ("", "")),
        ("h5py<5,>=3.10", ("h5py", "3.10")),
    ],
)
def test_requirements_are_read(text: str, expected: tuple[str, str]) -> None:
    assert _requirement(text) == expected
