"""The arguments that make a network, as options of a search space."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any, get_type_hints

from pydantic import PydanticSchemaGenerationError, TypeAdapter, ValidationError, ValidatorFunctionWrapHandler
from pydantic.functional_validators import WrapValidator
from pydantic_core import PydanticSerializationError, to_jsonable_python

from nascli.config import Config
from nascli.errors import ComponentError

RESERVED = "use"  # names the component itself


def options_of(made_by: Callable[..., Any], given: tuple[str, ...]) -> dict[str, Any]:
    """Argument → (type, default), as pydantic's `create_model` takes them.

    Arguments whose default no configuration can hold, such as a class, keep it and are no options.

    Args:
        made_by: a class, or a function.
        given: arguments that come from elsewhere.

    Raises:
        ComponentError: an argument that no option can fill.
    """
    hints, fields = _hints(made_by), dict[str, Any]()
    for name, argument in inspect.signature(made_by).parameters.items():
        where = f"argument '{name}' of {made_by.__name__}"
        if argument.kind is argument.VAR_KEYWORD or name in given:
            continue
        if argument.kind in (argument.POSITIONAL_ONLY, argument.VAR_POSITIONAL):
            raise ComponentError(f"{where} cannot be given by name", why="arguments are options of the search space")
        if name.startswith("_") or name == RESERVED or hasattr(Config, name):
            raise ComponentError(f"{where} cannot be an option", hint="call it something else")
        hint = hints.get(name, Any)
        if argument.default is argument.empty:
            fields[name] = (_accepting(hint, where), ...)
        elif _is_plain(argument.default):
            fields[name] = (_accepting(hint, where), argument.default)
    return fields


def _hints(made_by: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(made_by.__init__ if inspect.isclass(made_by) else made_by)
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        raise ComponentError(f"the types of the arguments of {made_by.__name__} cannot be read", why=why) from error


def _is_plain(default: Any) -> bool:
    try:
        to_jsonable_python(default)
    except PydanticSerializationError:
        return False
    return True


def _accepting(hint: Any, where: str) -> Any:
    """The type that an option is checked against: a configuration has tuples where the argument wants a list."""
    try:
        TypeAdapter(hint)
    except PydanticSchemaGenerationError as error:
        raise ComponentError(f"{where} cannot be an option", why=f"no configuration holds a {hint}") from error
    return Annotated[hint, WrapValidator(_or_as_lists)]


def _or_as_lists(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    try:
        return validate(value)
    except ValidationError:
        return validate(_lists(value))


def _lists(value: Any) -> Any:
    return [_lists(item) for item in value] if isinstance(value, tuple) else value
