"""The words of one language by concept: phrases of several words, inflections, and repaired typing errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from intelligence.intents import english

_BITS: dict[str, int] = {}

SILENT = "SILENT"
_LONGEST = 6  # words of a phrase
_SHORTEST_REPAIRED = 4  # letters
_TWO_ERRORS_FROM = 9  # letters


def bit(label: str) -> int:
    """The bit that stands for a label (a concept, or the kind of a token) in masks."""
    return _BITS.setdefault(label, 1 << len(_BITS))


def mask(labels: str) -> int:
    """The labels, separated by spaces or "|", as one mask."""
    found = 0
    for label in labels.replace("|", " ").split():
        found |= bit(label)
    return found


@dataclass(frozen=True, slots=True)
class Entry:
    """What a phrase of `length` words means."""

    length: int
    mask: int
    silent: bool


class Lexicon:
    """Phrases to concepts. `inflected`: English endings are taken off; otherwise words stand as they are written."""

    def __init__(self, concepts: Mapping[str, str], silent: str, *, inflected: bool) -> None:
        masks: dict[tuple[str, ...], int] = {}
        for concept, text in concepts.items():
            for phrase in _phrases(text):
                masks[phrase] = masks.get(phrase, 0) | bit(concept)
        quiet = set(_phrases(silent))
        self._inflected = inflected
        self._by_first: dict[str, list[tuple[tuple[str, ...], Entry]]] = {}
        for phrase in dict.fromkeys((*masks, *quiet)):
            entry = Entry(len(phrase), masks.get(phrase, 0), phrase in quiet)
            self._by_first.setdefault(phrase[0], []).append((phrase, entry))
        for candidates in self._by_first.values():
            candidates.sort(key=lambda item: -len(item[0]))
        self._words = {word for candidates in self._by_first.values() for phrase, _ in candidates for word in phrase}
        self._near: dict[str, tuple[str, ...]] | None = None

    def __contains__(self, word: str) -> bool:
        return word in self._by_first

    def find(self, words: Sequence[str], place: int) -> Entry | None:
        """The longest phrase that begins at `place`; the masks of all inflections that fit are joined."""
        best: Entry | None = None
        for form in self._forms(words[place]):
            for phrase, entry in self._by_first.get(form, ()):
                if best is not None and entry.length < best.length:
                    break
                if self._follows(phrase, words, place):
                    if best is not None and entry.length == best.length:
                        best = Entry(entry.length, best.mask | entry.mask, best.silent or entry.silent)
                    else:
                        best = entry
                    break
        return best

    def _follows(self, phrase: tuple[str, ...], words: Sequence[str], place: int) -> bool:
        if place + len(phrase) > len(words):
            return False
        return all(
            part == words[place + offset] or part in self._forms(words[place + offset])
            for offset, part in enumerate(phrase[1:], start=1)
        )

    def _forms(self, word: str) -> tuple[str, ...]:
        return _english_forms(word) if self._inflected else (word,)

    def starts(self, text: str) -> str | None:
        """The longest word of this language that `text`, written without spaces, begins with."""
        for length in range(min(len(text), 8), 0, -1):
            if text[:length] in self._by_first:
                return text[:length]
        return None

    def repaired(self, word: str) -> str | None:
        """The one word of this lexicon that `word` is a misspelling of; None if there is none, or several."""
        if len(word) < _SHORTEST_REPAIRED or word in english.NOT_TYPOS or not word.isalpha():
            return None
        errors = 2 if len(word) >= _TWO_ERRORS_FROM else 1
        near = self._near_words()
        candidates = {known for short in _shortened(word, errors) for known in near.get(short, ())}
        best: dict[int, set[str]] = {}
        for known in candidates:
            distance = _distance(word, known)
            allowed = 2 if min(len(known), len(word)) >= _TWO_ERRORS_FROM else 1
            if distance <= allowed and _plausible(word, known):
                best.setdefault(distance, set()).add(known)
        if not best:
            return None
        nearest = best[min(best)]
        swapped = {known for known in nearest if sorted(known) == sorted(word)}
        nearest = swapped or nearest  # letters that changed places are the likeliest error
        if len(nearest) == 1:
            return next(iter(nearest))
        meanings = {(entry.mask, entry.silent) for known in nearest if (entry := self.find([known], 0)) is not None}
        return min(nearest) if len(meanings) == 1 else None

    def _near_words(self) -> dict[str, tuple[str, ...]]:
        """Words without one or two of their letters, to the words: a misspelling shares such a form with what it was to
        be (the symmetric-delete index of spelling correction)."""
        if self._near is None:
            self._near = {}
            for word in self._words:
                if len(word) >= _SHORTEST_REPAIRED and word.isalpha():
                    errors = 2 if len(word) >= _TWO_ERRORS_FROM - 1 else 1
                    alone = (word,)  # of one word, as most are: one tuple for all its forms
                    for short in _shortened(word, errors):
                        known = self._near.get(short)
                        self._near[short] = alone if known is None else (*known, word)
        return self._near


def _phrases(text: str) -> Iterator[tuple[str, ...]]:
    for phrase in text.split(","):
        words = tuple(split_words(phrase.strip().lower()))
        if words:
            assert len(words) <= _LONGEST + 4, phrase
            yield words


def split_words(text: str) -> list[str]:
    """Words as the tokeniser makes them, of a phrase in a table."""
    from intelligence.intents.scanner import scan

    return [piece.word for piece in scan(text)]


@lru_cache(maxsize=10_000)
def _english_forms(word: str) -> tuple[str, ...]:
    """A word and what it may be an inflection of."""
    forms = [word]
    if len(word) > 3 and word.isalpha():
        if word.endswith("ies"):
            forms.append(word[:-3] + "y")
        if word.endswith("ied"):
            forms.append(word[:-3] + "y")
        if word.endswith("es"):
            forms.append(word[:-2])
        if word.endswith("s") and not word.endswith("ss"):
            forms.append(word[:-1])
        for ending in ("ing", "ed"):
            if word.endswith(ending) and len(word) > len(ending) + 2:
                base = word[: -len(ending)]
                forms += [base, base + "e"]
                if len(base) > 2 and base[-1] == base[-2]:
                    forms.append(base[:-1])
    if word.endswith(("'s", "’s")):
        forms.append(word[:-2])
    return tuple(dict.fromkeys(forms))


def _shortened(word: str, errors: int) -> set[str]:
    found = {word}
    edge = {word}
    for _ in range(errors):
        edge = {short[:i] + short[i + 1 :] for short in edge for i in range(len(short))}
        found |= edge
    return found


def _plausible(word: str, known: str) -> bool:
    """Short words are repaired only where letters changed places or one is missing: too many real words lie near."""
    if word[0] != known[0] and sorted(word) != sorted(known):
        return False
    if len(known) <= 4 or len(word) <= 4:
        return sorted(word) == sorted(known) or (len(word) == 4 and len(known) == 5)
    return True


def _distance(one: str, other: str) -> int:
    """Damerau's: insertions, deletions, substitutions, and neighbours that changed places."""
    rows = [list(range(len(other) + 1))]
    for i, a in enumerate(one, start=1):
        row = [i]
        for j, b in enumerate(other, start=1):
            cost = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                cost = min(cost, rows[-2][j - 2] + 1)
            row.append(cost)
        rows.append(row)
    return rows[-1][-1]


@lru_cache(maxsize=1)
def english_lexicon() -> Lexicon:
    return Lexicon(english.CONCEPTS, english.SILENT, inflected=True)
