"""Packages that only some features need: which extra of nascli brings each of them."""

from __future__ import annotations

from importlib import import_module

from nascli.errors import UsageError

EXTRAS = {  # name in `import` → name on PyPI, extra
    "tensorboard": ("tensorboard", "tensorboard"),
    "onnxruntime": ("onnxruntime", "onnx"),
    "onnx": ("onnx", "onnx"),
    "optuna": ("optuna", "optuna"),
    "lightning_fabric": ("lightning-fabric", "distributed"),
    "matplotlib": ("matplotlib", "report"),
    "jinja2": ("jinja2", "report"),
    "ray": ("ray", "ray"),
    "pytorch_metric_learning": ("pytorch-metric-learning", "face"),
    "sklearn": ("scikit-learn", "face"),
}


def need(what: str, *packages: str, instead: str = "") -> None:
    """Import the packages, each of which is in `EXTRAS`.

    Args:
        what: as the message begins, such as "the executor 'ray'".
        instead: what else a user may do, such as "leave tensorboard off".

    Raises:
        UsageError: one of them is not installed, or cannot be imported; the hint installs it.
    """
    for package in packages:
        name, extra = EXTRAS[package]
        try:
            import_module(package)
        except ImportError as error:
            hint = f"pip install 'nascli[{extra}]'" + (f", or {instead}" if instead else "")
            raise UsageError(f"{what} needs the package {name}", why=str(error), hint=hint) from None
