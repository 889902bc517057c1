"""`scaffold`: a component of the user's own, with its test, from the templates of this package.

What is written was rendered into a temporary folder, imported and resolved there first; both files are placed, or
none, and never over existing ones.
"""

from __future__ import annotations

import ast
import builtins
import keyword
import re
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from importlib.resources import files
from pathlib import Path
from string import Template

from nascli.component import resolve
from nascli.errors import RunFailed, UsageError

KINDS = {"training_strategy": "train_supernet", "search_strategy": "search"}  # kind → its section of the YAML

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")  # ASCII alone: look-alikes of other scripts are identifiers too
RULE = "a name is an ASCII letter, then up to 63 letters, digits and underscores, and no keyword of Python"


@dataclass(frozen=True)
class Scaffolded:
    """What was written; `reference` names the component in a YAML of the working folder."""

    kind: str
    component: Path
    test: Path
    reference: str

    @property
    def settings(self) -> dict[str, dict[str, str]]:
        """The settings that use it."""
        return {KINDS[self.kind]: {self.kind: self.reference}}


def scaffold(kind: str, name: str, class_name: str | None = None, folder: Path = Path()) -> Scaffolded:
    """Write `folder/name.py`, a component that works at once, and `folder/test_name.py`, its test.

    Args:
        kind: a key of `KINDS`; hyphens are read as underscores.
        name: of the file, without `.py`.
        class_name: of the component; without one, the name in capitals: `my_idea` → `MyIdea`.
        folder: within the working folder; made when it is not there.

    Raises:
        UsageError: an unknown kind, a name that Python or the shell would misread, a file that exists, a folder
            outside the working folder.
        RunFailed: the folder cannot be written.
    """
    kind = _known(kind)
    _check_name(kind, name)
    cls = _class_name(kind, name, class_name)
    place, texts = _inside(folder), _rendered(kind, name, cls)
    for file in texts:
        if (place / file).exists() or (place / file).is_symlink():
            hint = f"nascli scaffold {kind.replace('_', '-')} my_{name}"
            raise UsageError(f"{folder / file} exists", why="scaffold replaces nothing", hint=hint)
    try:
        _check(kind, cls, texts)
        _place(place, texts)
    except OSError as error:
        raise RunFailed(f"cannot write {folder / name}.py", why=error.strerror or str(error)) from error
    component, test = (folder / file for file in texts)
    return Scaffolded(kind, component, test, f"./{(place / component.name).relative_to(Path.cwd().resolve())}:{cls}")


def _known(kind: str) -> str:
    if kind.replace("-", "_") not in KINDS:
        kinds = ", ".join(known.replace("_", "-") for known in KINDS)
        hint = "nascli scaffold training-strategy my_idea"
        raise UsageError(f"scaffold has no kind '{kind:.80}'", why=f"the kinds: {kinds}", hint=hint)
    return kind.replace("-", "_")


def _check_name(kind: str, name: str) -> None:
    again = f"nascli scaffold {kind.replace('_', '-')}"
    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        raise UsageError(
            f"'{name:.80}' cannot be the name of a module", why=f"{RULE}; --dir says where", hint=f"{again} my_idea"
        )
    if name in sys.stdlib_module_names | packages_distributions().keys() | {"nascli", "stages"}:
        why = "Python looks beside a script before it looks among its packages"
        raise UsageError(f"a file {name}.py would hide the module '{name}'", why=why, hint=f"{again} my_{name}")


def _class_name(kind: str, name: str, given: str | None) -> str:
    """The checked name of the class: the given one, or the module's in capitals."""
    cls = given if given is not None else "".join(word[:1].upper() + word[1:] for word in name.split("_"))
    hint = f"nascli scaffold {kind.replace('_', '-')} {name} --class-name MyIdea"
    if not NAME.fullmatch(cls) or keyword.iskeyword(cls):
        raise UsageError(f"'{cls:.80}' cannot be the name of a class", why=RULE, hint=hint)
    if cls in _imported(kind) | vars(builtins).keys():
        why = f"it would hide what the file uses: {', '.join(sorted(_imported(kind)))}, or a name of Python's own"
        raise UsageError(f"'{cls}' cannot be the name of the class", why=why, hint=hint)
    return cls


def _imported(kind: str) -> set[str]:
    """The names that the templates import: a class of such a name would hide what it needs."""
    nodes = [node for text in _rendered(kind, "name", "Class").values() for node in ast.walk(ast.parse(text))]
    aliases = [alias for node in nodes if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names]
    return {alias.asname or alias.name for alias in aliases} - {"Class"}


def _inside(folder: Path) -> Path:
    """The real path of a folder; links are followed before it is compared with the working folder."""
    place, root = folder.resolve(), Path.cwd().resolve()
    if not place.is_relative_to(root):
        raise UsageError(f"{folder} is outside the working folder", why=f"it leads to {place}", hint="--dir FOLDER")
    if place.exists() and not place.is_dir():
        raise UsageError(f"{folder} is no folder", hint="--dir FOLDER")
    return place


def _template(name: str) -> Template:
    return Template((files("nascli") / "templates" / f"{name}.txt").read_text(encoding="utf-8"))


def _rendered(kind: str, name: str, cls: str) -> dict[str, str]:
    """File name → text: the component, then its test."""
    words = {
        "name": name,
        "cls": cls,
        "words": kind.replace("_", " "),
        "contract": "".join(map(str.title, kind.split("_"))) + "Contract",
    }
    return {f"{name}.py": _template(kind).substitute(words), f"test_{name}.py": _template("test").substitute(words)}


def _check(kind: str, cls: str, texts: Mapping[str, str]) -> None:
    """Import the component from a temporary folder, as a YAML would name it."""
    with tempfile.TemporaryDirectory() as temporary:
        for file, text in texts.items():
            (Path(temporary) / file).write_text(text, encoding="utf-8")
            compile(text, file, "exec")
        component = next(iter(texts))
        try:
            resolve(kind, f"{temporary}/{component}:{cls}").build()
        except UsageError as error:
            raise UsageError(f"{component} would not work, nothing was written: {error.what}", why=error.why) from error


def _place(folder: Path, texts: Mapping[str, str]) -> None:
    """Write all files or none; a file that appeared meanwhile is left alone."""
    written: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in texts.items():
            with (folder / file).open("x", encoding="utf-8") as stream:
                written.append(folder / file)
                stream.write(text)
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        raise
