"""Which services of a large mesh a sentence may mean: the nearest by embeddings, else by spelling."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence

import httpx
from ollama import AsyncClient, RequestError, ResponseError

from intelligence.intents.names import Vocabulary
from registry.model import ServiceKey

_MAX_SERVICES = 40
_BATCH = 256
_REMEMBERED = 20_000


class Relevance:
    """Chooses names for a model's context. Embeddings of names are remembered."""

    def __init__(self, *, host: str, model: str | None, timeout: float) -> None:
        self._host = host
        self._model = model
        self._timeout = timeout
        self._vectors: dict[str, tuple[float, ...]] = {}

    async def services(self, sentence: str, vocabulary: Vocabulary) -> tuple[list[ServiceKey], tuple[str, ...]]:
        """At most 40 services, sorted, and what is to be said about the choice. All of a small mesh; those that the
        sentence names by an alias, always."""
        keys = list(vocabulary.versions)
        if len(keys) <= _MAX_SERVICES:
            return keys, ()
        named = _named(sentence, vocabulary)[:_MAX_SERVICES]
        notes: tuple[str, ...] = ()
        try:
            likeness = await self._by_embeddings(sentence, keys)
        except (ResponseError, RequestError, ConnectionError, httpx.HTTPError) as error:
            notes = (f"names were chosen by spelling: {self._model}: {str(error)[:100] or type(error).__name__}",)
            likeness = None
        ranked = sorted(keys, key=likeness.__getitem__, reverse=True) if likeness else _by_spelling(sentence, keys)
        return sorted(list(dict.fromkeys([*named, *ranked]))[:_MAX_SERVICES]), notes

    async def _by_embeddings(self, sentence: str, keys: Sequence[ServiceKey]) -> dict[ServiceKey, float] | None:
        if self._model is None:
            return None
        async with AsyncClient(host=self._host, timeout=self._timeout) as client:
            missing = [key.name for key in keys if key.name not in self._vectors]
            for start in range(0, len(missing), _BATCH):
                names = missing[start : start + _BATCH]
                made = await client.embed(model=self._model, input=names)
                if len(self._vectors) > _REMEMBERED:
                    self._vectors.clear()
                self._vectors |= {name: tuple(vector) for name, vector in zip(names, made.embeddings, strict=True)}
            [asked] = (await client.embed(model=self._model, input=[sentence])).embeddings
        return {key: _cosine(asked, self._vectors.get(key.name, ())) for key in keys}


def _named(sentence: str, vocabulary: Vocabulary) -> list[ServiceKey]:
    words = sentence.lower().replace(",", " ").split()
    found: list[ServiceKey] = []
    for length in (3, 2, 1):
        for start in range(len(words) - length + 1):
            found += vocabulary.aliases.get(" ".join(words[start : start + length]), ())
    return list(dict.fromkeys(found))


def _by_spelling(sentence: str, keys: Sequence[ServiceKey]) -> list[ServiceKey]:
    words = sentence.lower().split()[:40]

    def likeness(key: ServiceKey) -> float:
        return max((difflib.SequenceMatcher(None, word, key.name).quick_ratio() for word in words), default=0.0)

    return sorted(keys, key=likeness, reverse=True)


def _cosine(one: Sequence[float], other: Sequence[float]) -> float:
    length = math.hypot(*one) * math.hypot(*other)
    return sum(a * b for a, b in zip(one, other, strict=False)) / length if length else 0.0
