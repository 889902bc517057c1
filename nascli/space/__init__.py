"""Search spaces as pure data: decisions, architectures, their canonical form, and what a supernet runs."""

from nascli.space.decision import MAX_STATES, Archs, Condition, Decision, Forward, Selection, Unordered
from nascli.space.groups import Group
from nascli.space.space import Space, compact

__all__ = [
    "MAX_STATES",
    "Archs",
    "Condition",
    "Decision",
    "Forward",
    "Group",
    "Selection",
    "Space",
    "Unordered",
    "compact",
]
