"""The embedded parser: frames over tokens. Deterministic, without a network, and it would rather refuse.

All of a text must be accounted for: a word that no frame knows, a negation or a condition that none has a place for,
makes it not understood, however much of it would fit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from intelligence.intents import (
    frames_asking,
    frames_requests,
    frames_rollout,
    frames_running,
    frames_security,
    frames_traffic,
)
from intelligence.intents.clause import Surroundings
from intelligence.intents.contradictions import refuse_contradictions
from intelligence.intents.errors import (
    AmbiguousError,
    ContradictionError,
    IntentError,
    NotUnderstoodError,
    UnknownNameError,
)
from intelligence.intents.examples import nearest
from intelligence.intents.frames import Frame
from intelligence.intents.intents import Intent, Question, Restore, Rollout, TrafficSplit, Undo
from intelligence.intents.languages import translations
from intelligence.intents.lexicon import bit, english_lexicon, mask
from intelligence.intents.names import Vocabulary
from intelligence.intents.segments import Outcome, Reader
from intelligence.intents.token import STRANGER, UNKNOWN, VERSION, Token
from intelligence.intents.tokens import Reading, tokens
from intelligence.intents.understanding import Need, Understanding
from registry.model import ServiceKey

NAME = "embedded"
_MOST_TOKENS = 250
_REPAIR_COSTS, _GUESS_COSTS, _BACKGROUND_COSTS, _TRANSLATION_COSTS = 0.08, 0.05, 0.05, 0.1

FRAMES: tuple[Frame, ...] = tuple(
    sorted(
        (
            *frames_traffic.FRAMES,
            *frames_rollout.FRAMES,
            *frames_requests.FRAMES,
            *frames_security.FRAMES,
            *frames_running.FRAMES,
            *frames_asking.FRAMES,
        ),
        key=lambda frame: -frame.weight,
    )
)


class GrammarParser:
    """The parser that needs nothing but the mesh's names."""

    name = NAME

    def __init__(self) -> None:
        prepare()

    async def parse(
        self, sentence: str, vocabulary: Vocabulary, *, referent: ServiceKey | None = None
    ) -> Understanding:
        """Raises IntentError."""
        return understand(sentence, vocabulary, referent=referent)


def prepare() -> None:
    """Makes the tables that the first sentence would otherwise wait for."""
    english_lexicon().repaired("prepare")
    translations("", Vocabulary({}, {}))


def understand(sentence: str, vocabulary: Vocabulary, *, referent: ServiceKey | None = None) -> Understanding:
    """What `sentence` asks for; `referent` is what "it" means at its beginning.

    Raises:
        NotUnderstoodError, UnknownNameError, ContradictionError
    """
    lexicon = english_lexicon()
    first: IntentError | None = None
    asked_back: Understanding | None = None
    before: list[Token] | None = None
    for names_first in (False, True):
        reading = Reading(vocabulary, lexicon, names_first=names_first)
        said = tokens(sentence, reading)
        if said == before:
            break  # no word of it is a name, too
        before = said
        try:
            found = _understand(sentence, reading, referent, said)
        except IntentError as error:
            first = first or error
            continue
        if not found.needs:
            return found
        asked_back = asked_back or found
    if asked_back is not None:
        return asked_back
    assert first is not None
    return _elsewhere(sentence, vocabulary, first)


def _elsewhere(sentence: str, vocabulary: Vocabulary, refusal: IntentError) -> Understanding:
    """What the sentence means in another language. Raises `refusal` if it is in none."""
    if not isinstance(refusal, ContradictionError):
        for language, english in translations(sentence, vocabulary):
            try:
                reading = Reading(vocabulary, english_lexicon(), repair=False)
                found = _understand(english, reading, None, tokens(english, reading))
            except (NotUnderstoodError, UnknownNameError):
                continue
            confidence = round(found.confidence - _TRANSLATION_COSTS, 2)
            return replace(found, language=language, confidence=confidence, words=(*found.words, f"read as: {english}"))
    raise refusal


def _understand(sentence: str, reading: Reading, referent: ServiceKey | None, said: Sequence[Token]) -> Understanding:
    vocabulary = reading.vocabulary
    if len(said) > _MOST_TOKENS:
        raise NotUnderstoodError(sentence, nearest(sentence, vocabulary), because="too long")
    outcome, lost = _read(said, vocabulary, referent)
    if lost or not (outcome.intents or outcome.needs):
        raise _why_not(sentence, said, vocabulary, referent, lost)
    intents = merged(outcome.intents)
    if _is_asked(sentence) and not all(isinstance(intent, Question) for intent in intents):
        raise NotUnderstoodError(sentence, nearest(sentence, vocabulary), because="it asks, and orders nothing")
    words = [str(intent) for intent in intents]
    repaired = [token.repaired for token in outcome.used if token.repaired]
    if repaired:
        words.append(f"read as meant: {', '.join(dict.fromkeys(repaired))}")
    if outcome.background:
        words.append("passed over as background: " + ", ".join(f'"{text}"' for text in outcome.background if text))
    confidence = 1.0 - _REPAIR_COSTS * len(repaired) - _GUESS_COSTS * outcome.guessed
    confidence -= _BACKGROUND_COSTS * len(outcome.background)
    return Understanding(intents, tuple(words), round(max(confidence, 0.3), 2), NAME, needs=_distinct(outcome.needs))


_QUESTIONS = "should is are was were does did has had am if when who what which why how where whose shall isn't aren't"
_ASKING = frozenset(_QUESTIONS.split())
_POLITE = ("is it possible", "is there a way", "how about", "what about", "why not", "why don't we", "are you able")


def _is_asked(sentence: str) -> bool:
    """Whether a part of the text is a question that is no request: "should I scale payment to 10?"."""
    for part in re.split(r"(?<=[.!?\n])\s+", sentence.strip().lower()):
        words = part.split()
        if not words or part.startswith(_POLITE):
            continue
        if part.endswith("?") and (words[0] in _ASKING or _is_wondered(words) or "or" in words):
            return True
        if _is_told(words) or re.search(r"\b(?:so|and|but) should (?:we|i)\b", part):
            return True
    return False


_DONE = re.compile(r"\w{3,}ed|undone|sent|set|given|shown|put|split|cut|taken|made|turned")
_COUNTED = frozenset(("replicas", "instances", "pods", "copies", "replica", "instance", "pod"))


def _is_wondered(words: Sequence[str]) -> bool:
    """ "could payment be …?", and not "could you …?"; "would it be good …?", and not "would it be possible …?"."""
    if words[0] in ("can", "could"):
        if (
            "be" in words[2:-1]
            and "all?" not in words
            and _DONE.fullmatch(words[words.index("be", 2) + 1].rstrip("?!.,"))
        ):
            return False  # "could half of it be mirrored to v2?"
        if "have" in words[2:4] and any(word.rstrip("?!.,") in _COUNTED for word in words[4:]):
            return False  # "can checkout have 20 replicas?"
        return words[1:2] not in (["you"], ["we"], ["i"], ["u"], ["someone"], ["somebody"])
    if words[:3] == ["would", "it", "be"]:
        return words[3:4] not in (["possible"], ["ok"], ["okay"], ["great"], ["nice"], ["alright"], ["fine"])
    return words[0] == "do" and words[1:2] in (["we"], ["i"], ["they"], ["you"]) and words[2:3] != ["mind"]


def _is_told(words: Sequence[str]) -> bool:
    """ "they route …", "I routed …": somebody tells what is or was."""
    if words[0] in ("having", "being") and words[1:2] and words[1].endswith("ed"):
        return True
    if words[0] == "given" and words[1:2] and words[1][:1].isdigit():
        return True
    if words[0] in ("they", "he", "she", "someone", "somebody"):
        return not {"should", "must", "want", "wants", "need", "needs"} & set(words)
    if words[0] == "do" and words[1:2] in (["we"], ["i"], ["they"]):
        return words[2:3] != ["mind"]
    if words[0] in ("does", "did", "has", "had"):
        return True
    past = words[1:2] and words[1][-2:] == "ed" and words[1] not in ("need", "decided", "agreed", "planned", "wanted")
    return words[0] in ("i", "we") and bool(past)


def _read(said: Sequence[Token], vocabulary: Vocabulary, referent: ServiceKey | None) -> tuple[Outcome, list[str]]:
    surroundings = Surroundings(vocabulary, referent=referent)
    return Reader(FRAMES, surroundings).read(said)


def _distinct(needs: Sequence[Need]) -> tuple[Need, ...]:
    return tuple(dict.fromkeys(needs))


def merged(intents: Sequence[Intent]) -> tuple[Intent, ...]:
    """Parts of one split become one, and so do the bounds of one rollout; the same thing twice is once.

    Raises:
        ContradictionError: two of them cannot both be.
    """
    result: list[Intent] = []
    for intent in dict.fromkeys(intents):
        earlier = next((i for i, other in enumerate(result) if _same_matter(other, intent)), None)
        if earlier is None:
            result.append(intent)
            continue
        other = result[earlier]
        if isinstance(other, TrafficSplit) and isinstance(intent, TrafficSplit):
            result[earlier] = _one_split(other, intent)
        elif isinstance(other, Rollout) and isinstance(intent, Rollout):
            result[earlier] = _one_rollout(other, intent)
        else:
            raise ContradictionError(f"{other}, and {intent}: want one of them; nothing was changed")
    refuse_contradictions(result)
    if len(result) > 1 and any(isinstance(intent, Undo | Restore) for intent in result):
        raise ContradictionError("going back, and something else at once: say one after the other; nothing was changed")
    return tuple(result)


def _same_matter(one: Intent, other: Intent) -> bool:
    if type(one) is not type(other) or isinstance(one, Question):
        return False
    names = (
        "service",
        "target",
        "metric",
        "of",
        "feature",
        "name",
        "canary",
        "path",
        "host",
        "every",
        "names",
        "header",
        "value",
        "method",
        "key",
    )
    if type(one).__name__ in (
        "AccessRule",
        "Fault",
        "CircuitBreaker",
        "MatchRoute",
        "CreateRoute",
        "TrackKpi",
        "Report",
    ):
        return False
    if type(one).__name__ == "MetricsInterval":
        return True
    return all(getattr(one, name, None) == getattr(other, name, None) for name in names)


def _one_split(one: TrafficSplit, other: TrafficSplit) -> TrafficSplit:
    both = TrafficSplit(one.service, (*one.shares, *other.shares))
    if both.rest != Decimal(0):
        raise ContradictionError(f"{both.shares[0]} and the others are not 100% in all; nothing was changed")
    return both


def _one_rollout(one: Rollout, other: Rollout) -> Rollout:
    for name in ("advance_below", "back_above", "done_below"):
        mine, theirs = getattr(one, name), getattr(other, name)
        if mine is not None and theirs is not None and mine != theirs:
            raise ContradictionError(f"two bounds for one thing: {mine}% and {theirs}%; nothing was changed")
    return replace(
        one,
        advance_below=one.advance_below if one.advance_below is not None else other.advance_below,
        back_above=one.back_above if one.back_above is not None else other.back_above,
        done_below=one.done_below if one.done_below is not None else other.done_below,
    )


def _follows_to(said: Sequence[Token], token: Token) -> bool:
    """Whether it stands where a version would: "… to beta"."""
    before = [other for other in said[: said.index(token)] if not other.silent]
    return bool(before) and before[-1].has(mask("TO"))


def _why_not(
    sentence: str, said: Sequence[Token], vocabulary: Vocabulary, referent: ServiceKey | None, lost: Sequence[str]
) -> Exception:
    """The most helpful refusal: a sentence that would fit but for a name is about that name."""
    unknown = [token for token in said if token.kind == UNKNOWN]
    if 1 <= len(unknown) <= 2:
        for kind in (STRANGER, VERSION):
            for stranger in unknown:
                if kind == VERSION and not _follows_to(said, stranger):
                    continue
                guess = [
                    replace(token, kind=kind, mask=bit(kind), names=(token.text,)) if token is stranger else token
                    for token in said
                ]
                try:
                    _read(guess, vocabulary, referent)
                except UnknownNameError as error:
                    return error
                except (IntentError, AmbiguousError):
                    continue
    numbers = [token for token in said if token.kind == "number"]
    hints = nearest(sentence, vocabulary)
    because = ""
    if unknown:
        because = "unknown here: " + ", ".join(f'"{token.text}"' for token in unknown[:5])
    elif numbers and not any(token.kind in ("amount", "rate", "duration") for token in said):
        because = f'"{numbers[0].text}" of what? Say "%" for a share, or a unit'
    return NotUnderstoodError(sentence, hints, because=because, parts=tuple(lost))
