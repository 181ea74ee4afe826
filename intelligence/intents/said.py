"""Values as people say them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal

from intelligence.intents.errors import ContradictionError
from policy.shapes import format_duration
from registry.model import ServiceKey


def percentage(value: Decimal) -> str:
    return f"{value.normalize():f}%"


def span(value: timedelta) -> str:
    """ "2s", "1m30s": as documents write durations."""
    return format_duration(value)


def whom(target: ServiceKey | None) -> str:
    return "all services" if target is None else str(target)


def listed(values: Iterable[object]) -> str:
    """ "a, b and c"."""
    words = [str(value) for value in values]
    return " and ".join([*([", ".join(words[:-1])] if words[:-1] else []), *words[-1:]])


def refuse_unless(holds: bool, got: str, want: str) -> None:
    if not holds:
        raise ContradictionError(f"{got}: want {want}; nothing was changed")
