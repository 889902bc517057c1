"""One-shot neural architecture search as a pipeline of commands and files."""

__version__ = "0.1.0"
