"""The distinct blocks of a search space as files that another machine can measure."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nascli.artifacts.files import atomic_folder, sha256
from nascli.artifacts.header import SpaceRecord
from nascli.artifacts.manifest import NAME, BlockEntry, BlockOperation, BlockPlace, Manifest, ModelFile, NetworkEntry
from nascli.console import Bar, out
from nascli.cost.blocks import Blocks, CostBlock, Place
from nascli.cost.formats.rows import COLUMNS
from nascli.errors import UsageError
from nascli.extras import need

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    Model = Callable[[Sequence[int]], nn.Module]

MEASUREMENTS = "measurements.csv"


@dataclass(frozen=True)
class BlockExport:
    """What is written.

    Args:
        batch: images a forward.
        fold_bn: whether BatchNorm becomes part of the convolution before it.
        networks: how many whole networks, spread over the range of their MACs.
        onnx: whether models are written, or the manifest and the CSV alone.
    """

    batch: int = 1
    fold_bn: bool = True
    networks: int = 0
    onnx: bool = True


def export(folder: Path, blocks: Blocks, model: Model, record: SpaceRecord, options: BlockExport) -> Manifest:
    """Write the models, `manifest.json` and an empty `measurements.csv`: the whole folder or nothing.

    Args:
        folder: new, or empty.
        model: makes the network of an architecture.
        record: of the search space.

    Raises:
        UsageError: onnx is not installed, or the folder has something in it, such as measurements.
        RunFailed: a block cannot be exported, or the folder cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        what = "a folder with something in it" if folder.is_dir() else "a file"
        raise UsageError(f"-o {folder} is {what}", hint="choose another -o, or remove it")
    if options.onnx:
        need("export-blocks", "onnx", instead="the list of blocks alone: --no-onnx")
    archs = _networks(blocks, options.networks, model)
    with atomic_folder(folder) as inside, out.progress("blocks", len(blocks.blocks) + len(archs)) as bar:
        writer = _Writer(inside, options, bar)
        manifest = Manifest(
            space=record,
            batch=options.batch,
            fold_bn=options.fold_bn,
            blocks=tuple(writer.block(*pair) for pair in zip(blocks.blocks, blocks.places, strict=True)),
            empty=writer.empty(),
            networks=tuple(writer.network(i, arch, model, blocks) for i, arch in enumerate(archs)),
        )
        (inside / NAME).write_text(manifest.text(), encoding="utf-8")
        (inside / MEASUREMENTS).write_text(table(manifest), encoding="utf-8", newline="")
    return manifest


def table(manifest: Manifest, values: Mapping[str, float] | None = None, unit: str = "") -> str:
    """A CSV with a line a block, and one a network; without values, to be filled in.

    Args:
        values: block id, or the text of an architecture ("0,2,1") → cost.
        unit: of the values.
    """
    text, known = io.StringIO(), values or {}
    columns = [*COLUMNS[:1], *(["architecture"] if manifest.networks else []), *COLUMNS[1:]]
    lines = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    lines.writeheader()
    for entry in manifest.blocks:
        lines.writerow({"id": entry.id, "name": entry.name, "value": known.get(entry.id, ""), "unit": unit})
    for network in manifest.networks:
        arch = ",".join(map(str, network.architecture))
        lines.writerow({"architecture": arch, "value": known.get(arch, ""), "unit": unit})
    return text.getvalue()


def _networks(blocks: Blocks, n: int, model: Model) -> list[tuple[int, ...]]:
    if not n:
        return []
    from nascli.cost.macs import Macs
    from nascli.cost.measuring import measured
    from nascli.cost.validation import spread

    macs = measured(Macs(), blocks, model)
    return [tuple(arch) for arch in spread(macs, blocks, n, np.random.default_rng(0)).tolist()]


class _Writer:
    """Writes one model after another into a folder."""

    def __init__(self, folder: Path, options: BlockExport, bar: Bar) -> None:
        self.folder, self.options, self.bar = folder, options, bar

    def block(self, block: CostBlock, places: Sequence[Place]) -> BlockEntry:
        found = block.operation
        return BlockEntry(
            id=block.id,
            name=block.name,
            input_shape=block.shape,
            operation=None if found is None else BlockOperation(**vars(found)),
            model=self._model(f"blocks/{block.id}.onnx", block.build, block.shape),
            places=tuple(BlockPlace(**vars(place)) for place in places),
        )

    def network(self, number: int, arch: tuple[int, ...], model: Model, blocks: Blocks) -> NetworkEntry:
        shape = blocks.space.input_shape
        written = self._model(f"networks/{number:03d}.onnx", lambda: model(arch), shape)
        return NetworkEntry(architecture=arch, model=written)

    def empty(self) -> ModelFile | None:
        """What does nothing."""
        if not self.options.onnx:
            return None
        from torch import nn

        from nascli.cost.onnx_export import to_onnx

        return self._written("empty.onnx", to_onnx(nn.Identity(), (1, 1, 1)))

    def _model(self, name: str, build: Callable[[], nn.Module], shape: tuple[int, ...]) -> ModelFile | None:
        self.bar.advance()
        if not self.options.onnx:
            return None
        from nascli.cost.onnx_export import to_onnx

        return self._written(name, to_onnx(build(), shape, self.options.batch, self.options.fold_bn))

    def _written(self, name: str, data: bytes) -> ModelFile:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        return ModelFile(file=name, sha256=sha256(data))
