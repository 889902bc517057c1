"""The whole page: what is on it, what it loads (nothing), and that nothing of an artifact becomes markup."""

from __future__ import annotations

from pathlib import Path

import pytest

from .helpers import HOSTILE, Seen, comparison, complete, data, of, pipeline, shown, space


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


def test_the_sections_are_those_of_the_pipeline_in_order(whole: Seen) -> None:
    assert whole.sections == [
        "overview", "lineage", "lookup-table-0", "supernet-0", "search-0", "network-0", "evaluation-0", "comparison-0",
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
    assert seen.sections == ["overview", "lineage", "network-0", "settings", "missing"]
    assert "arch.history.h5: not beside arch.npy" in seen.text
    assert "how the supernet was trained: no supernet was given; nascli train-supernet" in seen.text


def test_the_overview_holds_the_figures_that_matter(whole: Seen) -> None:
    for words in ("87.50 %", "top1 on 8 test images", "3.007k", "1.25 ms", "75.00 %", "macs at most 30k", "points"):
        assert words in whole.text


def test_every_figure_and_image_says_what_it_shows(whole: Seen) -> None:
    assert whole.tags["svg"] == 7
    assert [image["alt"] for image in whole.images] == ["test image 5: a a that was called b"]


def test_two_pages_of_the_same_artifacts_are_equal() -> None:
    assert of(comparison(space())).text == of(comparison(space())).text
