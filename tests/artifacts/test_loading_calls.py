"""Every call that could run code from a file says that it must not."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SAFE = {"torch.load": ("weights_only", True), "np.load": ("allow_pickle", False), "numpy.load": ("allow_pickle", False)}
BANNED = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
FILES = sorted(path for folder in ("nascli", "stages") for path in (ROOT / folder).rglob("*.py"))


def calls(tree: ast.AST, name: str) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == name)


def is_safe(call: ast.Call, keyword: str, value: bool) -> bool:
    given = {word.arg: word.value for word in call.keywords}
    found = given.get(keyword)
    return isinstance(found, ast.Constant) and found.value is value


@pytest.mark.parametrize("name", SAFE)
def test_loading_writes_its_safe_option_out(name: str) -> None:
    for path in FILES:
        for call in calls(ast.parse(path.read_text()), name):
            assert is_safe(call, *SAFE[name]), f"{path}:{call.lineno}"


def test_the_calls_that_are_looked_for_are_there() -> None:
    text = [ast.parse(path.read_text()) for path in FILES]
    assert all(any(any(calls(tree, name)) for tree in text) for name in ("torch.load", "np.load"))


@pytest.mark.parametrize(
    ("text", "safe"),
    [("torch.load(p, weights_only=True)", True), ("torch.load(p)", False), ("torch.load(p, weights_only=x)", False),
     ("torch.load(p, weights_only=False)", False), ("torch.load(p, **options)", False)],
)  # fmt: skip
def test_the_check_sees_what_is_not_safe(text: str, safe: bool) -> None:
    (call,) = calls(ast.parse(text), "torch.load")
    assert is_safe(call, *SAFE["torch.load"]) is safe


def test_nothing_imports_a_module_that_unpickles() -> None:
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {name.partition(".")[0] for name in names} & BANNED, path


def test_load_is_never_imported_by_its_bare_name() -> None:
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in ("torch", "numpy"):
                assert "load" not in {alias.name for alias in node.names}, path
