"""A talk: what was said before bears on what is said now ("make it 30", "only for POST", "undo that"; and answers).

Pure: a talk is a value, and each sentence gives the next one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace

from intelligence.intents.errors import ContradictionError
from intelligence.intents.intents import (
    AccessRule,
    Intent,
    MatchRoute,
    Question,
    Restore,
    Share,
    TrafficSplit,
    Undo,
)
from intelligence.intents.lexicon import english_lexicon
from intelligence.intents.names import Vocabulary
from intelligence.intents.token import Token
from intelligence.intents.tokens import Reading, tokens
from intelligence.intents.understanding import Understanding
from registry.model import ServiceKey

_CHANGE = re.compile(
    r"\b(make|set|change|put|raise|lower|increase|decrease|rather|instead|no|actually|it|should be|use|only)\b"
)
_ALSO = re.compile(r"\b(same|also|too|as well|likewise)\b")
_FORGET = frozenset(
    ("never mind", "nevermind", "forget it", "cancel", "cancel that", "drop it", "no thanks", "abort", "stop", "no")
)
_PARSER = "embedded"
_PARTS = re.compile(r"\s+(?=\d{1,2}[.)]\s)|(?<=[.;])\s+(?=\D)|\n+")
"""Where one part of a text ends: before a number of a list, after a full stop, at the end of a line."""
_MOST_PARTS = 20


@dataclass(frozen=True, slots=True)
class Talk:
    """pending: a sentence that something was asked back about. last: the intents that were understood last."""

    pending: str = ""
    last: tuple[Intent, ...] = ()

    @property
    def referent(self) -> ServiceKey | None:
        """The service that was spoken of last."""
        for intent in reversed(self.last):
            about = getattr(intent, "service", None) or getattr(intent, "target", None)
            if isinstance(about, ServiceKey):
                return about
        return None

    def after(self, sentence: str, understanding: Understanding | None) -> Talk:
        """The talk once `sentence` was answered; None: it was not understood, so all is as it was."""
        if understanding is None:
            return self
        if understanding.needs:
            return replace(self, pending=sentence)
        kept = understanding.intents or self.last
        if (
            all(isinstance(intent, Question | Undo | Restore) for intent in kept)
            and self.last
            and not self.referent_of(kept)
        ):
            kept = self.last
        return Talk("", kept)

    @staticmethod
    def referent_of(intents: tuple[Intent, ...]) -> ServiceKey | None:
        return Talk("", intents).referent


def is_farewell(sentence: str) -> bool:
    """Whether it only takes back what was asked: nothing is to be done."""
    return sentence.lower().strip(" .!") in _FORGET


def answering(talk: Talk, sentence: str) -> str | None:
    """The pending sentence with what was said now as its answer."""
    return f"{talk.pending.rstrip(' .?!')} {sentence}" if talk.pending else None


def answering_within(talk: Talk, sentence: str) -> tuple[str, ...]:
    """The pending text with what was said now as the answer to one of its parts: each of its items or sentences, in
    turn; none where it has but one."""
    parts = _PARTS.split(talk.pending)
    if not 1 < len(parts) <= _MOST_PARTS:
        return ()
    said = sentence.strip(" .")
    return tuple(
        " ".join([*parts[:place], f"{parts[place].rstrip(' .;')} {said}.", *parts[place + 1 :]])
        for place in range(len(parts))
    )


def follow_up(talk: Talk, sentence: str, vocabulary: Vocabulary) -> Understanding | None:
    """What a short sentence makes of the last intent; None if it is none of these.

    Raises:
        IntentError: it is, and what it asks for cannot be.
    """
    if len(talk.last) != 1 or isinstance(talk.last[0], Question | Undo | Restore):
        return None
    said = [
        token
        for token in tokens(sentence, Reading(vocabulary, english_lexicon()))
        if token.kind != "mark" and not (token.silent and not token.mask)
    ]
    told = [token for token in said if token.kind not in ("word", "mark")]
    lowered = sentence.lower()
    if len(said) > 8 or len(told) != 1:
        return None
    [value] = told
    intent = talk.last[0]
    if value.kind == "service" and _ALSO.search(lowered):
        return _understood(_for_service(intent, vocabulary.service(value.names[0])))
    if value.kind == "method" and ("only" in lowered or "just" in lowered):
        return _understood(_only_for(intent, value.names[0]))
    if not _CHANGE.search(lowered) and len(said) > 1:
        return None
    changed = _with_value(intent, value, vocabulary)
    return _understood(changed) if changed is not None else None


def _with(intent: Intent, **values: object) -> Intent:
    """The intent with fields that its class is known to have set anew."""
    changed: Intent = replace(intent, **values)  # type: ignore[arg-type]  # the caller looked at its fields
    return changed


def _understood(intent: Intent) -> Understanding:
    return Understanding((intent,), (str(intent),), 0.85, _PARSER)


def _for_service(intent: Intent, service: ServiceKey) -> Intent:
    for name in ("service", "target"):
        if any(item.name == name for item in fields(intent)):
            return _with(intent, **{name: service})
    raise ContradictionError(f"{intent}: it is about no service that another could stand for; nothing was changed")


def _only_for(intent: Intent, method: str) -> Intent:
    match intent:
        case AccessRule():
            return replace(intent, methods=(method,))
        case MatchRoute():
            return replace(intent, method=method)
        case TrafficSplit(service=service, shares=(share,)) if share.percent == 100:
            return MatchRoute(service, share.version, method=method)
        case _:
            raise ContradictionError(f"{intent}: that cannot be for {method} requests only; nothing was changed")


_WHOLE_NUMBERS = {
    "Retries": ("attempts",),
    "ScaleTo": ("replicas",),
    "CreateService": ("replicas",),
    "Ejection": ("errors",),
    "RateLimit": ("requests",),
    "CircuitBreaker": ("connections", "pending", "requests"),
    "Fault": ("status",),
}
_PERCENTS = ("percent",)
_SPANS = {"Timeout": "after", "Fault": "delay", "MetricsInterval": "every", "Alert": "latency"}


def _with_value(intent: Intent, value: Token, vocabulary: Vocabulary) -> Intent | None:
    """The last intent with the one value that can be meant replaced; None where none or several could be."""
    name = type(intent).__name__
    match value.kind:
        case "amount" | "number" if isinstance(intent, TrafficSplit):
            percent = value.numbers[0]
            if len(intent.shares) == 1:
                return TrafficSplit(intent.service, (Share(intent.shares[0].version, percent),))
            return None
        case "amount" | "number" if (
            any(item.name == "percent" for item in fields(intent)) and getattr(intent, "percent", None) is not None
        ):
            if value.kind == "number" and name in _WHOLE_NUMBERS:
                return None
            return _with(intent, percent=value.numbers[0])
        case "number" if name in _WHOLE_NUMBERS:
            standing = [field for field in _WHOLE_NUMBERS[name] if getattr(intent, field) is not None]
            if len(standing) == 1 and value.numbers[0] == int(value.numbers[0]):
                return _with(intent, **{standing[0]: int(value.numbers[0])})
            return None
        case "number" if name == "Timeout":
            return None
        case "duration" if name in _SPANS and getattr(intent, _SPANS[name]) is not None:
            return _with(intent, **{_SPANS[name]: value.duration})
        case "rate" if name == "RateLimit":
            return _with(intent, requests=int(value.numbers[0]), per=value.duration)
        case "version":
            return _with_version(intent, value.names[0], vocabulary)
        case _:
            return None


def _with_version(intent: Intent, said: str, vocabulary: Vocabulary) -> Intent | None:
    service = getattr(intent, "service", None)
    if not isinstance(service, ServiceKey):
        return None
    version = vocabulary.version(service, said)
    if isinstance(intent, TrafficSplit) and len(intent.shares) == 1:
        return TrafficSplit(service, (Share(version, intent.shares[0].percent),))
    if getattr(intent, "version", ""):
        return _with(intent, version=version)
    return None
