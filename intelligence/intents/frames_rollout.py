"""Frames about a canary's traffic that moves by itself: forward, back, to its end."""

from __future__ import annotations

from decimal import Decimal

from intelligence.intents.clause import Clause, MisfitError
from intelligence.intents.frames import Frame, frame
from intelligence.intents.intents import Intent, Rollout
from intelligence.intents.token import VERSION

_WHOLE = Decimal(100)
_CARRIED = "TRAFFIC VERSIONNOUN ABTEST AND STEPWISE COMMUNICATION"
_S = "service backend stranger"


def _rollout(c: Clause, **bounds: Decimal) -> list[Intent]:
    versions = c.versions()
    named = [token.names[0] for token in versions if token.kind == VERSION]
    service = c.one_service(having=named or ["canary"])
    if len(versions) == 1:
        canary = c.version_of(service, versions[0])
    elif not versions:
        canary = "canary" if c.vocabulary.has_version(service, "canary") else c.vocabulary.by_role(service, "new")
    else:
        raise MisfitError
    return [Rollout(service, canary, **bounds)]


def _bound(c: Clause, side: str) -> Decimal:
    """The percentage beside the errors: after "below" or "above"."""
    amounts = c.of_kind("amount")
    if len(amounts) == 1:
        return amounts[0].numbers[0]
    place = c.place(side)
    if place is None:
        raise MisfitError
    after = [token for token in c.tokens[place:] if token.kind == "amount"]
    if len(after) != 1 or any(token.numbers[0] != _WHOLE for token in amounts if token is not after[0]):
        raise MisfitError
    return after[0].numbers[0]


def _advance(c: Clause) -> list[Intent]:
    if c.has("ABOVE") and not c.has("BELOW"):
        raise MisfitError
    return _rollout(c, advance_below=_bound(c, "BELOW"))


def _back(c: Clause) -> list[Intent]:
    if c.has("BELOW") and not c.has("ABOVE"):
        raise MisfitError
    return _rollout(c, back_above=_bound(c, "ABOVE"))


def _complete(c: Clause) -> list[Intent]:
    return _rollout(c, done_below=_bound(c, "BELOW"))


FRAMES: tuple[Frame, ...] = (
    frame(
        "advance",
        "ADVANCE|ROUTE|SET WHEN ERRORRATE amount",
        f"{_S} version role {_CARRIED} BELOW AUTOSCALE ROLLOUT ALL CANARY STABLE ROUTE SET",
        _advance,
        says="increase canary traffic of checkout while errors stay below 1%",
    ),
    frame(
        "back",
        "BACK|UNDO|RESTORE WHEN|ERRORRATE|ABOVE ERRORRATE amount",
        f"{_S} version role {_CARRIED} ABOVE ROLLOUT ALL CANARY STABLE WHEN IT STATE LAST CHANGE NOUN",
        _back,
        says="roll checkout back if the error rate goes above 5%",
        weight=5,
    ),
    frame(
        "complete",
        "COMPLETE ROLLOUT|CANARY|TRAFFIC WHEN|WITH ERRORRATE amount",
        f"{_S} version role {_CARRIED} BELOW ROUTE ALL amount CANARY WHEN WITH COMPLETE ROLLOUT AND STABLE COLLECT",
        _complete,
        says="complete the rollout of checkout when canary handles 100% with less than 0.5% errors",
    ),
)
