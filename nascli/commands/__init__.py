"""The commands besides the stages: ordinary Typer functions."""
