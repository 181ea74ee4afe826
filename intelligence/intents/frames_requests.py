"""Frames about how requests are treated: retries, timeouts, breakers, faults, limits, compression."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

from intelligence.intents.clause import Clause, MisfitError, whole
from intelligence.intents.errors import AmbiguousError
from intelligence.intents.frames import SETUP, Frame, frame, is_stated
from intelligence.intents.intents import (
    Algorithm,
    CircuitBreaker,
    Compression,
    Compressor,
    Ejection,
    Fault,
    Intent,
    LimitKey,
    LoadBalancing,
    RateLimit,
    Retries,
    Timeout,
    TimeoutOf,
)
from intelligence.intents.lexicon import mask
from intelligence.intents.token import Token

_S = "service stranger many EVERY ALL"
_ABOUT = f"{_S} {SETUP} TRAFFIC THEN"
_WHOLE = Decimal(100)
_TAKING_OFF = mask("OFF DENY")
_DOING, _PLACED = mask("CALL ROUTE SET ALLOW"), mask("OF TO")
_SETTING = mask("TIMEOUT ABORT")
_PER_TRY = mask("PERTRY WITH AFTER TIMEOUT")


def _retries(c: Clause) -> list[Intent]:
    if is_stated(c):
        raise MisfitError
    attempts = c.whole()
    if attempts is None:
        if c.has("ONCE"):
            attempts = 1
        elif c.has("TWICE"):
            attempts = 2
        else:
            raise AmbiguousError("how many times are requests to be tried again:", what="attempts")
    elif c.has("TWICE"):
        raise MisfitError  # "three times, twice is enough"
    per_try = c.duration()
    if per_try is not None and not c.has("PERTRY"):
        raise MisfitError
    return [Retries(target, attempts, per_try) for target in c.target(all_if_unsaid=False)]


def _timeout(c: Clause) -> list[Intent]:
    if is_stated(c) or any(
        token.has(_TAKING_OFF)
        and not token.has(_SETTING)
        and token.text.lower() not in _CUTTING
        and not (token.text.lower() == "off" and _is_cut(c, token))
        for token in c.tokens
    ):
        raise MisfitError
    after = c.duration()
    if after is None:
        raise MisfitError
    of = TimeoutOf.REQUEST
    if c.has("IDLE"):
        of = TimeoutOf.IDLE
    elif c.has("CONNECTTIMEOUT"):
        of = TimeoutOf.CONNECT
    return [Timeout(target, after, of) for target in c.target(all_if_unsaid=False)]


_CUTTING = frozenset(("kill", "drop", "end", "stop"))


def _is_cut(c: Clause, off: Token) -> bool:
    """ "cut its requests off after 4s"."""
    place = c.tokens.index(off)
    return any(token.text.lower() in ("cut", "cuts") for token in c.tokens[:place]) and any(
        token.mask & mask("AFTER") for token in c.tokens[place:]
    )


def _no_longer(c: Clause) -> list[Intent]:
    if not any("longer than" in t.text.lower() or "more than" in t.text.lower() for t in c.tokens):
        raise MisfitError
    return _timeout(c)


def _timeout_without(c: Clause) -> list[Intent]:
    c.target(all_if_unsaid=False)
    raise AmbiguousError("after how long, with its unit (such as 2s or 500ms)?", what="duration")


def _breaker(c: Clause) -> list[Intent]:
    """Numbers go with the words after them: "100 connections and 50 pending requests"."""
    if c.has("NOT") and not any(token.text.lower() in ("more than", "over", "above") for token in c.tokens):
        raise MisfitError
    bounds: dict[str, int] = {}
    kinds = {"pending": mask("PENDING"), "connections": mask("CONNECTIONS"), "requests": mask("CONCURRENT TRAFFIC")}
    numbers = [i for i, token in enumerate(c.tokens) if token.kind == "number"]
    for order, place in enumerate(numbers):
        end = numbers[order + 1] if order + 1 < len(numbers) else len(c.tokens)
        after = c.tokens[place + 1 : end]
        around = after if any(t.mask & m for t in after for m in kinds.values()) else c.tokens[:place]
        name = next((name for name, labels in kinds.items() if any(t.mask & labels for t in around)), None)
        if name is None or name in bounds:
            raise MisfitError
        bounds[name] = whole(c.tokens[place])
    if not bounds:
        c.target(all_if_unsaid=False)
        raise AmbiguousError("how many connections, waiting requests or requests at once are allowed?", what="bound")
    return [CircuitBreaker(target, **bounds) for target in c.target(all_if_unsaid=False)]


def _ejection(c: Clause) -> list[Intent]:
    errors = c.whole()
    if errors is None:
        raise AmbiguousError("after how many errors in a row?", what="errors")
    return [Ejection(target, errors, c.duration()) for target in c.target(all_if_unsaid=False)]


def _load_balancing(c: Clause) -> list[Intent]:
    found = [
        algorithm
        for label, algorithm in (
            ("ROUNDROBIN", Algorithm.ROUND_ROBIN),
            ("LEASTREQUEST", Algorithm.LEAST_REQUEST),
            ("RANDOM", Algorithm.RANDOM),
        )
        if c.has(label)
    ]
    if len(found) != 1:
        raise MisfitError
    return [LoadBalancing(target, found[0]) for target in c.target(all_if_unsaid=False)]


def _fault(c: Clause) -> list[Intent]:
    """A delay, an abort, or both. The duration after "for" is how long the fault lasts; another is the delay."""
    amounts, durations, numbers = c.of_kind("amount"), c.of_kind("duration"), c.of_kind("number")
    if len(amounts) > 1 or len(durations) > 2 or len(numbers) > 1:
        raise MisfitError
    percent = amounts[0].numbers[0] if amounts else _WHOLE
    lasts = delay = None
    for token in durations:
        before = [
            t for t in c.tokens[: c.tokens.index(token)] if not t.silent or t.mask & mask("FOR OF WITH BY TO DELAY")
        ]
        lasting = bool(before) and before[-1].kind == "word" and before[-1].text.lower() in _LASTING
        if lasting and lasts is None:
            lasts = token.duration
        elif delay is None:
            delay = token.duration
        else:
            raise MisfitError
    status = whole(numbers[0]) if numbers else None
    delays = c.has("DELAY")
    if status is None and c.has("ABORT") and not delays:
        status = 503
    if delays and delay is None:
        if lasts is not None and status is None and len(durations) == 1:
            delay, lasts = lasts, None  # "delay payment for 2 seconds" says how long each waits
        elif status is None:
            raise AmbiguousError("by how much, with its unit (such as 200ms)?", what="duration")
    if delay is not None and not delays:
        if c.has("ABORT") and lasts is None:
            raise MisfitError
        if not c.has("FAULT"):
            raise MisfitError
    if not amounts and not c.has("ALL EVERY"):
        percent = _WHOLE
    services = c.some_services()
    if lasts is None:
        raise AmbiguousError("for how long (such as for 10 minutes)? A fault always ends by itself:", what="duration")
    return [Fault(service, percent, lasts, delay=delay, status=status) for service in services]


_LASTING = frozenset(
    ("for", "during", "over", "lasting", "next", "for the next", "over the next", "in the next", "the next")
)


def _rate_limit(c: Clause) -> list[Intent]:
    rate = c.only("rate")
    allowed = c.has("PERUSER PERADDRESS") and c.has("ALLOW")  # "every user is allowed 60 calls per minute"
    if rate is None or rate.duration is None or (is_stated(c) and not allowed):
        raise MisfitError
    key = LimitKey.EVERYONE
    if c.has("PERUSER") or _of_each_user(c):
        key = LimitKey.USER
    if c.has("PERADDRESS"):
        if key is LimitKey.USER:
            raise MisfitError
        key = LimitKey.ADDRESS
    if c.has("NOT") and not c.has("ABOVE"):
        raise MisfitError
    unsaid = key is not LimitKey.EVERYONE or c.has("EXTERNAL")
    return [RateLimit(target, whole(rate), rate.duration, key) for target in c.target(all_if_unsaid=unsaid)]


def _of_each_user(c: Clause) -> bool:
    """ "every customer may …": of each for itself."""
    return any(
        two.has(mask("USER")) and one.text.lower() in ("each", "every", "any", "single", "per", "no")
        for one, two in pairwise(c.tokens)
    )


def _bare_rate(c: Clause) -> list[Intent]:
    """A rate, and then a service; the other way round, it is what the service has."""
    spoken = [token for token in c.tokens if not token.silent]
    if spoken[0].kind != "rate" or any(token.has(_DOING) and not token.has(_PLACED) for token in spoken):
        raise MisfitError
    return _rate_limit(c)


def _rate_limit_without(c: Clause) -> list[Intent]:
    c.target()
    raise AmbiguousError("how many requests, in what time (such as 100 requests per minute)?", what="rate")


def _compression(c: Clause) -> list[Intent]:
    found = [
        algorithm
        for label, algorithm in (("GZIP", Compressor.GZIP), ("BROTLI", Compressor.BROTLI), ("ZSTD", Compressor.ZSTD))
        if c.has(label)
    ] or [Compressor.GZIP]
    if len(found) != 1:
        raise MisfitError
    return [Compression(target, found[0]) for target in c.target(all_if_unsaid=False)]


FRAMES: tuple[Frame, ...] = (
    frame(
        "retries",
        "RETRY",
        f"{_ABOUT} number TIMES LIMIT duration PERTRY WHEN ABORT ERRORRATE TIMEOUT ONCE TWICE AND MAX REFUSED ATTACK",
        _retries,
        says="retry failed payment requests 3 times",
        weight=2,
    ),
    frame(
        "timeout",
        "TIMEOUT|IDLE|CONNECTTIMEOUT duration",
        f"{_ABOUT} AFTER LIMIT ABOVE WHEN IDLE CONNECTTIMEOUT CONNECTIONS LONG MAX OFF DENY WAITING ABORT TIMEOUT",
        _timeout,
        says="set a timeout of 2s on payment",
    ),
    frame(
        "time limit",
        "LIMIT|MAX|ABORT|OFF|DENY duration",
        f"{_ABOUT} AFTER LIMIT LONG MAX TRAFFIC",
        _timeout,
        says="limit payment requests to 3 seconds",
        weight=1,
    ),
    frame(
        "no longer than",
        "NOT|MAX LONG|AFTER|CALL|TRAFFIC|TIMEOUT duration",
        f"{_S} {SETUP} TRAFFIC AFTER LONG ABOVE MAX LASTING TIMEOUT",
        _no_longer,
        says="payment must not take longer than 3 seconds",
        weight=2,
    ),
    frame("timeout without", "TIMEOUT", f"{_ABOUT}", _timeout_without, says="set a timeout on payment", weight=1),
    frame(
        "breaker",
        "BREAKER",
        f"{_ABOUT} number CONNECTIONS PENDING CONCURRENT LIMIT MAX AND AFTER WHEN ABOVE WITH",
        _breaker,
        says="add a circuit breaker to payment with at most 100 connections",
        weight=3,
    ),
    frame(
        "bounds",
        "LIMIT|MAX|ALLOW|SET number CONNECTIONS|PENDING|CONCURRENT",
        f"{_ABOUT} LIMIT MAX CONNECTIONS PENDING CONCURRENT AND ONLY NOT ABOVE",
        _breaker,
        says="allow at most 100 connections to payment",
    ),
    frame(
        "ejection",
        "EJECT|INSTANCE|SET number CONSECUTIVE|ERRORRATE|ABORT",
        f"{_ABOUT} INSTANCE CONSECUTIVE ERRORRATE ABORT AFTER FOR duration WHEN EJECT OFF DENY FROM REQUEST SUSPICIOUS "
        "FAULT TIMES HEALTH USER",
        _ejection,
        says="eject instances of payment after 5 consecutive errors for 30s",
        weight=4,
    ),
    frame(
        "load balancing",
        "ROUNDROBIN|LEASTREQUEST|RANDOM",
        f"{_ABOUT} SPLIT ROUTE BETWEEN INSTANCE",
        _load_balancing,
        says="use round robin for payment",
        weight=2,
    ),
    frame(
        "fault",
        "DELAY|ABORT|FAULT",
        f"{_S} {SETUP} TRAFFIC amount duration number FOR DELAY ABORT FAULT STATUS BY AND LASTING ERRORRATE "
        "LATENCY WITH ROUTE USER",
        _fault,
        says="delay 5% of checkout by 200 ms for ten minutes",
        weight=2,
    ),
    frame(
        "rate limit",
        "LIMIT|RATELIMIT|ALLOW|SET|CREATE|ONLY rate",
        f"{_ABOUT} EXTERNAL LIMIT RATELIMIT ALLOW ONLY PERUSER PERADDRESS MAX USER IPS CALL DENY ABOVE BY NOT REST",
        _rate_limit,
        says="limit payment to 100 requests per minute per user",
    ),
    frame(
        "rate for each",
        "rate PERUSER|PERADDRESS",
        f"{_ABOUT} EXTERNAL LIMIT MAX USER IPS",
        _rate_limit,
        says="payment: 5 requests per second per ip",
        weight=2,
    ),
    frame(
        "bare rate",
        "rate service|stranger",
        "service stranger many",
        _bare_rate,
        says="100 requests per minute for payment",
        weight=1,
    ),
    frame(
        "rate limit without",
        "RATELIMIT",
        f"{_ABOUT} PERUSER PERADDRESS EXTERNAL",
        _rate_limit_without,
        says="rate limit payment",
        weight=1,
    ),
    frame(
        "compression",
        "COMPRESS",
        f"{_ABOUT} GZIP BROTLI ZSTD ABORT",
        _compression,
        says="compress answers of payment with gzip",
        weight=1,
    ),
)
