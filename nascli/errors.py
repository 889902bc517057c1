"""The exceptions of nascli, each with a hint and the exit code it ends a command with.

    NascliError            1  (a bug, when raised as such)
    ├── UsageError         2  the command line, the YAML or a component is wrong
    │   ├── ConfigError       a key or a value
    │   └── ComponentError    a component that cannot be found, imported or used
    ├── ArtifactError      3  a file is missing, broken, newer, or of another kind
    │   └── Mismatch          a file of another search space or another data set
    ├── Infeasible         4  no architecture meets the constraint
    ├── RunFailed          5  the work itself failed: non-finite loss, bad data, out of memory
    └── Interrupted      130  stopped by the user after a checkpoint

None of them is a ValueError: pydantic would swallow it, and with it the exit code.
"""

from __future__ import annotations

from typing import ClassVar


class NascliError(Exception):
    """What went wrong (value and place), why, and the command to run next.

    `usual_hint`: what the command line says where an error has no hint of its own.
    """

    exit_code: ClassVar[int] = 1
    usual_hint: ClassVar[str] = "NASCLI_DEBUG=1 shows where; please report it"

    def __init__(self, what: str, *, why: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what, self.why, self.hint = what, why, hint

    def __str__(self) -> str:
        return "\n".join(part for part in (self.what, self.why, self.hint) if part)


class UsageError(NascliError):
    """The command line, the YAML or a component is wrong."""

    exit_code = 2
    usual_hint = "what a command takes: nascli COMMAND --help"


class ConfigError(UsageError):
    """A key or a value of the configuration is wrong."""

    usual_hint = "all keys and what they mean: nascli init"


class ComponentError(UsageError):
    """A component cannot be found, imported or used."""

    usual_hint = "what there is: nascli list"


class ArtifactError(NascliError):
    """A file is missing, broken, newer than this nascli, or of another kind."""

    exit_code = 3
    usual_hint = "make it again with the stage that wrote it; which files are whole: nascli inspect --check ."


class Mismatch(ArtifactError):
    """Two files speak of different search spaces or different data."""

    usual_hint = "what a file was made from: nascli inspect --lineage FILE"


class Infeasible(NascliError):
    """No architecture meets the constraint."""

    exit_code = 4
    usual_hint = "what the candidates cost: nascli inspect lut.h5"


class RunFailed(NascliError):
    """The work failed: a non-finite loss, bad data, out of memory."""

    exit_code = 5
    usual_hint = "remove the cause and run it again; disk, devices and versions: nascli doctor"


class Interrupted(NascliError):
    """The user stopped the run; it can be resumed."""

    exit_code = 130


class BudgetSpent(Exception):
    """No evaluation is left; a search stage catches it and keeps the best so far."""


MEMORY = ("out of memory", "a smaller dataflow.batch_size or search space, or --precision bf16")
TORCH_ERRORS = (
    (MemoryError, "", *MEMORY),
    (RuntimeError, "allocate memory", *MEMORY),
    (RuntimeError, "out of memory", *MEMORY),
    (
        ValueError,
        "Expected more than 1 value per channel",
        "BatchNorm cannot learn from a batch of one image",
        "a larger dataflow.batch_size; where devices share a batch, two images for each",
    ),
)
"""What Python and torch raise, by a part of its message; what it means, and what helps."""


def torch_error(error: BaseException) -> RunFailed | None:
    """What a person is told of an exception of torch that is nobody's mistake in code; None for all others."""
    text = str(error)
    for kind, said, what, hint in TORCH_ERRORS:
        if isinstance(error, kind) and said in text:
            return RunFailed(what, why=text.partition("\n")[0][:200], hint=hint)
    return None
