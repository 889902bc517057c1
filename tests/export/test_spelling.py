from __future__ import annotations

from collections import OrderedDict

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from nascli.export.spelling import spelled

MODULES = [
    (nn.Conv2d(3, 8, 3, 2, 1, groups=1, bias=False), "nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False)"),
    (nn.Conv2d(4, 4, (3, 1), padding="same", groups=4), "nn.Conv2d(4, 4, (3, 1), padding='same', groups=4)"),
    (nn.BatchNorm2d(8), "nn.BatchNorm2d(8)"),
    (nn.BatchNorm2d(8, eps=1e-3, affine=False), "nn.BatchNorm2d(8, eps=0.001, affine=False)"),
    (nn.AvgPool2d(3, 1, 1, count_include_pad=False), "nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)"),
    (nn.AdaptiveAvgPool2d((1, None)), "nn.AdaptiveAvgPool2d((1, None))"),
    (nn.Linear(4, 2, bias=False), "nn.Linear(4, 2, bias=False)"),
    (nn.PReLU(4), "nn.PReLU(num_parameters=4)"),
    (nn.LayerNorm((4, 4)), "nn.LayerNorm((4, 4))"),
    (nn.Upsample(scale_factor=2, mode="bilinear"), "nn.Upsample(scale_factor=2.0, mode='bilinear')"),
    (nn.ChannelShuffle(2), "nn.ChannelShuffle(2)"),
    (nn.GELU("tanh"), "nn.GELU(approximate='tanh')"),
    (nn.Sequential(), "nn.Sequential()"),
    (nn.Sequential(nn.ReLU(), nn.Identity()), "nn.Sequential(nn.ReLU(), nn.Identity())"),
]


@pytest.mark.parametrize(("module", "text"), MODULES, ids=[text for _, text in MODULES])
def test_a_module_is_the_call_that_makes_it(module: nn.Module, text: str) -> None:
    assert spelled(module)[module] == text
    made = eval(text, {"nn": nn})
    made.load_state_dict(module.state_dict())
    assert repr(made) == repr(module)


def test_a_long_sequence_has_a_line_for_each_module() -> None:
    inner = nn.Sequential(nn.Conv2d(16, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU6(inplace=True))
    network = nn.Sequential(inner, nn.Flatten())
    text = spelled(network)[network]
    assert text.splitlines()[:3] == [
        "nn.Sequential(",
        "    nn.Sequential(",
        "        nn.Conv2d(16, 64, 3, padding=1, bias=False),",
    ]
    assert repr(eval(text, {"nn": nn})) == repr(network)


class Own(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


class Louder(nn.ReLU):
    pass


def hooked() -> nn.Module:
    module = nn.ReLU()
    module.register_forward_hook(lambda module, args, output: output + 1)
    return module


def patched() -> nn.Module:
    module = nn.ReLU()
    module.forward = torch.sigmoid  # type: ignore[method-assign]
    return module


def changed() -> nn.Module:
    module = nn.BatchNorm2d(4)
    module.register_buffer("more", torch.zeros(1))
    return module


UNSURE = {
    "a class of one's own": Own(),
    "a subclass": Louder(),
    "a hook": hooked(),
    "another forward": patched(),
    "a buffer more": changed(),
    "other weights": weight_norm(nn.Linear(2, 2)),
    "modules in it": nn.MultiheadAttention(4, 2),
    "named members": nn.Sequential(OrderedDict(relu=nn.ReLU())),
    "an unsure member": nn.Sequential(nn.ReLU(), Own()),
}


@pytest.mark.parametrize("name", UNSURE)
def test_what_no_call_is_known_to_make_has_none(name: str) -> None:
    assert UNSURE[name] not in spelled(UNSURE[name])
