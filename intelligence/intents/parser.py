"""What a parser is."""

from __future__ import annotations

from typing import Protocol

from intelligence.intents.names import Vocabulary
from intelligence.intents.understanding import Understanding
from registry.model import ServiceKey


class Parser(Protocol):
    """Understands sentences about a mesh, or refuses: a refusal beats a guess."""

    @property
    def name(self) -> str: ...

    async def parse(
        self, sentence: str, vocabulary: Vocabulary, *, referent: ServiceKey | None = None
    ) -> Understanding:
        """`referent` is what "it" means at the beginning. Raises IntentError."""
        ...
