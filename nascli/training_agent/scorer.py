"""Scoring architectures with the weights of a supernet, one by one or as trees of common beginnings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from nascli.dataflow.base import Batch
from nascli.engine import Engine
from nascli.errors import UsageError
from nascli.search_strategy.base import Score
from nascli.space import Archs, Space
from nascli.supernet.base import Supernet
from nascli.training_agent.base import TrainingAgent
from nascli.training_agent.folding import folded, overwriting
from nascli.training_agent.judging import Account, Judged
from nascli.training_agent.pieces import IMAGES, Piece, Pieces, copied, image_bytes
from nascli.training_agent.prefix_tree import Node, grow, peak, saved
from nascli.training_agent.racing import Racing, estimated, given_up
from nascli.training_agent.scoring import Replay, full, in_chunks

LEAST_SAVED = 0.1  # of the MACs: below that a tree is not worth the wait for its scores
AT_ONCE = 128  # images that go through a piece one after another: folding is worth it for that many
SMALL = 32  # images of a batch that a CPU judges: larger maps leave its caches
TOGETHER = 64  # architectures of one tree: scores arrive, and are safe, tree by tree
MIB = 2**20


@dataclass(frozen=True)
class Measures:
    """What makes scoring fast; none of them changes more than the rounding of a score.

    Args:
        inference: torch's inference mode.
        overwrite: on a CPU, BatchNorm written over the output of its convolution while statistics are estimated.
        fold: BatchNorm folded into the convolution before it, once its statistics are known.
        small: a CPU judges few images at a time; batches that re-estimate statistics stay whole.
        prefix_tree: whether architectures share the work of their common beginning; "auto": where it saves enough.
        activations_mb: what a tree may hold, in MiB; what one batch of one network needs is always granted.
    """

    inference: bool = True
    overwrite: bool = True
    fold: bool = True
    small: bool = True
    prefix_tree: Literal["auto", "on", "off"] = "auto"
    activations_mb: int = 1024


@dataclass(frozen=True)
class Images:
    """What is scored on: images that re-estimate BatchNorm, and images that are judged."""

    calibration: Replay
    validation: Replay


@dataclass(frozen=True)
class Trees:
    """Trees, and how many images go through a piece of them before the next piece."""

    roots: list[Node]
    images: int


class Scorer:
    """Gives architectures their scores: BatchNorm statistics re-estimated, then the validation images judged.

    The statistics are the mean over the full batches (torch's `update_bn`). They are those of the batch while they are
    estimated, so that a piece of a chain needs nothing but what its beginning gives, and architectures with one
    beginning have its statistics in common.

    Args:
        supernet: on the device; its modes and its statistics are changed.
        images: batches in the layout that the supernet has.
        pulse: called every now and then; may raise.
    """

    def __init__(
        self,
        supernet: Supernet,
        space: Space,
        images: Images,
        agent: TrainingAgent,
        engine: Engine,
        measures: Measures = Measures(),
        pulse: Callable[[], None] = lambda: None,
    ) -> None:
        self.images, self.agent, self.engine, self.measures, self.pulse = images, agent, engine, measures, pulse
        self.pieces = Pieces(supernet, space, self._example)
        self._supernet, self._on_cpu = supernet, engine.device.type == "cpu"
        self._batch = images.calibration.dataflow.config.batch_size
        self._judged_at_a_time = min(SMALL, self._batch) if measures.small and self._on_cpu else self._batch

    def _example(self) -> Any:
        (batch,) = next(in_chunks(self.images.calibration, 1))
        return batch.images[:IMAGES]

    def groups(self, archs: Archs) -> list[list[int]]:
        """The positions of architectures (n, d) that are best scored in one call, by call."""
        self._supernet.eval()
        everyone = list(range(len(archs)))
        alone = [[row] for row in everyone]
        if self.measures.prefix_tree == "off" or len(archs) < 2 or not self.pieces.is_row:
            return alone
        if self.measures.prefix_tree == "auto" and saved(grow(self.pieces, archs)) < LEAST_SAVED:
            return alone
        return self._fitting(archs, np.lexsort(archs.T[::-1]).tolist())

    def _fitting(self, archs: Archs, rows: list[int]) -> list[list[int]]:
        """Neighbours, as many together as the memory allows for one batch."""
        if len(rows) <= TOGETHER and (len(rows) == 1 or self._allowed(grow(self.pieces, archs, rows)) >= self._batch):
            return [rows]
        half = len(rows) // 2
        return self._fitting(archs, rows[:half]) + self._fitting(archs, rows[half:])

    def _allowed(self, roots: Sequence[Node]) -> int:
        """How many images may go through the trees at once."""
        sizes = [image_bytes(example) for example in self.pieces.examples]
        return self.measures.activations_mb * MIB // max(1, peak(roots, sizes))

    def score(self, archs: Archs) -> list[Score]:
        """Scores of architectures (n, d), all in one tree."""
        self._supernet.eval()
        judged = [self.agent.judged() for _ in archs]
        with self._without_gradient():
            trees = self._calibrated(grow(self.pieces, archs))
            self._judge(trees, self.images.validation, judged)
        return [one.score() for one in judged]

    def race(self, archs: Archs, racing: Racing) -> list[Score]:
        """Scores of architectures (n, d), which are compared with each other alone; see `racing`.

        The validation images come in an order that was drawn.
        """
        judged, running = [self._by_image() for _ in archs], set(range(len(archs)))
        batches = self.images.validation.n_batches
        with self._without_gradient():
            forest = [self._calibrated(grow(self.pieces, archs, rows)) for rows in self.groups(archs)]
            for part in in_chunks(self.images.validation, -(-batches // racing.rounds)):
                for trees in forest:
                    self._judge(trees, part, judged, running)
                scores = {row: judged[row].seen().scores for row in running}
                running -= given_up(scores, len(archs), racing)
        return self._raced(judged, running, racing)

    def _by_image(self) -> Judged:
        account = self.agent.judged()
        if not isinstance(account, Judged):
            why = "its score is no mean over images, so a part of them tells nothing of the rest"
            raise UsageError(f"no racing with {type(self.agent).__name__}", why=why, hint="set evaluator.racing.risk=0")
        return account

    def _raced(self, judged: Sequence[Judged], running: set[int], racing: Racing) -> list[Score]:
        """The last round may give up more, but those have seen all images too."""
        seen = [one.seen() for one in judged]
        everything = max(len(one.scores) for one in seen)
        survivors = [one for one in seen if len(one.scores) == everything and one.is_finite]
        return [
            estimated(one, survivors, racing.keep)
            if len(one.scores) < everything and one.is_finite and survivors
            else whole.score()
            for one, whole in zip(seen, judged, strict=True)
        ]

    def _without_gradient(self) -> AbstractContextManager[Any]:
        return torch.inference_mode() if self.measures.inference else torch.no_grad()

    def _calibrated(self, roots: list[Node]) -> Trees:
        """Trees whose statistics are known."""
        trees = Trees(roots, max(self._batch, min(self._allowed(roots), AT_ONCE)))
        for root in roots:
            for node in root.all():
                node.forget()
        for batches in in_chunks(full(self.images.calibration), trees.images // self._batch):
            for _ in self._walk(roots, batches, training=True):
                pass
        return trees

    def _small(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Batches in parts of the size that is judged at a time."""
        for batch in batches:
            parts = (part.split(self._judged_at_a_time) for part in batch)
            yield from map(Batch, *parts)

    def _judge(
        self, trees: Trees, batches: Iterable[Batch], judged: Sequence[Account], running: set[int] | None = None
    ) -> None:
        """Judge those that are running, all without `running`, on some batches."""
        for chunk in in_chunks(self._small(batches), trees.images // self._judged_at_a_time):
            for rows, outputs in self._walk(trees.roots, chunk, training=False, running=running):
                for row in rows:
                    for output, batch in zip(outputs, chunk, strict=True):
                        judged[row].add(output, batch.labels)

    def _walk(
        self, roots: Iterable[Node], batches: Sequence[Batch], *, training: bool, running: set[int] | None = None
    ) -> Iterator[tuple[list[int], list[Any]]]:
        """Depth first; the rows of each leaf with its outputs, one a batch."""

        def wanted(nodes: Iterable[Node]) -> list[Node]:
            return [node for node in nodes if running is None or not running.isdisjoint(node.rows)][::-1]

        waiting = [(root, [batch.images for batch in batches]) for root in wanted(roots)]
        while waiting:
            node, inputs = waiting.pop()
            inputs = self._run(node, inputs, training=training)
            waiting += [(child, inputs) for child in wanted(node.children.values())]
            if not node.children:
                yield node.rows, inputs
            self.pulse()

    def _cheap_norms(self, piece: Piece, *, training: bool) -> AbstractContextManager[None]:
        if training:
            return overwriting(piece.pairs if self.measures.overwrite and self._on_cpu else ())
        return folded(piece.pairs if self.measures.fold else ())

    def _run(self, node: Node, inputs: Sequence[Any], *, training: bool) -> list[Any]:
        piece = node.piece
        node.install(training=training)
        with self._cheap_norms(piece, training=training), self.engine.autocast():
            return [piece(copied(x) if piece.changes_input else x) for x in inputs]
