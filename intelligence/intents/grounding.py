"""Whether what a model understood stands in the sentence: its numbers and names, and nothing that it made up."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

from intelligence.intents.errors import IntentError, NotUnderstoodError, UnknownNameError
from intelligence.intents.intents import CreateService, Intent, Share
from intelligence.intents.lexicon import english_lexicon, mask
from intelligence.intents.names import Vocabulary
from intelligence.intents.segments import services_of
from intelligence.intents.token import AMOUNT, COUNTRY, Token
from intelligence.intents.tokens import Reading, tokens
from registry.model import ServiceKey

_NEGATION = mask("NOT IF")
_WHOLE = Decimal(100)
_LOOKED_UP = ("version", "canary", "since")  # and what a question is about changes nothing


def grounded(intent: Intent, sentence: str, vocabulary: Vocabulary) -> None:
    """Passes if each name exists and each number is said in `sentence`.

    Raises:
        UnknownNameError: a service or version that is not there.
        NotUnderstoodError: the sentence says it otherwise.
    """
    said = tokens(sentence, Reading(vocabulary, english_lexicon(), names_first=True))
    if any(token.mask & _NEGATION and not token.silent for token in said):
        raise NotUnderstoodError(sentence, (), because="it has a negation or a condition, and a model may miss those")
    named = _named(said, vocabulary)
    for service in _services(intent):
        if service not in vocabulary.versions:
            raise UnknownNameError("service", str(service), vocabulary.nearest(service.name))
        if service not in named and len(vocabulary.versions) > 1:
            raise NotUnderstoodError(sentence, (), because=f"the model says {service}, and the sentence does not")
    _versions(intent, vocabulary)
    numbers, spans = _said(said, several=len(getattr(intent, "shares", ())) > 1)
    # "Everything" is 100% of it: that need not be said where no other percentage is.
    implied = set() if any(token.kind == AMOUNT for token in said) else {_WHOLE}
    for value, in_percent in _numbers(intent):
        if value not in numbers | (implied if in_percent else set()):
            raise NotUnderstoodError(sentence, (), because=f"the model says {value}, and the sentence does not")
    for duration in _spans(intent):
        if duration not in spans:
            raise NotUnderstoodError(sentence, (), because=f"the model says {duration}, and the sentence does not")
    for text in _texts(intent, said):
        if not _stands(text, said, sentence):
            raise NotUnderstoodError(sentence, (), because=f"the model says {text}, and the sentence does not")
    if isinstance(intent, CreateService) and intent.name not in sentence.lower():
        raise NotUnderstoodError(sentence, (), because=f"the model says {intent.name}, and the sentence does not")


def _named(said: list[Token], vocabulary: Vocabulary) -> set[ServiceKey]:
    found: set[ServiceKey] = set()
    for token in services_of(said):
        found |= set(token.services)
        for name in token.names if not token.services else ():
            try:
                found.add(vocabulary.service(name))
            except IntentError:
                continue
    return found


def _services(intent: Intent) -> Iterator[ServiceKey]:
    for item in dataclasses.fields(intent):
        value = getattr(intent, item.name)
        if isinstance(value, ServiceKey):
            yield value
        elif isinstance(value, tuple) and value and isinstance(value[0], ServiceKey):
            yield from value


def _versions(intent: Intent, vocabulary: Vocabulary) -> None:
    service = getattr(intent, "service", None)
    if not isinstance(service, ServiceKey):
        return
    names = [share.version for share in getattr(intent, "shares", ())]
    names += [name for name in (getattr(intent, "version", ""), getattr(intent, "canary", "")) if name]
    for name in names:
        vocabulary.version(service, name)


def _said(said: list[Token], *, several: bool) -> tuple[set[Decimal], set[timedelta]]:
    """The numbers of a sentence and its durations; and what is left of 100%, where there are several shares."""
    numbers = {number for token in said for number in token.numbers}
    amounts = [token.numbers[0] for token in said if token.kind == "amount"]
    if amounts and several:
        numbers.add(_WHOLE - sum(amounts, Decimal(0)))
    return numbers, {token.duration for token in said if token.duration is not None}


def _texts(intent: Intent, said: list[Token]) -> Iterator[str]:
    """What is written freely: paths, hosts, headers, addresses, moments. Versions have been looked up. A country is a
    code: it is held against the countries of the sentence, where it has any that we can read."""
    readable = any(token.kind == COUNTRY for token in said)
    for item in dataclasses.fields(intent):
        value = getattr(intent, item.name)
        if item.name in _LOOKED_UP or isinstance(value, ServiceKey) or (item.name == "countries" and not readable):
            continue
        yield from (text for text in (value if isinstance(value, tuple) else (value,)) if type(text) is str and text)


def _stands(text: str, said: list[Token], sentence: str) -> bool:
    """Whether `text` stands in the sentence, whole: "/pay" does not stand in "/pay/new", nor "1" in "v1"."""
    if any(text.casefold() == name.casefold() for token in said for name in token.names):
        return True
    whole = rf"(?<![\w./-]){re.escape(text.casefold())}(?![\w/-]|\.\w)"
    return re.search(whole, " ".join(sentence.casefold().split())) is not None


def _numbers(intent: Intent) -> Iterator[tuple[Decimal, bool]]:
    """The numbers of an intent, and whether each is a percentage."""
    for item in dataclasses.fields(intent):
        value = getattr(intent, item.name)
        if isinstance(value, tuple):
            yield from ((share.percent, True) for share in value if isinstance(share, Share))
        elif isinstance(value, int | Decimal) and not isinstance(value, bool):
            yield (_WHOLE if item.name == "quantile" else Decimal(value)), isinstance(value, Decimal)


def _spans(intent: Intent) -> Iterator[timedelta]:
    for item in dataclasses.fields(intent):
        value = getattr(intent, item.name)
        if isinstance(value, timedelta):
            yield value
