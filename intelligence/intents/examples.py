"""Sentences that are understood: for tests, for the model's few shots, and as hints when one was not."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from intelligence.intents.names import Vocabulary


@dataclass(frozen=True, slots=True)
class Example:
    """A sentence with slots, and the shares that it means: version slot to percent."""

    sentence: str
    shares: tuple[tuple[str, str], ...]


EXAMPLES: tuple[Example, ...] = (
    Example("route 20% of {service} traffic to {new}", (("{new}", "20"),)),
    Example("send all {service} traffic to {new}", (("{new}", "100"),)),
    Example("split {service} traffic 80/20 between {old} and {new}", (("{old}", "80"), ("{new}", "20"))),
    Example("send 90% of {service} traffic to {old} and 10% to {new}", (("{old}", "90"), ("{new}", "10"))),
    Example("split {service} evenly between {old} and {new}", (("{old}", "50"), ("{new}", "50"))),
    Example("give {new} a quarter of {service} traffic", (("{new}", "25"),)),
    Example("shift half of the {service} requests to {new} and the rest to {old}", (("{new}", "50"), ("{old}", "50"))),
)


def filled(example: Example, vocabulary: Vocabulary) -> str | None:
    """The example with names of this mesh: of the service with most versions. None if it has not as many as needed."""
    by_count = sorted(vocabulary.versions.items(), key=lambda item: (-min(len(item[1]), 2), item[0]))
    if not by_count or not by_count[0][1]:
        return None
    key, versions = by_count[0]
    if "{old}" in example.sentence and len(versions) < 2:
        return None
    return example.sentence.format(service=key.name, old=versions[0], new=versions[-1])


def nearest(sentence: str, vocabulary: Vocabulary, *, count: int = 3) -> tuple[str, ...]:
    """The examples most like `sentence`, with names of this mesh; with placeholders, if it has none to offer."""
    sentences = [said for example in EXAMPLES if (said := filled(example, vocabulary)) is not None] or [
        example.sentence.format(service="SERVICE", old="v1", new="v2") for example in EXAMPLES
    ]

    def likeness(candidate: str) -> float:
        return difflib.SequenceMatcher(None, sentence[:200].lower(), candidate.lower()).ratio()

    return tuple(sorted(sentences, key=likeness, reverse=True)[:count])
