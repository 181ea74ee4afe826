"""What a parser is."""

from __future__ import annotations

from typing import Protocol

from intelligence.intents.intents import Understanding
from intelligence.intents.names import Vocabulary


class Parser(Protocol):
    """Understands sentences about a mesh, or refuses: a refusal beats a guess."""

    @property
    def name(self) -> str: ...

    async def parse(self, sentence: str, vocabulary: Vocabulary) -> Understanding:
        """Raises IntentError."""
        ...
