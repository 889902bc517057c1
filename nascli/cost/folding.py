"""BatchNorm as part of the convolution before it, as deployment runtimes have it."""

from __future__ import annotations

import copy
from itertools import pairwise

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval


def folded(module: nn.Module) -> nn.Module:
    """A copy in evaluation mode, where each BatchNorm behind a convolution of one `nn.Sequential` is folded into it.

    BatchNorm elsewhere, or without running statistics, stays.
    """
    result = copy.deepcopy(module).eval()
    for part in list(result.modules()):
        if isinstance(part, nn.Sequential):
            _fold(part)
    return result


def _fold(sequence: nn.Sequential) -> None:
    names = list(sequence._modules)
    for name, behind in pairwise(names):
        conv, norm = sequence._modules[name], sequence._modules[behind]
        if isinstance(conv, nn.Conv2d) and isinstance(norm, _BatchNorm) and norm.running_mean is not None:
            sequence._modules[name] = fuse_conv_bn_eval(conv, norm)
            sequence._modules[behind] = nn.Identity()
