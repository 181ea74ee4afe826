"""A sentence, understood by the first parser that can, in the light of what was said before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from intelligence.intents.errors import IntentError, NotUnderstoodError, ParserUnavailableError
from intelligence.intents.grammar import NAME
from intelligence.intents.intents import Intent
from intelligence.intents.names import Vocabulary
from intelligence.intents.parser import Parser
from intelligence.intents.talk import Talk, answering, answering_within, follow_up
from intelligence.intents.understanding import Understanding

_SILENCE = Talk()


def silence(words: str) -> None:
    """Who does not want to know how it goes."""


async def understand(
    sentence: str,
    vocabulary: Vocabulary,
    *,
    parsers: Sequence[Parser],
    talk: Talk = _SILENCE,
    progress: Callable[[str], None] = silence,
) -> tuple[Understanding, str]:
    """What `sentence` asks for, by the first of `parsers` that is there and understands it; and the sentence in full,
    with what it answered. `progress` is told, in words, who is asked.

    Raises:
        IntentError: of the first parser that said why not; what others could not say, is in its notes.
    """
    answered = answering(talk, sentence)
    if answered is not None:
        try:
            return await _by_first(answered, vocabulary, parsers, talk, progress), answered
        except IntentError:
            pass  # no answer at its end, then
        within = await _answered_within(sentence, vocabulary, parsers, talk, progress)
        if within is not None:
            return within
        # no answer then, but something new
    changed = follow_up(talk, sentence, vocabulary)
    if changed is not None:
        return changed, sentence
    return await _by_first(sentence, vocabulary, parsers, talk, progress), sentence


async def _answered_within(
    sentence: str, vocabulary: Vocabulary, parsers: Sequence[Parser], talk: Talk, progress: Callable[[str], None]
) -> tuple[Understanding, str] | None:
    """`sentence` as the answer to one part of a text of several; None unless there is just one part that it fits. Only
    the embedded parser is asked so often."""
    embedded = [parser for parser in parsers if parser.name == NAME]
    found: dict[tuple[Intent, ...], tuple[Understanding, str]] = {}
    for text in answering_within(talk, sentence) if embedded else ():
        try:
            understanding = await _by_first(text, vocabulary, embedded, talk, progress)
        except IntentError:
            continue
        if not understanding.needs:
            found.setdefault(understanding.intents, (understanding, text))
    return next(iter(found.values())) if len(found) == 1 else None


async def _by_first(
    sentence: str, vocabulary: Vocabulary, parsers: Sequence[Parser], talk: Talk, progress: Callable[[str], None]
) -> Understanding:
    passed_over: list[str] = []
    refusal: IntentError | None = None
    for parser in parsers:
        progress(f"asking {parser.name}")
        try:
            understanding = await parser.parse(sentence, vocabulary, referent=talk.referent)
        except (ParserUnavailableError, NotUnderstoodError) as error:
            if refusal is None or isinstance(refusal, ParserUnavailableError):
                refusal = error
            passed_over.append(f"{parser.name} could not say: {str(error).splitlines()[0][:160]}")
            progress(passed_over[-1])
            continue
        return replace(understanding, words=(*understanding.words, *passed_over))
    if refusal is None:
        raise ParserUnavailableError("no parser is configured; nothing was changed")
    for words in passed_over:
        refusal.add_note(words)
    raise refusal
