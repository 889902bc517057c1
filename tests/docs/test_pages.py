"""The pages hang together: links lead somewhere inside the repository, and every page is in the index."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nascli.component import installed
from tests.conftest import ROOT
from tests.docs.snippets import FENCE

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"")
INDEX = DOCS / "README.md"


def links(page: Path) -> list[str]:
    """Where the page points to, but for the web."""
    prose = FENCE.sub("", page.read_text(encoding="utf-8"))
    found = [first or second for first, second in LINK.findall(prose)]
    return [link for link in found if not link.startswith(("http://", "https://"))]


def anchors(page: Path) -> set[str]:
    """The anchors of its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere_in_the_repository(page: Path) -> None:
    for link in links(page):
        target, _, anchor = link.partition("#")
        file = (page.parent / target).resolve() if target else page
        assert file.is_relative_to(ROOT), link
        assert file.exists(), link
        assert not anchor or anchor in anchors(file), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_cites_what_is_outside_of_the_repository(page: Path) -> None:
    assert not re.search(r"shared/|/work/|issue #?\d|DESIGN\.md", page.read_text(encoding="utf-8"))


def test_the_index_names_every_page() -> None:
    named = {(DOCS / link.partition("#")[0]).resolve() for link in links(INDEX)}
    assert [str(page) for page in DOCS.rglob("*.md") if page not in named and page != INDEX] == []


def test_the_readme_leads_to_the_index() -> None:
    assert "docs/README.md" in links(ROOT / "README.md")


def test_the_readme_names_every_component_of_its_kinds() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8").partition("## What there is")[2]
    rows = {kind.replace(" ", "_"): row for kind, row in re.findall(r"^\| ([a-z ]+) \| (.+) \|$", text, re.MULTILINE)}
    kinds = rows.keys() - {"kind"}
    assert len(kinds) >= 8
    assert [(kind, name) for kind in kinds for name in installed(kind) if f"`{name}`" not in rows[kind]] == []
