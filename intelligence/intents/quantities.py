"""Quantities in a sentence, in digits or words: percentages, durations, rates, ratios, numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from intelligence.intents.scanner import Piece
from intelligence.intents.token import AMOUNT, DURATION, NUMBER, RATE, RATIO, REFUSALS, Token, token_of

_ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_NUMBER_WORDS = {word: value for value, word in enumerate(_ONES)} | {
    word: 10 * (place + 2) for place, word in enumerate(_TENS)
}
_SCALES = {"hundred": 100, "thousand": 1_000, "dozen": 12, "k": 1_000, "million": 1_000_000}
_FRACTIONS = {
    "half": Decimal(50),
    "halves": Decimal(50),
    "quarter": Decimal(25),
    "quarters": Decimal(25),
    "fifth": Decimal(20),
    "fifths": Decimal(20),
    "tenth": Decimal(10),
    "tenths": Decimal(10),
}
_PERCENT_WORDS = frozenset(("%", "percent", "pct", "percents", "per-cent", "procent", "prozent"))
UNITS: dict[str, timedelta] = {
    **dict.fromkeys(("ms", "msec", "msecs", "millis", "millisecond", "milliseconds"), timedelta(milliseconds=1)),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), timedelta(seconds=1)),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), timedelta(minutes=1)),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), timedelta(hours=1)),
    **dict.fromkeys(("d", "day", "days"), timedelta(days=1)),
}
_RATE_WORDS = {
    "rps": timedelta(seconds=1),
    "rpm": timedelta(minutes=1),
    "qps": timedelta(seconds=1),
    "tps": timedelta(seconds=1),
}
_REQUEST_WORDS = frozenset(
    ["requests", "request", "calls", "call", "reqs", "req", "hits", "queries", "query", "times", "messages", "r"]
)
_COUNTED_WORDS = frozenset(
    (
        *(
            "logins",
            "lookups",
            "searches",
            "uploads",
            "downloads",
            "posts",
            "invocations",
            "transactions",
            "operations",
        ),
        *("ops", "reads", "writes", "submissions", "purchases", "attempts", "page views", "views", "tries", "visits"),
    )
)
_PER_WORDS = frozenset(("per", "/", "a", "an", "each", "every", "in", "within", "any", "one"))
_REFUSED = frozenset(("failed", "refused", "denied", "rejected", "blocked"))
_COUNTED = frozenset(("instance", "replica", "pod", "copy", "container", "node"))


class Quantities:
    """Reads quantities from the pieces of one sentence; each reader gives how many pieces it takes, and the token."""

    _pieces: Sequence[Piece]
    _words: Sequence[str]

    def _quantity(self, place: int, *, at_least: int = 1) -> tuple[int, Token] | None:
        """A percentage, a duration, a rate, a ratio or a number, in digits or words, of `at_least` so many words."""
        made = self._amount(place)
        return made if made is not None and made[0] >= at_least else None

    def _amount(self, place: int) -> tuple[int, Token] | None:
        piece = self._pieces[place]
        if piece.kind == "percent":
            value = Decimal(piece.word.replace(",", ".").rstrip("%٪％ "))
            return 1, token_of(AMOUNT, piece, numbers=(value,))
        if piece.kind == "ratio":
            parts = tuple(Decimal(part.strip(" %")) for part in re.split(r"[/:-]", piece.word))
            return 1, token_of(RATIO, piece, numbers=parts)
        if piece.word in _RATE_WORDS:
            return None
        if piece.kind == "number" and self._words[place + 1 : place + 2] == ["to"] and place + 2 < len(self._pieces):
            other = self._pieces[place + 2]
            if other.kind == "number" and piece.word.isdigit() and other.word.isdigit():
                parts = (Decimal(piece.word), Decimal(other.word))
                if sum(parts) == 100:  # "65 to 35"
                    return 3, token_of(RATIO, piece, numbers=parts)
        if piece.word == "per" and self._words[place + 1 : place + 2] and self._words[place + 1] in UNITS:
            return self._per_first(place)
        stated, length = self._number(place)
        if stated is None:
            return self._fraction(place)
        value = stated
        after = self._words[place + length : place + length + 5]
        if after[:1] and after[0] in _PERCENT_WORDS:
            return length + 1, token_of(AMOUNT, piece, numbers=(value,))
        if after[:2] == ["per", "cent"]:
            return length + 2, token_of(AMOUNT, piece, numbers=(value,))
        if after[:1] and after[0] in _FRACTIONS and after[1:2] == ["of"] and after[2:3] in (["an"], ["a"]):
            unit = self._words[place + length + 3 : place + length + 4]
            if unit and unit[0] in UNITS:  # three quarters of an hour
                part = float(value * _FRACTIONS[after[0]]) / 100
                return length + 4, token_of(DURATION, piece, duration=UNITS[unit[0]] * part)
        if after[:1] and after[0] in _FRACTIONS and value >= 1:  # three quarters
            share = value * _FRACTIONS[after[0]]
            return length + 1, token_of(AMOUNT, piece, numbers=(share,))
        if (one_in := self._one_in(value, place + length)) is not None:
            share, more = one_in
            return length + more, token_of(AMOUNT, piece, numbers=(share,))
        rate = self._rate(value, place + length)
        if rate is not None:
            per, more = rate
            refused = any(word in _REFUSED for word in self._words[place + length : place + length + more])
            return length + more, token_of(REFUSALS if refused else RATE, piece, numbers=(value,), duration=per)
        if after[:3] == ["and", "a", "half"] and after[3:4] and after[3] in UNITS:
            return length + 4, token_of(DURATION, piece, duration=UNITS[after[3]] * (float(value) + 0.5))
        if (
            after[:1]
            and after[0] in UNITS
            and not (after[0] in ("m", "d", "h") and self._pieces[place].kind != "number")
        ):
            return self._duration(place, value, length)
        if after[:1] and after[0] in ("week", "weeks"):
            return length + 1, token_of(DURATION, piece, duration=timedelta(days=7) * float(value))
        return length, token_of(NUMBER, piece, numbers=(value,))

    def _per_first(self, place: int) -> tuple[int, Token] | None:
        """ "per minute 100 requests"."""
        count, taken = self._number(place + 2)
        if count is None:
            return None
        length = 2 + taken
        if self._words[place + length : place + length + 1] and self._words[place + length] in _REQUEST_WORDS:
            length += 1
        return length, token_of(RATE, self._pieces[place], numbers=(count,), duration=UNITS[self._words[place + 1]])

    def _duration(self, place: int, value: Decimal, length: int) -> tuple[int, Token]:
        """ "1 minute 30 seconds", "1m30s", "two and a half seconds"."""
        total = UNITS[self._words[place + length]] * float(value)
        length += 1
        if self._words[place + length : place + length + 3] == ["and", "a", "half"]:
            total += UNITS[self._words[place + length - 1]] / 2
            return length + 3, token_of(DURATION, self._pieces[place], duration=total)
        while True:
            skip = 1 if self._words[place + length : place + length + 1] == ["and"] else 0
            more, taken = self._number(place + length + skip)
            unit = place + length + skip + taken
            if more is None or unit >= len(self._words) or self._words[unit] not in UNITS:
                return length, token_of(DURATION, self._pieces[place], duration=total)
            if UNITS[self._words[unit]] >= UNITS[self._words[place + length - 1]]:
                return length, token_of(DURATION, self._pieces[place], duration=total)
            total += UNITS[self._words[unit]] * float(more)
            length += skip + taken + 1

    def _unit_alone(self, place: int) -> bool:
        """ "once a minute", "every minute": a unit that a word before it counts once."""
        return (
            place > 0
            and self._words[place] in ("second", "minute", "hour", "day")
            and self._words[place - 1] in ("every", "each", "per", "a", "an")
        )

    def _fraction(self, place: int) -> tuple[int, Token] | None:
        """ "half", "a quarter", "half a second", "a minute", "a second"."""
        words, piece = self._words[place : place + 4], self._pieces[place]
        if self._unit_alone(place):
            return 1, token_of(DURATION, piece, duration=UNITS[words[0]])
        start = 1 if words[:1] == ["a"] or words[:1] == ["an"] or words[:1] == ["one"] else 0
        if words[:1] == ["half"] and len(words) > 2 and words[1] in ("a", "an") and words[2] in UNITS:
            return 3, token_of(DURATION, piece, duration=UNITS[words[2]] / 2)
        if (
            len(words) > start
            and words[start] in _FRACTIONS
            and words[start] not in ("half" if words[start + 1 : start + 2] == ["and"] else "")
        ):
            after = self._words[place + start + 1 : place + start + 4]
            if after[:1] == ["of"] and after[1:2] in (["a"], ["an"]) and after[2:3] and after[2] in UNITS:
                part = float(_FRACTIONS[words[start]]) / 100  # "a quarter of an hour"
                return start + 4, token_of(DURATION, piece, duration=UNITS[after[2]] * part)
            if words[start + 1 : start + 2] == ["hour"]:
                return start + 2, token_of(
                    DURATION, piece, duration=timedelta(minutes=30) if words[start] == "half" else timedelta(minutes=15)
                )
            return start + 1, token_of(AMOUNT, piece, numbers=(_FRACTIONS[words[start]],))
        if start and len(words) > 1 and words[1] in UNITS and len(words[1]) > 2:
            return 2, token_of(DURATION, piece, duration=UNITS[words[1]])
        return None

    def _one_in(self, value: Decimal, place: int) -> tuple[Decimal, int] | None:
        """ "one in ten", "1 out of every 5"."""
        words = self._words[place : place + 4]
        skip = 1 if words[:1] == ["in"] else 2 if words[:2] == ["out", "of"] else 0
        if not skip:
            return None
        if words[skip : skip + 1] == ["every"]:
            skip += 1
        whole, taken = self._number(place + skip)
        following = self._words[place + skip + taken : place + skip + taken + 1]
        if whole is None or not 0 < value < whole or (following and following[0] in UNITS):
            return None
        share = value * 100 / whole
        return (share, skip + taken) if share == round(share, 2) else None

    def _rate(self, value: Decimal, place: int) -> tuple[timedelta, int] | None:
        """The words after a number that make it a rate: "requests per minute", "rps", "every 10 seconds"."""
        words = self._words[place : place + 7]
        if words[:1] and words[0] in _RATE_WORDS:
            return _RATE_WORDS[words[0]], 1
        skip = 0
        for word in words[:3]:
            if (
                word in _REQUEST_WORDS
                or word in _COUNTED_WORDS
                or (
                    word in ("http", "api", "incoming", "failed", "refused", "denied", "rejected", "blocked")
                    and skip < 2
                )
            ):
                skip += 1
            else:
                break
        if skip == 1 and words[0] == "times":
            pass
        if words[skip : skip + 2] and words[skip] in _PER_WORDS:
            after = skip + 1
            if words[after : after + 1] and words[after] in ("any", "every", "each", "one", "a", "single"):
                after += 1
            unit = words[after] if len(words) > after else ""
            if unit in UNITS and not (
                words[skip] in ("a", "an", "in", "within", "any", "one") and len(unit) < 3 and words[skip] != "/"
            ):
                if words[skip] in ("in", "within") and after == skip + 1:
                    return None
                if words[skip] in ("a", "an", "one") and not skip:
                    return None if words[skip] == "one" else (UNITS[unit], after + 1)
                return UNITS[unit], after + 1
            count, taken = self._number(place + after)
            unit = self._words[place + after + taken] if place + after + taken < len(self._words) else ""
            if count is not None and unit in UNITS and words[skip] in ("every", "in", "within", "per", "each") and skip:
                return UNITS[unit] * float(count), after + taken + 1
        return None

    def _number(self, place: int) -> tuple[Decimal | None, int]:
        """A number in digits or words, and how many words it takes."""
        if place >= len(self._pieces):
            return None, 0
        piece = self._pieces[place]
        following = self._words[place + 1 : place + 4]
        if piece.kind == "number":
            text = piece.word
            text = text.replace(",", "") if re.fullmatch(r"\d{1,3}(,\d{3})+", text) else text.replace(",", ".")
            if text.count(".") > 1:
                return None, 0
            if following[:1] and following[0] in _SCALES:
                return Decimal(text) * _SCALES[following[0]], 2
            return Decimal(text), 1
        word = piece.word
        spelled = [word, *following[:2]]
        if len(spelled) == 3 and spelled[1] in ("oh", "o", "zero") and {spelled[0], spelled[2]} <= set(_ONES[1:10]):
            return Decimal(100 * _NUMBER_WORDS[word] + _NUMBER_WORDS[spelled[2]]), 3  # "five oh three"
        if word == "a" and following[:1] and following[0] in ("hundred", "thousand", "dozen", "couple"):
            if following[0] == "couple":
                return None, 0
            return Decimal(_SCALES[following[0]]), 2
        if word in ("hundred", "thousand", "dozen"):
            return Decimal(_SCALES[word]), 1
        if word == "single" and following[:1] and following[0] in _COUNTED:
            return Decimal(1), 1
        tens, _, ones = word.partition("-")
        value: Decimal | None = None
        length = 1
        if tens in _TENS and ones in _ONES[1:10]:
            value = Decimal(_NUMBER_WORDS[tens] + _NUMBER_WORDS[ones])
        elif word in _TENS and following[:1] and following[0] in _ONES[1:10]:
            value, length = Decimal(_NUMBER_WORDS[word] + _NUMBER_WORDS[following[0]]), 2
        elif word in _NUMBER_WORDS:
            value = Decimal(_NUMBER_WORDS[word])
        if value is None:
            return None, 0
        next_word = self._words[place + length : place + length + 1]
        if next_word == ["point"]:  # "one point five"
            digits = ""
            while (said := self._words[place + length + 1 + len(digits) :][:1]) and said[0] in _ONES[:10]:
                digits += str(_NUMBER_WORDS[said[0]])
            if digits:
                return value + Decimal(f"0.{digits}"), length + 1 + len(digits)
        if next_word and next_word[0] in ("hundred", "thousand", "dozen"):
            value, length = value * _SCALES[next_word[0]], length + 1
            rest_place = place + length + (1 if self._words[place + length : place + length + 1] == ["and"] else 0)
            if (
                next_word[0] != "dozen"
                and rest_place < len(self._words)
                and self._words[rest_place] in (*_NUMBER_WORDS,)
            ):
                rest, taken = self._number(rest_place)
                if rest is not None and rest < _SCALES[next_word[0]]:
                    return value + rest, rest_place - place + taken
        return value, length
