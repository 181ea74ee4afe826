"""What people say around an order: who wants it, what has happened, and headings. It is named in the answer, and orders
nothing.

A statement has a subject first and a finite verb, where an order begins with its verb; whatever could be an order (a
modal, a number, a negation, a condition, a word of ours that orders) makes it none. Who wants something, wants what
follows: that alone is read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from intelligence.intents.lexicon import mask
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


_EVENT_NOUNS_TEXT = (
    "sale launch campaign demo deadline incident outage newsletter budget spike surge rush emergency promo promotion "
    "keynote conference holiday holidays pentest ddos flood force costs event migration peak attack war"
)
_EVENT_NOUNS = frozenset(_EVENT_NOUNS_TEXT.split())
_EVENT_WORDS_TEXT = (
    "big huge large small black cyber brute our the a an my another coming up going on soon tonight tomorrow today "
    "this next week weekend month monday tuesday wednesday thursday friday saturday sunday ahead is are starts start "
    "begins here ongoing right now in progress again there's it's we have major minor live product marketing traffic "
    "christmas easter christmas's and still"
)
_EVENT_WORDS = frozenset(_EVENT_WORDS_TEXT.split())


def is_event(tokens: Sequence[Token]) -> bool:
    """ "Big sale on Friday": what is going on; it begins with no preposition, so that it is no time of an order."""
    said = words(tokens)
    return (
        bool(_EVENT_NOUNS & set(said))
        and all(word in _EVENT_NOUNS | _EVENT_WORDS for word in said)
        and (said[0] in _EVENT_NOUNS or (said[0] in _EVENT_WORDS and said[0] not in _SCOPES))
    )


_TELLING_TEXT = (
    "look looks seem is are was were 's 're keeps keep went got gets looks seems feels has have isn't aren't"
)
_TELLING = frozenset(_TELLING_TEXT.split())
_TIMES = frozenset(("in", "within", "for", "since"))
_STANDINS = frozenset(("another", "other", "this", "that", "new", "old", "wants", "want", "needs", "need"))
_CONTRACTED = frozenset(("we're", "they're", "it's", "there's", "that's", "someone's", "somebody's", "i'm"))
_CONDITION = mask("HEALTH")
_SUBJECTS_TEXT = "somebody someone queue queues traffic cpu disk database db network logs dashboard customers users"
_SUBJECTS = frozenset(_SUBJECTS_TEXT.split())


def is_telling(tokens: Sequence[Token]) -> list[Token] | None:
    """ "Somebody is scraping us", "the queue keeps growing", "my boss wants one": a subject, then how it is or what it
    does, with its verbs in no form of an order. What of it can still say something that must not be passed over; None
    if it is none.
    """
    spoken = [
        token for token in tokens if token.kind != "mark" and token.text.lower() not in ("hi", "hey", "ugh", "and")
    ]
    said = words(spoken)
    if len(said) < 3 or _REPORTING & set(said) or said[0] in _SCOPES:
        return None
    if said[-1] in ("one", "it", "that", "them", "this") and said[-2] in ("wants", "want", "needs", "need", "asked"):
        return [] if _is_party(said[:-2]) else None
    if _MODAL & set(said):
        return None
    place = next((i for i, token in enumerate(spoken) if token.text.lower() in _TELLING and i), None)
    first = spoken[0]
    if said[0] in _CONTRACTED:
        place = 0
    subject = (
        first.kind == VERSION
        or (said[0] in _DETERMINERS and len(spoken) > 1 and spoken[1].kind == VERSION)
        or said[0] in _CONTRACTED
        or said[0] in _DETERMINERS | _PEOPLE | _EVENTS | _SUBJECTS | {"we", "they", "i"}
        or first.kind == SERVICE
    )
    if not subject:
        return None
    if place is None:
        verb = next((i for i, word in enumerate(said[1:4], start=1) if word.endswith("s") and len(word) > 3), None)
        if verb is None or first.kind == SERVICE or said[0] not in _DETERMINERS | _PEOPLE | _EVENT_NOUNS | _SUBJECTS:
            return None
        place = min(verb, len(spoken) - 1)
    if place > 4 or place + 1 >= len(spoken):
        return None
    if first.kind in (VERSION, BACKEND) or (len(spoken) > 1 and spoken[1].kind == VERSION and place > 1):
        after = [token for token in spoken[place + 1 :] if not token.silent]
        if place == 0 or any(token.kind != UNKNOWN and not token.mask & _CONDITION for token in after):
            return None  # "the canary looks fine"; and not "v2 is for checkout"
        return [token for token in after if token.kind != UNKNOWN]
    kept: list[Token] = []
    for at, token in enumerate(spoken):
        word, before = token.text.lower(), spoken[at - 1].text.lower() if at else ""
        if token.kind == "number" and word == "one" and before in _STANDINS | {"the other"}:
            continue
        if token.kind == "duration" and before in _TIMES:
            continue
        kept.append(token)
    if any(token.kind in (VERSION, BACKEND, "amount", "number", "duration", "rate", "path", "url") for token in kept):
        return None
    return kept if all(_tells(spoken, at, place) for at in range(len(spoken))) else None


def _tells(spoken: Sequence[Token], at: int, verb: int) -> bool:
    """Whether the word there orders nothing: it is silent, a noun's place, or a verb's form that tells."""
    token = spoken[at]
    word = token.text.lower()
    if token.kind != "word" or token.silent or at == verb or word in _TELLING:
        return True
    before = spoken[at - 1].text.lower() if at else ""
    if word.endswith("ing") or before in _DETERMINERS or before in ("on", "in", "at", "under", "with", "to", "of"):
        return True
    return at < verb or not token.mask & _ORDERING


_ORDERING = mask(
    "ROUTE SPLIT OFF DENY ALLOW SCALE AUTOSCALE MIRROR RETRY TIMEOUT DRAIN UNDO RESTORE DELAY CREATE SET ON LIMIT "
    "EJECT ALERT COLLECT TRACK SHOW ENCRYPT MTLS LOGIN AUDIT KEEP"
)
