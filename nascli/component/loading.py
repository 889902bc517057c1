"""What a reference names, imported: an entry point, a name in a module, or one in a file or folder.

Names are entry points of the group `nascli.<kind>`, the built-in ones too. Files are relative to the YAML that holds
the reference, or to the working folder on the command line.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import importlib.util
import os
import sys
import traceback
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from nascli.component.base import KINDS
from nascli.config import closest
from nascli.errors import ComponentError
from nascli.users import USERS, add_package, example


def claims(group: str) -> dict[str, list[EntryPoint]]:
    """The entry points of a group by name, none of them imported; more than one where packages claim one name."""
    found: dict[str, list[EntryPoint]] = {}
    for point in sorted(entry_points(group=group), key=lambda point: (point.name, owner(point))):
        found.setdefault(point.name, []).append(point)
    return found


def owner(point: EntryPoint) -> str:
    """The package that an entry point comes from; its value where an interrupted pip left no name."""
    return (point.dist.name if point.dist else "") or point.value


def installed(kind: str) -> dict[str, list[EntryPoint]]:
    """The installed components of a kind, by name, none of them imported; see `claims`."""
    return claims(f"nascli.{kind}")


def load_object(kind: str, use: str, base: Path) -> tuple[Any, str | None]:
    """What a reference names, whatever it is, and the sha256 of its file or folder (None for what is installed).

    Args:
        kind: the entry-point group without "nascli.", also of the smaller kinds that are not in `KINDS`: "block".
        base: the folder that file references start at.

    Raises:
        ComponentError: unknown name, a module that does not import, no such class or function in it.
    """
    target, colon, attribute = use.rpartition(":")
    if not colon:
        point = _entry_point(kind, use)
        add_package(point.module)
        return _guarded(f"{kind} '{use}'", point.load), None
    if (path := file_of(use, base)) is not None:
        module, source = _import_path(path, kind), digest_of(path)
        return _attribute(kind, module, attribute, str(path)), source
    add_package(target)
    module = _guarded(f"module '{target}'", partial(importlib.import_module, target))
    return _attribute(kind, module, attribute, target), None


def file_of(use: str, base: Path) -> Path | None:
    """The file or folder that a reference names, whether it is there or not; None for names and modules."""
    target, colon, _ = use.rpartition(":")
    is_file = bool(colon) and (target.startswith((".", "/", "~")) or target.endswith(".py"))
    return (base / Path(target).expanduser()).resolve() if is_file else None


def digest_of(path: Path) -> str:
    """sha256 of a file, or of all Python files under a folder with their relative names; hidden ones are an editor's.

    Raises:
        ComponentError: a file, or a folder below, cannot be read.
    """
    digest = hashlib.sha256()
    try:
        for file in _python_files(path) if path.is_dir() else [path]:
            name = file.relative_to(path).as_posix() if path.is_dir() else ""
            digest.update(name.encode() + b"\0" + file.read_bytes() + b"\0")
    except OSError as error:
        raise ComponentError(f"cannot read {error.filename}", why=error.strerror or str(error)) from None
    return digest.hexdigest()


def _python_files(folder: Path) -> list[Path]:
    def refuse(error: OSError) -> None:
        raise error

    found = os.walk(folder, onerror=refuse)
    files = (Path(here, name) for here, _, names in found for name in names if name.endswith(".py"))
    return sorted(file for file in files if not file.name.startswith("."))


def _entry_point(kind: str, use: str) -> EntryPoint:
    names = installed(kind)
    if use not in names:
        raise ComponentError(
            f"no {kind} is called '{use}'" + closest(use, names),
            hint=f"a class of your own: {{use: ./file.py:Class}}; what there is: nascli list {kind}",
        )
    point, *others = names[use]
    if others:
        owners = " and ".join(map(owner, names[use]))
        raise ComponentError(
            f"{len(names[use])} packages claim the {kind} '{use}': {owners}",
            hint=f"name the class itself: {' or '.join(point.value for point in names[use])}",
        )
    return point


def _attribute(kind: str, module: Any, name: str, where: str) -> Any:
    if not hasattr(module, name):
        what = "class" if kind in KINDS else "class or function"
        own = [key for key, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]
        hint = f"what it has: {', '.join(own)}" if own else example(kind)
        raise ComponentError(f"{where} has no {what} '{name}'" + closest(name, own), hint=hint)
    return getattr(module, name)


def _import_path(path: Path, kind: str) -> Any:
    file = path / "__init__.py" if path.is_dir() else path
    if not file.is_file():
        others = sorted(other.name for other in file.parent.glob("*.py"))
        raise ComponentError(f"no such file: {file}" + closest(file.name, others), hint=example(kind))
    name = f"{USERS}{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    search = [str(path)] if path.is_dir() else None
    spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=search)
    if spec is None or spec.loader is None:
        raise ComponentError(f"{file} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        _guarded(str(file), partial(spec.loader.exec_module, module))
    except BaseException:
        for loaded in [key for key in sys.modules if key == name or key.startswith(f"{name}.")]:
            del sys.modules[loaded]
        raise
    return module


def _guarded(what: str, load: Any) -> Any:
    try:
        return load()
    except (Exception, SystemExit) as error:
        why = f"{type(error).__name__}: {error}"
        hint = "the whole traceback: the same command with NASCLI_DEBUG=1 before it"
        raise ComponentError(f"{what} could not be imported", why=why + _place(error), hint=hint) from error


def _place(error: BaseException) -> str:
    """Where an import failed, such as " (loss.py, line 3)": the innermost frame that is not import machinery."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _is_import(frame.filename)]
    if isinstance(error, SyntaxError) or not frames:
        return ""
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})"


def _is_import(file: str) -> bool:
    ours = Path(file).parent == Path(__file__).parent
    return ours or file in (importlib.__file__, importlib.metadata.__file__) or file.startswith("<frozen importlib")
