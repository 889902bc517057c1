"""The page: the result first, then how it was found, made and measured.

It is rendered by templates that escape whatever is not theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nascli import __version__
from nascli.artifacts.formats import using
from nascli.commands.reporting import (
    comparison,
    evaluation,
    lineage,
    lookup_table,
    network,
    others,
    overview,
    search,
    settings,
    training,
)
from nascli.commands.reporting.material import Material
from nascli.commands.reporting.parts import Section

SECTIONS: Sequence[Callable[[Material], Iterable[Section]]] = (
    overview.sections,
    evaluation.sections,
    network.sections,
    search.sections,
    others.learned,
    comparison.sections,
    lookup_table.sections,
    training.supernets,
    training.models,
    others.exports,
    lineage.sections,
    settings.sections,
)


@dataclass(frozen=True)
class Page:
    """The text of a page, and what is in it."""

    html: str
    sections: Sequence[Section]
    missing: Sequence[str]


def page(material: Material, title: str) -> Page:
    """The page of what was gathered.

    Raises:
        ArtifactError: one of the artifacts holds what no stage writes.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    with using(" or ".join(str(artifact.path) for artifact in material.artifacts)):
        sections = [section for made in SECTIONS for section in made(material)]
    loader = FileSystemLoader(Path(__file__).with_name("templates"))
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    facts: dict[str, Any] = {"title": title, "sections": sections, "missing": material.missing, "version": __version__}
    return Page(environment.get_template("page.html").render(facts), sections, material.missing)
