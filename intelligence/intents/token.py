"""What a token is: a piece of a sentence with what it may stand for, and what it states."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from intelligence.intents.lexicon import bit
from intelligence.intents.scanner import Piece
from registry.model import ServiceKey

AMOUNT, NUMBER, DURATION, RATE, RATIO = "amount", "number", "duration", "rate", "ratio"
REFUSALS = "refusals"  # a rate of refused requests
SERVICE, VERSION, BACKEND, ROLE = "service", "version", "backend", "role"
PATH, HOST, URL, ADDRESS, COUNTRY, METHOD, HEADER = "path", "host", "url", "address", "country", "method", "header"
MOMENT, QUOTED, FILE, UNKNOWN, STRANGER = "moment", "quoted", "file", "unknown", "stranger"


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the sentence.

    kind: one of the names above, "word" for a word of the lexicon, "mark" for punctuation.
    mask: the labels (kind and concepts) that it may stand for. `silent`: it need not stand for anything.
    values: what it states: percentages, a number, a rate's count, names, addresses.
    """

    kind: str
    text: str
    start: int
    mask: int = 0
    silent: bool = False
    numbers: tuple[Decimal, ...] = ()
    duration: timedelta | None = None
    names: tuple[str, ...] = ()
    services: tuple[ServiceKey, ...] = ()
    repaired: str = ""

    def has(self, labels: int) -> bool:
        return bool(self.mask & labels)


def token_of(kind: str, piece: Piece, *, more: int = 0, **values: object) -> Token:
    """A token of `kind` for `piece`; `more`: labels beside that of its kind; values: its fields by name."""
    return Token(kind, piece.text, piece.start, bit(kind) | more, **values)  # type: ignore[arg-type]  # by name
