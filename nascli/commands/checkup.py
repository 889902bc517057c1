"""What `nascli doctor` looks at. Each check returns its facts and the problems it found, and raises nothing."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from nascli import __version__
from nascli.component import KINDS, find_class, installed
from nascli.config import closest
from nascli.errors import ComponentError
from nascli.stage import installed_stages

ENVIRONMENT: Mapping[str, str] = {
    "NASCLI_SEED": "the seed, where the stage has one; wins over the YAML, gives way to --set and --seed",
    "NASCLI_DEBUG": "not empty: errors come with their traceback",
    "NASCLI_NO_PROGRESS": "not empty: no progress on stderr",
}
OTHERS = ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES")
MODULES: Mapping[str, str] = {"pyyaml": "yaml"}
LOW_BYTES = 2**30

# One process for all imports: what is broken beside torch is broken beside torch here, too, and cannot end doctor.
PROBE = """
import importlib, json, sys
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
        error = ""
    except BaseException as caught:
        error = f"{type(caught).__name__}: {caught}"
    print(json.dumps({"module": name, "error": error}), flush=True)
import torch
gpus = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
devices = [{"name": gpu.name, "memory_gib": round(gpu.total_memory / 2**30, 1)} for gpu in gpus]
facts = {"cpu_threads": torch.get_num_threads(), "cuda_build": torch.version.cuda, "cuda": devices}
print(json.dumps({"devices": facts | {"mps": torch.backends.mps.is_available()}}), flush=True)
"""


@dataclass(frozen=True)
class Problem:
    """What is wrong, why, and what to do; `fatal`: stages cannot run."""

    what: str
    why: str = ""
    hint: str = ""
    fatal: bool = False


Checked = tuple[dict[str, Any], list[Problem]]


def check_packages() -> Checked:
    """Versions, imports, and the devices that torch sees."""
    try:
        needs = {name: bound for name, bound in map(_requirement, requires("nascli") or ()) if name}
    except PackageNotFoundError:
        return {"versions": {}, "devices": {}}, [
            Problem("nascli is not installed", hint="pip install -e .", fatal=True)
        ]
    versions = {name: _version(name) for name in needs}
    errors, devices = _probe([MODULES.get(name.lower(), name) for name, found in versions.items() if found])
    problems = [
        problem
        for name, bound in needs.items()
        if (problem := _package_problem(name, bound, versions, errors.get(MODULES.get(name.lower(), name), "")))
    ]
    facts = {"python": platform.python_version(), "nascli": __version__, **versions}
    return {"versions": facts, "devices": devices}, problems + _device_problems(devices, versions)


def _requirement(text: str) -> tuple[str, str]:
    """("h5py", "3.10") of "h5py>=3.10"; an empty name for extras."""
    found = re.match(r"([\w-]+)(?:[^;]*?>=\s*([\d.]+))?[^;]*(;.*extra)?", text)
    return ("", "") if found is None or found[3] else (found[1], found[2] or "")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _probe(modules: Iterable[str]) -> tuple[dict[str, str], dict[str, Any]]:
    """Module → why it cannot be imported ("" if it can), and torch's devices."""
    asked = list(modules)
    try:
        done = subprocess.run(
            [sys.executable, "-c", PROBE, *asked], capture_output=True, text=True, timeout=300, check=False
        )
        answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        ended = f"the process that imported it ended with code {done.returncode}"
    except (OSError, subprocess.TimeoutExpired) as error:
        answers, ended = [], str(error)
    errors = dict.fromkeys(asked, ended) | {a["module"]: a["error"] for a in answers if "module" in a}
    return errors, next((a["devices"] for a in answers if "devices" in a), {})


def _package_problem(name: str, bound: str, versions: Mapping[str, str | None], error: str) -> Problem | None:
    found = versions[name]
    if found is None:
        hint = f"pip install '{name}>={bound}'" if bound else f"pip install {name}"
        return Problem(f"{name} is not installed", hint=hint, fatal=True)
    if error and name == "torchvision" and versions.get("torch"):
        what = f"torchvision {found} does not fit torch {versions['torch']}: it cannot be imported"
        return Problem(what, error, _reinstall(versions), fatal=True)
    if error:
        return Problem(f"{name} {found} cannot be imported", error, f"pip install --force-reinstall {name}", fatal=True)
    if bound and _numbers(found) < _numbers(bound):
        return Problem(f"{name} {found} is too old", f"nascli needs {bound}", f"pip install '{name}>={bound}'")
    pin = _pinned_torch() if name == "torchvision" else ""
    if pin and versions.get("torch") and _public(versions["torch"]) != pin:
        what = f"torchvision {found} was built for torch {pin}, not {versions['torch']}"
        return Problem(what, hint=_reinstall(versions))
    return None


def _reinstall(versions: Mapping[str, str | None]) -> str:
    """The pip command that gives torchvision from where the installed torch is from: "2.11.0+cpu" tells."""
    local = (versions.get("torch") or "").partition("+")[2]
    if re.fullmatch(r"cpu|cu\d+|rocm[\d.]+", local):
        return f"pip install --force-reinstall torchvision --index-url https://download.pytorch.org/whl/{local}"
    return "pip install --force-reinstall torch torchvision"


def _pinned_torch() -> str:
    pins = (re.match(r"torch\s*\(?==\s*([\d.]+)", text) for text in requires("torchvision") or ())
    return next((pin[1] for pin in pins if pin), "")


def _public(found: str | None) -> str:
    return (found or "").partition("+")[0]


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", _public(text))[:3])


def _device_problems(devices: Mapping[str, Any], versions: Mapping[str, str | None]) -> list[Problem]:
    if not devices or devices["cuda"] or not shutil.which("nvidia-smi"):
        return []
    build = devices["cuda_build"]
    built = f"CUDA {build}; does nvidia-smi work?" if build else "the CPU alone"
    why = f"torch {versions['torch']} is built for {built}"
    hint = "" if build else "pip install --force-reinstall torch torchvision"
    return [Problem("there is an NVIDIA driver, but torch sees no GPU", why, hint)]


def check_plugins() -> Checked:
    """Whether each installed stage and component loads."""
    problems = []
    plugins = installed_stages()
    for plugin in plugins:
        if plugin.error:
            what = f"the stage '{plugin.name}' cannot be used"
            problems.append(Problem(what, plugin.error, plugin.hint, fatal=plugin.owner == "nascli"))
    names = [(kind, name) for kind in KINDS for name in installed(kind)]
    for kind, name in names:
        try:
            find_class(kind, name)
        except ComponentError as error:
            problems.append(Problem(error.what, error.why, error.hint))
    return {"stages": [plugin.name for plugin in plugins], "components": len(names)}, problems


def check_folder(folder: Path) -> Checked:
    """Free space, and whether results can be written here."""
    free = shutil.disk_usage(folder).free
    problems = []
    if free < LOW_BYTES:
        problems.append(Problem(f"{free // 2**20} MiB are free on the disk of {folder}"))
    try:
        with tempfile.TemporaryFile(dir=folder):
            writable = True
    except OSError as error:
        writable = False
        problems.append(Problem(f"{folder} cannot be written", str(error.strerror), "name another folder: -o FOLDER/…"))
    return {"folder": str(folder), "writable": writable, "free_gib": round(free / 2**30, 1)}, problems


def check_environment() -> Checked:
    """The variables that nascli and torch look at, and NASCLI_… ones that nobody does."""
    found = {name: value for name, value in os.environ.items() if name.startswith("NASCLI_") or name in OTHERS}
    unknown = [name for name in found if name not in ENVIRONMENT and name not in OTHERS]
    return dict(found), [Problem(f"{name} has no effect{closest(name, ENVIRONMENT)}") for name in sorted(unknown)]
