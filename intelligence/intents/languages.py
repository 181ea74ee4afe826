"""Other languages than English: their words become English ones, by the tables of languages.yaml, and are then read by
the same frames, which do not mind the order of words. A word that no table has makes a sentence not understood.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import yaml

from intelligence.intents.names import Vocabulary
from intelligence.intents.scanner import SPACELESS, Piece, normal, scan

_TABLES = Path(__file__).parent / "languages.yaml"
_KEPT_KINDS = frozenset(
    ("number", "percent", "ratio", "url", "quoted", "pair", "date", "clock", "address", "path", "mark")
)
_LOANS = frozenset(("mtls", "canary", "stable", "v", "https", "http", "get", "post", "put", "ms", "s", "m", "h"))
_SEPARATORS = "'-"


@dataclass(frozen=True, slots=True)
class Language:
    """code: ISO 639-1. name: in the language itself. words: phrases, as the scanner's pieces, to English."""

    code: str
    name: str
    words: Mapping[tuple[str, ...], str]
    longest: int


@lru_cache(maxsize=1)
def languages() -> Mapping[str, Language]:
    """By code, in the order of the file."""
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # all is text: "on" and "no" are words here
    found = {}
    # The base loaders make texts, lists and tables, and nothing else.
    for code, table in yaml.load(_TABLES.read_text(encoding="utf-8"), Loader=loader).items():  # noqa: S506
        words = {
            tuple(piece.word for piece in scan(normal(key.lower()))): value for key, value in table["words"].items()
        }
        found[code] = Language(code, table["name"], words, max(len(phrase) for phrase in words))
    return found


@lru_cache(maxsize=1)
def _speakers() -> Mapping[str, tuple[str, ...]]:
    """Each first word to the languages that have it."""
    found: dict[str, list[str]] = {}
    for code, language in languages().items():
        for first in {phrase[0] for phrase in language.words if phrase}:
            found.setdefault(first, []).append(code)
    return {word: tuple(codes) for word, codes in found.items()}


def translations(sentence: str, vocabulary: Vocabulary) -> Sequence[tuple[str, str]]:
    """The sentence in English by each language that has all of its words, the one with most of them first: language
    and text."""
    pieces = list(scan(normal(sentence)))
    counts: dict[str, int] = {}
    for piece in pieces:
        for word in _runs(piece):
            for code in _speakers().get(word, ()):
                counts[code] = counts.get(code, 0) + 1
    likely = sorted(counts, key=lambda code: -counts[code])[:4]
    made = ((code, _translated(pieces, languages()[code], vocabulary)) for code in likely)
    return [(code, text) for code, text in made if text is not None]


def _runs(piece: Piece) -> Sequence[str]:
    if SPACELESS.fullmatch(piece.text):
        return [piece.word[:length] for length in range(1, min(len(piece.word), 8) + 1)]
    return [piece.word]


def _translated(pieces: Sequence[Piece], language: Language, vocabulary: Vocabulary) -> str | None:
    """The pieces in English; None if one is in no table, no name and no number."""
    parts: list[Piece] = []
    for piece in pieces:
        made = _parted(piece, language, vocabulary)
        if made is None:
            return None
        parts.extend(made)
    words = [piece.word for piece in parts]
    said: list[str] = []
    place, known = 0, 0
    while place < len(parts):
        for length in range(min(language.longest, len(parts) - place), 0, -1):
            english = language.words.get(tuple(words[place : place + length]))
            if english is not None:
                if english:
                    said.append(english)
                known += 1
                place += length
                break
        else:
            piece = parts[place]
            if not (piece.kind in _KEPT_KINDS or piece.word in _LOANS or _is_name(piece.word, vocabulary)):
                return None
            said.append(piece.text)
            place += 1
    return " ".join(said) if known else None


def _is_name(word: str, vocabulary: Vocabulary) -> bool:
    return (
        word in vocabulary.aliases
        or word in vocabulary.version_words
        or word in vocabulary.backends
        or (word[:1] == "v" and word[1:2].isdigit())
    )


def _parted(piece: Piece, language: Language, vocabulary: Vocabulary) -> Sequence[Piece] | None:
    """A run of a script without spaces by the longest words of the table; a name by its ending; else as it is."""
    if piece.kind != "word" or (piece.word,) in language.words:
        return [piece]
    if SPACELESS.fullmatch(piece.text):
        return _cut(piece, language)
    for separator in _SEPARATORS:
        head, found, tail = piece.word.partition(separator)
        if (found and (separator + tail,) in language.words) or (found and _ending(separator, tail, language)):
            return [Piece("word", head, head, piece.start), *_ending(separator, tail, language)]
        if found and (head,) in language.words and (tail,) in language.words:
            return [Piece("word", head, head, piece.start), Piece("word", tail, tail, piece.start)]
    return [piece]


def _ending(separator: str, tail: str, language: Language) -> list[Piece]:
    """ "'ye" as the pieces that the table's phrase has."""
    pieces = list(scan(separator + tail))
    return pieces if tuple(piece.word for piece in pieces) in language.words else []


def _cut(piece: Piece, language: Language) -> Sequence[Piece] | None:
    """The fewest words of the table that make up the run; None if none do."""
    text = piece.word
    best: list[list[str] | None] = [[]] + [None] * len(text)
    for end in range(1, len(text) + 1):
        for start in range(max(0, end - 10), end):
            before = best[start]
            if before is not None and (text[start:end],) in language.words:
                candidate = [*before, text[start:end]]
                standing = best[end]
                if standing is None or len(candidate) < len(standing):
                    best[end] = candidate
    words = best[len(text)]
    return None if words is None else [Piece("word", word, word, piece.start) for word in words]
