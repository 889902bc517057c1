from __future__ import annotations

import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from nascli.component import resolve
from nascli.cost.folding import folded
from nascli.cost.onnx_export import images, to_onnx
from nascli.errors import RunFailed
from nascli.search_space.base import SearchSpace

torch.set_num_threads(1)


def block(name: str, number: int) -> tuple[nn.Module, tuple[int, ...]]:
    space: SearchSpace = resolve("search_space", name).build()
    found = space.cost_blocks().blocks[number]
    module = found.build()
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.uniform_(norm.running_mean, -1, 1)
            nn.init.uniform_(norm.running_var, 0.5, 2)
    return module.eval(), found.shape


def output_of(model: bytes, x: Tensor) -> np.ndarray:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["y"], {"x": x.numpy()})[0])


@pytest.mark.parametrize(("name", "number"), [("fbnet_s", 5), ("spos", 3), ("nasbench201", 2), ("tiny", 4)])
@pytest.mark.parametrize("fold_bn", [True, False])
def test_an_exported_block_computes_the_same(name: str, number: int, fold_bn: bool) -> None:
    module, shape = block(name, number)
    x = images(2, shape)
    with torch.no_grad():
        expected = module(x)
    assert np.allclose(output_of(to_onnx(module, shape, 2, fold_bn), x), expected, atol=1e-4)


@pytest.mark.parametrize("fold_bn", [True, False])
def test_batch_norm_is_folded_where_it_should_be(fold_bn: bool) -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    kinds = {node.op_type for node in onnx.load_from_string(to_onnx(module, (3, 8, 8), fold_bn=fold_bn)).graph.node}
    assert ("BatchNormalization" in kinds) is not fold_bn


class Talkative(nn.Conv2d):
    """Whose copies are told of, as torch tells of some."""

    def __deepcopy__(self, memo: object) -> nn.Module:
        warnings.warn("copied", FutureWarning, stacklevel=1)
        return nn.Conv2d(3, 4, 3)


def test_notices_of_copying_are_not_shown() -> None:
    assert to_onnx(nn.Sequential(Talkative(3, 4, 3)), (3, 8, 8))


def test_folding_changes_a_copy_and_not_its_output() -> None:
    module, shape = block("tiny", 4)
    plain = folded(module)
    norms = [sum(isinstance(part, nn.BatchNorm2d) for part in one.modules()) for one in (module, plain)]
    assert norms[0] > norms[1] == 0
    with torch.no_grad():
        assert torch.allclose(module(images(1, shape)), plain(images(1, shape)), atol=1e-5)


class Unknown(nn.Module):
    """Something that ONNX does not have."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.special.airy_ai(x)


def test_what_cannot_be_exported_is_named(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RunFailed, match=r"cannot export Unknown \(3, 4, 4\)"):
        to_onnx(Unknown(), (3, 4, 4))
    assert capfd.readouterr().out == ""
