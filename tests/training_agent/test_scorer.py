from __future__ import annotations

import copy
import weakref
from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from nascli.component import resolve
from nascli.dataflow.synthetic import Synthetic
from nascli.engine import Engine
from nascli.search_space.base import SearchSpace
from nascli.search_strategy.base import Score
from nascli.space import Archs
from nascli.supernet.base import Supernet
from nascli.training_agent.classification import Classification
from nascli.training_agent.folding import folded
from nascli.training_agent.pieces import Piece
from nascli.training_agent.prefix_tree import grow
from nascli.training_agent.scorer import Images, Measures, Scorer
from nascli.training_agent.scoring import Replay, in_chunks

from .helpers import ARCH, PathView, flow, fresh, scored_alone, tiny
from .test_pieces import chain

ENGINE, AGENT = Engine("cpu"), Classification()
SMALL: dict[str, Any] = {"input_shape": [3, 8, 8], "classes": 4}
PUBLISHED = ("fbnet_s", "spos", "sgnas")
FAMILY = np.array([[1, 0, 4, 2, 3, 0], [1, 0, 4, 2, 3, 1], [1, 0, 4, 1, 3, 1], [1, 0, 2, 1, 3, 1], [0, 0, 4, 2, 3, 0]])


def images(data: Synthetic | None = None, calibration: int = 44, *, channels_last: bool = True) -> Images:
    limits = {"train": calibration, "valid": None}
    source = data or flow()
    return Images(
        *(
            Replay(source, split, ENGINE, limit=limit, seed=0, channels_last=channels_last)
            for split, limit in limits.items()
        )
    )


def scorer(supernet: Supernet | None = None, **measures: Any) -> Scorer:
    return Scorer(supernet or fresh(tiny().supernet), tiny().space, images(), AGENT, ENGINE, Measures(**measures))


def scores(found: Scorer, archs: Archs) -> list[Score]:
    known: dict[int, Score] = {}
    for rows in found.groups(archs):
        known |= dict(zip(rows, found.score(archs[rows]), strict=True))
    return [known[row] for row in range(len(archs))]


@pytest.mark.parametrize("inference", [True, False])
def test_without_folding_scores_are_those_of_update_bn_bit_for_bit(inference: bool) -> None:
    supernet = fresh(tiny().supernet)
    alone = [
        scored_alone(copy.deepcopy(supernet), tiny().space.forward(arch), images(), AGENT, ENGINE) for arch in FAMILY
    ]
    assert scores(scorer(supernet, fold=False, prefix_tree="on", inference=inference), FAMILY) == alone


def test_statistics_are_those_of_update_bn() -> None:
    ours, theirs = fresh(tiny().supernet), fresh(tiny().supernet)
    scorer(ours).score(np.array([ARCH]))
    scored_alone(theirs, tiny().space.forward(ARCH), images(), AGENT, ENGINE)
    path = PathView(theirs, tiny().space.forward(ARCH))
    ran = Counter[str]()
    for name, module in theirs.named_modules():
        if isinstance(module, _BatchNorm):
            module.register_forward_hook(lambda *_, name=name: ran.update([name]))
    path.eval()(torch.zeros(1, 3, 8, 8))
    assert len(ran) == 1 + 3 * 4
    for name in ran:
        mine, expected = ours.get_submodule(name), theirs.get_submodule(name)
        assert torch.equal(mine.running_mean, expected.running_mean)
        assert torch.equal(mine.running_var, expected.running_var)
        assert int(mine.num_batches_tracked) == 5


@pytest.mark.parametrize("measures", [{}, {"fold": False}, {"activations_mb": 0}, {"inference": False}])
def test_trees_give_the_scores_of_one_by_one_bit_for_bit(measures: dict[str, Any]) -> None:
    apart, together = (scorer(**{**measures, "prefix_tree": tree}) for tree in ("off", "on"))
    assert scores(together, FAMILY) == scores(apart, FAMILY)
    assert scores(together, FAMILY[::-1]) == scores(apart, FAMILY)[::-1]


def build(name: str) -> SearchSpace:
    strides = {"strides": "cifar"} if name in PUBLISHED else {}
    found: SearchSpace = resolve("search_space", {"use": name, **SMALL, **strides}).build()
    return found


@pytest.mark.parametrize("name", ["spos", "sgnas", "nasbench201"])
def test_trees_change_nothing_in_other_spaces(name: str) -> None:
    space = build(name)
    rng, supernet = np.random.default_rng(0), fresh(space.supernet)
    first = np.array([rng.integers(size - (name == "sgnas")) for size in space.space.sizes])
    archs = np.stack([first, first])
    archs[1, -1] = (archs[1, -1] + 1) % 3
    archs = space.space.canonical(archs)
    found = [
        Scorer(copy.deepcopy(supernet), space.space, images(), AGENT, ENGINE, Measures(prefix_tree=tree))
        for tree in ("off", "on")
    ]
    assert scores(found[0], archs) == scores(found[1], archs)


def test_a_candidate_that_writes_into_its_input_does_not_disturb_its_neighbours() -> None:
    candidates = [nn.ReLU(inplace=True), nn.BatchNorm2d(3), nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.Tanh())]
    supernet, space = chain(*candidates)
    archs = np.array([[a, b] for a in (1, 2) for b in (0, 1, 2)])
    data = flow(classes=3)
    found = [
        scores(Scorer(copy.deepcopy(supernet), space, images(data), AGENT, ENGINE, Measures(prefix_tree=tree)), archs)
        for tree in ("off", "on")
    ]
    assert found[0] == found[1]


def test_a_common_beginning_runs_once_a_batch() -> None:
    supernet = fresh(tiny().supernet)
    ran = Counter[str]()
    for name, module in supernet.named_modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_pre_hook(lambda *_, name=name: ran.update([name]))
    found = scorer(supernet, prefix_tree="on")
    found.groups(FAMILY[:3])
    ran.clear()
    scores(found, FAMILY[:3])
    first = [count for name, count in ran.items() if ".first." in name]
    assert first == [5 + 2]


def test_trees_are_for_populations_that_save_enough() -> None:
    different = np.array([[1] * 6, [2] * 6, [3] * 6])
    assert scorer().groups(different) == [[0], [1], [2]]
    assert scorer(prefix_tree="on").groups(different) == [[0, 1, 2]]
    assert scorer(prefix_tree="off").groups(FAMILY) == [[0], [1], [2], [3], [4]]
    (group,) = scorer().groups(FAMILY)
    assert sorted(group) == [0, 1, 2, 3, 4]


def test_neighbours_stay_together_where_memory_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nascli.training_agent.scorer.TOGETHER", 2)
    groups = scorer(prefix_tree="on").groups(FAMILY)
    assert sorted(row for group in groups for row in group) == [0, 1, 2, 3, 4]
    assert max(map(len, groups)) == 2
    assert groups[0][0] == 4


def test_no_more_is_held_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nascli.training_agent.scorer.MIB", 2**10)
    found = scorer(prefix_tree="on")
    found.groups(FAMILY)
    for allowed in (17, 25, 34, 51):
        found.measures = Measures(prefix_tree="on", activations_mb=allowed)
        for rows in found.groups(FAMILY):
            roots = grow(found.pieces, FAMILY, rows)
            images = found._allowed(roots)
            assert images >= 8
            assert 0 < held(found, roots, images // 8) <= allowed * 2**10


def held(found: Scorer, roots: Any, chunk: int) -> int:
    """The most bytes that the outputs of pieces take while the trees are walked."""
    alive: dict[int, Any] = {}
    most = 0

    def seen(tensor: torch.Tensor) -> torch.Tensor:
        key = tensor.untyped_storage().data_ptr()
        alive[key] = (weakref.ref(tensor), tensor.untyped_storage().nbytes())
        return tensor

    def size() -> int:
        return sum(nbytes for ref, nbytes in alive.values() if ref() is not None)

    run = found._run

    def watched(node: Any, inputs: Any, *, training: bool) -> list[Any]:
        nonlocal most
        outputs = run(node, inputs, training=training)
        list(map(seen, outputs))
        most = max(most, size())
        return outputs

    found._run = watched  # type: ignore[method-assign]
    for root in roots:
        for node in root.all():
            node.forget()
    for batches in in_chunks(found.images.calibration, chunk):
        with torch.no_grad():
            list(found._walk(roots, batches, training=True))
    found._run = run  # type: ignore[method-assign]
    return most


@pytest.mark.parametrize("name", ["tiny", "fbnet_s", "spos"])
def test_layout_and_folding_change_at_most_two_images_in_a_thousand(name: str) -> None:
    space, data = build(name), flow(train_images=1300, batch_size=64, valid_share=0.77)
    arch, supernet = np.array([[1] * len(space.space.sizes)]), fresh(space.supernet)
    found = []
    for channels_last, fold in ((False, False), (True, False), (True, True)):
        layout = torch.channels_last if channels_last else torch.contiguous_format
        placed: Any = copy.deepcopy(supernet).to(memory_format=layout)  # type: ignore[call-overload]
        given = images(data, 128, channels_last=channels_last)
        (score,) = Scorer(placed, space.space, given, AGENT, ENGINE, Measures(fold=fold)).score(arch)
        found.append(score)
    assert found[0].images >= 1000
    assert all(abs(other.accuracy - found[0].accuracy) <= 0.002 for other in found[1:])
    assert all(abs(other.loss - found[0].loss) <= 1e-4 for other in found[1:])


@pytest.mark.parametrize("name", ["tiny", "fbnet_s", "spos", "sgnas", "nasbench201", "darts"])
def test_layout_and_folding_change_float64_logits_by_rounding_alone(name: str) -> None:
    space = build(name)
    supernet: Any = fresh(space.supernet).double().eval()
    x = torch.randn(4, 3, 8, 8, dtype=torch.float64)
    rng = np.random.default_rng(1)
    arch = space.space.canonical(np.array([rng.integers(size) for size in space.space.sizes]) * (name != "sgnas"))
    piece = Piece(supernet, space.space.forward(arch))
    piece.trace(x)
    assert piece.pairs
    with torch.no_grad():
        for norm in piece.norms:
            norm.running_mean.uniform_(-0.2, 0.2)  # type: ignore[union-attr]
            norm.running_var.uniform_(0.5, 1.5)  # type: ignore[union-attr]
        plain = piece(x)
        supernet.to(memory_format=torch.channels_last)
        with folded(piece.pairs):
            fast = piece(x.to(memory_format=torch.channels_last))
    torch.testing.assert_close(fast, plain, rtol=0, atol=1e-9)


@pytest.mark.parametrize("measures", [{"overwrite": False}, {"inference": False}])
def test_overwriting_and_inference_mode_change_no_bit(measures: dict[str, Any]) -> None:
    assert scores(scorer(**measures), FAMILY) == scores(scorer(), FAMILY)


def test_a_cpu_judges_a_batch_in_parts() -> None:
    space, data = tiny().space, flow(train_images=200, batch_size=50, valid_share=0.5)
    sizes: dict[bool, set[int]] = {}
    for small in (True, False):
        supernet, seen = fresh(tiny().supernet), set[int]()
        found = Scorer(supernet, space, images(data, 100), AGENT, ENGINE, Measures(small=small))
        found.pieces.of(FAMILY[0])
        supernet.network.first.register_forward_hook(lambda m, x, y, seen=seen: seen.add(len(y)))
        assert found.score(FAMILY[:1])[0].images == 100
        sizes[small] = seen
    assert sizes == {True: {50, 32, 18}, False: {50}}


def test_scoring_changes_no_weight_and_leaves_ordinary_buffers() -> None:
    supernet = fresh(tiny().supernet)
    before = {name: p.detach().clone() for name, p in supernet.named_parameters()}
    scores(scorer(supernet, prefix_tree="on"), FAMILY)
    assert all(torch.equal(p, before[name]) and p.grad is None for name, p in supernet.named_parameters())
    assert not any(buffer.is_inference() for buffer in supernet.buffers())
    assert not any(module.training for module in supernet.modules())


def test_dropout_stays_off_while_statistics_are_estimated() -> None:
    norm = nn.BatchNorm2d(3)
    supernet, space = chain(nn.Sequential(nn.Dropout(0.9), norm), layers=1)
    given = images(flow(classes=3), 8)
    Scorer(supernet, space, given, AGENT, ENGINE).score(np.array([[0]]))
    (batch,) = given.calibration
    torch.testing.assert_close(supernet.network.layers["layer_0"][0][1].running_mean, batch.images.mean((0, 2, 3)))  # type: ignore[index,operator,union-attr]


def test_half_precision_is_scored_too() -> None:
    half = Scorer(fresh(tiny().supernet), tiny().space, images(), AGENT, Engine("cpu", "bf16"), Measures())
    apart = Scorer(
        fresh(tiny().supernet), tiny().space, images(), AGENT, Engine("cpu", "bf16"), Measures(prefix_tree="off")
    )
    assert scores(half, FAMILY) == scores(apart, FAMILY)
    assert scores(half, FAMILY) != scores(scorer(), FAMILY)


def test_someone_is_asked_between_pieces() -> None:
    class Enough(Exception):
        pass

    def pulse() -> None:
        raise Enough

    found = Scorer(fresh(tiny().supernet), tiny().space, images(), AGENT, ENGINE, Measures(), pulse)
    with pytest.raises(Enough):
        found.score(FAMILY)
