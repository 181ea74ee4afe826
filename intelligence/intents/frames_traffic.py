"""Frames about where traffic goes: splits, header routes, mirrors, new routes, drains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

from intelligence.intents.clause import Clause, MisfitError
from intelligence.intents.errors import AmbiguousError, ContradictionError
from intelligence.intents.frames import SETUP, Frame, forbids_an_end, frame, is_stated
from intelligence.intents.intents import (
    CreateRoute,
    Drain,
    Intent,
    MatchRoute,
    Mirror,
    RouteTo,
    Share,
    TrafficSplit,
)
from intelligence.intents.lexicon import mask
from intelligence.intents.token import BACKEND, HEADER, QUOTED, ROLE, SERVICE, STRANGER, VERSION, Token
from registry.model import ServiceKey

_WHOLE = Decimal(100)
_AND = mask("AND COMMA DASH BREAK")
_FROM = mask("FROM")
_TO = mask("TO")
_AMOUNTS = mask("amount REST number")
_DESTINATIONS = (VERSION, BACKEND, ROLE)
_CARRIED = "TRAFFIC VERSIONNOUN ABTEST AND COMMUNICATION"
_VERSIONS = "version|backend|role"


_SOME_USERS = frozenset(
    (
        *("beta users", "beta user", "beta testers", "beta tester", "beta customers", "beta group", "internal users"),
        *("employees", "staff", "premium users", "premium customers", "vip users", "internal testers", "testers"),
        *("early adopters", "paying customers", "internal", "internally", "inter-service", "east-west", "subscribers"),
    )
)
"""A part of all callers, which no share is of."""


def _split(c: Clause) -> list[Intent]:
    if is_stated(c) or _goes_to_a_service(c) or any(token.text.lower() in _SOME_USERS for token in c.tokens):
        raise MisfitError
    pairs = _shares(c)
    said = [token.names[0] for token, _ in pairs if token.kind == VERSION]
    service = c.one_service(having=said)
    given = sum((amount for _, amount in pairs if amount is not None), Decimal(0))
    shares = [
        Share(c.version_of(service, token), amount if amount is not None else _WHOLE - given) for token, amount in pairs
    ]
    total = sum((share.percent for share in shares), Decimal(0))
    if len(shares) > 1 and total != _WHOLE:
        listed = ", ".join(str(share) for share in shares)
        raise ContradictionError(f"{listed} is {total.normalize():f}% in all, want 100%; nothing was changed")
    return [TrafficSplit(service, tuple(shares))]


def _goes_to_a_service(c: Clause) -> bool:
    """ "send v1 traffic to payment": what follows "to" is no version."""
    spoken = [token for token in c.tokens if not token.silent]
    if c.of_kind("amount", "ratio", "number") or c.has("EVENLY REST"):
        return False
    for place, (one, other) in enumerate(pairwise(spoken)):
        if one.kind == "word" and one.mask & _TO and other.kind in (SERVICE, STRANGER):
            after = spoken[place + 2 : place + 3]
            return not (after and after[0].kind in _DESTINATIONS)
    return False


def _shares(c: Clause) -> list[tuple[Token, Decimal | None]]:
    """Which amount goes with which version; None is the rest. Raises MisfitError where that is not plain."""
    destinations = c.of_kind(*_DESTINATIONS)
    ratio = c.only("ratio")
    numbers = [token for token in c.tokens if token.kind == "number"]
    stated = [token for token in c.tokens if _is_amount(token)]
    described = [a for a, b in pairwise(stated) if _is_rest(a) and _adjoin(c, a, b)]
    if described:  # "the remaining 5%" states one amount, not two
        return _shares(replace(c, tokens=tuple(token for token in c.tokens if token not in described)))
    if numbers and (len(numbers) < 2 or sum(t.numbers[0] for t in stated if t.numbers) != _WHOLE):
        raise MisfitError
    if c.has("FROM"):
        return _moved(c, destinations, stated)
    if ratio is not None:
        if stated:
            raise MisfitError
        return _in_turn(destinations, list(ratio.numbers))
    if c.has("EVENLY"):
        if stated or len(destinations) < 2:
            raise MisfitError
        if _WHOLE % len(destinations):
            raise ContradictionError(
                f"{len(destinations)} equal shares do not make 100%: say each; nothing was changed"
            )
        return _in_turn(destinations, [_WHOLE / len(destinations)] * len(destinations))
    if not stated:
        if len(destinations) != 1 or (c.has("SPLIT") and not c.has("ROUTE")):
            raise MisfitError
        _refuse_unless_towards(c, destinations[0])
        return [(destinations[0], _WHOLE)]
    if len(stated) != len(destinations):
        raise MisfitError
    if len(destinations) == 1 and _takes_from(c, destinations[0], stated[0]):
        raise MisfitError
    return _paired(c)


def _is_of_version(c: Clause, version: Token) -> bool:
    """ "v2 traffic": what v2 has now."""
    after = c.tokens[c.tokens.index(version) + 1 :][:1]
    return bool(after) and after[0].mask & mask("TRAFFIC") > 0


def _is_source(c: Clause, version: Token) -> bool:
    """ "away from v2", "off v2"."""
    before = [t for t in c.tokens[: c.tokens.index(version)] if not t.silent or t.mask & mask("FROM TO")]
    return (bool(before) and before[-1].has(_FROM) and not before[-1].has(_TO)) or c.has("OFF")


def _takes_from(c: Clause, version: Token, amount: Token) -> bool:
    """ "cut 20% of v2 traffic" is about what v2 has now, not about what it is to have."""
    first, place = c.tokens.index(amount), c.tokens.index(version)
    if first > place:
        return False
    between = [token for token in c.tokens[first + 1 : place] if not token.silent or token.mask & _TO]
    if any(
        token.mask & _TO or token.text.lower().split()[-1] in _TOWARDS
        for token in between
        if token.text.lower() != "of"
    ):
        return False
    if [token.text.lower() for token in between] == ["of"] or _is_of_version(c, version):
        return True
    return bool({token.text.lower() for token in c.tokens} & _AWAY)


def _refuse_unless_towards(c: Clause, version: Token) -> None:
    """ "Roll the canary back" and "pull v2" are about where traffic comes from, not where it goes."""
    place = c.tokens.index(version)
    before = [token for token in c.tokens[:place] if not token.silent or token.mask & _TO]
    words = {token.text.lower() for token in c.tokens}
    towards = any(token.mask & _TO or token.text.lower().split()[-1] in _TOWARDS for token in before)
    after = [token for token in c.tokens[place + 1 :] if not token.silent or token.mask & _TO]
    if after and after[0].text.lower() == "to" and not any(t.kind != "word" for t in after[1:]):
        towards = True  # other languages put it behind
    if towards:
        return
    if any(token.mask & mask("BACK") and not token.mask & mask("SET") for token in c.tokens):
        raise AmbiguousError("to which version is its traffic to go?", what="version")
    if words & _AWAY or _is_of_version(c, version):
        raise MisfitError
    if not words & _GETTING:
        raise AmbiguousError(
            f"is all traffic to go to {version.text}, or away from it:", ("to", "away"), what="meaning"
        )


_TOWARDS = frozenset(("to", "on", "onto", "into", "at", "with", "by", "in", "for", "->", "=>"))
_AWAY_TEXT = "cut pull take bleed siphon drip trickle over drop move shift divert deflect push flip swing hop kick"
_AWAY = frozenset(_AWAY_TEXT.split())
_GETTING = frozenset(
    (
        *("give", "let", "make", "have", "put", "enjoys", "takes", "be sent", "should get", "must get"),
        *(
            "get",
            "gets",
            "receive",
            "receives",
            "see",
            "sees",
            "use",
            "serve",
            "serves",
            "handle",
            "handles",
            "go with",
        ),
        *("enjoy", "own", "owns", "absorb", "take over", "takes over", "pick up", "picks up", "hit", "run", "goes"),
    )
)


def _adjoin(c: Clause, one: Token, other: Token) -> bool:
    between = c.tokens[c.tokens.index(one) + 1 : c.tokens.index(other)]
    return other.kind == "amount" and all(token.silent for token in between)


def _is_rest(token: Token) -> bool:
    return token.kind == "word" and token.has(mask("REST"))


def _in_turn(destinations: Sequence[Token], amounts: Sequence[Decimal]) -> list[tuple[Token, Decimal | None]]:
    if len(amounts) != len(destinations):
        raise ContradictionError(
            f"{len(amounts)} shares for {len(destinations)} versions: want one for each; nothing was changed"
        )
    if sum(amounts) != _WHOLE:
        raise ContradictionError(f"{'/'.join(str(a) for a in amounts)} is not 100 in all; nothing was changed")
    return list(zip(destinations, amounts, strict=True))


def _moved(c: Clause, destinations: Sequence[Token], stated: Sequence[Token]) -> list[tuple[Token, Decimal | None]]:
    """ "from v1 to v2": all of it, where there are no other versions."""
    place = c.place("FROM")
    assert place is not None
    sources = [token for token in destinations if c.tokens.index(token) > place][:1]
    targets = [token for token in destinations if token not in sources]
    if len(destinations) != 2 or len(targets) != 1 or c.has("ratio EVENLY"):
        raise MisfitError
    if stated and (len(stated) > 1 or stated[0].kind != "amount"):
        raise MisfitError
    service = c.one_service(having=[t.names[0] for t in destinations if t.kind == VERSION])
    versions = c.vocabulary.versions[service]
    c.version_of(service, sources[0])
    name = c.version_of(service, targets[0])
    if stated and stated[0].numbers[0] != _WHOLE:
        raise AmbiguousError(f"how much of the traffic of {service} is {name} to have then, in all?", what="share")
    if len(versions) != 2:
        raise AmbiguousError(f"{service} has other versions: say the share of each of", versions, what="share")
    return [(targets[0], _WHOLE)]


def _paired(c: Clause) -> list[tuple[Token, Decimal | None]]:
    """As many amounts as versions: each chunk between commas has one of both, or they alternate, or stand in turn."""
    chunks: list[list[Token]] = [[]]
    for token in c.tokens:
        if token.mask & _AND and token.kind in ("mark", "word") and not _is_rest(token):
            chunks.append([])
        elif _is_event(token):
            chunks[-1].append(token)
    chunks = [chunk for chunk in chunks if chunk]
    if all(len(chunk) == 2 and _is_amount(chunk[0]) != _is_amount(chunk[1]) for chunk in chunks):
        return [_pair(chunk) for chunk in chunks]
    events = [token for chunk in chunks for token in chunk]
    kinds = [_is_amount(token) for token in events]
    half = len(events) // 2
    if kinds == [kinds[0], not kinds[0]] * half:
        return [_pair(events[i : i + 2]) for i in range(0, len(events), 2)]
    if kinds == [kinds[0]] * half + [not kinds[0]] * half:
        return [_pair([events[i], events[i + half]]) for i in range(half)]
    raise MisfitError


def _is_event(token: Token) -> bool:
    return token.kind in _DESTINATIONS or _is_amount(token)


def _is_amount(token: Token) -> bool:
    return token.kind in ("amount", "number") or _is_rest(token)


def _pair(two: Sequence[Token]) -> tuple[Token, Decimal | None]:
    amount, version = sorted(two, key=lambda token: not _is_amount(token))
    return version, amount.numbers[0] if amount.numbers else None


_TAKERS = ("handled", "served", "taken", "received", "answered", "processed")
_TAKEN_BY = frozenset(
    (
        *(f"{be}{verb} by" for be in ("", "be ") for verb in _TAKERS),
        *("end up in", "land in", "arrive in", "end up at", "end up on", "land on", "arrive at"),
    )
)


def _route_to(c: Clause) -> list[Intent]:
    """ "route all payments to the secure cluster": one service before "to", one after it."""
    names = [i for i, token in enumerate(c.tokens) if token.kind in (SERVICE, STRANGER)]
    if len(names) != 2:
        raise MisfitError
    pointing = any(token.text.lower() in ("point", "points", "aim") for token in c.tokens)
    to = [
        i
        for i, token in enumerate(c.tokens)
        if token.kind == "word"
        and (token.mask & _TO or token.text.lower() in _TAKEN_BY | _THERE or (pointing and token.text.lower() == "at"))
    ]
    first, second = names
    earlier, between = [i for i in to if i < first], [i for i in to if first < i < second]
    if earlier and between:  # "what comes to X, forward to Y", "forward to Y what comes to X"
        first_described, second_described = _is_described(c, 0, first), _is_described(c, first, second)
        if first_described == second_described:
            raise MisfitError
        source, destination = (first, second) if first_described else (second, first)
    elif between:
        if _is_described(c, first, second) or _comes_from(c, first):
            raise MisfitError
        source, destination = first, second
    elif earlier and c.has("OF FROM") and not _is_described(c, 0, first):  # to X the traffic of Y
        source, destination = second, first
    else:
        raise MisfitError
    amount = c.percent()
    if amount is not None and amount != _WHOLE:
        raise MisfitError
    [destination_key] = c.resolved(c.tokens[destination])
    [source_key] = c.resolved(c.tokens[source])
    return [RouteTo(source_key, destination_key)]


_THERE = frozenset(("it to", "them to", "those to", "these to"))
_DESCRIBING = frozenset(("which", "that", "what", "whatever", "everything", "anything", "coming", "arriving", "who"))


def _is_described(c: Clause, start: int, name: int) -> bool:
    """Whether the way to the name there is how requests are told from others ("which come to X"), and no order."""
    return any(word in _DESCRIBING for token in c.tokens[start:name] for word in token.text.lower().split())


def _comes_from(c: Clause, name: int) -> bool:
    """ "which come from X": X calls, and it is not said whom."""
    before = c.tokens[:name]
    told = {word for token in before for word in token.text.lower().split()}
    return bool(told & {"come", "comes", "coming", "originate", "originating", "sent"}) and bool(told & {"from", "by"})


def _bare_route_to(c: Clause) -> list[Intent]:
    if any(token.text.lower() == "from" for token in c.tokens):
        raise MisfitError  # "all traffic from cart to orders" is a noun, of which nothing is said
    return _route_to(c)


def _match_route(c: Clause) -> list[Intent]:
    headers, methods, paths = c.of_kind(HEADER), c.methods(), c.of_kind("path")
    users = c.has("USER")
    if len(headers) > 1 or len(methods) > 1 or len(paths) > 1:
        raise MisfitError
    named = _named_header(c) if not headers else headers[0].names
    if not (named or methods or paths):
        if users or c.has("HEADERWORD"):
            service = _of_version(c)
            _one_version(c, service)
            raise AmbiguousError(
                "which header, with which value, tells these requests (such as x-group: beta):", what="header"
            )
        raise MisfitError
    if any(_is_source(c, version) for version in c.versions()):
        raise MisfitError
    service = _of_version(c)
    header, value = named or ("", "")
    return [
        MatchRoute(
            service,
            _one_version(c, service),
            header=header,
            value=value,
            method=methods[0] if methods else "",
            path=paths[0].names[0] if paths else "",
        )
    ]


def _named_header(c: Clause) -> tuple[str, ...]:
    """ "header x-group equal to beta", "header x-group beta": the two words after "header"."""
    place = c.place("HEADERWORD")
    if place is None:
        return ()
    words = [
        token for token in c.tokens[place + 1 :] if token.kind in ("unknown", QUOTED, "version") and not token.silent
    ]
    if len(words) >= 2 and words[0].kind != VERSION and "-" in words[0].text:
        return words[0].text.lower(), words[1].names[0] if words[1].names else words[1].text
    return ()


def _of_version(c: Clause) -> ServiceKey:
    return c.one_service(having=[token.names[0] for token in c.versions() if token.kind == VERSION])


def _one_version(c: Clause, service: ServiceKey) -> str:
    versions = c.versions()
    if len(versions) != 1:
        raise MisfitError
    return c.version_of(service, versions[0])


def _mirror(c: Clause) -> list[Intent]:
    percent = c.percent() or _WHOLE
    versions = c.versions()
    services = [i for i, token in enumerate(c.tokens) if token.kind in (SERVICE, STRANGER)]
    if len(versions) == 1 and len(services) <= 1:
        service = _of_version(c)
        return [Mirror(service, version=c.version_of(service, versions[0]), percent=percent)]
    if not versions and len(services) == 2:
        to = [i for i, token in enumerate(c.tokens) if token.mask & _TO and token.kind == "word"]
        first, second = services
        if any(first < i < second for i in to):
            [source], [destination] = c.resolved(c.tokens[first]), c.resolved(c.tokens[second])
            return [Mirror(source, destination=destination, percent=percent)]
    if not versions and len(services) <= 1:
        service = c.one_service()
        raise AmbiguousError(
            f"where is the copy of {service}'s requests to go:", c.vocabulary.versions[service], what="version"
        )
    raise MisfitError


def _create_route(c: Clause) -> list[Intent]:
    service = c.one_service() if c.of_kind(SERVICE, STRANGER) else None
    if service is None:
        raise AmbiguousError(
            "a route to which service:", tuple(str(k) for k in list(c.vocabulary.versions)[:10]), what="service"
        )
    path, host = c.only("path"), c.only("host")
    return [CreateRoute(service, path=path.names[0] if path else "", host=host.names[0] if host else "")]


def _stop_sending(c: Clause) -> list[Intent]:
    if forbids_an_end(c):
        raise MisfitError
    words = {token.text.lower() for token in c.tokens}
    forbidden = words & {"should not", "must not", "shouldn't", "mustn't"} and words & {
        "receive",
        "get",
        "see",
        "serve",
    }
    if not (words & _STOPS or forbidden):
        raise MisfitError
    return _drain(c)


_STOPS = frozenset(("stop", "no longer", "no more", "cease", "quit", "end", "anymore", "any more", "any longer"))


_TAKING = frozenset(("remove", "take", "pull", "take off", "take away", "take down", "drop", "retire", "take out"))


def _drain(c: Clause) -> list[Intent]:
    ending = [token for token in c.tokens if token.mask & mask("OFF") and not token.mask & mask("DRAIN")]
    if c.has("DRAIN") and any(token.text.lower() not in _TAKING | _STOPS for token in ending):
        raise MisfitError
    if c.has("DRAIN") and not c.has("ROUTE TRAFFIC") and any(token.text.lower() in _STOPS for token in ending):
        raise MisfitError  # "stop draining v1"
    service = _of_version(c)
    return [Drain(service, _one_version(c, service))]


_S = "service backend stranger"

FRAMES: tuple[Frame, ...] = (
    frame(
        "split",
        f"ROUTE|SPLIT|SET|KEEP|CREATE {_VERSIONS} amount|ratio|EVENLY|number|REST",
        f"{_S} {_CARRIED} ROUTE SPLIT SET KEEP REST BACK ADVANCE ALL BETWEEN FROM EVENLY STABLE CANARY number "
        "USER POLICY NEW CREATE ALLOW ONLY",
        _split,
        says="route 20% of payment traffic to v2 and the rest to v1",
        weight=4,
    ),
    frame(
        "bare split",
        f"{_VERSIONS} amount|ratio|EVENLY",
        f"{_S} {_CARRIED} SPLIT KEEP REST ALL BETWEEN EVENLY STABLE CANARY amount",
        _split,
        says="80% of payment traffic to v1 and 20% to v2",
    ),
    frame(
        "route all",
        f"ROUTE|BACK {_VERSIONS}",
        f"{_S} {_CARRIED} ALL EVERY FROM STABLE CANARY SET USER BACK KEEP ONLY SPLIT",
        _split,
        says="send all payment traffic to v2",
    ),
    frame(
        "put all",
        f"SET ALL {_VERSIONS}",
        f"{_S} {_CARRIED} ALL STABLE CANARY",
        _split,
        says="put all of payment onto v2",
        weight=2,
    ),
    frame(
        "route to a service",
        "ROUTE service|stranger service|stranger|SECURITY",
        f"{_CARRIED} ALL EVERY amount SECURITY FROM many",
        _route_to,
        says="route all payment traffic to checkout",
    ),
    frame(
        "all to a version",
        f"ALL|EVERY TO {_VERSIONS}",
        f"{_S} {_CARRIED} ALL STABLE CANARY",
        _split,
        says="all of payment to v2",
        weight=2,
    ),
    frame(
        "all to a service",
        "ALL TRAFFIC TO service|stranger service|stranger",
        f"{_CARRIED} ALL EVERY",
        _bare_route_to,
        says="all payment traffic to checkout",
        weight=2,
    ),
    frame(
        "match",
        f"ROUTE|SET {_VERSIONS} HEADERWORD|header|method|path|USER",
        f"{_S} {_CARRIED} ALL HEADERWORD header method METHODWORD path PATHWORD USER ROUTE SET POLICY NEW "
        "CREATE EQUALS unknown quoted ONLY ROUTENOUN FROM WHEN",
        _match_route,
        says="send payment requests with header x-group: beta to v2",
        weight=4,
    ),
    frame(
        "mirror",
        "MIRROR",
        f"{_S} version backend role amount {_CARRIED} ROUTE SET ON CREATE ALL FROM STABLE CANARY BETWEEN",
        _mirror,
        says="mirror 10% of payment traffic to v2",
        weight=3,
    ),
    frame(
        "new route",
        "CREATE|SET|ON|ROUTE|NEW|path|host ROUTENOUN",
        f"{_S} NEW CREATE PATHWORD path HOSTWORD host TRAFFIC NAMED EXTERNAL SET AND",
        _create_route,
        says="create a new route for payment at /pay",
    ),
    frame(
        "drain",
        f"DRAIN {_VERSIONS}",
        f"{_S} {_CARRIED} ALL FROM STABLE CANARY ROUTE SET EJECT OFF",
        _drain,
        says="drain v1 of payment",
    ),
    frame(
        "stop sending",
        f"NOT|OFF|DENY ROUTE {_VERSIONS}",
        f"{_S} {_CARRIED} ALL OFF STABLE CANARY ANY",
        _stop_sending,
        says="stop sending payment traffic to v1",
        weight=4,
    ),
    frame(
        "no more traffic",
        f"OFF|NOT TRAFFIC {_VERSIONS}",
        f"{_S} TRAFFIC VERSIONNOUN STABLE CANARY ROUTE ALL",
        _stop_sending,
        says="no more traffic to payment v1",
        weight=2,
    ),
    frame(
        "expose",
        "EXPOSE path|host",
        f"{_S} {SETUP} PATHWORD HOSTWORD path host EXTERNAL AND ROUTENOUN NAMED",
        _create_route,
        says="expose payment under /pay",
    ),
    frame(
        "take off traffic",
        f"OFF|ROUTE|DRAIN ALL|TRAFFIC FROM|OFF {_VERSIONS}",
        f"{_S} TRAFFIC ALL VERSIONNOUN STABLE CANARY",
        _drain,
        says="take all traffic off v1 of payment",
    ),
)
