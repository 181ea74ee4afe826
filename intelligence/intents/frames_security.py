"""Frames about who may do what: mutual TLS, tokens, access, suspicious addresses, attacks, audit."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from intelligence.intents.clause import Clause, MisfitError, whole
from intelligence.intents.errors import AmbiguousError, ContradictionError
from intelligence.intents.frames import SETUP, Frame, forbids_a_refusal, forbids_a_turn, frame
from intelligence.intents.intents import (
    Access,
    AccessRule,
    AuditLog,
    BlockSuspicious,
    Intent,
    MtlsMode,
    MutualTls,
    RequireLogin,
    Threat,
    ThreatFilter,
)
from intelligence.intents.lexicon import mask
from intelligence.intents.token import SERVICE, STRANGER, URL, Token
from registry.model import ServiceKey

_S = "service stranger many EVERY ALL"
_ABOUT = f"{_S} {SETUP} TRAFFIC EXTERNAL COMMUNICATION"
_NAMES = (SERVICE, STRANGER)
_CALLS = mask("CALL TRAFFIC")
_WITHOUT = frozenset(("without", "lacking"))
_EVERYWHERE = mask("EVERY SERVICENOUN ALL EXTERNAL")
_OTHERWISE = frozenset(("change", "adjust", "update", "modify", "allow", "permit", "accept"))
"""Verbs that say that it is to be otherwise, and not how."""


def _mtls(c: Clause) -> list[Intent]:
    without = any(token.text.lower() in _WITHOUT for token in c.tokens)
    others = [token for token in c.tokens if token.text.lower() not in _WITHOUT]
    if forbids_a_turn(c):
        raise MisfitError
    off = any(token.mask & mask("OFF") for token in others)
    negated = any(token.mask & mask("NOT DENY") and not token.mask & mask("OFF") for token in others)
    if without and not (off or negated):
        raise MisfitError
    if not off and any(token.mask & mask("DENY") for token in others) and not without:
        raise MisfitError
    if not without and (off or negated):
        if c.has("STRICT PERMISSIVE"):
            raise MisfitError
        mode = MtlsMode.OFF
    elif c.has("PERMISSIVE"):
        if c.has("STRICT"):
            raise MisfitError
        mode = MtlsMode.PERMISSIVE
    elif c.has("MODE") or (
        any(token.text.lower() in _OTHERWISE for token in c.tokens) and not c.has("ONLY STRICT NOBODYBUT")
    ):
        c.target()
        raise AmbiguousError("which mode:", tuple(mode.value for mode in MtlsMode), what="mode")
    else:
        mode = MtlsMode.STRICT
    return [MutualTls(target, mode) for target in c.target()]


def _login(c: Clause) -> list[Intent]:
    urls = [token.names[0] for token in c.of_kind(URL)]
    spoken = [token for token in c.tokens if not token.silent]
    if c.has("ANONYMOUS") and forbids_a_refusal(c):
        raise MisfitError
    if len(urls) > 2 or spoken[0].text.lower() in ("log in", "sign in"):
        raise MisfitError  # "log in to cart" is nothing that we could do
    issuer = urls[0] if urls else ""
    keys = urls[1] if len(urls) > 1 else ""
    if len(urls) == 1 and c.has("KEYS") and not c.has("ISSUER"):
        issuer, keys = "", urls[0]
    return [RequireLogin(target, issuer, keys) for target in c.target()]


def _access(c: Clause) -> list[Intent]:
    """Who calls whom is told by the words between the names: see `_roles`."""
    action = _action(c)
    if c.of_kind("host") and len(c.of_kind(*_NAMES)) < 2 and not c.has("FROM BY"):
        raise MisfitError  # "let cart be reached at shop.example.com" is a route
    if any(token.text.lower() in _INDEFINITE for token in c.tokens):
        raise AmbiguousError("who, or what, is meant:", what="meaning")
    if any(one.text.lower() in _TOWARDS and two.kind == "country" for one, two in pairwise(c.tokens)) and any(
        one.text.lower() in _FROM and two.kind == "country" for one, two in pairwise(c.tokens)
    ):
        raise MisfitError  # "traffic from China to Germany": where requests go to, no rule says
    sources, target = _roles(c)
    if action is Access.ALLOW and any(t.has(mask("ROUTE")) and not t.has(mask("CALL TRAFFIC")) for t in c.tokens):
        raise AmbiguousError(
            "is it allowed to call, or is its traffic to go there?", ("allow", "route"), what="meaning"
        )
    if not sources and not c.countries() and not c.addresses() and action is Access.ONLY and not c.methods():
        raise MisfitError
    if action is Access.ONLY and sources and target is not None and _is_only_called(c, sources):
        called = " and ".join(str(key) for key in sources)
        raise AmbiguousError(
            f"is nobody else to call {target}, or is {called} to call nothing else (which no rule of ours says)?",
            what="meaning",
        )
    if (
        action is Access.ONLY
        and target is None
        and (c.methods() or c.of_kind("path"))
        and not any(token.mask & _EVERYWHERE for token in c.tokens)
    ):
        raise AmbiguousError("only these, of which service (or all services)?", what="service")
    paths = c.of_kind("path")
    if len(paths) > 1:
        raise MisfitError
    hosts = c.of_kind("host")
    if len(hosts) > 1 or (hosts and not sources):
        raise MisfitError
    if sources and c.methods() and any(token.has(mask("ONLY")) for token in c.tokens):
        raise AmbiguousError("only these callers, or only these methods:", ("callers", "methods"), what="meaning")
    if any(key in sources for key in (target,) if target is not None):
        raise ContradictionError(f"{target} calling itself: want two services; nothing was changed")
    return [
        AccessRule(
            action,
            target,
            services=tuple(sources),
            countries=c.countries(),
            addresses=c.addresses(),
            methods=c.methods(),
            path=paths[0].names[0] if paths else "",
            trust_domain=hosts[0].names[0] if sources and hosts else "",
        )
    ]


def _action(c: Clause) -> Access:
    denies, allows = c.has("DENY"), any(t.has(mask("ALLOW")) and not t.has(mask("DENY")) for t in c.tokens)
    negated = any(token.has(mask("NOT")) and not token.has(mask("DENY")) for token in c.tokens)
    ending = [
        token
        for token in c.tokens
        if token.has(mask("OFF")) and token.text.lower() not in _SHUTTING and not _is_kept_from(c, token)
    ]
    if ending:  # "stop blocking Russia"
        raise MisfitError
    if c.has("NOBODYBUT"):
        return _of_exception(c, refused=denies or negated, allowed=allows)
    only = any(token.has(mask("ONLY")) for token in c.tokens)
    if denies and any(token.text.lower().split()[0] in _LETTING for token in c.tokens if not token.has(mask("DENY"))):
        raise MisfitError  # "allow Germany and deny Germany"
    if denies and negated:
        raise MisfitError
    if denies and only:
        raise MisfitError
    if denies or negated:
        if only:
            raise MisfitError
        return Access.DENY
    if only:
        return Access.ONLY
    if allows:
        return Access.ALLOW
    raise MisfitError


def _is_kept_from(c: Clause, stop: Token) -> bool:
    """ "Stop cart from calling orders", which shuts out; "stop blocking …" does not."""
    place = c.tokens.index(stop)
    after = c.tokens[place + 1 :]
    return (
        stop.text.lower() == "stop"
        and not any(token.has(mask("DENY")) for token in after)
        and (
            bool(c.of_kind("country", "address"))
            or any(
                one.text.lower() == "from" and two.text.lower().split()[0].endswith("ing")
                for one, two in pairwise(after)
            )
        )
    )


def _of_exception(c: Clause, *, refused: bool, allowed: bool) -> Access:
    """ "Block all but A" and "nobody but A" are one thing, "let everybody but A in" is the other."""
    exceptions = [token for token in c.tokens if token.has(mask("NOBODYBUT"))]
    of_all = [token for token in exceptions if token.text.lower().startswith(("all ", "every", "any"))]
    others = [token for token in c.tokens if token not in exceptions]
    refused = refused and any(token.has(mask("DENY NOT")) for token in others)
    if len(exceptions) != 1:
        raise MisfitError
    if not of_all:
        if refused:
            raise MisfitError
        return Access.ONLY
    if refused == allowed:  # "may not" is both
        if refused and not any(token.has(mask("ALLOW")) and not token.silent for token in others):
            return Access.ONLY
        raise MisfitError
    return Access.ONLY if refused else Access.DENY


_TOWARDS = frozenset(("to", "towards", "into", "toward"))
_INDEFINITE = frozenset(("something", "someone", "somebody", "stuff", "things", "itself", "themselves", "each other"))
_LETTING = frozenset(
    ("allow", "permit", "admit", "accept", "whitelist", "allowlist", "grant", "authorize", "authorise")
)
_SHUTTING = frozenset(("drop", "cut off", "off"))


def _roles(c: Clause) -> tuple[list[ServiceKey], ServiceKey | None]:
    """The callers and the called: "from A to B", "A … call B", "B … by A", "deny A access to B"."""
    names = [i for i, token in enumerate(c.tokens) if token.kind in _NAMES]
    if len(names) > 2:
        raise MisfitError
    if len(names) == 2:
        first, second = names
        if c.has("IT"):  # "restrict A so that only B can call it"
            later = c.tokens[second + 1 :]
            if not any(token.mask & mask("CALL") for token in later) or c.tokens[second - 1].mask & mask("FROM"):
                raise MisfitError
            [called_key] = c.resolved(c.tokens[first])[:1]
            return c.resolved(c.tokens[second]), called_key
        between = c.tokens[first + 1 : second]
        before = c.tokens[:first]
        if _is_restless(c, between):
            raise AmbiguousError(
                f"who is not to call whom: {c.tokens[first].text} or {c.tokens[second].text}?", what="meaning"
            )
        if c.has("NOBODYBUT") and any(token.mask & mask("NOBODYBUT") for token in between):
            raise MisfitError  # "checkout may call nothing but payment": whom it may call is no rule of ours
        if any(token.text.lower() in ("access to", "deny access to") for token in before) and [
            token.text.lower() for token in between if token.text.lower() in ("for", "from")
        ] == ["for"]:
            return c.resolved(c.tokens[second]), c.resolved(c.tokens[first])[0]
        nearest = next((token for token in reversed(between) if not token.silent or _is_from(token)), None)
        if any(token.text.lower() == "by" for token in between) or (nearest is not None and _is_from(nearest)):
            called, callers = first, second
        elif any(token.mask & mask("CALL TO") for token in between) or any(_is_from(token) for token in before):
            if {"which", "that"} & {t.text.lower() for t in before} and before[-1].text.lower() in _TO_IT:
                raise MisfitError  # "the traffic which goes to A should not go to B"
            callers, called = first, second
        else:
            raise MisfitError
        keys = c.resolved(c.tokens[called])
        if len(keys) != 1:
            raise MisfitError
        return c.resolved(c.tokens[callers]), keys[0]
    if len(names) == 1:
        [place] = names
        keys = c.resolved(c.tokens[place])
        if _is_caller(c, place):
            if c.has("IT"):
                referent = c.surroundings.referent
                if referent is None:
                    raise AmbiguousError('what does "it" mean:', what="service")
                return keys, referent
            if c.has("EVERY ALL SERVICENOUN") and c.has("CALL"):
                return keys, None
            raise AmbiguousError(f"calling which service is {', '.join(map(str, keys))} about:", what="service")
        if len(keys) != 1:
            raise MisfitError
        if any(token.has(mask("IT")) and token.text.lower() not in _OWNING for token in c.tokens):
            if c.surroundings.referent is None or c.surroundings.referent == keys[0]:
                raise AmbiguousError(f"who is it that calls {keys[0]}?", what="service")
            return [c.surroundings.referent], keys[0]
        return [], keys[0]
    if c.has("IT"):
        referent = c.surroundings.referent or c.surroundings.service
        if referent is None:
            raise AmbiguousError('what does "it" mean:', what="service")
        return [], referent
    if c.surroundings.named_elsewhere:
        c.target()
    return [], None


_TO_IT = frozenset(("to", "go to", "goes to", "going to", "the"))
_OWNING = frozenset(("its", "their", "it's"))


def _is_only_called(c: Clause, callers: Sequence[ServiceKey]) -> bool:
    """ "checkout may only call payment": "only" stands behind the caller, and before or behind whom it calls."""
    names = [i for i, token in enumerate(c.tokens) if token.kind in _NAMES]
    only = [i for i, token in enumerate(c.tokens) if token.has(mask("ONLY")) and "body else" not in token.text]
    return bool(names and only) and only[0] > names[0] and c.resolved(c.tokens[names[0]]) == list(callers)


def _is_restless(c: Clause, between: Sequence[Token]) -> bool:
    """ "block cart from payment": either may be meant."""
    return (
        c.has("DENY NOBODYBUT")
        and any(token.text.lower() == "from" for token in between)
        and not any(token.mask & _CALLS for token in c.tokens)
    )


def _is_from(token: object) -> bool:
    return getattr(token, "text", "").lower() in _FROM


_FROM = frozenset(
    ("from", "coming from", "originating from", "of", "by", "come from", "comes from", "sent from", "sent by")
)


def _is_caller(c: Clause, place: int) -> bool:
    """Whether the one service that is named calls, rather than is called."""
    after, before = c.tokens[place + 1 :], c.tokens[:place]
    spoken = [token for token in before if not token.silent]
    if spoken and spoken[-1].text.lower() in ("from", "coming from", "by"):
        return not (spoken[-1].text.lower() == "from" and c.countries() + c.addresses())
    return any(token.has(mask("CALL")) and not token.has(mask("TRAFFIC")) for token in after) and not any(
        token.has(mask("CALL")) for token in before
    )


def _block_suspicious(c: Clause) -> list[Intent]:
    feeds = [token.names[0] for token in c.of_kind("file", URL)]
    addresses = c.addresses()
    rate = c.only("refusals")
    if addresses:
        return [AccessRule(Access.DENY, target, addresses=addresses) for target in c.target()]
    if len(feeds) > 1 or (feeds and rate):
        raise MisfitError
    if rate is not None:
        return [BlockSuspicious(target, refusals=whole(rate), within=rate.duration) for target in c.target()]
    if not feeds and not _names_addresses(c):
        c.target()
        raise AmbiguousError(
            "what is to be blocked:",
            ("suspicious addresses", "SQL injection", "path traversal", "scripts"),
            what="meaning",
        )
    return [BlockSuspicious(target, feed=feeds[0] if feeds else "") for target in c.target()]


def _names_addresses(c: Clause) -> bool:
    """Whether who calls is meant ("suspicious IPs", "bots"), and not what is in a request ("bad patterns")."""
    if c.has("IPS FEED REFUSEDREQUESTS"):
        return True
    if any(token.text.lower() in _CALLING for token in c.tokens):
        return True
    return not c.has("ATTACK") and any(
        token.has(mask("USER TRAFFIC")) and token.text.lower() not in _ANYTHING for token in c.tokens
    )


_CALLING = frozenset(
    ("bots", "bot", "scrapers", "attackers", "attacker", "bad actors", "bad actor", "crawlers", "spammers", "hackers")
)
_ANYTHING = frozenset(("anything", "anything that", "whatever", "everything that", "stuff", "answers", "responses"))


def _threats(c: Clause) -> list[Intent]:
    if (c.has("ALLOW") and not c.has("DENY")) or forbids_a_refusal(c):
        raise MisfitError
    patterns = [
        threat
        for label, threat in (
            ("SQLI", Threat.SQL_INJECTION),
            ("TRAVERSAL", Threat.PATH_TRAVERSAL),
            ("XSS", Threat.SCRIPT),
        )
        if c.has(label)
    ]
    log_only = c.has("LOG") and not c.has("DENY")
    return [ThreatFilter(target, tuple(patterns), log_only) for target in c.target()]


def _audit(c: Clause) -> list[Intent]:
    if not c.has("AUDIT VIOLATION REFUSED DENY"):
        raise MisfitError  # what is let through is not logged
    return [AuditLog(target) for target in c.target()]


def _audit_named(c: Clause) -> list[Intent]:
    named = ("audit log", "audit-log", "audit trail", "auditing")
    if not any(token.text.lower().startswith(named) for token in c.tokens):
        raise MisfitError
    return [AuditLog(target) for target in c.target()]


FRAMES: tuple[Frame, ...] = (
    frame(
        "mtls",
        "MTLS",
        f"{_ABOUT} STRICT PERMISSIVE MODE OFF NOT DENY BETWEEN FROM CALL ONLY ALLOW ROUTE",
        _mtls,
        says="require mutual TLS between all services",
        weight=2,
    ),
    frame(
        "login",
        "LOGIN|AUTHENTICATED",
        f"{_ABOUT} LOGIN AUTHENTICATED VALIDATE ONLY NOBODYBUT ALLOW USER CALL ISSUER KEYS url FROM AND BY "
        "WHEN PATHWORD WHO ANYBODY",
        _login,
        says="allow only authenticated users to access payment",
        weight=2,
    ),
    frame(
        "no anonymous",
        "DENY|NOT ANONYMOUS",
        f"{_ABOUT} USER CALL FROM ALLOW LOGIN WHO ANYBODY",
        _login,
        says="block anonymous requests to payment",
        weight=3,
    ),
    frame(
        "access between services",
        "ALLOW|DENY|ONLY|NOBODYBUT|NOT service|stranger service|stranger",
        f"{_S} POLICY CREATE SET NEW TRAFFIC CALL FROM BY ALLOW DENY NOT ONLY NOBODYBUT method METHODWORD "
        "path PATHWORD USER COMMUNICATION ANYBODY SECURITY LIMIT host",
        _access,
        says="allow only checkout to call payment",
        weight=5,
    ),
    frame(
        "access by place",
        "ALLOW|DENY|ONLY|NOBODYBUT|NOT country|address",
        f"{_S} POLICY CREATE SET NEW TRAFFIC CALL FROM IPS COUNTRYWORD USER ALLOW DENY NOT ONLY NOBODYBUT "
        "country address many AND EXTERNAL SECURITY method",
        _access,
        says="block all requests from IP addresses in China and Russia",
        weight=5,
    ),
    frame(
        "access by method",
        "ALLOW|DENY|ONLY|NOBODYBUT|NOT method|path",
        f"{_S} POLICY CREATE SET NEW TRAFFIC CALL USER ALLOW DENY NOT ONLY NOBODYBUT method METHODWORD path "
        "PATHWORD many FROM ALL AND",
        _access,
        says="block DELETE requests to payment",
        weight=3,
    ),
    frame(
        "deny all",
        "DENY ALL|TRAFFIC|EVERY|CALL|DEFAULT|USER",
        "service stranger TRAFFIC ALL EVERY USER CALL DEFAULT FROM POLICY CREATE EXTERNAL ON DENY SECURITY NEW",
        _access,
        says="block all traffic to payment",
        weight=1,
    ),
    frame(
        "access of one service",
        "ALLOW|DENY|ONLY|NOBODYBUT|NOT service|stranger CALL",
        f"{_S} TRAFFIC CALL FROM BY ALLOW DENY NOT ONLY NOBODYBUT EVERY ALL USER IT POLICY CREATE host",
        _access,
        says="only checkout may call payment",
        weight=3,
    ),
    frame(
        "suspicious",
        "DENY|KEEP|POLICY|SECURITY SUSPICIOUS",
        f"{_ABOUT} IPS FROM USER FEED file url refusals REFUSEDREQUESTS ABOVE WITH RULE address AND CALL "
        "VIOLATION many ATTACK",
        _block_suspicious,
        says="block requests from suspicious IPs",
        weight=4,
    ),
    frame(
        "blocking by a file",
        "DENY file|FEED file",
        f"{_ABOUT} IPS FROM USER FEED file WITH RULE AND CALL many ALL SUSPICIOUS",
        _block_suspicious,
        says="block the addresses of the list /etc/apg/bad.txt",
        weight=2,
    ),
    frame(
        "blocking by refusals",
        "DENY refusals",
        f"{_ABOUT} IPS FROM USER ABOVE WITH REFUSEDREQUESTS VIOLATION SUSPICIOUS CALL MORE COLLECT LIMIT PERADDRESS",
        _block_suspicious,
        says="block addresses with more than 100 refused requests per minute",
        weight=3,
    ),
    frame(
        "threats",
        "DENY|NOT|LOG|POLICY|ON|SET|SECURITY|VALIDATE SQLI|TRAVERSAL|XSS",
        f"{_ABOUT} SQLI TRAVERSAL XSS ATTACK AND DENY LOG ONLY FROM USER VALIDATE",
        _threats,
        says="block requests containing SQL injection patterns",
        weight=3,
    ),
    frame(
        "audit of a service",
        "AUDIT service|stranger|EVERY|ALL",
        f"{_S} TRAFFIC",
        _audit_named,
        says="audit logging for payment",
        weight=1,
    ),
    frame(
        "audit",
        "AUDIT|LOG VIOLATION|AUDIT|REFUSED|ON|SET|TRAFFIC",
        f"{_ABOUT} AUDIT LOG VIOLATION REFUSED DENY",
        _audit,
        says="enable audit logging for all policy violations",
        weight=2,
    ),
)
