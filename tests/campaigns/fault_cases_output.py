"""Places that cannot be written, and terminals, pipes, languages and paths of every sort."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.campaigns.fault_kit import LUT, RETRAIN, SEARCH, TRAIN, Case, Tried, child

HEAD = ("bash", "-c", '"$@" | head -1 > /dev/null; code=${PIPESTATUS[0]}; exit $((code == 141 ? 0 : code))', "sh")
GONE = ("bash", "-c", '"$@" | true; exit ${PIPESTATUS[0]}', "sh")  # the reader is gone before the first word
CLOSED = ("bash", "-c", '"$@" >&-', "sh")
NO_ERRORS = ("bash", "-c", '"$@" 2>&-', "sh")
FULL = ("bash", "-c", 'ulimit -f 8; "$@"', "sh")  # 8 KiB a file: OSError EFBIG, for Python ignores SIGXFSZ
ASCII = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""}
EVERY_LOOK = [
    "inspect lut.h5", "inspect supernet.pt", "inspect arch.npy", "inspect arch.history.h5", "inspect model.pt",
    "inspect report.json", "inspect --lineage report.json", "inspect --check .", "inspect lut.h5 arch.npy", "inspect .",
    "inspect tiny", "list", "init", "doctor", "--help", "search --help", "build-lut -c run.yaml -o old.h5 --dry-run",
]  # fmt: skip
SOME_LOOKS = ["inspect lut.h5", "inspect --lineage report.json", "inspect .", "list", "init", "search --help"]


def with_history(folder: Path) -> None:
    """The history, which is written before the architecture, is what does not fit."""
    shutil.copy(folder / "arch.history.h5", folder / "old.history.h5")


def folder_removed(folder: Path) -> list[Tried]:
    """The folder of the result is removed as soon as there is a run folder in it."""
    import threading

    target, gone = folder / "gone", threading.Event()

    def remove() -> None:
        while not gone.wait(0.01):
            if list(target.glob("*.run/log.jsonl")):
                shutil.rmtree(target, ignore_errors=True)

    thread = threading.Thread(target=remove)
    thread.start()
    tried = child(folder, ["train-supernet", "-c", "run.yaml", "--epochs", "12", "-o", "gone/new.pt"])
    gone.set()
    thread.join()
    return [tried]


def strange(folder: Path) -> None:
    """The inputs under names with spaces, line breaks, markup, accents and a leading hyphen."""
    for name in STRANGE:
        (folder / name).mkdir()
        for file in ("run.yaml", "lut.h5", "arch.npy"):
            shutil.copy(folder / file, folder / name / file)


STRANGE = ("a b", "a\nb", "[bold]x", "é→", "-o", "%s {x} $HOME", "'\"")
QUOTED = {name: "'" + name.replace("'", "'\"'\"'") + "'" for name in STRANGE}


def named_whole(name: str) -> Callable[[Path, Sequence[Tried]], str]:
    """What to say if the path is not in the output as it is."""
    return lambda folder, tried: "" if all(name in one.stdout for one in tried) else f"{name!r} is not shown whole"


def narrow(folder: Path, tried: Sequence[Tried]) -> str:
    """What to say if a file's name is not there, cut or not."""
    return "" if all("lut" in one.stdout.replace("\n", "") for one in tried) else "lut.h5 is not to be seen"


def colourless(folder: Path, tried: Sequence[Tried]) -> str:
    """What to say if there are escape codes."""
    return "escape codes" if any("\x1b" in one.stdout + one.stderr for one in tried) else ""


def ascii_only(folder: Path, tried: Sequence[Tried]) -> str:
    """What to say if there is anything but ASCII."""
    return "" if all((one.stdout + one.stderr).isascii() for one in tried) else "other characters than ASCII"


CASES = [
    Case("output exists", [line.replace(" --force", "") for line in (LUT, TRAIN, SEARCH, RETRAIN)], 2, ["--force"]),
    Case(
        "output has another suffix", [LUT.replace("old.h5", "new.pt"), TRAIN.replace("old.pt", "new")], 2, ["ends in"]
    ),
    Case(
        "output is a folder",
        [LUT],
        2,
        ["is a folder"],
        lambda folder: (folder / "old.h5").unlink() or (folder / "old.h5").mkdir(),
    ),
    # As root no folder is read-only: /proc, where nobody can make a file, stands for one.
    Case("output in a read-only place", [LUT.replace("old.h5", "/proc/nascli/new.h5")], 5, ["cannot write"]),
    Case("output below a file", [LUT.replace("old.h5", "run.yaml/new.h5")], 5, ["cannot write"]),
    Case("output with a name too long", [LUT.replace("old.h5", "n" * 300 + ".h5")], 5, ["File name too long"]),
    Case("disk full: table", [LUT], 5, ["cannot write old.h5"], wrap=FULL, slow=True),
    Case("disk full: supernet", [TRAIN], 5, ["cannot write old.pt"], wrap=FULL, slow=True),
    Case("disk full: history", [SEARCH], 5, ["cannot write old"], with_history, wrap=FULL, slow=True),
    Case("disk full: checkpoint", [f"{TRAIN} --set checkpoint_steps=3"], 5, ["cannot write"], wrap=FULL, slow=True),
    Case(
        "folder removed meanwhile", code=5, says=["cannot write"], act=folder_removed, makes=["gone/new.pt"], slow=True
    ),
    Case("closed pipe, head -1", SOME_LOOKS, 0, wrap=HEAD, slow=True),
    Case("closed pipe, no reader", SOME_LOOKS, 141, wrap=GONE, slow=True),
    Case(
        "closed pipe, --json and -q",
        ["inspect lut.h5 --json", "doctor --json", "build-lut -o new.h5 -q"],
        141,
        wrap=GONE,
        slow=True,
        makes=["new.h5"],
    ),
    Case("stdout closed", SOME_LOOKS, 0, wrap=CLOSED, slow=True),
    Case(
        "stdout closed, --json and -q",
        ["inspect lut.h5 --json", "build-lut -o new.h5 -q"],
        0,
        wrap=CLOSED,
        slow=True,
        makes=["new.h5"],
    ),
    Case("stderr closed", SOME_LOOKS, 0, wrap=NO_ERRORS, slow=True),
    Case("no standard streams, an error", [LUT.replace(" --force", "")], 2, wrap=CLOSED, slow=True),
    Case("20 columns", EVERY_LOOK, 0, env={"COLUMNS": "20"}, slow=True),
    Case("20 columns, a name", ["inspect ."], 0, after=narrow, env={"COLUMNS": "20"}),
    Case("1 column", SOME_LOOKS, 0, env={"COLUMNS": "1"}, slow=True),
    Case("20 columns, errors", ["inspect nothing.h5"], 3, ["nothing.h5"], env={"COLUMNS": "20"}),
    Case("dumb terminal, NO_COLOR", SOME_LOOKS, 0, after=colourless, env={"TERM": "dumb", "NO_COLOR": "1"}, slow=True),
    Case("NO_COLOR with FORCE_COLOR", ["inspect lut.h5"], 0, env={"NO_COLOR": "1", "FORCE_COLOR": "1"}),
    Case("ASCII locale", EVERY_LOOK, 0, after=ascii_only, env=ASCII, slow=True),
    Case("ASCII locale, a path", ["inspect --check é→/nothing.h5"], 3, ["nothing.h5"], after=ascii_only, env=ASCII),
    *(
        Case(
            f"path {name!r}",
            [f"build-lut -c ./{quoted}/run.yaml -q -o ./{quoted}/new.h5", f"inspect --check ./{quoted}/new.h5"],
            0,
            prepare=strange,
            after=named_whole(name),
            makes=[f"{name}/new.h5"],
        )
        for name, quoted in QUOTED.items()
        if name != "a\nb"
    ),
    *(
        Case(f"path {name!r}, an error", [f"inspect ./{quoted}/nothing.h5"], 3, [name], strange)
        for name, quoted in QUOTED.items()
    ),
    Case("path with a line break", ["inspect './a\nb/lut.h5'", "inspect './a\nb'"], 0, prepare=strange),
]
