"""Stages: a typed function becomes a command of the pipeline; the function itself stays a plain call."""

from nascli.stage.declaration import Input, Stage, stage, stage_of
from nascli.stage.plugins import Plugin, chosen_packages, installed_stages, packages_of, stage_for, stage_names

__all__ = [
    "Input",
    "Plugin",
    "Stage",
    "chosen_packages",
    "installed_stages",
    "packages_of",
    "stage",
    "stage_for",
    "stage_names",
    "stage_of",
]
