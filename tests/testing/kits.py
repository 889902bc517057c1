"""What the tests of all contracts share."""

from __future__ import annotations

from typing import Any

import pytest


def breaks(contract: Any, make: Any, test: str, said: str) -> None:
    """A test of a contract fails on what `make` gives, and says so."""
    with pytest.raises(AssertionError, match=said):
        getattr(type("Kit", (contract,), {"make": make})(), test)()
