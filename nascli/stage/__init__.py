"""Stages: a typed function becomes a command of the pipeline; the function itself stays a plain call."""

from nascli.stage.declaration import Input, Plugin, Stage, installed_stages, stage, stage_names, stage_of

__all__ = ["Input", "Plugin", "Stage", "installed_stages", "stage", "stage_names", "stage_of"]
