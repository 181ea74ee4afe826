"""What a frame is: the concepts that an instruction needs, those that may stand beside them, and how it is read.

A frame fits a clause when each of its needs is met and every token that says something is one that it knows. The order
of words is free; where order carries meaning (which share goes with which version, who calls whom), `build` reads it,
and raises MisfitError where it is not clear.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from intelligence.intents.clause import Clause
from intelligence.intents.intents import Intent
from intelligence.intents.lexicon import mask
from intelligence.intents.token import Token

_EVERYWHERE = mask(
    "TO OF WITH COMMA DASH NOUN SERVICENOUN IT THEN"
    " SET CREATE ON ROUTE KEEP CALL TRAFFIC NEW COMMUNICATION POLICY EXPOSE ALLOW"
)
"""Small words, and verbs and nouns that say nothing that a frame's needs do not say better."""
SETUP = "SET CREATE ON POLICY SECURITY NEW"


@dataclass(frozen=True, slots=True)
class Frame:
    """One way to say one thing.

    needs: label alternatives ("SCALE|GROW"), one token for each at least. allows: labels that may stand beside them.
    build: reads the intents; raises MisfitError, or IntentError for what is wrong or missing. says: an example.
    """

    name: str
    says: str
    needs: tuple[int, ...]
    allowed: int
    build: Callable[[Clause], Sequence[Intent]]
    weight: int

    def covers(self, tokens: Sequence[Token], union: int) -> bool:
        """Whether the needs are met and no token is left over. `union` is all tokens' masks in one."""
        if not all(union & need for need in self.needs):
            return False
        allowed = self.allowed
        return all(token.silent or token.mask & allowed for token in tokens) and _each_met(self.needs, tokens)

    def head(self, tokens: Sequence[Token]) -> list[Token]:
        """The words, not the names and numbers, that met the needs: what an elliptic clause after this one repeats."""
        return [token for token in tokens if token.kind == "word" and any(token.mask & need for need in self.needs)]


def frame(
    name: str, needs: str, allows: str, build: Callable[[Clause], Sequence[Intent]], *, says: str, weight: int = 0
) -> Frame:
    wanted = tuple(mask(group) for group in needs.split())
    allowed = _EVERYWHERE | mask(allows)
    for need in wanted:
        allowed |= need
    return Frame(name, says, wanted, allowed, build, weight or len(wanted))


def _each_met(needs: Sequence[int], tokens: Sequence[Token]) -> bool:
    """Whether different tokens meet the needs: one word does not do for two."""
    if not needs:
        return True
    first, rest = needs[0], needs[1:]
    return any(
        token.mask & first and _each_met(rest, [*tokens[:i], *tokens[i + 1 :]]) for i, token in enumerate(tokens)
    )


NEVER = frozenset(
    ("don't", "dont", "do not", "never", "mustn't", "must not", "shouldn't", "should not", "not", "may not")
)
_REFUSING = re.compile(r"\b(?:not|never|dont|\w+n't|no need to)\b")
_TURNING = re.compile(
    r"\b(?:turn|switch|enabl|disabl|activat|deactivat|add|creat|set|remov|delet|drop|cancel|lift|tak|touch|chang|kill)"
    r"(?:e|ed|en|ing|ped|ting)?\b"
)


def forbids_a_turn(c: Clause) -> bool:
    """Whether it is told that something be not turned on or off ("don't turn mTLS off"), which changes nothing."""
    said = " ".join(token.text.lower() for token in c.tokens)
    return bool(_REFUSING.search(said) and _TURNING.search(said))


def forbids_a_refusal(c: Clause) -> bool:
    """Whether it is told that something be not refused ("don't block anonymous users"): that lets nobody in yet."""
    said = {token.text.lower() for token in c.tokens if token.has(_DENIED)}
    return bool(said & NEVER) and any(token.has(mask("DENY")) and not token.has(_DENIED) for token in c.tokens)


def forbids_an_end(c: Clause) -> bool:
    """Whether it is told that something be not ended ("don't stop sending traffic to v1"), which changes nothing."""
    said = {token.text.lower() for token in c.tokens if token.has(_DENIED)}
    return bool(said & NEVER) and bool(said - NEVER or any(token.has(mask("OFF")) for token in c.tokens))


def is_stated(c: Clause) -> bool:
    """Whether it says how things are ("the timeout of payment is 2s"), and not how they are to be."""
    words = {word for token in c.tokens for word in token.text.lower().split()}
    spoken = [token for token in c.tokens if not token.silent]
    if words & _WISHES or any(token.text.lower() in ("is to", "are to", "is to be", "shall be") for token in c.tokens):
        return False
    if len(spoken) > 1 and spoken[0].kind == "service" and spoken[1].text.lower() in _THIRD_PERSON:
        return not any(token.text == ":" for token in c.tokens)
    return bool(words & _COPULAS)


_BEING = frozenset(("is", "are", "was", "were", "has", "had", "isn't", "aren't"))
_PAST = frozenset(("timed out", "retried", "scaled", "sent", "routed", "failed", "mirrored", "blocked"))
_DOING = mask("WHEN IF WHAT WHO WHY HOW WHERE")
_WISHED = frozenset(
    ("to", "allowed", "not", "only", "forbidden", "supposed", "expected", "welcome", "enough", "required")
)


def tells_how_it_is(tokens: Sequence[Token]) -> bool:
    """Whether it is a statement as a whole ("cart has 5 replicas", "mTLS is strict for cart"), of whatever frame."""
    said = [token for token in tokens if token.kind != "mark"]
    words = [token.text.lower() for token in said]
    past = any(text in ("was", "were", "had") for text in words[1:])
    wishes = _PRESSING if past else _WISHES - {"have", "has", "now"}
    if {word for text in words for word in text.split()} & wishes:
        return False
    if len(said) > 1 and said[0].kind == "service" and words[1] in _PAST:
        return True
    if any(one in ("we", "i", "they") and two == "have" for one, two in pairwise(words)):
        return True
    place = next((i for i, text in enumerate(words) if i and text in _BEING), None)
    if place is None or place + 1 == len(said) or any(text.split()[0] in _WISHED for text in words[place + 1 :][:3]):
        return False
    if words[place] == "has" and any(token.mask & _DENIED or token.text.lower() == "to" for token in said[place + 1 :]):
        return False  # "search has no access to payment", "search has 400ms to answer"
    before = said[:place]
    return (
        not any(token.mask & _DOING and not token.mask & _SMALL for token in before)
        and words[place - 1] not in ("that", "which", "who", "what")
        and not any(_is_imperative(token) for token in before[:1])
    )


_SMALL = mask("OF")
_DENIED = mask("NOT")
_PRESSING = frozenset(("should", "must", "shall", "want", "wants", "please", "would", "ensure"))
_IMPERATIVE = mask(
    "SET CREATE ON OFF DENY ALLOW ROUTE SCALE KEEP UNDO RESTORE LOG EJECT COLLECT TRACK SHOW ALERT LIMIT"
)
_NAMING = mask("RETRY TIMEOUT COMPRESS MTLS AUDIT MIRROR VIOLATION REFUSEDREQUESTS TRAFFIC INSTANCE service ALERT")


def _is_imperative(token: Token) -> bool:
    return token.kind == "word" and bool(token.mask & _IMPERATIVE) and not token.mask & _NAMING


_THIRD_PERSON = frozenset(("times out", "retries", "scales", "runs", "sends", "routes", "gives up", "tries again"))
_COPULAS = frozenset(["is", "are", "was", "were", "isn't", "aren't"])
_WISH = (
    "should must shall need needs want wants please ensure sure let have has will would like limit set make put"
    " enough now"
)
_WISHES = frozenset(_WISH.split())
