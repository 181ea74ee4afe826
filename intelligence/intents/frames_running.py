"""Frames about running: scaling, new services, alerts, metrics, reports, and taking things off again."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

from intelligence.intents.clause import Clause, MisfitError, whole
from intelligence.intents.errors import AmbiguousError, ContradictionError
from intelligence.intents.frames import NEVER, SETUP, Frame, forbids_a_turn, frame, is_stated
from intelligence.intents.intents import (
    Alert,
    Autoscale,
    CreateService,
    Feature,
    Intent,
    Metric,
    MetricsInterval,
    Period,
    Report,
    ScaleTo,
    Side,
    TakeOff,
    TrackKpi,
)
from intelligence.intents.lexicon import mask
from intelligence.intents.token import QUOTED, SERVICE, STRANGER, UNKNOWN, Token
from policy.shapes import MAX_LABEL

_S = "service stranger many EVERY ALL"
_QUANTILE = re.compile(r"p(\d{2,3})\b")
_SPAN = mask("FOR LASTING")


def _scale(c: Clause) -> list[Intent]:
    if is_stated(c):
        raise MisfitError
    numbers = c.of_kind("number")
    if c.has("BY") or any(word in _RELATIVE for token in c.tokens for word in token.text.lower().split()):
        raise AmbiguousError("to how many instances in all?", what="replicas")
    if len(numbers) == 2 and c.has("FROM"):
        start = c.place("FROM") or 0
        to = c.place("TO", start=start)
        numbers = [token for token in numbers if to is not None and c.tokens.index(token) > to]
    if len(numbers) != 1:
        raise MisfitError
    return [ScaleTo(service, whole(numbers[0])) for service in c.some_services()]


_RELATIVE = frozenset(
    ["add", "additional", "extra", "another", "more", "further", "fewer", "less", "remove", "least", "most"]
)


def _scale_without(c: Clause) -> list[Intent]:
    c.some_services()
    raise AmbiguousError("to how many instances?", what="replicas")


def _metric(c: Clause) -> Metric:
    found = [
        metric
        for label, metric in (
            ("CPU", Metric.CPU),
            ("MEMORY", Metric.MEMORY),
            ("ERRORRATE", Metric.ERROR_RATE),
            ("LATENCY", Metric.LATENCY),
        )
        if c.has(label)
    ]
    if len(found) > 1 and Metric.LATENCY in found and Metric.ERROR_RATE not in found:
        raise MisfitError
    if len(found) != 1:
        raise MisfitError
    return found[0]


def _autoscale(c: Clause) -> list[Intent]:
    percent = c.percent()
    metric = _metric(c)
    below = any(token.has(mask("BELOW")) and not token.has(mask("MAX MIN")) for token in c.tokens)
    if percent is None or (below and not c.has("ABOVE")):
        raise MisfitError
    least = most = None
    numbers = c.of_kind("number")
    if len(numbers) != 2 and c.has("KEEP") and not c.has("AUTOSCALE GROW SCALE"):
        raise MisfitError  # "keep the CPU at 80%" does not say how
    if len(numbers) == 2:
        least, most = whole(numbers[0]), whole(numbers[1])
        if not c.has("BETWEEN FROM MIN MAX TO"):
            raise MisfitError
    elif len(numbers) == 1:
        before = [token for token in c.tokens[: c.tokens.index(numbers[0])] if token.mask & mask("MIN MAX")]
        after = [
            token
            for token in c.tokens[c.tokens.index(numbers[0]) :]
            if token.text.lower() in ("minimum", "maximum", "max", "min")
        ]
        words = " ".join(token.text.lower() for token in before[-1:] + after)
        if any(word in words for word in ("min", "at least", "fewer", "less", "floor")):
            least = whole(numbers[0])
        elif any(word in words for word in ("max", "at most", "up to", "more than", "ceiling", "cap")):
            most = whole(numbers[0])
        else:
            raise MisfitError
    return [Autoscale(target, metric, percent, least, most) for target in c.target()]


def _autoscale_without(c: Clause) -> list[Intent]:
    c.target()
    raise AmbiguousError("above which CPU or memory usage (such as when CPU exceeds 80%)?", what="bound")


def _create_service(c: Clause) -> list[Intent]:
    number = c.only("number")
    names = [token for token in c.tokens if token.kind in (UNKNOWN, QUOTED, STRANGER, SERVICE)]
    if not names:
        raise AmbiguousError("what is the new service to be called?", what="name")
    joined = any(token.text.lower() in ("and", "&", "plus") for token in c.tokens)
    if len(names) > 1 or len(c.all("SERVICENOUN")) > 1 or (joined and number is None):
        raise MisfitError
    [name] = names
    said = (name.names[0] if name.names else name.text).lower()
    if name.kind == SERVICE and said in {key.name for key in c.vocabulary.versions}:
        raise ContradictionError(f"the service {said} exists already; nothing was changed")
    if not _is_label(said):
        raise ContradictionError(
            f'"{said}" as a service\'s name: want lower-case letters, digits and "-"; nothing was changed'
        )
    return [CreateService(said, whole(number) if number else None)]


_WANTING = frozenset(("need", "needs", "want", "wants", "have", "has", "get", "give", "require", "let"))


def _wanted_service(c: Clause) -> list[Intent]:
    """ "We need a service named coupons": nothing in it says that there is one already."""
    if is_stated(c) or any(
        token.has(mask("SET ROUTE CREATE")) and token.text.lower() not in _WANTING | {"with", "new"}
        for token in c.tokens
        if token.kind == "word" and not token.silent
    ):
        raise MisfitError
    return _create_service(c)


def _is_label(name: str) -> bool:
    return (
        0 < len(name) <= MAX_LABEL
        and name.replace("-", "a").isalnum()
        and name.isascii()
        and name[0] != "-"
        and name[-1] != "-"
    )


def _alert(c: Clause) -> list[Intent]:
    metric = _metric(c)
    side = Side.ABOVE
    if c.has("BELOW") and not any(t.has(mask("ABOVE")) for t in c.tokens if not t.has(mask("BELOW"))):
        side = Side.BELOW
    elif c.has("BELOW"):
        raise MisfitError
    durations, amounts = c.of_kind("duration"), c.of_kind("amount")
    if metric is Metric.LATENCY:
        if not durations or amounts:
            raise MisfitError
        bound, rest = durations[0], durations[1:]
        lasting = _lasting(c, rest)
        quantiles = [token.numbers[0] for token in c.all("quantile")]
        quantiles += [
            Decimal(f"0.{found[1]}") for token in c.all("LATENCY") if (found := _QUANTILE.search(token.text.lower()))
        ]
        if len(set(quantiles)) > 1:
            raise MisfitError
        if not quantiles:
            for words, value in _SPOKEN_QUANTILES:
                if any(words in token.text.lower() for token in c.all("LATENCY")):
                    quantiles = [Decimal(value)]
        return [
            Alert(
                target,
                metric,
                side,
                latency=bound.duration,
                quantile=quantiles[0] if quantiles else None,
                lasting=lasting,
            )
            for target in c.target()
        ]
    if len(amounts) != 1:
        raise MisfitError
    lasting = _lasting(c, durations)
    return [Alert(target, metric, side, percent=amounts[0].numbers[0], lasting=lasting) for target in c.target()]


_SPOKEN_QUANTILES = (
    *(("99th", "0.99"), ("95th", "0.95"), ("90th", "0.9"), ("median", "0.5")),
    *(("ninety ninth", "0.99"), ("ninety-ninth", "0.99"), ("ninety nine", "0.99")),
    *(("ninety fifth", "0.95"), ("ninety-fifth", "0.95"), ("ninety five", "0.95")),
    *(("ninetieth", "0.9"), ("p ninety", "0.9"), ("p fifty", "0.5")),
)


def _lasting(c: Clause, durations: list[Token]) -> timedelta | None:
    if not durations:
        return None
    if len(durations) > 1:
        raise MisfitError
    place = c.tokens.index(durations[0])
    before = [token for token in c.tokens[:place] if not token.silent or token.mask & _SPAN]
    if not before or not before[-1].mask & _SPAN:
        raise MisfitError
    return durations[0].duration


def _alert_without(c: Clause) -> list[Intent]:
    metric = _metric(c)
    c.target()
    unit = "duration (such as p99 above 500ms)" if metric is Metric.LATENCY else "percentage"
    raise AmbiguousError(f"above which {unit}?", what="bound")


def _metrics_interval(c: Clause) -> list[Intent]:
    every = c.duration()
    if every is None or c.of_kind(SERVICE, STRANGER):
        raise MisfitError  # of one service alone they are not collected
    return [MetricsInterval(every)]


def _kpi(c: Clause) -> list[Intent]:
    """The names after "like": words, between commas."""
    place = c.place("LIKE")
    said: list[list[str]] = [[]]
    if place is None and (named := c.place("KPI")) is not None and c.tokens[named + 1 :]:
        place = named  # "track the KPI basket size"
    tokens = c.tokens[place + 1 :] if place is not None else [t for t in c.tokens if t.kind in (UNKNOWN, QUOTED)]
    for token in tokens:
        if token.kind == "mark" or token.text.lower() in ("and", "&", "plus", "as well as", "or"):
            said.append([])
        elif token.text.lower() not in ("the", "our", "a", "an", "please", "also"):
            said[-1].append((token.names[0] if token.names else token.text).lower())
    names = tuple(" ".join(words) for words in said if words)
    said_kpi = c.place("KPI")
    if place is None and said_kpi is not None and any(_is_left(token) for token in c.tokens[:said_kpi]):
        raise MisfitError  # "track revenue and sign-ups as KPIs": a name of which a part is a word of ours
    if not names:
        raise AmbiguousError("which figures (such as conversion rate, sign-ups)?", what="name")
    if any(token.mask & mask("DENY OFF NOT IF") for token in tokens):
        raise MisfitError
    return [TrackKpi(names)]


def _is_left(token: Token) -> bool:
    return token.kind == "word" and not token.silent and not token.mask & mask("TRACK COLLECT SHOW AND WITH ON SET KPI")


def _report(c: Clause) -> list[Intent]:
    found = [
        period
        for label, period in (
            ("HOURLY", Period.HOURLY),
            ("DAILY", Period.DAILY),
            ("WEEKLY", Period.WEEKLY),
            ("MONTHLY", Period.MONTHLY),
        )
        if c.has(label)
    ]
    if len(found) != 1:
        raise AmbiguousError("how often:", ("hourly", "daily", "weekly", "monthly"), what="period")
    return [Report(found[0], target) for target in c.target()]


_FEATURES = (
    ("RETRY", Feature.RETRIES),
    ("TIMEOUT", Feature.TIMEOUT),
    ("BREAKER", Feature.BREAKER),
    ("FAULT DELAY", Feature.FAULT),
    ("RATELIMIT", Feature.RATE_LIMIT),
    ("MIRROR", Feature.MIRROR),
    ("LOGIN", Feature.LOGIN),
    ("AUTOSCALE", Feature.AUTOSCALING),
    ("AUDIT", Feature.AUDIT_LOG),
    ("ALERT", Feature.ALERT),
    ("ROLLOUT", Feature.ROLLOUT),
    ("REPORT", Feature.REPORT),
    ("COMPRESS", Feature.COMPRESSION),
    ("SQLI", Feature.THREAT_FILTER),
)


def _take_off(c: Clause) -> list[Intent]:
    found = [feature for label, feature in _FEATURES if c.has(label)]
    if any(token.text.lower() in ("first", "second", "third", "last", "newest", "other") for token in c.tokens):
        raise MisfitError  # which of several, no intent can say
    refusing = [token for token in c.tokens if token.has(mask("NOT"))]
    if len(found) != 1 or len(refusing) > 1:
        raise MisfitError
    if any(token.has(mask("CALL USER")) and not token.has(mask("TRAFFIC SET")) for token in c.tokens):
        raise MisfitError  # "no login, no access" asks for a login
    if forbids_a_turn(c):
        raise MisfitError  # "don't turn retries off"
    if found == [Feature.FAULT] and not c.has("FAULT") and any(token.text.lower() in NEVER for token in refusing):
        raise MisfitError  # "don't delay cart"
    if c.of_kind("version") and found != [Feature.MIRROR]:
        raise MisfitError
    if found == [Feature.THREAT_FILTER] and not c.has("POLICY VALIDATE FILTERING"):
        raise MisfitError  # "stop SQL injection" asks for the filter, and does not take it off
    targets = c.target()
    if targets == [None] and found[0] not in _OF_THE_MESH and not c.says_all:
        targets = [c.one_service()]  # "turn off the timeout": of whom?
    return [TakeOff(found[0], target) for target in targets]


_OF_THE_MESH = (Feature.THREAT_FILTER, Feature.AUDIT_LOG, Feature.ALERT, Feature.REPORT, Feature.COMPRESSION)
"""What a mesh has as a whole, often: without a service's name, all of it is meant."""


_REMOVABLE = (
    "RETRY|TIMEOUT|BREAKER|FAULT|DELAY|RATELIMIT|MIRROR|LOGIN|AUTOSCALE|AUDIT|ALERT|ROLLOUT|REPORT|COMPRESS|SQLI"
)

FRAMES: tuple[Frame, ...] = (
    frame(
        "scale",
        "SCALE number",
        f"{_S} SCALE REPLICAS INSTANCE NEW FROM BY SET VERSIONNOUN ONLY",
        _scale,
        says="scale payment to 10 instances",
        weight=2,
    ),
    frame(
        "replicas",
        "number REPLICAS",
        f"{_S} SCALE REPLICAS SET ONLY",
        _scale,
        says="10 replicas for payment",
        weight=2,
    ),
    frame(
        "scale without", "SCALE", "service stranger many REPLICAS", _scale_without, says="scale payment up", weight=1
    ),
    frame(
        "autoscale",
        "AUTOSCALE|GROW|SCALE|KEEP CPU|MEMORY amount",
        f"{_S} {SETUP} AUTOSCALE GROW SCALE WHEN ABOVE REPLICAS number MIN MAX BETWEEN FROM AND CPU LOAD KEEP TRAFFIC",
        _autoscale,
        says="automatically scale services when CPU usage exceeds 80%",
        weight=4,
    ),
    frame(
        "autoscale without",
        "AUTOSCALE",
        f"{_S} {SETUP} REPLICAS",
        _autoscale_without,
        says="autoscale payment",
        weight=1,
    ),
    frame(
        "new service",
        "CREATE SERVICENOUN unknown|quoted|NAMED|stranger|service",
        "NEW CREATE NAMED unknown quoted stranger service number REPLICAS SET NOUN EVERY AND",
        _create_service,
        says="create a new service called user-api with 3 replicas",
        weight=4,
    ),
    frame(
        "named service",
        "SERVICENOUN NAMED unknown|quoted|stranger",
        "NEW CREATE NAMED unknown quoted stranger number REPLICAS SET NOUN AND",
        _wanted_service,
        says="we need a service called user-api",
        weight=3,
    ),
    frame(
        "alert",
        "ALERT|MONITORING|TRACK CPU|MEMORY|ERRORRATE|LATENCY|quantile amount|duration",
        f"{_S} {SETUP} ROUTE WHEN ABOVE BELOW LASTING FOR duration quantile ERRORRATE LATENCY CPU MEMORY "
        "TRACK AND TRAFFIC USER ALERT GOING MONITORING",
        _alert,
        says="send alerts when the error rate goes above 5% for any service",
        weight=4,
    ),
    frame(
        "alert without",
        "ALERT CPU|MEMORY|ERRORRATE|LATENCY",
        f"{_S} {SETUP} ROUTE WHEN ABOVE HIGH",
        _alert_without,
        says="alert me when the error rate is high",
        weight=2,
    ),
    frame(
        "metrics interval",
        "METRICS|COLLECT EVERYTIME|duration|METRICS duration",
        f"COLLECT METRICS EVERYTIME {SETUP} {_S} MONITORING FROM",
        _metrics_interval,
        says="collect metrics every 10 seconds",
    ),
    frame(
        "kpi",
        "TRACK|COLLECT|SHOW KPI",
        f"TRACK KPI LIKE unknown quoted AND {SETUP} MONITORING COLLECT METRICS TRAFFIC EVALUATION ABTEST "
        "COMPLETE EVERY SERVICENOUN service ALL USER SHOW ERRORRATE REPORT HEALTH",
        _kpi,
        says="track business KPIs like conversion rates",
    ),
    frame(
        "report",
        "REPORT HOURLY|DAILY|WEEKLY|MONTHLY",
        f"{_S} {SETUP} ROUTE HEALTH SHOW REPORT MONITORING USER ALERT",
        _report,
        says="generate daily health reports",
        weight=3,
    ),
    frame(
        "take off",
        f"OFF|NOT {_REMOVABLE}",
        f"{_S} version TRAFFIC POLICY VALIDATE FILTERING OFF "
        f"FROM {_REMOVABLE.replace('|', ' ')} USE CREATE SET ON IT ALL "
        "ROUTE",
        _take_off,
        says="remove the timeout from payment",
        weight=3,
    ),
)
