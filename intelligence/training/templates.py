"""How people say things, for training: the table of templates.yaml, and what may stand around an order."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources

import yaml

_TABLE = yaml.safe_load((resources.files(__package__) / "templates.yaml").read_text(encoding="utf-8"))

ORDERS: Mapping[str, tuple[int, tuple[str, ...]]] = {
    kind: (entry["weight"], tuple(entry["said"].splitlines())) for kind, entry in _TABLE["orders"].items()
}
"""By intent: how often, and how it is said."""
SPOILERS: tuple[str, ...] = tuple(_TABLE["spoilers"].splitlines())
NOTHING: tuple[str, ...] = tuple(_TABLE["nothing"].splitlines())

BEFORE = (
    *("please ", "Please ", "can you ", "could you ", "could you please ", "hi, ", "hello, ", "I want to "),
    *("we need to ", "I'd like to ", "let's ", "now ", "hey, ", "ok, ", "quickly ", "would you ", "kindly ", "just "),
)
AFTER = (
    *("", "", "", "", " please", ", please", ".", "!", " now", " thanks", ", thank you", ", thanks!"),
    *(" right away", "?"),
)
JOINTS = (" and ", " and ", ", then ", ". ", ", and ", "; ", " and also ", "\n")
