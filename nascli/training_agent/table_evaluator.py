"""The evaluator that looks scores up in a tabular benchmark."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from nascli.config import file_option
from nascli.errors import ConfigError
from nascli.search_strategy.base import Score
from nascli.space import Archs
from nascli.training_agent.base import Evaluator, EvaluatorInputs


class TableEvaluator(Evaluator):
    """Scores from a JSON file `{architecture: {field: value or list of values}}`.

    An architecture is written "02012100" or "0,2,0,1,2,1,0,0".
    """

    class Config(Evaluator.Config):
        """Options of the tabular benchmark."""

        path: Path = file_option(Path(), description="the JSON file")
        score: str = Field(
            "mean_acc", description="a field, one value of a list: test_acc.0, or a mean: test_acc.1+test_acc.2"
        )
        scale: float = Field(0.01, gt=0, description="factor that turns the field into a share; 0.01 for percent")

    config: Config
    chunk = 4096

    def prepare(self, inputs: EvaluatorInputs) -> Mapping[str, Any]:
        """Read the table; its digest is remembered."""
        return {"benchmark": self.load()}

    def load(self) -> str:
        """Read the table; its digest.

        Raises:
            ConfigError: no path, or no such table.
        """
        from nascli.artifacts.files import sha256

        if self.config.path == Path():
            hint = "in the YAML: evaluator: {use: table, path: benchmark.json}"
            raise ConfigError("the evaluator 'table' does not know its benchmark", hint=hint)
        try:
            raw = self.config.path.read_bytes()
            self._table: dict[str, Any] = dict(json.loads(raw))
        except (OSError, ValueError, TypeError) as error:
            raise ConfigError(f"cannot read the benchmark {self.config.path}", why=str(error)[:200]) from None
        return sha256(raw)

    def architectures(self) -> list[list[int]]:
        """Those that the table has, in its order.

        Raises:
            ConfigError: a key that is no architecture.
        """
        try:
            return [[int(i) for i in (key.split(",") if "," in key else key)] for key in self._table]
        except ValueError as error:
            raise ConfigError(f"the benchmark {self.config.path} has other keys", why=str(error)) from None

    def evaluate(self, archs: Archs) -> list[Score]:
        """One look-up per architecture; no image is seen."""
        return [self._look_up(arch) for arch in archs]

    def _look_up(self, arch: Archs) -> Score:
        digits = [str(int(i)) for i in arch]
        entry = self._table.get("".join(digits), self._table.get(",".join(digits)))
        if entry is None:
            return Score(float("nan"), float("nan"), 0, "not in the benchmark")
        try:
            values = [_number(entry, name) for name in self.config.score.split("+")]
        except (KeyError, IndexError, TypeError, ValueError) as error:
            fields = ", ".join(entry) if isinstance(entry, dict) else type(entry).__name__
            raise ConfigError(f"the benchmark has no number '{self.config.score}'", why=f"fields: {fields}") from error
        accuracy = sum(values) / len(values) * self.config.scale
        return Score(accuracy, 1 - accuracy, 0)


def _number(entry: Any, name: str) -> float:
    """The value of a field, or of one place of its list."""
    field, dot, index = name.strip().partition(".")
    return float(entry[field][int(index)] if dot else entry[field])
