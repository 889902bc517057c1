"""What stands between fences in README and docs, and how it is run.

- `bash`: `nascli …`, `python FILE` and `python -m pytest FILES` run in this process, where torch is imported once;
  what makes an environment or starts a campaign of nox is looked up; everything else is the shell's.
- `python` and `yaml` whose first line is `# name.py` or `# name.yaml` become that file; `# name.py, in part` must stand
  in it as it is. Other `python` is executed, other `yaml` is checked as settings.
- `text output` is what the snippet before it prints; `…` stands for anything. `text` is a drawing.
- `bash long` takes minutes: its commands must parse.
"""

from __future__ import annotations

import ast
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import typer

from nascli.cli import build_app, run
from nascli.stage import installed_stages
from nascli.stage.settings import load_config
from tests.conftest import ROOT

FENCE = re.compile(r"^```(\w*) ?(.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# ([\w./-]+\.(?:py|yaml))(, in part)?\n")
SHELL = re.compile(r"\$\(|\bfor\b|\bif\b")
LANGUAGES = {"bash": ("", "long"), "python": ("",), "yaml": ("",), "text": ("", "output")}


@dataclass(frozen=True)
class Snippet:
    """One fence; `where` is its file and line."""

    where: str
    language: str
    mark: str
    text: str


def snippets(file: Path) -> list[Snippet]:
    """The fences of a page, in order."""
    page = file.read_text(encoding="utf-8")
    name = file.relative_to(ROOT)
    return [Snippet(f"{name}:{page.count(chr(10), 0, m.start()) + 1}", *m.groups()) for m in FENCE.finditer(page)]


def commands(text: str) -> list[str]:
    """The commands of a `bash` snippet, without comments; `a && b` are two."""
    lines = (re.sub(r"(^|\s+)#\s.*$", "", line) for line in text.replace("\\\n", " ").splitlines())
    return [part.strip() for line in lines for part in line.split(" && ") if part.strip()]


class Page:
    """Runs the snippets of one page in the working folder, one after the other."""

    def __init__(self) -> None:
        self.printed = ""
        self.names: dict[str, Any] = {"__name__": "snippet"}

    def run(self, snippet: Snippet) -> None:
        """Run, write, check or compare it; whatever is raised says what is wrong."""
        assert snippet.mark in LANGUAGES[snippet.language], f"no mark '{snippet.mark}'"
        getattr(self, snippet.language)(snippet)

    def text(self, snippet: Snippet) -> None:
        if snippet.mark == "output":
            parts = map(re.escape, re.split(r"\s+", snippet.text.strip()))
            pattern = r"\s+".join(parts).replace("…", ".*?")
            assert re.search(pattern, self.printed, re.DOTALL), f"was printed:\n{self.printed}"

    def python(self, snippet: Snippet) -> None:
        if self.placed(snippet):
            return
        with printing() as printed, own_modules():
            exec(compile(snippet.text, snippet.where, "exec", dont_inherit=True), self.names)
        self.printed = printed.getvalue()

    def yaml(self, snippet: Snippet) -> None:
        file = self.placed(snippet) or Path("snippet.yaml")
        file.write_text(snippet.text)
        for plugin in installed_stages():
            assert plugin.stage is not None
            load_config(plugin.stage, file, (), {})

    def placed(self, snippet: Snippet) -> Path | None:
        """The file that the snippet is, or is part of."""
        named = FILE.match(snippet.text)
        if named is None:
            return None
        file, body = Path(named[1]), snippet.text[named.end() :].strip("\n")
        if named[2]:
            assert body in file.read_text(), f"{file} does not hold:\n{body}"
        else:
            file.write_text(body + "\n")
        return file

    def bash(self, snippet: Snippet) -> None:
        if snippet.mark == "long":
            for command in commands(snippet.text):
                parse(command)
        elif SHELL.search(snippet.text):
            self.printed = shell(snippet.text)
        else:
            self.printed = "".join(map(execute, commands(snippet.text)))


@contextmanager
def printing() -> Iterator[StringIO]:
    """What is printed to stdout, caught."""
    with redirect_stdout(StringIO()) as caught:
        yield caught


def parse(command: str) -> None:
    """Raises where a command of nascli, or a campaign, is not as it is written."""
    name, *words = shlex.split(command.partition(" > ")[0])
    if name == "nascli":
        group: Any = typer.main.get_command(build_app())
        group.commands[words[0]].make_context(words[0], words[1:])
    elif name == "python":
        look_up_script(words)
    else:
        assert name in LOOKED_UP, f"nobody knows how to check: {command}"
        LOOKED_UP[name](words)


def execute(command: str) -> str:
    """Run one command; what it printed."""
    asked, _, target = command.partition(" > ")
    name, *words = shlex.split(asked)
    if name in LOOKED_UP:
        LOOKED_UP[name](words)
        return ""
    if name not in RUN_HERE:
        return shell(command)
    with printing() as printed:
        code = RUN_HERE[name](words)
    assert code == 0, f"{command}: exit {code}\n{printed.getvalue()}"
    if target:
        Path(target.strip()).write_text(printed.getvalue())
    return printed.getvalue()


def shell(text: str) -> str:
    done = subprocess.run(["bash", "-euc", text], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{text}\n{done.stderr}"
    return done.stdout


def run_python(words: list[str]) -> int:
    """`python -m pytest FILES`, or a script."""
    with own_modules():
        if words[:2] == ["-m", "pytest"]:
            return int(pytest.main(["-q", "-p", "no:cacheprovider", "-W", "error", *words[2:]]))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", words)
            runpy.run_path(words[0], run_name="__main__")
    return 0


@contextmanager
def own_modules() -> Iterator[None]:
    """Files of the working folder can be imported as `python` would, and are forgotten in the end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(Path.cwd()), *sys.path])
        yield
    mine = [name for name, module in sys.modules.items() if _is_mine(getattr(module, "__file__", None))]
    for name in mine:
        del sys.modules[name]


def _is_mine(file: str | None) -> bool:
    return file is not None and Path(file).parent == Path.cwd()


def look_up_nox(words: list[str]) -> None:
    """A session of that name exists."""
    if "-s" in words:
        assert words[words.index("-s") + 1] in sessions()


def look_up_example(words: list[str]) -> None:
    """A script of the examples, run by a session of nox."""
    script = ROOT / words[0]
    assert script.exists()
    assert f'"{script.stem}"' in (ROOT / "noxfile.py").read_text(), f"nox does not run {words[0]}"


def look_up_script(words: list[str]) -> None:
    """A script of the examples."""
    assert (ROOT / "examples" / Path(words[0]).name).exists()


def look_up_environment(words: list[str]) -> None:
    assert words[:2] == ["-m", "venv"]


def look_up_installation(words: list[str]) -> None:
    """It installs nascli, with extras that exist."""
    assert words[0] == "install"
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for extra in re.findall(r"\[([\w,]+)\]", words[-1]):
        assert extra in known


def look_up_module(words: list[str]) -> None:
    """`python -m MODULE` of this repository."""
    assert words[0] == "-m"
    assert (ROOT / words[1].replace(".", "/")).with_suffix(".py").exists()


def sessions() -> set[str]:
    """The names of the sessions of nox."""
    tree = ast.parse((ROOT / "noxfile.py").read_text())
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.decorator_list]
    return {node.name for node in functions}


RUN_HERE: Mapping[str, Callable[[list[str]], int]] = {"nascli": run, "python": run_python}
LOOKED_UP: Mapping[str, Callable[[list[str]], None]] = {
    "nox": look_up_nox,
    ".venv/bin/nox": look_up_nox,
    "bash": look_up_example,
    "python3": look_up_environment,
    ".venv/bin/pip": look_up_installation,
    ".venv/bin/python": look_up_module,
    "pip": look_up_installation,
}
