"""The reliability campaigns, whose results stand in docs/reliability.md: `nox -s reliability -- NAME [OPTIONS]`."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

CAMPAIGNS = ("fuzz", "kills", "disk", "twins", "mutants", "chain")


def main() -> int:
    """Run the campaign that is named."""
    if len(sys.argv) < 2 or sys.argv[1] not in CAMPAIGNS:
        sys.stderr.write(f"which one? {', '.join(CAMPAIGNS)}\n")
        return 2
    code: int = import_module(f"tests.campaigns.{sys.argv[1]}").main(sys.argv[2:])
    return code


if __name__ == "__main__":
    sys.exit(main())
