"""From text to tokens with a meaning each. A word that means nothing here stays unknown, and is never passed over."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from intelligence.intents.countries import country
from intelligence.intents.lexicon import Entry, Lexicon, bit, mask
from intelligence.intents.names import Vocabulary
from intelligence.intents.quantities import Quantities
from intelligence.intents.scanner import SPACELESS, Piece, normal, scan
from intelligence.intents.token import (
    ADDRESS,
    AMOUNT,
    BACKEND,
    COUNTRY,
    DURATION,
    FILE,
    HEADER,
    HOST,
    METHOD,
    MOMENT,
    NUMBER,
    PATH,
    QUOTED,
    RATE,
    ROLE,
    SERVICE,
    UNKNOWN,
    URL,
    VERSION,
    Token,
    token_of,
)

_METHODS = frozenset(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
_METHOD_PLURALS = {f"{method}S": method for method in _METHODS}
_VERSION_WORDS = frozenset(("version", "release", "ver", "v"))
_LIKE_VERSION = re.compile(r"v\d[\w.]*")
_HOST = re.compile(r"(?:[a-z0-9-]+\.)+[a-z]{2,}")
_FILE = re.compile(r"[\w./-]+\.(?:txt|csv|list|json|netset|ipset|ya?ml)")
_QUANTILE = re.compile(r"p(\d{2})(?:\.?(\d+))?")
_TIMES = re.compile(r"x(\d{1,3})|(\d{1,3})x")  # "x3"
_TIMES_OF_DAY = {"noon": "12:00", "midnight": "00:00", "midday": "12:00"}
_ROLE_NEW = frozenset(["new", "newest", "latest", "newer"])
_ROLE_OLD = frozenset(["old", "oldest", "previous", "older"])
_ROLE_NOUNS = frozenset(["version", "release", "build", "deployment", "one", "variant", "code"])

_GUARDS = mask("NOT IF")  # a negation or a condition always says something


@dataclass(frozen=True, slots=True)
class Reading:
    """How words are read. names_first: a word that a service is called, and the lexicon knows, is the service."""

    vocabulary: Vocabulary
    lexicon: Lexicon
    names_first: bool = False
    repair: bool = True


def tokens(sentence: str, reading: Reading) -> list[Token]:
    """The tokens of `sentence`, in order, lists joined."""
    text = _dictated(normal(sentence))
    return joined(_named(_pointing(_closed(_changed(_rated(_Tokeniser(text, reading).run()))))))


_SLASHED = re.compile(r"(?<![\w/-])(?:forward )?slash ([a-z][\w-]*)(?: slash ([a-z][\w-]*))?", re.IGNORECASE)
_DOTTED = re.compile(r"\b[a-z0-9][\w-]*(?: dot [a-z0-9][\w-]*)+", re.IGNORECASE)


_HOUR_WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_HOURS = re.compile(
    rf"\bat (\d{{1,2}}|{'|'.join(_HOUR_WORDS)})(?: o'?clock)?"
    r" (in the morning|in the afternoon|in the evening|at night|a\.?m\.?|p\.?m\.?)(?!\w)",
    re.IGNORECASE,
)


def _hour(found: re.Match[str]) -> str:
    """ "at nine in the morning" as "at 9am"."""
    said = found[1].lower()
    hour = int(said) if said.isdigit() else _HOUR_WORDS.index(said) + 1
    if not 1 <= hour <= 12:
        return found[0]
    return f"at {hour}{'am' if found[2].lower() in ('in the morning', 'am', 'a.m.', 'a.m') else 'pm'}"


def _dictated(text: str) -> str:
    """ "slash pay" and "shop dot example dot com" as they are written."""
    text = _HOURS.sub(_hour, text)
    if " dot " in text.lower():
        text = _DOTTED.sub(lambda found: re.sub(r" dot ", ".", found[0], flags=re.IGNORECASE), text)
    if "slash " in text.lower():
        text = _SLASHED.sub(lambda found: "/" + "/".join(part for part in found.groups() if part), text)
    return text


class _Tokeniser(Quantities):
    def __init__(self, text: str, reading: Reading) -> None:
        self._text = text
        self._reading = reading
        self._vocabulary = reading.vocabulary
        self._pieces: list[Piece] = []
        for piece in scan(text):
            self._pieces.extend(self._words_within(piece))
        self._words = [piece.word for piece in self._pieces]
        self._numbering = _numbering(self._pieces, text)
        self._shouted = text.isupper()

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
        if piece.text in _METHODS and not self._shouted:
            return 1, token_of(METHOD, piece, names=(piece.text,))
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
            compared = self._words[end] == "more" and self._words[end + 1 : end + 2] == ["than"]
            bounded = self._words[end] == "at" and self._words[end + 1 : end + 2] in (["most"], ["least"])
            if not bounded and not compared and (name is None or name[0] < 2):  # words
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
            case "." if place and self._words[place - 1] in ("max", "min") and self._is_number(place + 1):
                return 1, None
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

    def _is_number(self, place: int) -> bool:
        return place < len(self._pieces) and self._pieces[place].kind in ("number", "percent")

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
            return 1, token_of(BACKEND, self._pieces[place], names=(version,), services=(service,))
        return None

    def _said(self, place: int, length: int) -> str:
        words = self._words[place : place + length]
        return " ".join(words).replace(" / ", "/") if "/" in words else " ".join(words)

    def _fixed(self, place: int) -> tuple[int, Token] | None:
        """What is what it is by its form."""
        piece = self._pieces[place]
        match piece.kind:
            case "url":
                return 1, token_of(URL, piece, names=(piece.text.rstrip(".)"),))
            case "quoted":
                inside = piece.text.strip('"')
                keys = self._vocabulary.aliases.get(inside.lower())
                if keys:
                    return 1, token_of(SERVICE, piece, names=(inside,))
                return 1, token_of(QUOTED, piece, names=(inside,))
            case "pair":
                left, right = re.split(r"\s*(?:==|[:=])\s*", piece.text, maxsplit=1)
                left = re.sub(r"^header\s+", "", left, flags=re.IGNORECASE)
                return 1, token_of(HEADER, piece, names=(left.lower(), right.strip('"')))
            case "address":
                kind = ADDRESS if _is_network(piece.text) else UNKNOWN
                return 1, token_of(kind, piece, names=(piece.text,))
            case "path":
                if _FILE.fullmatch(piece.word):
                    return 1, token_of(FILE, piece, names=(piece.text,))
                return 1, token_of(PATH, piece, names=(piece.text.rstrip(".,"),))
            case "date":
                clock = self._pieces[place + 1] if place + 1 < len(self._pieces) else None
                if clock is not None and clock.kind == "clock":
                    return 2, token_of(MOMENT, piece, names=(f"{piece.text} {_clock(clock.word)}",))
                return 1, token_of(MOMENT, piece, names=(f"{piece.text} 00:00",))
            case "clock":
                return self._moment(place)
            case _:
                pass
        if (
            piece.text in _METHODS
            or piece.text in _METHOD_PLURALS
            or (piece.text.endswith("s") and piece.text[:-1] in _METHODS)
            or (
                piece.text.upper() in _METHODS
                and self._words[place + 1 : place + 2] in (["requests"], ["request"], ["calls"], ["method"])
                and piece.word not in ("options", "head", "delete", "put", "get", "patch", "post")
            )
        ):
            return 1, token_of(METHOD, piece, names=(_METHOD_PLURALS.get(piece.text.upper(), piece.text.upper()),))
        if times := _TIMES.fullmatch(piece.word):
            return 1, token_of(NUMBER, piece, numbers=(Decimal(times[1] or times[2]),))
        if quantile := _QUANTILE.fullmatch(piece.word):
            value = Decimal(f"0.{quantile[1]}{quantile[2] or ''}")
            return 1, Token("word", piece.text, piece.start, bit("LATENCY") | bit("quantile"), numbers=(value,))
        if piece.kind == "word" and _FILE.fullmatch(piece.word):
            return 1, token_of(FILE, piece, names=(piece.text,))
        if piece.kind == "word" and _HOST.fullmatch(piece.word):
            return 1, token_of(HOST, piece, names=(piece.word,))
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
        return length, token_of(MOMENT, first, names=(text,))

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
                return 2, token_of(VERSION, piece, names=(said.text,))
        if word in _ROLE_NEW and following and following[0] in _ROLE_NOUNS:
            return 2, token_of(ROLE, piece, names=("new",))
        if word in _ROLE_OLD and following and following[0] in _ROLE_NOUNS:
            return 2, token_of(ROLE, piece, names=("old",))
        if word in self._vocabulary.version_words or _LIKE_VERSION.fullmatch(word):
            entry = self._entry(place)
            more = entry.mask if entry is not None and entry.length == 1 else 0
            return 1, token_of(VERSION, piece, more=more, names=(piece.text,))
        if word in ("canary", "stable", "canaries"):
            entry = self._entry(place)
            if entry is not None and entry.length == 1:
                return 1, token_of(VERSION, piece, more=entry.mask, names=("canary" if word == "canaries" else word,))
        return None

    def _country(self, place: int) -> tuple[int, Token] | None:
        for length in (4, 3, 2, 1):
            if place + length <= len(self._pieces):
                code = country(" ".join(self._words[place : place + length]))
                if code is not None:
                    return length, token_of(COUNTRY, self._pieces[place], names=(code,))
        piece = self._pieces[place]
        if piece.text in ("US", "UK", "USA", "EU", "UAE"):
            code = country("usa" if piece.text == "US" else piece.word)
            return (1, token_of(COUNTRY, piece, names=(code,))) if code else None
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
                    return 1, token_of(
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
_PARTING = frozenset(("but", "while", "yet", "whereas", "then", "and then", "after that", "afterwards"))
"""Words that set what follows apart from what went before."""
_CHOOSING = _PARTING | {"or"}
_SHUTTING = mask("DENY NOT ONLY NOBODYBUT")
"""Of services that something is done to, "or" is a choice; of those that may not do something, it is a list."""


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


_DAYS_TEXT = (
    "monday tuesday wednesday thursday friday saturday sunday tomorrow tonight weekend week month starts begins soon"
)
_DAYS = frozenset(_DAYS_TEXT.split())
_CALLING = mask("CALL")
_POINTING = frozenset(("this", "that", "these", "those"))
_RELATIVE = frozenset(("which", "that", "who"))
_DESCRIBED = mask(
    "POLICY PERADDRESS SERVICENOUN REPORT ROUTENOUN IPS TRAFFIC INSTANCE USER IPS VERSIONNOUN ROUTENOUN service"
)
_CLOSING = frozenset(
    ("on", "in", "to", "from", "for", "at", "with", "of", "by", "and", "or", "but", "any more", "please")
)


def _pointing(found: Sequence[Token]) -> list[Token]:
    """ "cart must not call that": a word that points at something, and stands for it, is an "it"; before its noun it
    says nothing, as "which" does between a noun and what is said of it. "Audit logging on": a last "on" turns on."""
    result = list(found)
    spoken = [token for token in found if token.kind != "mark"]
    if spoken and spoken[-1].text.lower() == "then" and any(token.text.lower() in _DAYS for token in spoken):
        result[found.index(spoken[-1])] = replace(spoken[-1], mask=bit("IF"), silent=False)
    for place, token in enumerate(found):
        word = token.text.lower()
        before = found[place - 1] if place else None
        after = found[place + 1] if place + 1 < len(found) else None
        if (
            word in _POINTING
            and token.silent
            and (
                after is None
                or (after.kind == "mark" and after.text != ":")
                or after.text.lower() in _CLOSING
                or (after.mask & _CALLING and found[place + 2 : place + 3] and found[place + 2].kind == SERVICE)
            )
        ):
            result[place] = replace(token, mask=token.mask | bit("IT"), silent=False)
        elif (
            word in _RELATIVE
            and before is not None
            and before.mask & _DESCRIBED
            and after is not None
            and after.kind != "mark"
            and not any(t.text.lower() in _INTERROGATIVE for t in found[:place])
        ):
            result[place] = replace(token, mask=0, silent=True)
        elif (
            word == "on"
            and before is not None
            and before.kind == "word"
            and not before.silent
            and all(later.kind == "mark" or (later.silent and not later.mask) for later in found[place + 1 : place + 3])
            and (after is None or after.kind == "mark" or place + 2 >= len(found) or found[place + 2].kind == "mark")
        ):
            result[place] = replace(token, mask=token.mask | bit("ON"))
    return result


_NAMING, _NAMED_KIND, _FIGURES, _LISTING = mask("NAMED"), mask("SERVICENOUN"), mask("KPI"), mask("LIKE")
_NO_FIGURE = mask(
    "NOT IF DENY OFF IT DRAIN HOURLY DAILY WEEKLY MONTHLY EVERYTIME WHEN UNDO number amount duration rate service "
    "version moment"
)
_FIGURE_LINKS = frozenset(("and", ",", "or", "&", "as well as", "plus", ".", "please", "the", "our"))
_ORDERING_WORDS = frozenset(
    (
        "show",
        "send",
        "scale",
        "set",
        "turn",
        "enable",
        "create",
        "report",
        "alert",
        "collect",
        "roll",
        "go",
        "let",
        "to",
    )
)


def _named(found: Sequence[Token]) -> list[Token]:
    """What a new service is called, and figures that are listed ("KPIs such as return rate"), whatever the words mean
    elsewhere."""
    result = list(found)
    for place, token in enumerate(found[:-1]):
        named = found[place + 1]
        if (
            token.mask & _NAMING
            and token.text.lower() != "name"
            and named.kind == "word"
            and not named.silent
            and " " not in named.text
            and any(before.mask & _NAMED_KIND for before in found[:place])
        ):
            result[place + 1] = replace(named, kind=UNKNOWN, mask=bit(UNKNOWN), names=(named.text,))
    figures = next((i for i, token in enumerate(found) if token.mask & _FIGURES), None)
    listing = next((i for i, token in enumerate(found) if token.mask & _LISTING), None)
    if figures is None or listing is None or listing < figures:
        return result
    listed = [token for token in found[listing + 1 :] if token.text.lower() not in _FIGURE_LINKS]
    if any(token.mask & _NO_FIGURE or token.text.lower() in _ORDERING_WORDS for token in listed):
        return result
    return [
        replace(token, kind=UNKNOWN, mask=bit(UNKNOWN), silent=False, names=())
        if i > listing and token.kind == "word" and token in listed
        else token
        for i, token in enumerate(result)
    ]


_INTERROGATIVE = frozenset(("which", "who", "what", "how", "why", "show", "list", "where", "tell"))
_CHANGING = (AMOUNT, DURATION, RATE)
_STEPWISE = mask("STEPWISE EVERYTIME")


def _changed(found: Sequence[Token]) -> list[Token]:
    """ "from 5s to 10s": what it is now need not be read; unless it is to go there by and by."""
    result = list(found)
    for place in range(len(result) - 3):
        word, old, to, new = result[place : place + 4]
        if (
            word.text.lower() == "from"
            and to.text.lower() == "to"
            and old.kind == new.kind
            and old.kind in _CHANGING
            and not any(token.mask & _STEPWISE or token.text.lower() in ("by", "over") for token in result)
        ):
            return [*result[:place], *result[place + 2 :]]
    return result


def _closed(found: list[Token]) -> list[Token]:
    """Without "…, no more" at its end, which repeats that a number is all."""
    said = [token for token in found if token.kind != "mark"]
    if len(said) > 2 and said[-1].text.lower() in ("no more", "not more", "and no more", "and not more", "tops"):
        last = found.index(said[-1])
        if found[last - 1].kind == "mark" or said[-1].text.lower() == "tops":
            return [*found[:last], *found[last + 1 :]]
    return found


def _repeats(found: Sequence[Token], place: int, later: int) -> bool:
    """ "for cart and for orders"."""
    said = found[later].text.lower()
    return (
        found[place].kind == SERVICE
        and said in ("for", "on", "of")
        and found[place - 1 : place][0:1] != []
        and (found[place - 1].text.lower() == said)
    )


def joined(found: Sequence[Token]) -> list[Token]:
    """Tokens of one kind that only commas and "and" part become one: "payment, cart and checkout"."""
    result: list[Token] = []
    place = 0
    shutting = any(token.mask & _SHUTTING for token in found)
    while place < len(found):
        token = found[place]
        if token.kind in _LISTABLE and not token.names[1:]:
            names, end = list(token.names), place + 1
            while True:
                later = end
                while (
                    later < len(found)
                    and later - end < 3
                    and found[later].text.lower() not in (_PARTING if shutting or token.kind != SERVICE else _CHOOSING)
                    and (
                        (found[later].has(_CONNECTORS) and later - end < 2)
                        or found[later].text.lower() == "the"
                        or (later > end and _repeats(found, place, later))
                    )
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
