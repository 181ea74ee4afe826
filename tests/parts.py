"""Outside programs that some tests need: what to do when one is missing."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest

REQUIRED = "APG_REQUIRE_PARTS"


def missing(what: str, how: str) -> NoReturn:
    """Skips the test, saying how to get what it needs; fails it where $APG_REQUIRE_PARTS says that all is there."""
    words = f"{what} is missing: {how}"
    if os.environ.get(REQUIRED):
        pytest.fail(words)
    pytest.skip(words)
