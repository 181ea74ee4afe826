"""What was understood of a text: the intents, what is asked back, and how sure the parser is."""

from __future__ import annotations

from dataclasses import dataclass

from intelligence.intents.intents import Intent


@dataclass(frozen=True, slots=True)
class Need:
    """Something that only the person can tell. `what` names it for programs: "service", "version", "header" …"""

    what: str
    question: str
    choices: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.question + (f" {', '.join(self.choices)}?" if self.choices else "")


@dataclass(frozen=True, slots=True)
class Understanding:
    """What was understood of a text.

    words: the intents said back, and what was passed over or repaired. confidence: 0 to 1. parser: who understood.
    needs: what must be answered before anything can be planned. language: of the words, "en" for English.
    """

    intents: tuple[Intent, ...]
    words: tuple[str, ...]
    confidence: float
    parser: str
    needs: tuple[Need, ...] = ()
    language: str = "en"
