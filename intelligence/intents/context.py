"""What people say around an order: who wants it, what has happened, and headings. It is named in the answer, and orders
nothing.

A statement has a subject first and a finite verb, where an order begins with its verb; whatever could be an order (a
modal, a number, a negation, a condition, a word of ours that orders) makes it none. Who wants something, wants what
follows: that alone is read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from intelligence.intents.token import BACKEND, SERVICE, UNKNOWN, VERSION, Token

_PEOPLE_TEXT = (
    "auditor auditors audit compliance management manager managers marketing product boss ceo cto cio ciso cfo pm po "
    "security ops devops sre sres legal finance qa customer customers client clients team teams dev devs developer "
    "developers engineer engineers business stakeholder stakeholders architect architects support sales regulator "
    "regulators lead leadership frontend backend mobile platform data infra on-call oncall owner owners folks "
    "colleague colleagues people users user testers analyst analysts office department guys everyone everybody "
    "partner partners vendor vendors policy regulation regulations board company group squad contract"
)
_PEOPLE = frozenset(_PEOPLE_TEXT.split())
_DETERMINERS_TEXT = "the our my their your this that these those its a an all some two both"
_DETERMINERS = frozenset(_DETERMINERS_TEXT.split())
_PRONOUNS_TEXT = "we they i it he she there everyone everybody someone somebody things stuff this that"
_PRONOUNS = frozenset(_PRONOUNS_TEXT.split())
_EVENTS_TEXT = (
    "sale sales campaign launch christmas demo audit deadline release peak traffic incident outage deployment build "
    "rollout migration event newsletter dashboard dashboards monitoring logs latency load graphs metrics errors prod "
    "staging tests test black v1 v2 v3"
)
_EVENTS = frozenset(_EVENTS_TEXT.split())
_PLURALS_TEXT = "users customers people clients they folks devs developers testers teams partners vendors"
_PLURALS = frozenset(_PLURALS_TEXT.split())
_WISHES = (
    *("wants", "want", "demands", "demand", "requires", "require", "needs", "need", "expects", "expect", "insists on"),
    *("would like", "would love", "would prefer", "prefers", "prefer", "asks for", "ask for", "asked for"),
    *("asked us", "asked me", "asks us", "asks me", "asked you", "tells us", "told us", "told me", "has asked us"),
    *("have asked us", "have asked for", "has asked for", "insist", "insists", "mandates", "begs us", "urges us"),
)
_WISH_WORDS = tuple(tuple(wish.split()) for wish in sorted(_WISHES, key=lambda wish: -len(wish)))
_AFTER_WISH_TEXT = "that to have get us you me for see having getting it ensure"
_AFTER_WISH = frozenset(_AFTER_WISH_TEXT.split())
_MODAL_TEXT = (
    "should must shall need needs ought may might can could would will let please want wants lets ensure gotta wanna "
    "supposed going make"
)
_MODAL = frozenset(_MODAL_TEXT.split())
_FINITE_TEXT = (
    "is are was were has have had does did got went came said says told see saw hit began broke gave ran keeps keep "
    "look looks seem seems feel feels 's 're 've isn't aren't"
)
_FINITE = frozenset(_FINITE_TEXT.split())
_AUXILIARY_TEXT = "is are was were has have had been got"
_AUXILIARY = frozenset(_AUXILIARY_TEXT.split())
_REFERENCE = re.compile(r"[a-z]{2,10}-\d{1,7}|#\d{1,7}")
_HEADINGS_TEXT = (
    "findings finding result results day baseline hardening here requirement requirements ops request incident issue "
    "issues task tasks ticket change update compliance launch campaign sale release review advisory follow-up "
    "followup item items outage emergency maintenance cleanup prep preparation season notice context background "
    "checklist report friday monday announcement summary memo wish wishes list batch following urgent housekeeping "
    "tuning security work todo's asks"
)
_HEADINGS = frozenset(_HEADINGS_TEXT.split())
_SCOPES_TEXT = (
    "in on at for during after before until till with from within when if as by per unless without except not no "
    "never dry hypothetical hypothetically example draft quote quoted wrote asked maybe later reminder tomorrow next "
    "staging dev development sandbox proposal idea suggestion thought imagine suppose assume should would could "
    "ignore forget don't stop question why what how who where which"
)
_SCOPES = frozenset(_SCOPES_TEXT.split())
_REPORTING_TEXT = (
    "say says said tell tells told write writes wrote claim claims suggest suggests recommend recommends think thinks "
    "ask asks reads read proposes propose states state believes believe advises advise"
)
_REPORTING = frozenset(_REPORTING_TEXT.split())
"""What somebody says, before a colon, is not said to us."""
_CONCLUSIONS = frozenset(("so", "hence", "therefore", "thus", "which is why", "that's why", "that is why", "so please"))
_MOST_HEADING_WORDS = 6


def words(tokens: Sequence[Token]) -> list[str]:
    return [word for token in tokens for word in token.text.lower().split() if token.kind != "mark"]


def is_statement(tokens: Sequence[Token]) -> bool:
    """Whether it says how things are. Whether there is an order in it, too, the caller looks at."""
    said = words(tokens)
    parted = wished(tokens)
    if parted is not None:
        asked = words(parted[1])
        return (
            bool(asked) and not _MODAL & set(asked) and "to" not in asked and not any(w.endswith("ed") for w in asked)
        )
    while said and said[0] in ("and", "but", "as", "also", "well", "ok", "hi", "hey", "hello", "sorry"):
        said = said[1:]
    if len(said) < 2 or _MODAL & set(said) or _REPORTING & set(said):
        return False
    first = next((token for token in tokens if token.kind != "mark"), None)
    subject = said[0] in _DETERMINERS | _PRONOUNS | _PEOPLE | _EVENTS or (
        first is not None and first.kind in (SERVICE, VERSION, BACKEND)
    )
    if not subject:
        return False
    if said[0] in _PLURALS:
        return True
    return any(_is_finite(word) for word in said[1:]) or said[0].endswith(("'re", "'ve", "'s"))


def is_past(tokens: Sequence[Token]) -> bool:
    """ "The database was migrated", "someone deleted it": a participle of a verb that orders, and no order."""
    said = words(tokens)
    return any(word in _AUXILIARY for word in said[1:-1]) or (
        len(said) > 1 and said[0] in _PRONOUNS and said[1].endswith("ed")
    )


def _is_finite(word: str) -> bool:
    if word in _FINITE or word.endswith(("'s", "'re", "'ve")):
        return True
    return len(word) > 3 and (word.endswith(("ed", "ing")) or (word.endswith("s") and not word.endswith(("ss", "us"))))


def is_heading(tokens: Sequence[Token]) -> bool:
    """ "Pen test findings:", before a colon. The caller has looked for orders in it."""
    said = words(tokens)
    if not 0 < len(said) <= _MOST_HEADING_WORDS or (_SCOPES | _MODAL) & set(said):
        return False
    return said[-1] in _HEADINGS or all(word in _HEADINGS or _REFERENCE.fullmatch(word) for word in said)


def is_quoting(tokens: Sequence[Token]) -> bool:
    """ "Our docs say:"."""
    return any(word in _REPORTING for word in words(tokens)[-2:])


def wished(tokens: Sequence[Token]) -> tuple[list[Token], list[Token]] | None:
    """ "The auditors want" and what they want; None if it does not begin so."""
    said: list[str] = []
    for place, token in enumerate(tokens):
        if token.kind == "mark":
            return None
        said += token.text.lower().split()
        if len(said) > 8:
            return None
        for wish in _WISH_WORDS:
            before = said[: -len(wish)]
            if tuple(said[-len(wish) :]) == wish and _is_party(before):
                end = place + 1
                while end < len(tokens) and tokens[end].text.lower() in _AFTER_WISH:
                    end += 1
                return list(tokens[:end]), list(tokens[end:])
    return None


def _is_party(said: Sequence[str]) -> bool:
    """Whether these words name somebody who may want something: not "we" and "I", who order."""
    return any(word in _PEOPLE for word in said) and all(word in _PEOPLE | _DETERMINERS for word in said)


def concluded(tokens: Sequence[Token]) -> tuple[list[Token], list[Token]] | None:
    """ "The sale starts tonight so …": what is said before "so", and what follows from it."""
    for place, token in enumerate(tokens):
        if 1 < place < len(tokens) - 1 and token.text.lower() in _CONCLUSIONS:
            return list(tokens[:place]), list(tokens[place + 1 :])
    return None


def is_unknown(token: Token) -> bool:
    return token.kind == UNKNOWN
