"""Code of one's own: which modules are, and where in them an exception was raised."""

from __future__ import annotations

import linecache
import re
import sys
import traceback
from pathlib import Path
from types import CodeType

from nascli.errors import ComponentError

USERS = "nascli_user_"
"""How the names of modules begin that are files which a reference named."""

_OURS = frozenset({"nascli", "stages", "torch", "torchvision"})
_packages: set[str] = set()


def add_package(module: str) -> None:
    """Remember that a reference named this module, so that its package counts as one of a user's."""
    _packages.update({module.partition(".")[0]} - _OURS)


def is_users(module: str) -> bool:
    """Whether a module is a file that a reference named, or of a package that one named and that is none of ours."""
    return module.startswith(USERS) or module.partition(".")[0] in _packages


def line_of(error: BaseException) -> tuple[CodeType, int] | None:
    """The innermost line of a user's code that an exception went through; None where none was running."""
    frames = traceback.walk_tb(error.__traceback__)
    users = [(frame.f_code, line) for frame, line in frames if is_users(frame.f_globals.get("__name__", ""))]
    return users[-1] if users else None


def place(error: BaseException) -> str:
    """The file and line of a user's code, such as " (loss.py, line 3)"; nothing where none was running."""
    found = line_of(error)
    return "" if found is None else f" ({Path(found[0].co_filename).name}, line {found[1]})"


def users_error(error: BaseException, words: str) -> ComponentError | None:
    """What a person is told of an exception in code of their own; None where none was running.

    Args:
        words: the command line.
    """
    found = line_of(error)
    hint = f"the whole traceback: NASCLI_DEBUG=1 {words}"
    if found is None:
        file = _called(error)
        return None if file is None else ComponentError(f"{file}: {type(error).__name__}: {error}", hint=hint)
    code, line = found
    what = f"{Path(code.co_filename).name}, line {line}, in {code.co_qualname}: {type(error).__name__}"
    text = str(error).strip()
    return ComponentError(
        f"{what}: {text}" if text else what,
        why=linecache.getline(code.co_filename, line).strip(),
        hint=hint,
    )


def _called(error: BaseException) -> str | None:
    """The file whose function or method was called with arguments that it does not take; each that defines the name."""
    match = re.match(r"(\w+)[\w.]*\(\) (?:takes|missing|got) ", str(error)) if isinstance(error, TypeError) else None
    if match is None:
        return None
    modules = [module for name, module in list(sys.modules.items()) if is_users(name) and module.__file__]
    defined = [m for m in modules if getattr(getattr(m, match[1], None), "__module__", None) == m.__name__]
    return " or ".join(sorted({Path(m.__file__ or "").name for m in defined})) or None


def example(kind: str) -> str:
    """The command that writes a working component of a kind."""
    return f"one that works, and its test: nascli scaffold {kind.replace('_', '-')} my_{kind.rpartition('_')[2]}"
