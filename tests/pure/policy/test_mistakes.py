"""What people get wrong with each kind, and what they are told: `tests/mistakes.py` and its golden files."""

from __future__ import annotations

import json

import pytest

from policy.kinds import KINDS
from policy.schema import schema_of
from tests.mistakes import FOLDER, MISTAKES, TABLE, Never, golden

CAN_BE = {"wrong unit": "a duration with its unit", "out of range": '"minimum"', "regex": "RegularExpression"}
"""What a kind's schema has where such a mistake can be made."""


def test_every_kind_has_a_row_for_every_mistake() -> None:
    assert set(TABLE) == {kind.KIND for kind in KINDS.values()}
    assert {kind: set(rows) for kind, rows in TABLE.items()} == {kind: set(MISTAKES) for kind in TABLE}


@pytest.mark.parametrize("kind", TABLE)
def test_a_mistake_that_the_schema_allows_for_is_in_the_table(kind: str) -> None:
    schema = json.dumps(schema_of(kind))
    missing = [
        mistake for mistake, mark in CAN_BE.items() if mark in schema and isinstance(TABLE[kind][mistake], Never)
    ]
    assert not missing


@pytest.mark.parametrize("kind", TABLE)
def test_what_is_told_is_as_it_was_read(kind: str) -> None:
    told = golden(kind)
    assert told == (FOLDER / f"{kind}.txt").read_text(), "python -m tests.mistakes writes it anew"
    for part in told.split("\n\n"):
        title, *lines = part.strip().splitlines()
        assert lines or "cannot be: " in title, f"{title}: nobody says a word"
    assert "Input should" not in told, "pydantic's own words"
