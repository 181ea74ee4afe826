"""Other languages than English (next step)."""

from __future__ import annotations

from collections.abc import Callable

from intelligence.intents.lexicon import Lexicon
from intelligence.intents.names import Vocabulary
from intelligence.intents.understanding import Understanding


def understand_elsewhere(
    sentence: str, vocabulary: Vocabulary, *, understand: Callable[[str, Vocabulary, Lexicon], Understanding]
) -> Understanding | None:
    return None
