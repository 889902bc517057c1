from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nascli.cli import run
from nascli.console import Mode, out, show
from nascli.errors import ArtifactError, ConfigError, Interrupted, NascliError, UsageError

from .conftest import Command

Captured = pytest.CaptureFixture[str]
MARKUP = ["[bold]x[/bold]", "runs/[n_layers]/lut.h5", "[/]", "[link=http://x]y", ":smile:", "\\[x]", "[1, 2]", "100%"]


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")


# --- text is never markup --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", MARKUP)
def test_brackets_survive_on_stdout(capsys: Captured, text: str) -> None:
    out.text(text)
    assert capsys.readouterr() == (f"{text}\n", "")


@pytest.mark.parametrize("text", MARKUP)
def test_brackets_survive_in_tables(capsys: Captured, text: str) -> None:
    out.table(text, [text, "value"], [[text, 1]])
    assert capsys.readouterr().out.count(text) == 3


@pytest.mark.parametrize("text", MARKUP)
def test_brackets_survive_on_stderr(capsys: Captured, text: str) -> None:
    out.note(text)
    out.warning(text)
    out.error(ConfigError(text, why=text, hint=text))
    assert capsys.readouterr() == ("", f"{text}\nwarning: {text}\nerror: {text}\n  why: {text}\n hint: {text}\n")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(codec="ascii", min_codepoint=32), min_size=1, max_size=300))
def test_a_line_of_text_stays_one_line(capsys: Captured, text: str) -> None:
    out.text(text)
    assert capsys.readouterr().out == text + "\n"


def test_a_path_longer_than_the_terminal_is_not_broken(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    path = "/very" * 40 + "/lut.h5"
    out.text(path)
    out.error(ArtifactError(f"{path}: no such file"))
    assert capsys.readouterr() == (f"{path}\n", f"error: {path}: no such file\n")


def test_a_title_is_not_wrapped_by_its_table(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    out.table("evaluation on the test set", ["a"], [[1]])
    assert capsys.readouterr().out.startswith("evaluation on the test set\n")


@pytest.mark.parametrize("columns", [20, 24, 30, 40, 60])
def test_a_narrow_table_breaks_no_name_and_no_number(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    names = ["latency_ms", "mobile_k3_e3", "macs"]
    out.table("costs", names, [["layer_01", "a name of blocks", 15_040_512], ["total", "mobile_k5_e6", 7]])
    text = capsys.readouterr().out
    assert all(word in text for word in (*names, "layer_01", "mobile_k5_e6", "15,040,512"))
    assert max(map(len, text.splitlines())) <= max(columns, len("mobile_k3_e3: a name of blocks"))


def test_a_long_cell_is_folded_and_not_cut(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    out.table("", ["a"], [["x" * 100]])
    assert capsys.readouterr().out.count("x") == 100


# --- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("why", "hint", "lines"), [("", "", 1), ("because", "", 2), ("", "do this", 2), ("b", "d", 3)])
def test_an_error_has_no_empty_lines(capsys: Captured, why: str, hint: str, lines: int) -> None:
    out.error(UsageError("wrong", why=why, hint=hint))
    assert len(capsys.readouterr().err.splitlines()) == lines


@pytest.mark.parametrize("error", [NascliError, UsageError, ArtifactError, Interrupted])
def test_an_error_is_one_object_in_json_mode(capsys: Captured, error: type[NascliError]) -> None:
    out.mode = "json"
    out.error(error("[wrong] é", why="because", hint="nascli x"))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert json.loads(captured.err) == {
        "error": "[wrong] é", "why": "because", "hint": "nascli x", "exit_code": error.exit_code
    }  # fmt: skip


def test_an_error_is_told_in_quiet_mode_too(capsys: Captured) -> None:
    out.mode = "quiet"
    out.error(UsageError("wrong"))
    assert capsys.readouterr().err == "error: wrong\n"


def test_a_wrong_choice_is_told_without_the_words_of_python(in_process: Command) -> None:
    done = in_process("evaluate", "--precision", "fp64", "-o", "report.json")
    assert done.returncode == 2
    assert "error: Invalid value for '--precision': 'fp64' is not one of '32', 'fp32'" in done.stderr


def test_an_error_in_text_is_its_lines() -> None:
    assert str(UsageError("a", why="b", hint="c")) == "a\nb\nc"
    assert str(UsageError("a", hint="c")) == "a\nc"


# --- modes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "said"), [("human", "hello\n"), ("json", ""), ("quiet", "")])
def test_notes_are_for_people_alone(capsys: Captured, mode: Mode, said: str) -> None:
    out.mode = mode
    out.note("hello")
    assert capsys.readouterr() == ("", said)


def test_what_several_runs_warn_of_is_told_once(capsys: Captured) -> None:
    for _ in range(2):
        with out.warning_once():
            for text in ("careful", "slow", "careful"):
                out.warning(text)
    out.warning("careful")
    assert capsys.readouterr().err.split() == ["warning:", "careful", "warning:", "slow"] * 2 + ["warning:", "careful"]


@pytest.mark.parametrize("mode", ["human", "json", "quiet"])
def test_warnings_are_told_in_every_mode(capsys: Captured, mode: Mode) -> None:
    out.mode = mode
    out.warning("careful")
    assert capsys.readouterr() == ("", "warning: careful\n")


def test_a_json_object_is_one_line(capsys: Captured) -> None:
    out.json({"path": "[é]\n", "n": 1})
    text = capsys.readouterr().out
    assert (text.count("\n"), json.loads(text)) == (1, {"path": "[é]\n", "n": 1})


def test_nothing_is_coloured_when_nobody_watches(capsys: Captured) -> None:
    out.warning("x")
    out.error(UsageError("y"))
    out.table("t", ["a"], [[1]])
    captured = capsys.readouterr()
    assert "\x1b" not in captured.out + captured.err


# --- numbers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "yes"), (False, "no"), (None, ""), ("x", "x"), ("[x]", "[x]"),
        (0, "0"), (1234567, "1,234,567"), (-1000, "-1,000"),
        (0.5, "0.5"), (0.123456789, "0.12346"), (1e-9, "1e-09"), (99999.4, "99999"), (100000.0, "100,000"),
        (-123456.7, "-123,457"), (1e15, "1,000,000,000,000,000"), (2.0, "2"), (float("nan"), "nan"),
        (float("inf"), "inf"), ((1, 2), "(1, 2)"),
    ],
)  # fmt: skip
def test_values_are_shown_for_people(value: object, text: str) -> None:
    assert show(value) == text


@given(st.floats(-1e5, 1e5))
def test_a_shown_number_is_right_to_five_digits(number: float) -> None:
    assert float(show(number).replace(",", "")) == pytest.approx(number, rel=5e-5, abs=1e-300)


def test_columns_of_numbers_are_aligned_right_and_others_left(capsys: Captured) -> None:
    out.table(
        "", ["name", "value", "mixed", "truth"], [["a", 1, 1, True], ["bbb", 1000, "x", False], ["c", None, 3, True]]
    )
    first = next(line for line in capsys.readouterr().out.splitlines() if " a " in line)
    cells = first.replace("│", "|").split("|")[1:-1]
    assert [cell.strip() for cell in cells] == ["a", "1", "1", "yes"]
    assert [cell.startswith("  ") for cell in cells] == [False, True, False, False]


def test_a_table_without_rows_has_its_columns(capsys: Captured) -> None:
    out.table("nothing", ["name", "value"], [])
    text = capsys.readouterr().out
    assert all(word in text for word in ("nothing", "name", "value"))


# --- progress --------------------------------------------------------------------------------------------------------

BAR = """
from nascli.console import out
out.mode = {mode!r}
with out.progress("train [n]", 3, 1) as bar:
    bar.advance("loss [0.5]")
    bar.advance(by=0)
print("done")
"""


def on_a_terminal(mode: str, **env: str) -> str:
    """What a person sees on stderr."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120", **env}
    command = [sys.executable, "-c", BAR.format(mode=mode)]
    subprocess.run(command, stderr=theirs, stdout=subprocess.DEVNULL, env=environment, check=True)
    os.close(theirs)
    seen = b""
    try:
        while piece := os.read(ours, 4096):
            seen += piece
    except OSError:
        pass
    os.close(ours)
    return seen.decode()


def test_a_person_sees_a_bar_with_its_metric() -> None:
    seen = on_a_terminal("human")
    assert "train [n]" in seen
    assert "loss [0.5]" in seen
    assert "2/3" in seen


@pytest.mark.parametrize(("mode", "env"), [("quiet", {}), ("json", {}), ("human", {"NASCLI_NO_PROGRESS": "1"})])
def test_nobody_sees_a_bar_who_did_not_want_one(mode: str, env: dict[str, str]) -> None:
    assert on_a_terminal(mode, **env) == ""


def test_no_bar_goes_into_a_file(capsys: Captured) -> None:
    with out.progress("train", 3) as bar:
        bar.advance("loss 0.5", by=2)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "words",
    [
        ["list", "nonsense"],
        ["compare", "-o", __file__],
        ["init", "--search-space", "nonsense"],
        ["inspect", "nonsense"],
    ],
)
def test_tracebacks_are_shown_when_asked(words: list[str], capsys: Captured) -> None:
    code = run(words)
    assert "Traceback" not in capsys.readouterr().err
    assert run([*words, "-v"]) == code > 1
    assert "Traceback" in capsys.readouterr().err


def test_help_names_the_choices_and_the_default_of_a_flag(nascli: Command) -> None:
    text = " ".join(nascli("search", "--help", COLUMNS="200").stdout.split())
    assert "--precision 32|fp32|bf16|fp16 Precision of the forward; fp32 is 32. Default: 32." in text
    assert "--search-strategy REF Which architecture to try next. Default: evolution." in text


def test_the_lines_of_a_paragraph_of_help_flow(nascli: Command) -> None:
    lines = [line.strip() for line in nascli("compare", "--help", COLUMNS="200").stdout.splitlines()]
    (line,) = [line for line in lines if line.startswith("Every strategy searches")]
    assert "The problem is that of" in line


def test_help_keeps_the_brackets_of_examples_and_arguments(nascli: Command) -> None:
    assert "meters=[macs, latency_ms]" in nascli("build-lut", "--help").stdout
    assert "[KIND]" in nascli("list", "--help").stdout
