"""From text to tokens with a meaning each. A word that means nothing here stays unknown, and is never passed over."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from intelligence.intents.countries import country
from intelligence.intents.lexicon import Entry, Lexicon, bit, mask
from intelligence.intents.names import Vocabulary
from intelligence.intents.scanner import SPACELESS, Piece, normal, scan
from registry.model import ServiceKey

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
_PER_WORDS = frozenset(("per", "/", "a", "an", "each", "every", "in", "within", "any", "one"))
_REFUSED = frozenset(("failed", "refused", "denied", "rejected", "blocked"))
_METHODS = frozenset(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
_METHOD_PLURALS = {f"{method}S": method for method in _METHODS}
_VERSION_WORDS = frozenset(("version", "release", "ver", "v"))
_LIKE_VERSION = re.compile(r"v\d[\w.]*")
_HOST = re.compile(r"(?:[a-z0-9-]+\.)+[a-z]{2,}")
_FILE = re.compile(r"[\w./-]+\.(?:txt|csv|list|json|netset|ipset|ya?ml)")
_QUANTILE = re.compile(r"p(\d{2})(?:\.?(\d+))?")
_COUNTED = frozenset(("instance", "replica", "pod", "copy", "container", "node"))
_TIMES_OF_DAY = {"noon": "12:00", "midnight": "00:00", "midday": "12:00"}
_ROLE_NEW = frozenset(["new", "newest", "latest", "newer"])
_ROLE_OLD = frozenset(["old", "oldest", "previous", "older"])
_ROLE_NOUNS = frozenset(["version", "release", "build", "deployment", "one", "variant", "code"])

AMOUNT, NUMBER, DURATION, RATE, RATIO = "amount", "number", "duration", "rate", "ratio"
REFUSALS = "refusals"  # a rate of refused requests
SERVICE, VERSION, BACKEND, ROLE = "service", "version", "backend", "role"
PATH, HOST, URL, ADDRESS, COUNTRY, METHOD, HEADER = "path", "host", "url", "address", "country", "method", "header"
MOMENT, QUOTED, FILE, UNKNOWN, STRANGER = "moment", "quoted", "file", "unknown", "stranger"


_GUARDS = mask("NOT IF")  # a negation or a condition always says something


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the sentence.

    kind: one of the names above, "word" for a word of the lexicon, "mark" for punctuation.
    mask: the labels (kind and concepts) that it may stand for. `silent`: it need not stand for anything.
    values: what it states: percentages, a number, a rate's count, names, addresses.
    """

    kind: str
    text: str
    start: int
    mask: int = 0
    silent: bool = False
    numbers: tuple[Decimal, ...] = ()
    duration: timedelta | None = None
    names: tuple[str, ...] = ()
    services: tuple[ServiceKey, ...] = ()
    repaired: str = ""

    def has(self, labels: int) -> bool:
        return bool(self.mask & labels)


def _token(kind: str, piece: Piece, *, more: int = 0, **values: object) -> Token:
    return Token(kind, piece.text, piece.start, bit(kind) | more, **values)  # type: ignore[arg-type]  # by name


@dataclass(frozen=True, slots=True)
class Reading:
    """How words are read. names_first: a word that a service is called, and the lexicon knows, is the service."""

    vocabulary: Vocabulary
    lexicon: Lexicon
    names_first: bool = False
    repair: bool = True


def tokens(sentence: str, reading: Reading) -> list[Token]:
    """The tokens of `sentence`, in order, lists joined."""
    text = normal(sentence)
    return joined(_rated(_Tokeniser(text, reading).run()))


class _Tokeniser:
    def __init__(self, text: str, reading: Reading) -> None:
        self._text = text
        self._reading = reading
        self._vocabulary = reading.vocabulary
        self._pieces: list[Piece] = []
        for piece in scan(text):
            self._pieces.extend(self._words_within(piece))
        self._words = [piece.word for piece in self._pieces]
        self._numbering = _numbering(self._pieces, text)

    def run(self) -> list[Token]:
        found: list[Token] = []
        place = 0
        while place < len(self._pieces):
            length, made = self._next(place)
            if made is not None:
                found.append(made)
            place += length
        return found

    def _words_within(self, piece: Piece) -> list[Piece]:
        """The words of a run without spaces, by the longest that the lexicon knows; an apostrophe's two sides."""
        if piece.kind != "word":
            return [piece]
        if SPACELESS.fullmatch(piece.text):
            found, start, unknown = [], 0, ""
            while start < len(piece.text):
                word = self._reading.lexicon.starts(piece.word[start:])
                if word is None:
                    unknown += piece.word[start]
                    start += 1
                    continue
                if unknown:
                    found.append(Piece("word", unknown, unknown, piece.start + start - len(unknown)))
                    unknown = ""
                found.append(Piece("word", word, word, piece.start + start))
                start += len(word)
            if unknown:
                found.append(Piece("word", unknown, unknown, piece.start + start - len(unknown)))
            return found
        head, apostrophe, tail = piece.text.partition("'")
        if tail == "s" and (_LIKE_VERSION.fullmatch(head.lower()) or head.lower() in self._vocabulary.version_words):
            return [Piece("word", head, head.lower(), piece.start)]
        if (
            apostrophe
            and tail
            and piece.word not in self._reading.lexicon
            and f"'{tail.lower()}" in self._reading.lexicon
        ):
            return [
                Piece("word", head, head.lower(), piece.start),
                Piece("word", f"'{tail}", f"'{tail.lower()}", piece.start + len(head)),
            ]
        return [piece]

    # --- one token ---

    def _next(self, place: int) -> tuple[int, Token | None]:
        piece = self._pieces[place]
        if place in self._numbering:
            return 2, Token("mark", piece.text, piece.start, bit("BREAK"), silent=True)
        if piece.kind == "mark":
            return self._mark(place)
        name = self._name(place)
        entry = self._entry(place)
        if name is not None and (
            self._reading.names_first or entry is None or name[0] > entry.length or self._is_full_name(name[1])
        ):
            return name
        if entry is not None and entry.length > 1 and self._quantity(place, at_least=entry.length + 1) is None:
            special = self._version(place)
            if special is None or special[0] < entry.length:
                return entry.length, self._worded(place, entry)
        for read in (self._fixed, self._quantity, self._version, self._country):
            made = read(place)
            if made is not None:
                return made
        if entry is not None:
            return entry.length, self._worded(place, entry)
        return name if name is not None else self._unknown(place)

    def _entry(self, place: int) -> Entry | None:
        """The longest phrase at `place`; a shorter one where its last word begins a longer name."""
        entry = self._reading.lexicon.find(self._words, place)
        while entry is not None and entry.length > 1:
            end = place + entry.length - 1
            name = self._name(end)
            if name is None or name[0] < 2:  # words
                break
            entry = self._reading.lexicon.find(self._words[:end], place)
        return entry

    def _worded(self, place: int, entry: Entry, *, repaired: str = "") -> Token:
        first, last = self._pieces[place], self._pieces[place + entry.length - 1]
        text = self._text[first.start : last.start + len(last.text)]
        return Token(
            "word", text, first.start, entry.mask, silent=entry.silent and not entry.mask & _GUARDS, repaired=repaired
        )

    def _mark(self, place: int) -> tuple[int, Token | None]:
        piece = self._pieces[place]
        match piece.text:
            case "\n" | ";" | "." | "!" | "?" | "•" | "。" | "！" | "？" | "؟" | "।":
                return 1, Token("mark", piece.text, piece.start, bit("BREAK"), silent=True)
            case "," | "、" | "，" | "،" | "/":
                return 1, Token("mark", piece.text, piece.start, bit("COMMA"), silent=True)
            case "-" if self._is_minus(place):
                return 1, Token(UNKNOWN, piece.text, piece.start, bit(UNKNOWN))
            case "-" | ":" | "(" | ")" | "：":
                return 1, Token("mark", piece.text, piece.start, bit("DASH"), silent=True)
            case "&" | "+":
                return 1, Token("mark", piece.text, piece.start, bit("AND"))
            case "'" | '"' | "*" | "_" | "~" | "¿" | "¡" | "の" | "…":
                return 1, None
            case _:
                entry = self._entry(place)
                if entry is not None:
                    return entry.length, self._worded(place, entry)
                return 1, Token(UNKNOWN, piece.text, piece.start, bit(UNKNOWN))

    def _is_minus(self, place: int) -> bool:
        """A dash that clings to the number after it, and to nothing before it."""
        start = self._pieces[place].start
        return self._text[start + 1 : start + 2].isdigit() and self._text[start - 1 : start] in ("", " ", "(")

    def _is_full_name(self, token: Token) -> bool:
        return token.kind == BACKEND or "-" in token.text or " " in token.text or "/" in token.text

    def _name(self, place: int) -> tuple[int, Token] | None:
        """A service's name or alias at `place`, the longest; or a service with its version."""
        vocabulary = self._vocabulary
        for length in range(min(vocabulary.longest_alias + 1, len(self._pieces) - place, 6), 0, -1):
            said = self._said(place, length)
            keys = vocabulary.aliases.get(said)
            if keys:
                piece = self._pieces[place]
                end = self._pieces[place + length - 1]
                text = self._text[piece.start : end.start + len(end.text)]
                return length, Token(SERVICE, text, piece.start, bit(SERVICE), names=(text,), services=())
        split = vocabulary.backends.get(self._words[place])
        if split is not None:
            service, version = split
            return 1, _token(BACKEND, self._pieces[place], names=(version,), services=(service,))
        return None

    def _said(self, place: int, length: int) -> str:
        words = self._words[place : place + length]
        return " ".join(words).replace(" / ", "/") if "/" in words else " ".join(words)

    def _fixed(self, place: int) -> tuple[int, Token] | None:
        """What is what it is by its form."""
        piece = self._pieces[place]
        match piece.kind:
            case "url":
                return 1, _token(URL, piece, names=(piece.text.rstrip(".)"),))
            case "quoted":
                inside = piece.text.strip('"')
                keys = self._vocabulary.aliases.get(inside.lower())
                if keys:
                    return 1, _token(SERVICE, piece, names=(inside,))
                return 1, _token(QUOTED, piece, names=(inside,))
            case "pair":
                left, right = re.split(r"\s*(?:==|[:=])\s*", piece.text, maxsplit=1)
                left = re.sub(r"^header\s+", "", left, flags=re.IGNORECASE)
                return 1, _token(HEADER, piece, names=(left.lower(), right.strip('"')))
            case "address":
                kind = ADDRESS if _is_network(piece.text) else UNKNOWN
                return 1, _token(kind, piece, names=(piece.text,))
            case "path":
                if _FILE.fullmatch(piece.word):
                    return 1, _token(FILE, piece, names=(piece.text,))
                return 1, _token(PATH, piece, names=(piece.text.rstrip(".,"),))
            case "date":
                clock = self._pieces[place + 1] if place + 1 < len(self._pieces) else None
                if clock is not None and clock.kind == "clock":
                    return 2, _token(MOMENT, piece, names=(f"{piece.text} {_clock(clock.word)}",))
                return 1, _token(MOMENT, piece, names=(f"{piece.text} 00:00",))
            case "clock":
                return self._moment(place)
            case _:
                pass
        if (
            piece.text in _METHODS
            or piece.text in _METHOD_PLURALS
            or (
                piece.text.upper() in _METHODS
                and self._words[place + 1 : place + 2] in (["requests"], ["request"], ["calls"], ["method"])
                and piece.word not in ("options", "head", "delete", "put", "get", "patch", "post")
            )
        ):
            return 1, _token(METHOD, piece, names=(_METHOD_PLURALS.get(piece.text.upper(), piece.text.upper()),))
        if quantile := _QUANTILE.fullmatch(piece.word):
            value = Decimal(f"0.{quantile[1]}{quantile[2] or ''}")
            return 1, Token("word", piece.text, piece.start, bit("LATENCY") | bit("quantile"), numbers=(value,))
        if piece.kind == "word" and _FILE.fullmatch(piece.word):
            return 1, _token(FILE, piece, names=(piece.text,))
        if piece.kind == "word" and _HOST.fullmatch(piece.word):
            return 1, _token(HOST, piece, names=(piece.word,))
        if piece.word.removesuffix("'s") in ("yesterday", "today") or piece.word in _TIMES_OF_DAY:
            return self._moment(place)
        return None

    def _moment(self, place: int) -> tuple[int, Token] | None:
        """ "yesterday 14:00", "14:00 yesterday", "yesterday at 2 pm", "14:00"."""
        day, clock, length = "", "", 0
        while place + length < len(self._pieces):
            piece = self._pieces[place + length]
            if piece.word.removesuffix("'s") in ("yesterday", "today") and not day:
                day = piece.word.removesuffix("'s")
            elif piece.kind == "clock" and not clock:
                clock = _clock(piece.word)
            elif piece.word in _TIMES_OF_DAY and not clock:
                clock = _TIMES_OF_DAY[piece.word]
            elif piece.word in ("at", "o'clock", "'s", ",") and length and not (day and clock):
                following = self._pieces[place + length + 1 : place + length + 2]
                if not (
                    following
                    and (following[0].kind == "clock" or following[0].word in ("yesterday", "today", *_TIMES_OF_DAY))
                ):
                    break
            else:
                break
            length += 1
        if not clock:
            return None  # "yesterday" alone is a word of the lexicon
        first = self._pieces[place]
        text = f"{day} {clock}".strip() if day != "today" else clock
        return length, _token(MOMENT, first, names=(text,))

    def _quantity(self, place: int, *, at_least: int = 1) -> tuple[int, Token] | None:
        """A percentage, a duration, a rate, a ratio or a number, in digits or words, of `at_least` so many words."""
        made = self._amount(place)
        return made if made is not None and made[0] >= at_least else None

    def _amount(self, place: int) -> tuple[int, Token] | None:
        piece = self._pieces[place]
        if piece.kind == "percent":
            value = Decimal(piece.word.replace(",", ".").rstrip("%٪％ "))
            return 1, _token(AMOUNT, piece, numbers=(value,))
        if piece.kind == "ratio":
            parts = tuple(Decimal(part.strip(" %")) for part in re.split(r"[/:-]", piece.word))
            return 1, _token(RATIO, piece, numbers=parts)
        if piece.word in _RATE_WORDS:
            return None
        if piece.kind == "number" and self._words[place + 1 : place + 2] == ["to"] and place + 2 < len(self._pieces):
            other = self._pieces[place + 2]
            if other.kind == "number" and piece.word.isdigit() and other.word.isdigit():
                parts = (Decimal(piece.word), Decimal(other.word))
                if sum(parts) == 100:  # "65 to 35"
                    return 3, _token(RATIO, piece, numbers=parts)
        if piece.word == "per" and self._words[place + 1 : place + 2] and self._words[place + 1] in UNITS:
            return self._per_first(place)
        stated, length = self._number(place)
        if stated is None:
            return self._fraction(place)
        value = stated
        after = self._words[place + length : place + length + 5]
        if after[:1] and after[0] in _PERCENT_WORDS:
            return length + 1, _token(AMOUNT, piece, numbers=(value,))
        if after[:2] == ["per", "cent"]:
            return length + 2, _token(AMOUNT, piece, numbers=(value,))
        if after[:1] and after[0] in _FRACTIONS and value >= 1:  # three quarters
            share = value * _FRACTIONS[after[0]]
            return length + 1, _token(AMOUNT, piece, numbers=(share,))
        if (one_in := self._one_in(value, place + length)) is not None:
            share, more = one_in
            return length + more, _token(AMOUNT, piece, numbers=(share,))
        rate = self._rate(value, place + length)
        if rate is not None:
            per, more = rate
            refused = any(word in _REFUSED for word in self._words[place + length : place + length + more])
            return length + more, _token(REFUSALS if refused else RATE, piece, numbers=(value,), duration=per)
        if (
            after[:1]
            and after[0] in UNITS
            and not (after[0] in ("m", "d", "h") and self._pieces[place].kind != "number")
        ):
            return self._duration(place, value, length)
        if after[:1] and after[0] in ("week", "weeks"):
            return length + 1, _token(DURATION, piece, duration=timedelta(days=7) * float(value))
        return length, _token(NUMBER, piece, numbers=(value,))

    def _per_first(self, place: int) -> tuple[int, Token] | None:
        """ "per minute 100 requests"."""
        count, taken = self._number(place + 2)
        if count is None:
            return None
        length = 2 + taken
        if self._words[place + length : place + length + 1] and self._words[place + length] in _REQUEST_WORDS:
            length += 1
        return length, _token(RATE, self._pieces[place], numbers=(count,), duration=UNITS[self._words[place + 1]])

    def _duration(self, place: int, value: Decimal, length: int) -> tuple[int, Token]:
        """ "1 minute 30 seconds", "1m30s", "two and a half seconds"."""
        total = UNITS[self._words[place + length]] * float(value)
        length += 1
        if self._words[place + length : place + length + 3] == ["and", "a", "half"]:
            total += UNITS[self._words[place + length - 1]] / 2
            return length + 3, _token(DURATION, self._pieces[place], duration=total)
        while True:
            skip = 1 if self._words[place + length : place + length + 1] == ["and"] else 0
            more, taken = self._number(place + length + skip)
            unit = place + length + skip + taken
            if more is None or unit >= len(self._words) or self._words[unit] not in UNITS:
                return length, _token(DURATION, self._pieces[place], duration=total)
            if UNITS[self._words[unit]] >= UNITS[self._words[place + length - 1]]:
                return length, _token(DURATION, self._pieces[place], duration=total)
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
            return 1, _token(DURATION, piece, duration=UNITS[words[0]])
        start = 1 if words[:1] == ["a"] or words[:1] == ["an"] or words[:1] == ["one"] else 0
        if words[:1] == ["half"] and len(words) > 2 and words[1] in ("a", "an") and words[2] in UNITS:
            return 3, _token(DURATION, piece, duration=UNITS[words[2]] / 2)
        if (
            len(words) > start
            and words[start] in _FRACTIONS
            and words[start] not in ("half" if words[start + 1 : start + 2] == ["and"] else "")
        ):
            if words[start + 1 : start + 2] == ["hour"]:
                return start + 2, _token(
                    DURATION, piece, duration=timedelta(minutes=30) if words[start] == "half" else timedelta(minutes=15)
                )
            return start + 1, _token(AMOUNT, piece, numbers=(_FRACTIONS[words[start]],))
        if start and len(words) > 1 and words[1] in UNITS and len(words[1]) > 2:
            return 2, _token(DURATION, piece, duration=UNITS[words[1]])
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
            if word in _REQUEST_WORDS or (
                word in ("http", "api", "incoming", "failed", "refused", "denied", "rejected", "blocked") and skip < 2
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

    def _version(self, place: int) -> tuple[int, Token] | None:
        words, piece = self._words, self._pieces[place]
        word = words[place]
        following = words[place + 1 : place + 2]
        if word in _VERSION_WORDS and following and place + 1 not in self._numbering:
            said = self._pieces[place + 1]
            if (
                following[0] in self._vocabulary.version_words
                or said.kind == "number"
                or _LIKE_VERSION.fullmatch(following[0])
            ):
                return 2, _token(VERSION, piece, names=(said.text,))
        if word in _ROLE_NEW and following and following[0] in _ROLE_NOUNS:
            return 2, _token(ROLE, piece, names=("new",))
        if word in _ROLE_OLD and following and following[0] in _ROLE_NOUNS:
            return 2, _token(ROLE, piece, names=("old",))
        if word in self._vocabulary.version_words or _LIKE_VERSION.fullmatch(word):
            entry = self._entry(place)
            more = entry.mask if entry is not None and entry.length == 1 else 0
            return 1, _token(VERSION, piece, more=more, names=(piece.text,))
        if word in ("canary", "stable", "canaries"):
            entry = self._entry(place)
            if entry is not None and entry.length == 1:
                return 1, _token(VERSION, piece, more=entry.mask, names=("canary" if word == "canaries" else word,))
        return None

    def _country(self, place: int) -> tuple[int, Token] | None:
        for length in (4, 3, 2, 1):
            if place + length <= len(self._pieces):
                code = country(" ".join(self._words[place : place + length]))
                if code is not None:
                    return length, _token(COUNTRY, self._pieces[place], names=(code,))
        piece = self._pieces[place]
        if piece.text in ("US", "UK", "USA", "EU", "UAE"):
            code = country("usa" if piece.text == "US" else piece.word)
            return (1, _token(COUNTRY, piece, names=(code,))) if code else None
        return None

    def _unknown(self, place: int) -> tuple[int, Token]:
        piece = self._pieces[place]
        if self._reading.repair:
            repaired = self._reading.lexicon.repaired(piece.word)
            if repaired is not None:
                words = [*self._words[:place], repaired, *self._words[place + 1 :]]
                self._words = words
                if repaired in ("canary", "stable"):
                    entry = self._reading.lexicon.find(words, place)
                    more = entry.mask if entry is not None else 0
                    return 1, _token(
                        VERSION, piece, more=more, names=(repaired,), repaired=f"{piece.text} → {repaired}"
                    )
                made = self._quantity(place) or self._version(place)
                if made is not None:
                    return made[0], replace(made[1], repaired=f"{piece.text} → {repaired}")
                entry = self._reading.lexicon.find(words, place)
                if entry is not None:
                    return entry.length, self._worded(place, entry, repaired=f"{piece.text} → {repaired}")
        return 1, Token(UNKNOWN, piece.text, piece.start, bit(UNKNOWN))


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _clock(text: str) -> str:
    """ "2pm" as "14:00"."""
    digits = re.fullmatch(r"(\d{1,2})(?::(\d{2}))?\s?(am|pm)?", text)
    assert digits is not None, text
    hour = int(digits[1])
    if digits[3] == "pm" and hour < 12:
        hour += 12
    if digits[3] == "am" and hour == 12:
        hour = 0
    return f"{hour % 24:02d}:{digits[2] or '00'}"


def _numbering(pieces: Sequence[Piece], text: str) -> frozenset[int]:
    """The places of "1.", "2)" that number the parts of a text: they count up from one, and two at least."""
    found: list[int] = []
    for place, piece in enumerate(pieces[:-1]):
        closing = pieces[place + 1]
        if piece.kind != "number" or closing.text not in (".", ")") or closing.start != piece.start + len(piece.text):
            continue
        if piece.word == str(len(found) + 1) and (place == 0 or _may_precede(pieces[place - 1])):
            found.append(place)
    return frozenset(found) if len(found) > 1 else frozenset()


def _may_precede(piece: Piece) -> bool:
    return piece.word not in ("to", "at", "of", "with", "by", "is", "than", "=", "from", "for")


# --- lists ---

_LISTABLE = (SERVICE, COUNTRY, ADDRESS, METHOD)
_CONNECTORS = mask("AND COMMA")


def _rated(found: Sequence[Token]) -> list[Token]:
    """ "10 payment requests per minute": the number, what comes after the service's name, and the unit are one rate."""
    result = list(found)
    for place in range(len(result) - 3):
        number, service, requests, *after = result[place : place + 5]
        if number.kind != NUMBER or service.kind != SERVICE or not requests.has(mask("TRAFFIC")):
            continue
        if len(after) > 1 and after[0].text.lower() in ("per", "every", "each") and after[1].kind == DURATION:
            unit, length = after[1], 5
        elif after[0].kind == DURATION and after[0].text.lower() in ("a", "an"):
            unit, length = after[0], 4
        else:
            continue
        rate = replace(number, kind=RATE, mask=bit(RATE), duration=unit.duration)
        return [*result[:place], rate, service, *_rated(result[place + length :])]
    return result


def joined(found: Sequence[Token]) -> list[Token]:
    """Tokens of one kind that only commas and "and" part become one: "payment, cart and checkout"."""
    result: list[Token] = []
    place = 0
    while place < len(found):
        token = found[place]
        if token.kind in _LISTABLE and not token.names[1:]:
            names, end = list(token.names), place + 1
            while True:
                later = end
                while (
                    later < len(found)
                    and later - end < 2
                    and (found[later].has(_CONNECTORS) or found[later].text.lower() == "the")
                ):
                    later += 1
                if (
                    later == end
                    or later >= len(found)
                    or found[later].kind != token.kind
                    or not any(found[i].has(_CONNECTORS) for i in range(end, later))
                ):
                    break
                names.extend(found[later].names)
                end = later + 1
            if len(names) > 1:
                result.append(replace(token, names=tuple(names), mask=token.mask | bit("many")))
                place = end
                continue
        result.append(token)
        place += 1
    return result
