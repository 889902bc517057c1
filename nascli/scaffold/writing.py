"""Rendering, trying and placing the files.

What is written was rendered into a temporary folder, imported and built there first; both files are placed, or
none, and never over existing ones.
"""

from __future__ import annotations

import ast
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

from nascli.config import closest
from nascli.errors import RunFailed, UsageError
from nascli.scaffold.kinds import KINDS, Settings, hyphened
from nascli.scaffold.names import check_name, class_name


@dataclass(frozen=True)
class Scaffolded:
    """What was written; `reference` names the component in a YAML of the working folder."""

    kind: str
    component: Path
    test: Path
    reference: str

    @property
    def settings(self) -> Settings:
        """The settings that use it."""
        return KINDS[self.kind].settings(self.reference)


def scaffold(
    kind: str, name: str, class_given: str | None = None, folder: Path = Path(), *, style: str | None = None
) -> Scaffolded:
    """Write `folder/name.py`, a component that works at once, and `folder/test_name.py`, its test.

    Args:
        kind: a key of `KINDS`; hyphens are read as underscores.
        name: of the file, without `.py`.
        class_given: the component's name; without one, the file's in capitals: `my_idea` → `MyIdea`.
        folder: within the working folder; made when it is not there.
        style: of a kind that can be written in several ways; the first is the default.

    Raises:
        UsageError: an unknown kind or style, a name that Python or the shell would misread, a file that exists, a
            folder outside the working folder.
        RunFailed: the folder cannot be written.
    """
    kind = _known(kind)
    template = _template_of(kind, style)
    check_name(kind, name)
    cls = class_name(kind, name, class_given, _taken(kind, template))
    place, texts = _inside(folder), _rendered(kind, template, name, cls)
    for file in texts:
        if (place / file).exists() or (place / file).is_symlink():
            hint = f"nascli scaffold {hyphened(kind)} my_{name}"
            raise UsageError(f"{folder / file} exists", why="scaffold replaces nothing", hint=hint)
    try:
        _try(kind, cls, texts)
        _place(place, texts)
    except OSError as error:
        raise RunFailed(f"cannot write {folder / name}.py", why=error.strerror or str(error)) from error
    component, test = (folder / file for file in texts)
    return Scaffolded(kind, component, test, f"./{(place / component.name).relative_to(Path.cwd().resolve())}:{cls}")


def _known(kind: str) -> str:
    if kind.replace("-", "_") not in KINDS:
        kinds = [hyphened(name) for name in KINDS]
        hint = "nascli scaffold training-strategy my_idea"
        what = f"scaffold has no kind '{kind:.80}'{closest(kind, kinds)}"
        raise UsageError(what, why=f"the kinds: {', '.join(kinds)}", hint=hint)
    return kind.replace("-", "_")


def _template_of(kind: str, style: str | None) -> str:
    styles = KINDS[kind].styles or {}
    if style is None:
        return next(iter(styles.values()), kind)
    if style not in styles:
        why = f"the styles of a {hyphened(kind)}: {', '.join(styles)}" if styles else f"a {hyphened(kind)} has but one"
        raise UsageError(f"there is no style '{style:.80}'", why=why, hint="nascli scaffold --help")
    return styles[style]


def _taken(kind: str, template: str) -> set[str]:
    """The names that the templates import or define: a class of such a name would hide what it needs."""
    nodes = [node for text in _rendered(kind, template, "name", "Class").values() for node in ast.walk(ast.parse(text))]
    aliases = [alias for node in nodes if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names]
    defined = {node.name for node in nodes if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    return ({alias.asname or alias.name for alias in aliases} | defined) - {"Class"}


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


def _rendered(kind: str, template: str, name: str, cls: str) -> dict[str, str]:
    """File name → text: the component, then its test."""
    words = {
        "name": name,
        "cls": cls,
        "words": kind.replace("_", " "),
        "contract": "".join(map(str.title, kind.split("_"))) + "Contract",
    }
    return {f"{name}.py": _template(template).substitute(words), f"test_{name}.py": _template("test").substitute(words)}


def _try(kind: str, cls: str, texts: Mapping[str, str]) -> None:
    """Import and build the component in a temporary folder, as a YAML would name it."""
    with tempfile.TemporaryDirectory() as temporary:
        for file, text in texts.items():
            (Path(temporary) / file).write_text(text, encoding="utf-8")
            compile(text, file, "exec")
        component = next(iter(texts))
        try:
            KINDS[kind].attempt(kind, f"{temporary}/{component}:{cls}")
        except Exception as error:
            what, why = (error.what, error.why) if isinstance(error, UsageError) else (str(error), type(error).__name__)
            raise UsageError(f"{component} would not work, nothing was written: {what}", why=why) from error


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
