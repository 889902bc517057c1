"""What tables tell enough of: exports, and what a search strategy learned."""

from __future__ import annotations

from collections.abc import Iterator

from nascli.artifacts.export import Export
from nascli.artifacts.strategy_state import StrategyState
from nascli.commands.reporting.material import Material, name_of
from nascli.commands.reporting.parts import Note, Part, Section, Table
from nascli.commands.views import as_json, export, strategy_state


def exports(material: Material) -> Iterator[Section]:
    """One section an export: its files, how far each format is from the network, its latency."""
    for number, artifact in enumerate(material.of(Export)):
        facts = as_json(artifact)
        doubts: list[Part] = [Note(text, warns=True) for text in export.warnings(facts)]
        tables = [Table.of(table) for table in export.tables(facts)]
        yield Section(f"export-{number}", "For use without nascli", name_of(artifact), [*doubts, *tables])


def learned(material: Material) -> Iterator[Section]:
    """One section a state of a strategy: what costs it was asked for, and what it generated."""
    for number, artifact in enumerate(material.of(StrategyState)):
        facts = as_json(artifact)
        about = Note(f"{facts['strategy'] or 'A strategy'}, {facts['numbers']:,} numbers.")
        tables = [Table.of(table) for table in strategy_state.tables(facts)]
        yield Section(f"learned-{number}", "What the search strategy learned", name_of(artifact), [about, *tables])
