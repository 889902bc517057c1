"""`scaffold`: a component of the user's own, with its test, from the templates of this package."""

from nascli.scaffold.kinds import KINDS
from nascli.scaffold.writing import Scaffolded, scaffold

__all__ = ["KINDS", "Scaffolded", "scaffold"]
