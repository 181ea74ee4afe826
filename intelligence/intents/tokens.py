"""From text to tokens with a meaning each. A word that means nothing here stays unknown, and is never passed over."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from intelligence.intents.names import Vocabulary

_RATIO_TEXT = r"\d{1,3}(?:\.\d{1,2})?(?:[/:-]\d{1,3}(?:\.\d{1,2})?)+"
_WORD = re.compile(rf"{_RATIO_TEXT}(?!\w)|\d+(?:\.\d+)?%?(?!\w)|\w+(?:[.'’/-]+\w+)*|[^\s\w]")
_NUMBER = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)(%?)")
_RATIO = re.compile(_RATIO_TEXT)


class Kind(enum.Enum):
    """The letter of each kind is what the grammar's rules are written in."""

    VERB = "V"
    AMOUNT = "A"  # a percentage
    NUMBER = "#"  # a number that nothing makes a percentage
    RATIO = "Q"  # 80/20
    EVENLY = "E"
    SERVICE = "S"
    VERSION = "W"
    BACKEND = "P"  # a service with its version: payment-v2
    TRAFFIC = "N"
    REST = "R"
    TO = "T"
    OF = "O"
    BETWEEN = "B"
    AND = "&"
    WITH = "H"
    UNKNOWN = "U"


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the sentence: its kind, its text, and the amounts that it states, in percent."""

    kind: Kind
    text: str
    amounts: tuple[Decimal, ...] = ()


_LEXICON: dict[str, Kind] = {
    **dict.fromkeys(
        ("route", "send", "shift", "split", "direct", "move", "give", "put", "divide", "balance", "distribute"),
        Kind.VERB,
    ),
    **dict.fromkeys(("steer", "forward", "set", "spread", "assign"), Kind.VERB),
    **dict.fromkeys(("traffic", "requests", "request", "calls", "load"), Kind.TRAFFIC),
    **dict.fromkeys(("rest", "remainder", "remaining", "others", "other"), Kind.REST),
    **dict.fromkeys(("to", "towards", "into", "onto"), Kind.TO),
    **dict.fromkeys(("of", "for", "in"), Kind.OF),
    **dict.fromkeys(("between", "among", "across"), Kind.BETWEEN),
    **dict.fromkeys(("and", ",", "&", ";", "then"), Kind.AND),
    **dict.fromkeys(("with", "as", ":"), Kind.WITH),
    **dict.fromkeys(("evenly", "equally"), Kind.EVENLY),
}
_SILENT = frozenset(("the", "its", "please", "now", "our", ".", "!", '"', "“", "”"))
_FRACTIONS = {
    "all": Decimal(100),
    "everything": Decimal(100),
    "half": Decimal(50),
    "quarter": Decimal(25),
    "fifth": Decimal(20),
    "tenth": Decimal(10),
    "none": Decimal(0),
}
_ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_NUMBER_WORDS = {word: value for value, word in enumerate(_ONES)} | {
    word: 10 * (place + 2) for place, word in enumerate(_TENS)
}
_PERCENT_WORDS = frozenset(("%", "percent", "pct"))
_VERSION_WORDS = frozenset(("version", "release"))


def tokens(sentence: str, vocabulary: Vocabulary) -> list[Token]:
    """The tokens of `sentence`. Names of the mesh come first: a service called "load" is a service."""
    words = [word for word in _WORD.findall(sentence) if word.lower() not in _SILENT]
    found: list[Token] = []
    place = 0
    while place < len(words):
        length, token = _next(words, place, vocabulary)
        place += length
        if token is not None:
            found.append(token)
    return found


def _next(words: list[str], place: int, vocabulary: Vocabulary) -> tuple[int, Token | None]:
    """How many words the token at `place` takes, and the token; None for words that say nothing."""
    for length in range(min(vocabulary.longest_alias, len(words) - place), 0, -1):
        said = " ".join(words[place : place + length])
        if said.lower() in vocabulary.aliases and said.lower() not in _LEXICON:
            return length, Token(Kind.SERVICE, said)
    word = words[place].lower()
    amount = _amount(words, place)
    if amount is not None:
        return amount
    if word in _VERSION_WORDS and place + 1 < len(words):
        return 2, Token(Kind.VERSION, words[place + 1])
    if word in {version.lower() for version in vocabulary.all_versions} or re.fullmatch(r"v\d[\w.]*", word):
        return 1, Token(Kind.VERSION, words[place])
    if any(_splits(word, vocabulary)):
        return 1, Token(Kind.BACKEND, word)
    if word in ("a", "an"):
        return 1, None
    return 1, Token(_LEXICON.get(word, Kind.UNKNOWN), words[place])


def _amount(words: list[str], place: int) -> tuple[int, Token] | None:
    word = words[place].lower()
    if _RATIO.fullmatch(word):
        parts = tuple(Decimal(part) for part in re.split(r"[/:-]", word))
        return 1, Token(Kind.RATIO, word, parts)
    if word in _FRACTIONS:
        return 1, Token(Kind.AMOUNT, word, (_FRACTIONS[word],))
    value, length, percent = _number(words, place)
    if value is None:
        return None
    following = [later.lower() for later in words[place + length : place + length + 2]]
    if not percent and following[:1] and following[0] in _PERCENT_WORDS:
        percent, length = True, length + 1
    elif not percent and following == ["per", "cent"]:
        percent, length = True, length + 2
    return length, Token(Kind.AMOUNT if percent else Kind.NUMBER, word, (value,))


def _number(words: list[str], place: int) -> tuple[Decimal | None, int, bool]:
    """A number in digits or words: its value, how many words it takes, and whether a percent sign stuck to it."""
    word = words[place].lower()
    if digits := _NUMBER.fullmatch(word):
        return Decimal(digits[1]), 1, bool(digits[2])
    if word == "hundred":
        return Decimal(100), 1, False
    tens, _, ones = word.partition("-")
    if tens in _TENS and ones in _ONES[1:10]:
        return Decimal(_NUMBER_WORDS[tens] + _NUMBER_WORDS[ones]), 1, False
    if word not in _NUMBER_WORDS:
        return None, 0, False
    following = words[place + 1].lower() if place + 1 < len(words) else ""
    if word in _TENS and following in _ONES[1:10]:
        return Decimal(_NUMBER_WORDS[word] + _NUMBER_WORDS[following]), 2, False
    if word == "one" and following == "hundred":
        return Decimal(100), 2, False
    return Decimal(_NUMBER_WORDS[word]), 1, False


def _splits(word: str, vocabulary: Vocabulary) -> Iterator[tuple[str, str]]:
    """The ways to read a word as a service's name, a hyphen, and one of its versions."""
    for key, versions in vocabulary.versions.items():
        for version in versions:
            if word == f"{key.name}-{version}".lower():
                yield key.name, version


def backend(word: str, vocabulary: Vocabulary) -> tuple[str, str]:
    """The service and the version of a BACKEND token."""
    return next(_splits(word.lower(), vocabulary))
