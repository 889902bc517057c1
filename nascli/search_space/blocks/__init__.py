"""Candidate blocks, from torchvision where it has them.

A builder takes (in_channels, out_channels, stride, **options) and returns a module (N, C, H, W) →
(N, out_channels, ceil(H / stride), ceil(W / stride)); `build.py` has the table of them. It raises ValueError where an
option is wrong; `build` adds the place.
"""
