"""`Run`: one execution of a stage: random streams, checkpoints, the log, side artifacts, Ctrl-C."""

from __future__ import annotations

import json
import shlex
import signal
import sys
import threading
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from nascli.artifacts.base import Artifact, read_header
from nascli.artifacts.files import write_bytes
from nascli.artifacts.header import Header, provenance
from nascli.console import Bar, out
from nascli.errors import ConfigError, Interrupted, RunFailed, UsageError
from nascli.ranks import ALONE, Ranks

if TYPE_CHECKING:
    import numpy as np

P = TypeVar("P")
A = TypeVar("A", bound=Artifact[Any])


def stream_seed(seed: int, stream: str, step: int = 0) -> list[int]:
    """The entropy of a named random stream at a step."""
    return [seed, zlib.crc32(stream.encode()), step]


class Run:
    """What a stage needs besides its inputs.

    Args:
        path: where the result goes; `folder`, beside it, is `PATH.run`.
        config: the settings that make the result what it is.
        options: all settings, those included that only say how to run.
        inputs: the header of each input.
        files: key → sha256 of each file that a setting names and whose contents count.
    """

    def __init__(
        self,
        path: Path,
        *,
        seed: int = 0,
        config: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        inputs: Mapping[str, Header] | None = None,
        files: Mapping[str, str] | None = None,
        resume: bool = False,
    ) -> None:
        self.path, self.seed, self.resume = path, seed, resume
        self.folder = path.with_name(path.name + ".run")
        self.config, self.options, self.inputs = dict(config or {}), dict(options or {}), dict(inputs or {})
        self.files = dict(files or {})
        self.ranks: Ranks = ALONE
        """The processes that share this run; the first alone writes."""
        self.stopping = False
        self.resumable = False  # set by a loop that writes checkpoints and asks `stop_if_asked`
        self.facts: dict[str, Any] = {}  # found while running; a resumed run must find the same
        self._sides: dict[str, str] = {}  # suffix of each side artifact that was saved → its digest
        self._opened = False
        self._last_checkpoint = time.monotonic()

    def rng(self, stream: str, step: int = 0) -> np.random.Generator:
        """The generator of a named stream at a step: the same in an interrupted and an uninterrupted run."""
        import numpy as np

        return np.random.default_rng(stream_seed(self.seed, stream, step))

    def torch_seed(self, stream: str, step: int = 0) -> int:
        """A seed for torch, of the same stream."""
        import numpy as np

        return int(np.random.SeedSequence(stream_seed(self.seed, stream, step)).generate_state(1, np.uint64)[0]) >> 1

    def start(self, force: bool = False) -> None:
        """Decide what becomes of an unfinished run; with `resume` and `force` it is resumed if it fits, else given up.

        Raises:
            UsageError: a checkpoint is there and neither resumed nor given up.
            ConfigError: the checkpoint belongs to other settings or inputs.
        """
        unfinished = self._checkpoints()
        changes = self._changes(read_header(unfinished[0])) if unfinished and self.resume else []
        if unfinished and self.resume and not (force and changes):
            self._refuse(changes)
        elif unfinished and not force:
            raise UsageError(
                f"{self.folder} holds an unfinished run", hint="go on with --resume, or give it up with --force"
            )
        else:
            self.finish()

    def _changes(self, before: Header) -> list[str]:
        """What differs from the run that saved `before`; what was saved went through JSON, so what is now does too."""
        then, now = ({role: h.content_id for role, h in inputs.items()} for inputs in (before.inputs, self.inputs))
        settings = json.loads(json.dumps(self.config))
        return [*_differences("config.", before.config, settings), *_differences("inputs.", then, now)]

    def _refuse(self, differ: list[str]) -> None:
        if differ:
            raise ConfigError(
                f"cannot resume {self.folder}: {', '.join(differ)} changed",
                hint="restore the old settings, or start anew with --force",
            )

    def _checkpoints(self) -> list[Path]:
        return [self.folder / f"last{suffix}" for suffix in (".pt", ".h5") if (self.folder / f"last{suffix}").exists()]

    def checkpoint(self, artifact: Artifact[Any]) -> None:
        """Replace the checkpoint of this run."""
        if self.ranks.is_first:
            summary = {**artifact.header.summary, "facts": self.facts}
            artifact.header = artifact.header.model_copy(update={"summary": summary})
            self.complete(artifact).write(self.folder / f"last{artifact.suffix}")
        self._last_checkpoint = time.monotonic()

    def checkpoint_due(self, minutes: float) -> bool:
        """Whether the last checkpoint is older than `minutes`, or the run was asked to stop."""
        return self.stopping or time.monotonic() - self._last_checkpoint >= 60 * minutes

    def restore(self, kind: type[Artifact[P]]) -> P | None:
        """The payload of the checkpoint to resume from, or None when the run starts afresh.

        Raises:
            ConfigError: the interrupted run had found other facts, such as other data.
        """
        path = self.folder / f"last{kind.suffix}"
        if not (self.resume and path.exists()):
            return None
        checkpoint = kind.open(path)
        self._refuse(_differences("", checkpoint.header.summary.get("facts", {}), self.facts))
        then, now = _conditions(checkpoint.header.provenance), _conditions(self._provenance())
        changed = [f"{name} {then[name]} → {now[name]}" for name in then if then[name] != now.get(name)]
        if changed:
            out.warning(f"since the checkpoint, {', '.join(changed)}: results may differ from an uninterrupted run's")
        return checkpoint.payload

    def finish(self) -> None:
        """Remove the checkpoints: the result is written."""
        for checkpoint in self._checkpoints():
            checkpoint.unlink()

    def log(self, **fields: Any) -> None:
        """Append one line to `log.jsonl`."""
        if not self.ranks.is_first:
            return
        if not self._opened:
            self._open()
        line = json.dumps({"time": round(time.time(), 3), **fields}, ensure_ascii=False)
        try:
            with (self.folder / "log.jsonl").open("a", encoding="utf-8") as stream:
                stream.write(line + "\n")
        except OSError as error:
            raise RunFailed(f"cannot write {self.folder}", why=error.strerror or str(error)) from error

    def _open(self) -> None:
        """Make the run folder, with the settings in full; not before there is something to put in it."""
        state = {"options": self.options, "config": self.config}
        text = json.dumps(state, indent=1, ensure_ascii=False).encode()
        write_bytes(self.folder / "run.json", text)
        self._opened = True

    def progress(self, what: str, total: int, start: int = 0) -> AbstractContextManager[Bar]:
        """A progress bar for a person who watches."""
        return out.progress(what, total, start)

    def complete(self, artifact: A) -> A:
        """Fill in the header what every artifact of this run has in common."""
        facts = {"config": self.config, "inputs": self.inputs, "provenance": self._provenance()}
        artifact.header = artifact.header.model_copy(update=facts)
        return artifact

    def _provenance(self) -> dict[str, Any]:
        found = {"options": self.options, "threads": _threads()}
        found |= {"files": self.files} if self.files else {}
        found |= {"sides": self._sides} if self._sides else {}
        return provenance({**found, "processes": self.ranks.world_size})

    def save(self, name: str, artifact: Artifact[Any]) -> Path:
        """Write a side artifact beside the result, whose provenance names it: `arch.npy` → `arch.NAME.h5`."""
        suffix = f".{name}{artifact.suffix}"
        path = self.path.with_suffix(suffix)
        if self.ranks.is_first:
            self._sides[suffix] = self.complete(artifact).write(path).header.digest
        return path

    def stop_if_asked(self) -> None:
        """Raises Interrupted after Ctrl-C or SIGTERM; call it when a checkpoint is written."""
        if self.stopping:
            words = [word for word in sys.argv[1:] if word != "--resume"]
            raise Interrupted("interrupted; nothing is lost", hint=f"go on: nascli {shlex.join([*words, '--resume'])}")

    @contextmanager
    def signals(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM ask a resumable run to stop at its next step; a second one stops any run at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._asked) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _asked(self, number: int, frame: object) -> None:
        if self.stopping or not self.resumable:
            raise KeyboardInterrupt
        self.stopping = True
        out.note("stopping after this step; once more to stop at once")


def _differences(section: str, then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    return [f"{section}{key}" for key in sorted(then.keys() | now.keys()) if then.get(key) != now.get(key)]


def _conditions(where: Mapping[str, Any]) -> dict[str, Any]:
    """What a resumed run must share with the interrupted one to be equal bit for bit."""
    others = {"machine": where.get("machine"), "processes": where.get("processes", 1)}
    synchronised = where.get("options", {}).get("sync_batchnorm", False)
    return {**where.get("packages", {}), "threads": where.get("threads"), **others, "sync_batchnorm": synchronised}


def _threads() -> int | None:
    torch = sys.modules.get("torch")
    return torch.get_num_threads() if torch is not None else None
