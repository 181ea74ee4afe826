"""A sentence, understood by the first parser that can."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from intelligence.intents.errors import IntentError, NotUnderstoodError, ParserUnavailableError
from intelligence.intents.intents import Understanding
from intelligence.intents.names import Vocabulary
from intelligence.intents.parser import Parser
from registry.mesh import Mesh


async def understand(sentence: str, mesh: Mesh, *, parsers: Sequence[Parser]) -> Understanding:
    """What `sentence` asks of `mesh`, by the first of `parsers` that is there and understands it.

    Raises:
        IntentError: of the last parser that was asked.
    """
    vocabulary = Vocabulary.of(mesh)
    passed_over: list[str] = []
    last: IntentError = ParserUnavailableError("no parser is configured; nothing was changed")
    for parser in parsers:
        try:
            understanding = await parser.parse(sentence, vocabulary)
        except (ParserUnavailableError, NotUnderstoodError) as error:
            last = error
            passed_over.append(f"{parser.name} could not say: {str(error).splitlines()[0][:160]}")
            continue
        return replace(understanding, words=(*understanding.words, *passed_over))
    raise last
