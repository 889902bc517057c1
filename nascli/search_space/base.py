"""The contract of a search space: pure data, and four methods that realise it in torch."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from inspect import isfunction
from typing import TYPE_CHECKING, Any

from pydantic import Field

from nascli.artifacts.base import same_space
from nascli.artifacts.formats import using
from nascli.artifacts.header import SpaceRecord
from nascli.artifacts.model import Model
from nascli.component import Component, Reference, installed, resolve
from nascli.cost.blocks import Blocks
from nascli.cost.meter import Meter
from nascli.cost.model import CostModel
from nascli.errors import ComponentError, Mismatch, UsageError
from nascli.search_space.randomness import own_randomness
from nascli.space import Space

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nascli.supernet.base import Supernet


class SearchSpace(Component):
    """A search space.

    `describe` gives the space as data and needs no torch; `supernet`, `model` and `lookup_table` realise it.
    All of them are called at most a few times a run, and must give the same thing each time.
    """

    class Config(Component.Config):
        """Options of every search space."""

        input_shape: tuple[int, int, int] = Field((3, 32, 32), description="channels, height, width of the images")
        classes: int = Field(10, ge=1, description="number of classes")

    config: Config

    @classmethod
    def adapt(cls, found: Any) -> Any:
        """A network of one's own, or a function that makes one, is a space by itself."""
        is_network = isinstance(found, type) and any(
            base.__module__ == "torch.nn.modules.module" and base.__name__ == "Module" for base in found.__mro__
        )
        if is_network or isfunction(found):
            from nascli.search_space.module_space import wrap

            return wrap(found)
        return found

    @abstractmethod
    def describe(self) -> Space:
        """The space as data; called once."""

    @cached_property
    def space(self) -> Space:
        """The space as data; a class from a file brings the digest of the file into it."""
        found = self.describe()
        digest = {} if self.file_digest is None else {"file": self.file_digest}
        return replace(found, details={**found.details, **digest})

    @abstractmethod
    def supernet(self) -> Supernet:
        """A new supernet with fresh weights."""

    @abstractmethod
    def model(self, arch: Sequence[int]) -> nn.Module:
        """The network of one architecture, with fresh weights and no search machinery in it."""

    @abstractmethod
    def inherit(self, state: Mapping[str, Tensor], arch: Sequence[int]) -> dict[str, Tensor]:
        """The part of a supernet's `state_dict` that `model(arch)` takes over, under the model's names."""

    def cost_blocks(self, counts_modules: bool = False) -> Blocks:
        """The distinct blocks that a lookup table is measured on, and where each of them stands.

        Args:
            counts_modules: for meters that count modules, not calls; it matters where one is called several times.

        Raises:
            UsageError: the space makes its lookup table in another way, and names none.
        """
        why = f"{type(self).__name__} makes its lookup table without blocks"
        raise UsageError(f"the blocks of {self.space.name} are not known", why=why)

    def lookup_table(self, meters: Sequence[Meter]) -> CostModel:
        """What each candidate costs, by the given meters: all distinct blocks are measured, each once."""
        from nascli.cost.measuring import measured

        with own_randomness():
            calls = self.cost_blocks()
            modules = calls if calls.chained else self.cost_blocks(counts_modules=True)
            found = [measured(m, modules if m.counts_modules else calls, self.model) for m in meters]
        return CostModel(self.space, {metric.name: metric for metric in found})


def record_of(reference: Reference, space: Space) -> SpaceRecord:
    """How artifacts remember a search space."""
    options = reference.options.model_dump(mode="json")
    return SpaceRecord(
        use=reference.name,
        options=options,
        source=reference.source,
        description=space.describe(),
        fingerprint=space.fingerprint,
    )


def realise(reference: Reference | None, records: Mapping[str, SpaceRecord]) -> tuple[SearchSpace, SpaceRecord]:
    """The search space of a stage: the one that the settings name, or else the one its inputs were made with.

    Args:
        reference: from the settings, None when they name none.
        records: role of an input → the space in its header.

    Raises:
        Mismatch: an input is of another space.
        ComponentError: the inputs' space is the user's own, and the settings do not name its file.
        UsageError: neither settings nor inputs name a search space.
    """
    if reference is None:
        if not records:
            raise UsageError("nothing names a search space", hint="name it: --search-space NAME")
        reference = _installed(*records.items())
    found: SearchSpace = reference.build()
    for role, record in records.items():
        if record.use == reference.name and None not in (record.source, reference.source):
            _same_file(reference, record, f"--{role}")
        same_space(found.space, record, f"--{role}", "use files of one search space, or make this one anew")
    return found, record_of(reference, found.space)


def trained_network(space: SearchSpace, model: Model) -> nn.Module:
    """The network of a model file, with its weights.

    Raises:
        ArtifactError: the weights are not those of its architecture.
    """
    with own_randomness():
        network = space.model(model.payload.arch)
    with using(model.path):
        network.load_state_dict(model.payload.state_dict)
    return network


def _same_file(reference: Reference, record: SpaceRecord, role: str) -> None:
    then, now = str(record.source), str(reference.source)
    if then != now:
        raise Mismatch(
            f"'{record.use}' has changed since {role} was made (sha256 {then[:12]}… → {now[:12]}…)",
            why="weights and architectures belong to the search space as it was",
            hint="restore the file, or make this one anew",
        )


def _installed(first: tuple[str, SpaceRecord], *others: Any) -> Reference:
    """Only installed components are resolved from what a file says; a file never makes nascli import code."""
    role, record = first
    if record.source is not None or record.use not in installed("search_space"):
        digest = f" (sha256 {record.source[:12]}…)" if record.source else ""
        raise ComponentError(
            f"--{role} was made with the search space '{record.use}'{digest}, which is not installed",
            why="files of others never make nascli import code; only what you name is imported",
            hint=f"name it: --search-space {'./' if record.source else ''}{record.use}",
        )
    return reference_of(record)


def reference_of(record: SpaceRecord) -> Reference:
    """The installed search space that an artifact remembers."""
    return resolve("search_space", {"use": record.use, **record.options})
