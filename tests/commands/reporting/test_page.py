"""The whole page: what is on it, what it loads (nothing), and that nothing of an artifact becomes markup."""

from __future__ import annotations

from pathlib import Path

import pytest

from nascli.commands.reporting.material import Material, gather
from nascli.commands.reporting.page import page
from nascli.commands.reporting.parts import Part, Section, Table, cell, shaded
from nascli.commands.reporting.plots import COLOURS, DARK, GREY

from .helpers import HOSTILE, Seen, comparison, complete, data, pipeline, shown, space


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    folder = pipeline(tmp_path_factory.mktemp("whole"))
    complete(comparison(space()), {}).write(folder / "compare.json")
    return shown(folder)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    folder = tmp_path_factory.mktemp("hostile")
    pipeline(folder, space(HOSTILE, HOSTILE), data(HOSTILE, (HOSTILE, "b", "c")))
    complete(comparison(space(), HOSTILE), {HOSTILE: HOSTILE}).write(folder / "compare.json")
    return shown(folder)


def test_the_result_comes_first_then_how_it_was_found_and_made(whole: Seen) -> None:
    assert whole.sections == [
        "overview", "evaluation-0", "network-0", "search-0", "comparison-0", "lookup-table-0", "supernet-0", "lineage",
        "settings", "missing",
    ]  # fmt: skip


def test_nothing_is_loaded_and_nothing_runs(whole: Seen) -> None:
    assert [link for link in whole.links if not link.startswith(("#", "data:image/png;base64,"))] == []
    assert whole.tags["script"] == whole.tags["link"] == whole.tags["iframe"] == 0
    assert "url(http" not in whole.text


def test_every_link_within_the_page_leads_somewhere_and_no_id_stands_twice(whole: Seen) -> None:
    assert {link[1:] for link in whole.links if link.startswith("#")} <= set(whole.ids)
    assert [name for name, times in whole.ids.items() if times > 1] == []


def test_all_markup_is_closed(whole: Seen) -> None:
    assert whole.open == []


def test_names_of_artifacts_stay_text(whole: Seen, hostile: Seen) -> None:
    assert hostile.open == []
    assert hostile.tags["script"] == 0
    assert hostile.tags["img"] == whole.tags["img"] == 1
    assert [link for link in hostile.links if "evil" in link] == []
    assert hostile.text.count("<script>alert('1')</script>") > 10
    assert hostile.sections == whole.sections


def test_a_page_of_one_artifact_says_what_is_not_there(tmp_path: Path) -> None:
    (pipeline(tmp_path) / "arch.history.h5").unlink()
    seen = shown(tmp_path / "arch.npy")
    assert seen.sections == ["overview", "network-0", "lineage", "settings", "missing"]
    assert "arch.history.h5: not beside arch.npy" in seen.text
    assert "how the supernet was trained: no supernet was given; nascli train-supernet" in seen.text


def test_the_overview_holds_the_figures_that_matter(whole: Seen) -> None:
    for words in ("87.50 %", "top1 on 8 test images", "3.007k", "1.25 ms", "75.00 %", "macs at most 30k", "points"):
        assert words in whole.text


def test_every_figure_and_image_says_what_it_shows(whole: Seen) -> None:
    assert whole.tags["svg"] == 7
    assert [image["alt"] for image in whole.images] == ["test image 5: a called b"]


def test_two_pages_of_the_same_artifacts_are_equal(tmp_path: Path) -> None:
    material = gather([pipeline(tmp_path)])
    assert page(material, "A title").html == page(material, "A title").html


def luminance(colour: tuple[float, ...]) -> float:
    """Relative luminance by WCAG 2 of a colour with parts from 0 to 255."""
    linear = [(c / 255 / 12.92) if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: tuple[float, ...], second: tuple[float, ...]) -> float:
    lighter, darker = sorted((luminance(first), luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def rgb(text: str) -> tuple[float, ...]:
    return tuple(int(text[i : i + 2], 16) for i in (1, 3, 5))


def test_text_can_be_read_on_the_darkest_shade() -> None:
    alpha = float(shaded(1.0, 1.0).alpha)
    shade = tuple(255 * (1 - alpha) + part * alpha for part in rgb("#0b5fa5"))
    assert contrast(rgb("#1b1b1b"), shade) >= 4.5


@pytest.mark.parametrize("colour", [*COLOURS, DARK, GREY])
def test_lines_can_be_seen_on_white_and_their_labels_be_read(colour: str) -> None:
    assert contrast(rgb(colour), (255, 255, 255)) >= 4.5


def page_of(monkeypatch: pytest.MonkeyPatch, part: Part) -> str:
    """The page of one part alone."""
    section = Section("one", "One", "", [part])
    monkeypatch.setattr("nascli.commands.reporting.page.SECTIONS", [lambda material: [section]])
    return page(Material(), "one").html


def test_a_column_of_numbers_and_words_is_aligned_left(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table.of(("settings", ["setting", "value", "n"], [["epochs", 3, 1], ["use", "tiny", 2]]))
    assert table.aligned == [False, False, True]
    html = page_of(monkeypatch, table)
    assert html.count('<td class="n">') == 2
    assert '<td class="whole">3</td>' in html


def test_names_may_break_at_their_underscores(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "train_<wbr>supernet" in page_of(monkeypatch, Table.of(("t", ["setting"], [["train_supernet"]])))


@pytest.mark.parametrize(
    ("value", "number"),
    [(3, True), (1234567, True), (0.25, True), (-1e-9, True), ("0.9640 ± 0.0100", True), ("0,2,1", False), ("", False)],
)
def test_numbers_are_aligned_and_architectures_are_none(value: object, number: bool) -> None:
    assert cell(value).number is number
