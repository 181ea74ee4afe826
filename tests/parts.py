"""Parts that a test needs and a machine may lack: a program, or a package that cannot live in our environment."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def missing(what: str, how: str) -> NoReturn:
    """Skips the test for want of `what`, and says how to get it. Fails it where APG_REQUIRE_PARTS is set, as it is
    where every test has to run."""
    message = f"{what} is missing: {how}"
    if os.environ.get("APG_REQUIRE_PARTS"):
        pytest.fail(message, pytrace=False)
    pytest.skip(message)
