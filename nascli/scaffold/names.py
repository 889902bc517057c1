"""Names of files and classes that Python, the shell and the templates can live with."""

from __future__ import annotations

import builtins
import keyword
import re
import sys
from collections.abc import Collection
from importlib.metadata import packages_distributions

from nascli.errors import UsageError
from nascli.scaffold.kinds import hyphened

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")  # ASCII alone: look-alikes of other scripts are identifiers too
RULE = "a name is an ASCII letter, then up to 63 letters, digits and underscores, and no keyword of Python"


def check_name(kind: str, name: str) -> None:
    """Raises UsageError unless `name.py` can be imported and hides no other module."""
    again = f"nascli scaffold {hyphened(kind)}"
    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        raise UsageError(
            f"'{name:.80}' cannot be the name of a module", why=f"{RULE}; --dir says where", hint=f"{again} my_idea"
        )
    if name in sys.stdlib_module_names | packages_distributions().keys() | {"nascli", "stages"}:
        why = "Python looks beside a script before it looks among its packages"
        raise UsageError(f"a file {name}.py would hide the module '{name}'", why=why, hint=f"{again} my_{name}")


def class_name(kind: str, name: str, given: str | None, taken: Collection[str]) -> str:
    """The checked name of the class: the given one, or the module's in capitals.

    Args:
        taken: names that the templates use.

    Raises:
        UsageError: no identifier, a keyword, or a name that is taken.
    """
    cls = given if given is not None else "".join(word[:1].upper() + word[1:] for word in name.split("_"))
    hint = f"nascli scaffold {hyphened(kind)} {name} --class-name MyIdea"
    if not NAME.fullmatch(cls) or keyword.iskeyword(cls):
        raise UsageError(f"'{cls:.80}' cannot be the name of a class", why=RULE, hint=hint)
    if cls in taken or hasattr(builtins, cls):
        why = f"it would hide what the file uses: {', '.join(sorted(taken))}, or a name of Python's own"
        raise UsageError(f"'{cls}' cannot be the name of the class", why=why, hint=hint)
    return cls
