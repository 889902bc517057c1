"""Components: a class, a nested pydantic `Config`, and `build()`; and how a reference finds one."""

from nascli.component.base import KINDS, Component
from nascli.component.loading import claims, digest_of, file_of, installed, load_object, owner
from nascli.component.references import Kind, Reference, find_class, resolve

__all__ = [
    "KINDS",
    "Component",
    "Kind",
    "Reference",
    "claims",
    "digest_of",
    "file_of",
    "find_class",
    "installed",
    "load_object",
    "owner",
    "resolve",
]
