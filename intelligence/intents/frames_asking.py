"""Frames that change nothing by themselves: questions; and the way back in time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from intelligence.intents.clause import Clause, MisfitError, whole
from intelligence.intents.errors import AmbiguousError
from intelligence.intents.frames import Frame, frame
from intelligence.intents.intents import About, Intent, Question, Restore, Undo
from intelligence.intents.lexicon import mask
from registry.model import ServiceKey

_S = "service stranger EVERY ALL"
_ASK = "SHOW WHAT WHO WHY HOW WHERE VIEW"


def _target(c: Clause) -> ServiceKey | None:
    targets = c.target()
    if len(targets) != 1:
        raise MisfitError
    return targets[0]


def _about(about: About) -> Callable[[Clause], Sequence[Intent]]:
    def build(c: Clause) -> list[Intent]:
        if about is About.SPLIT and _is_wanted_new(c):
            raise MisfitError
        return [Question(about, _target(c))]

    return build


def _whole(about: About) -> Callable[[Clause], Sequence[Intent]]:
    def build(c: Clause) -> list[Intent]:
        return [Question(about)]

    return build


def _callers(c: Clause) -> list[Intent]:
    services = c.services()
    if len(services) != 1:
        if c.has("IT") and c.surroundings.referent is not None:
            return [Question(About.CALLERS, c.surroundings.referent)]
        raise AmbiguousError("who can call which service?", what="service")
    return [Question(About.CALLERS, services[0])]


def _changes(c: Clause) -> list[Intent]:
    since = "today" if c.has("TODAY") else "yesterday" if c.has("YESTERDAY") else ""
    if c.has("moment") or _is_wanted_new(c):
        raise MisfitError
    return [Question(About.CHANGES, _target(c), since)]


def _is_wanted_new(c: Clause) -> bool:
    """ "Can we get a new route": it is to be made, and was not."""
    for place, token in enumerate(c.tokens[:-1]):
        if token.has(mask("NEW")) and c.tokens[place + 1].has(mask("ROUTENOUN SERVICENOUN POLICY")):
            return not c.has("TODAY YESTERDAY WHAT WHO")
    return False


def _undo(c: Clause) -> list[Intent]:
    return [Undo()]


def _restore(c: Clause) -> list[Intent]:
    moment, number, duration = c.only("moment"), c.only("number"), c.only("duration")
    if sum(found is not None for found in (moment, number, duration)) != 1:
        if c.has("YESTERDAY TODAY"):
            raise AmbiguousError("at what time (such as yesterday 14:00)?", what="moment")
        raise MisfitError
    if moment is not None:
        return [Restore(moment=moment.names[0])]
    if number is not None:
        if not c.has("REVISIONWORD"):
            raise MisfitError
        return [Restore(revision=whole(number))]
    if not c.has("AGO BACK RESTORE"):
        raise MisfitError
    assert duration is not None
    return [Restore(ago=duration.duration)]


FRAMES: tuple[Frame, ...] = (
    frame(
        "health",
        "HEALTH SHOW|WHAT|HOW|WHO|VALIDATE|TRACK",
        f"{_S} {_ASK} HEALTH VALIDATE TRACK INSTANCE PROXY REPORT STATE NOUN",
        _about(About.HEALTH),
        says="show me the health status of all services",
        weight=2,
    ),
    frame(
        "topology",
        "TOPOLOGY",
        f"{_ASK} TOPOLOGY VIEW EVERY ALL ON SERVICENOUN",
        _whole(About.TOPOLOGY),
        says="display the 3D topology view",
        weight=2,
    ),
    frame(
        "why refused",
        "WHY REFUSED|ERRORRATE|ABORT|DENY",
        f"{_S} {_ASK} REFUSED TRAFFIC POLICY CHANGE ERRORRATE BY PROXY ROUTENOUN ABORT DENY number STATUS USER",
        _about(About.WHY_REFUSED),
        says="why is checkout refused?",
        weight=3,
    ),
    frame(
        "changes",
        "CHANGED|CHANGE|NEW WHAT|SHOW|WHO",
        f"{_S} {_ASK} CHANGED CHANGE TODAY YESTERDAY SINCE STATE LAST POLICY ROUTENOUN",
        _changes,
        says="what changed today?",
        weight=2,
    ),
    frame(
        "changes of a day",
        "CHANGED|CHANGE TODAY|YESTERDAY",
        f"{_S} CHANGED CHANGE SINCE",
        _changes,
        says="any changes today?",
        weight=1,
    ),
    frame(
        "callers",
        "WHO|WHAT ALLOW|CALL CALL|service|stranger",
        f"service stranger {_ASK} ALLOW CALL SERVICENOUN USER",
        _callers,
        says="who can call payment?",
        weight=3,
    ),
    frame(
        "behind",
        "PROXY BEHIND",
        f"{_ASK} PROXY BEHIND NOT ALL EVERY OLD HEALTH INSTANCE",
        _whole(About.BEHIND),
        says="which proxies are behind?",
        weight=3,
    ),
    frame(
        "where traffic goes",
        "WHERE|HOW|SHOW|WHAT TRAFFIC|SPLIT|GOING|ROUTE service",
        f"service stranger version CANARY STABLE GETTING {_ASK} TRAFFIC GOING SPLIT ROUTE VERSIONNOUN BETWEEN",
        _about(About.SPLIT),
        says="how is the traffic of payment split?",
        weight=2,
    ),
    frame(
        "services",
        "SHOW|WHAT|HOW SERVICENOUN",
        f"{_ASK} SERVICENOUN ALL EVERY",
        _whole(About.SERVICES),
        says="list the services",
        weight=1,
    ),
    frame(
        "services that are there",
        "SERVICESTHERE",
        f"{_ASK} SERVICENOUN",
        _whole(About.SERVICES),
        says="which services do we have?",
        weight=1,
    ),
    frame(
        "routes",
        "SHOW|WHAT|HOW ROUTENOUN",
        f"{_ASK} ROUTENOUN ALL EVERY",
        _whole(About.ROUTES),
        says="list all routes",
        weight=1,
    ),
    frame(
        "policies",
        "SHOW|WHAT|HOW POLICY",
        f"{_S} {_ASK} POLICY ALL EVERY USE",
        _about(About.POLICIES),
        says="show the policies of payment",
        weight=1,
    ),
    frame("undo", "UNDO", "UNDO LAST CHANGE IT", _undo, says="undo the last change", weight=2),
    frame("cancel change", "OFF LAST CHANGE", "IT", _undo, says="cancel my last change", weight=3),
    frame(
        "restore",
        "RESTORE|BACK|UNDO moment|REVISIONWORD|AGO|YESTERDAY|TODAY|duration",
        "RESTORE BACK STATE moment number REVISIONWORD duration AGO YESTERDAY TODAY EVERY ALL IT FROM AFTER "
        "WHAT UNDO CHANGE",
        _restore,
        says="go back to yesterday 14:00",
        weight=4,
    ),
)
