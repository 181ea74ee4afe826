"""The intents as values: what a person can want, whoever understood it. One frozen class each; `INTENTS` lists them.

Their fields are of few types, so that a form for a language model and a line for a test are made from the same classes:
ServiceKey, str, int, Decimal, timedelta, bool, StrEnum, None beside one of them, tuples of them, `Share`.
`target: ServiceKey | None` means one service, or all of them.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, fields
from datetime import timedelta
from decimal import Decimal
from typing import TypeAlias

from intelligence.intents.errors import ContradictionError
from intelligence.intents.said import listed, percentage, span, whom
from registry.model import ServiceKey

_WHOLE = Decimal(100)
_FINEST = Decimal("0.01")
_MAX_REPLICAS = 1_000
_LONGEST_FAULT = timedelta(hours=24)


def _refuse_unless(holds: bool, got: str, want: str) -> None:
    if not holds:
        raise ContradictionError(f"{got}: want {want}; nothing was changed")


# --- where traffic goes ---


@dataclass(frozen=True, slots=True)
class Share:
    """A version and its part of a service's traffic, in percent, at most two decimals."""

    version: str
    percent: Decimal

    def __str__(self) -> str:
        return f"{percentage(self.percent)} to {self.version}"


@dataclass(frozen=True, slots=True)
class TrafficSplit:
    """A service's traffic, parted among its versions. Shares below 100% in all leave the rest where it goes now.

    Raises:
        ContradictionError: a share outside 0 to 100 or finer than 0.01, more than 100 in all, or a version twice.
    """

    service: ServiceKey
    shares: tuple[Share, ...]

    def __post_init__(self) -> None:
        for share in self.shares:
            _refuse_unless(0 <= share.percent <= _WHOLE, str(share), "0% to 100%")
            _refuse_unless(not share.percent % _FINEST, str(share), "two decimals at most")
        versions = [share.version for share in self.shares]
        said = ", ".join(str(share) for share in self.shares)
        _refuse_unless(len(set(versions)) == len(versions), said, "each version once")
        if sum(share.percent for share in self.shares) > _WHOLE:
            raise ContradictionError(f"{said} is more than 100%; nothing was changed")

    @property
    def rest(self) -> Decimal:
        """The percentage that stays where it goes now."""
        return _WHOLE - sum((share.percent for share in self.shares), Decimal(0))

    def __str__(self) -> str:
        rest = f", the other {percentage(self.rest)} stays where it goes now" if self.rest else ""
        return f"of the traffic of {self.service}, {', '.join(str(share) for share in self.shares)}{rest}"


@dataclass(frozen=True, slots=True)
class RouteTo:
    """All of a service's traffic goes to another service."""

    service: ServiceKey
    destination: ServiceKey

    def __post_init__(self) -> None:
        _refuse_unless(self.service != self.destination, f"{self.service} to itself", "two services")

    def __str__(self) -> str:
        return f"all traffic of {self.service} goes to {self.destination}"


@dataclass(frozen=True, slots=True)
class MatchRoute:
    """Requests with a header, a method or a path prefix go to a version."""

    service: ServiceKey
    version: str
    header: str = ""
    value: str = ""
    method: str = ""
    path: str = ""

    def __str__(self) -> str:
        conditions = [
            f"header {self.header} is {self.value}" if self.header else "",
            f"the method is {self.method}" if self.method else "",
            f"the path begins with {self.path}" if self.path else "",
        ]
        when = " and ".join(condition for condition in conditions if condition)
        return f"requests of {self.service} whose {when} go to {self.version}"


@dataclass(frozen=True, slots=True)
class Mirror:
    """A copy of a part of a service's requests goes to a version, or to another service. Answers are thrown away."""

    service: ServiceKey
    version: str = ""
    destination: ServiceKey | None = None
    percent: Decimal = _WHOLE

    def __post_init__(self) -> None:
        _refuse_unless(0 < self.percent <= _WHOLE, percentage(self.percent), "more than 0% and at most 100%")

    def __str__(self) -> str:
        return f"a copy of {percentage(self.percent)} of {self.service} goes to {self.version or self.destination}"


@dataclass(frozen=True, slots=True)
class CreateRoute:
    """A new route to a service, for a path prefix, a host, or both."""

    service: ServiceKey
    path: str = ""
    host: str = ""

    def __str__(self) -> str:
        at = " and ".join(
            part
            for part in (f"path {self.path}" if self.path else "", f"host {self.host}" if self.host else "")
            if part
        )
        return f"a new route to {self.service}" + (f" at {at}" if at else "")


@dataclass(frozen=True, slots=True)
class Drain:
    """A version gets no more traffic."""

    service: ServiceKey
    version: str

    def __str__(self) -> str:
        return f"{self.version} of {self.service} gets no more traffic"


# --- how requests are treated ---


@dataclass(frozen=True, slots=True)
class Retries:
    """Failed requests are tried again: `attempts` times at most, `per_try` being the patience with each."""

    target: ServiceKey | None
    attempts: int
    per_try: timedelta | None = None

    def __post_init__(self) -> None:
        _refuse_unless(1 <= self.attempts <= 10, f"{self.attempts} retries", "1 to 10")

    def __str__(self) -> str:
        patience = f", each for {span(self.per_try)} at most" if self.per_try else ""
        return f"failed requests to {whom(self.target)} are tried again {self.attempts} times at most{patience}"


class TimeoutOf(enum.StrEnum):
    REQUEST = "request"
    IDLE = "idle"
    CONNECT = "connect"


@dataclass(frozen=True, slots=True)
class Timeout:
    target: ServiceKey | None
    after: timedelta
    of: TimeoutOf = TimeoutOf.REQUEST

    def __post_init__(self) -> None:
        _refuse_unless(
            timedelta(0) < self.after <= timedelta(hours=24), span(self.after), "more than 0s and 24h at most"
        )

    def __str__(self) -> str:
        what = {
            TimeoutOf.REQUEST: "requests to",
            TimeoutOf.IDLE: "idle connections to",
            TimeoutOf.CONNECT: "connecting to",
        }
        return f"{what[self.of]} {whom(self.target)} end after {span(self.after)}"


@dataclass(frozen=True, slots=True)
class CircuitBreaker:
    """Bounds on what is in flight at once; None leaves one as it is."""

    target: ServiceKey | None
    connections: int | None = None
    pending: int | None = None
    requests: int | None = None

    def __post_init__(self) -> None:
        bounds = [bound for bound in (self.connections, self.pending, self.requests) if bound is not None]
        _refuse_unless(
            bool(bounds) and all(1 <= bound <= 1_000_000 for bound in bounds), listed(bounds), "1 to 1000000"
        )

    def __str__(self) -> str:
        bounds = [("connections", self.connections), ("waiting requests", self.pending), ("requests", self.requests)]
        said = ", ".join(f"{bound} {name}" for name, bound in bounds if bound is not None)
        return f"to {whom(self.target)} at most {said} at once"


@dataclass(frozen=True, slots=True)
class Ejection:
    """An instance that fails `errors` times in a row gets no requests for a while."""

    target: ServiceKey | None
    errors: int
    eject_for: timedelta | None = None

    def __post_init__(self) -> None:
        _refuse_unless(1 <= self.errors <= 1_000, f"{self.errors} errors", "1 to 1000")

    def __str__(self) -> str:
        how_long = f" for {span(self.eject_for)}" if self.eject_for else ""
        return f"an instance of {whom(self.target)} that fails {self.errors} times in a row is left out{how_long}"


class Algorithm(enum.StrEnum):
    ROUND_ROBIN = "round_robin"
    LEAST_REQUEST = "least_request"
    RANDOM = "random"


@dataclass(frozen=True, slots=True)
class LoadBalancing:
    target: ServiceKey | None
    algorithm: Algorithm

    def __str__(self) -> str:
        return f"requests to {whom(self.target)} are spread by {self.algorithm.replace('_', ' ')}"


@dataclass(frozen=True, slots=True)
class Fault:
    """A part of the requests is delayed, refused with `status`, or both; it ends by itself after `lasts`."""

    target: ServiceKey
    percent: Decimal
    lasts: timedelta | None
    delay: timedelta | None = None
    status: int | None = None

    def __post_init__(self) -> None:
        _refuse_unless(0 < self.percent <= _WHOLE, percentage(self.percent), "more than 0% and at most 100%")
        _refuse_unless(self.delay is not None or self.status is not None, "no fault", "a delay or a status")
        _refuse_unless(self.status is None or 400 <= self.status <= 599, f"status {self.status}", "400 to 599")
        _refuse_unless(
            self.delay is None or timedelta(0) < self.delay <= timedelta(minutes=10), "the delay", "10m at most"
        )
        _refuse_unless(
            self.lasts is None or timedelta(0) < self.lasts <= _LONGEST_FAULT,
            "the fault's end",
            f"within {span(_LONGEST_FAULT)}",
        )

    def __str__(self) -> str:
        what = [f"wait {span(self.delay)}" if self.delay else "", f"get {self.status}" if self.status else ""]
        end = f" for {span(self.lasts)}" if self.lasts else ""
        return f"{percentage(self.percent)} of the requests to {self.target} {' and '.join(w for w in what if w)}{end}"


class LimitKey(enum.StrEnum):
    """Whose requests are counted together."""

    EVERYONE = "everyone"
    USER = "user"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True)
class RateLimit:
    target: ServiceKey | None
    requests: int
    per: timedelta
    key: LimitKey = LimitKey.EVERYONE

    def __post_init__(self) -> None:
        _refuse_unless(1 <= self.requests <= 10_000_000, f"{self.requests} requests", "1 to 10000000")
        _refuse_unless(timedelta(seconds=1) <= self.per <= timedelta(days=1), span(self.per), "1s to 24h")

    def __str__(self) -> str:
        who = "" if self.key is LimitKey.EVERYONE else f" for each {self.key}"
        return f"at most {self.requests} requests in {span(self.per)}{who} to {whom(self.target)}"


class Compressor(enum.StrEnum):
    GZIP = "gzip"
    BROTLI = "brotli"
    ZSTD = "zstd"


@dataclass(frozen=True, slots=True)
class Compression:
    target: ServiceKey | None
    algorithm: Compressor = Compressor.GZIP

    def __str__(self) -> str:
        return f"answers of {whom(self.target)} are compressed by {self.algorithm}"


# --- who may do what ---


class MtlsMode(enum.StrEnum):
    STRICT = "strict"
    PERMISSIVE = "permissive"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class MutualTls:
    target: ServiceKey | None
    mode: MtlsMode

    def __str__(self) -> str:
        what = {
            MtlsMode.STRICT: "need mutual TLS",
            MtlsMode.PERMISSIVE: "may use mutual TLS",
            MtlsMode.OFF: "use no mutual TLS",
        }
        return f"connections between services to {whom(self.target)} {what[self.mode]}"


@dataclass(frozen=True, slots=True)
class RequireLogin:
    """Only requests with a valid token (JWT) of `issuer`, checked with the keys at `keys`, are let in."""

    target: ServiceKey | None
    issuer: str = ""
    keys: str = ""

    def __str__(self) -> str:
        by = f" of {self.issuer}" if self.issuer else ""
        return f"only requests with a valid token (JWT){by} reach {whom(self.target)}"


class Access(enum.StrEnum):
    ALLOW = "allow"
    DENY = "deny"
    ONLY = "only"


@dataclass(frozen=True, slots=True)
class AccessRule:
    """Who may (ALLOW, and no one else: ONLY) or may not (DENY) call. Sources that are empty mean everybody."""

    action: Access
    target: ServiceKey | None
    services: tuple[ServiceKey, ...] = ()
    countries: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    path: str = ""
    trust_domain: str = ""

    @property
    def everybody(self) -> bool:
        return not (self.services or self.countries or self.addresses)

    @property
    def everything(self) -> bool:
        return self.everybody and not self.methods and not self.path

    def __str__(self) -> str:
        who = listed([*map(str, self.services), *self.countries, *self.addresses]) or "everybody"
        verb = {Access.ALLOW: "may call", Access.DENY: "may not call", Access.ONLY: "and nobody else may call"}[
            self.action
        ]
        what = f" with {listed(self.methods)}" if self.methods else ""
        where = f" at {self.path}" if self.path else ""
        return f"{who} {verb} {whom(self.target)}{what}{where}"


@dataclass(frozen=True, slots=True)
class BlockSuspicious:
    """Suspicious addresses are blocked: those that a rule finds (`refusals` in `within`), or a `feed` file lists."""

    target: ServiceKey | None
    feed: str = ""
    refusals: int | None = None
    within: timedelta | None = None

    def __str__(self) -> str:
        if self.refusals is not None and self.within is not None:
            which = f"with more than {self.refusals} refused requests in {span(self.within)}"
        else:
            which = f"of the list {self.feed}" if self.feed else "that are suspicious"
        return f"addresses {which} are blocked from {whom(self.target)}"


class Threat(enum.StrEnum):
    SQL_INJECTION = "sql_injection"
    PATH_TRAVERSAL = "path_traversal"
    SCRIPT = "script"


@dataclass(frozen=True, slots=True)
class ThreatFilter:
    """Requests that look like an attack are blocked, or only logged."""

    target: ServiceKey | None
    patterns: tuple[Threat, ...]
    log_only: bool = False

    def __str__(self) -> str:
        kinds = listed([pattern.replace("_", " ") for pattern in self.patterns])
        return f"requests to {whom(self.target)} that look like {kinds} are {'logged' if self.log_only else 'blocked'}"


@dataclass(frozen=True, slots=True)
class AuditLog:
    """Every refused request is logged."""

    target: ServiceKey | None

    def __str__(self) -> str:
        return f"every refused request to {whom(self.target)} is logged"


# --- running ---


@dataclass(frozen=True, slots=True)
class ScaleTo:
    service: ServiceKey
    replicas: int

    def __post_init__(self) -> None:
        _refuse_unless(0 <= self.replicas <= _MAX_REPLICAS, f"{self.replicas} replicas", f"0 to {_MAX_REPLICAS}")

    def __str__(self) -> str:
        return f"{self.service} runs {self.replicas} instances"


class Metric(enum.StrEnum):
    CPU = "cpu"
    MEMORY = "memory"
    ERROR_RATE = "error_rate"
    LATENCY = "latency"
    REQUEST_RATE = "request_rate"


@dataclass(frozen=True, slots=True)
class Autoscale:
    """More instances when `metric` (in percent) is above `percent`; between `least` and `most` of them."""

    target: ServiceKey | None
    metric: Metric
    percent: Decimal
    least: int | None = None
    most: int | None = None

    def __post_init__(self) -> None:
        _refuse_unless(self.metric in (Metric.CPU, Metric.MEMORY), self.metric, "cpu or memory")
        _refuse_unless(0 < self.percent < _WHOLE, percentage(self.percent), "more than 0% and less than 100%")
        for bound in (self.least, self.most):
            _refuse_unless(bound is None or 1 <= bound <= _MAX_REPLICAS, f"{bound} instances", f"1 to {_MAX_REPLICAS}")
        if self.least is not None and self.most is not None:
            _refuse_unless(
                self.least <= self.most, f"{self.least} to {self.most} instances", "the smaller number first"
            )

    def __str__(self) -> str:
        bounds = [f"at least {self.least}" if self.least else "", f"at most {self.most}" if self.most else ""]
        said = listed([bound for bound in bounds if bound])
        return f"{whom(self.target)} gets more instances when {self.metric} is above {percentage(self.percent)}" + (
            f" ({said})" if said else ""
        )


@dataclass(frozen=True, slots=True)
class CreateService:
    name: str
    replicas: int | None = None

    def __post_init__(self) -> None:
        _refuse_unless(
            self.replicas is None or 0 <= self.replicas <= _MAX_REPLICAS,
            f"{self.replicas} replicas",
            f"0 to {_MAX_REPLICAS}",
        )

    def __str__(self) -> str:
        return f"a new service {self.name}" + (f" with {self.replicas} instances" if self.replicas is not None else "")


class Side(enum.StrEnum):
    ABOVE = "above"
    BELOW = "below"


@dataclass(frozen=True, slots=True)
class Alert:
    """Somebody is told when `metric` is on `side` of a bound: `percent`, or `latency` at `quantile` (0.99: p99)."""

    target: ServiceKey | None
    metric: Metric
    side: Side = Side.ABOVE
    percent: Decimal | None = None
    latency: timedelta | None = None
    quantile: Decimal | None = None
    lasting: timedelta | None = None

    def __post_init__(self) -> None:
        timed = self.metric is Metric.LATENCY
        _refuse_unless(
            (self.latency is not None) == timed, f"a bound of {self.metric}", "a duration for latency, else %"
        )
        _refuse_unless(
            (self.percent is not None) != timed, f"a bound of {self.metric}", "a duration for latency, else %"
        )
        if self.percent is not None:
            _refuse_unless(0 <= self.percent <= _WHOLE, percentage(self.percent), "0% to 100%")

    def __str__(self) -> str:
        bound = span(self.latency) if self.latency is not None else percentage(self.percent or Decimal(0))
        what = f"p{self.quantile * 100:f}".rstrip("0").rstrip(".") if self.quantile else self.metric.replace("_", " ")
        lasting = f" for {span(self.lasting)}" if self.lasting else ""
        return f"an alert when the {what} of {whom(self.target)} is {self.side} {bound}{lasting}"


@dataclass(frozen=True, slots=True)
class Rollout:
    """A canary's traffic grows by itself while errors stay below a bound, and goes back above another. Percentages."""

    service: ServiceKey
    canary: str
    advance_below: Decimal | None = None
    back_above: Decimal | None = None
    done_below: Decimal | None = None

    def __post_init__(self) -> None:
        for bound in (self.advance_below, self.back_above, self.done_below):
            _refuse_unless(bound is None or 0 <= bound <= _WHOLE, percentage(bound or Decimal(0)), "0% to 100%")
        if self.advance_below is not None and self.back_above is not None:
            _refuse_unless(
                self.advance_below <= self.back_above,
                f"forward below {percentage(self.advance_below)}, back above {percentage(self.back_above)}",
                "a bound to go back that is not the lower one",
            )

    def __str__(self) -> str:
        parts = [
            f"grows while errors are below {percentage(self.advance_below)}" if self.advance_below is not None else "",
            f"goes back when errors are above {percentage(self.back_above)}" if self.back_above is not None else "",
            f"is complete at 100% with errors below {percentage(self.done_below)}"
            if self.done_below is not None
            else "",
        ]
        return f"the traffic of {self.service} to {self.canary} " + listed([part for part in parts if part])


@dataclass(frozen=True, slots=True)
class MetricsInterval:
    every: timedelta

    def __post_init__(self) -> None:
        _refuse_unless(timedelta(seconds=1) <= self.every <= timedelta(hours=1), span(self.every), "1s to 1h")

    def __str__(self) -> str:
        return f"metrics are collected every {span(self.every)}"


@dataclass(frozen=True, slots=True)
class TrackKpi:
    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"business figures are tracked: {listed(self.names)}"


class Period(enum.StrEnum):
    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


@dataclass(frozen=True, slots=True)
class Report:
    every: Period
    target: ServiceKey | None = None

    def __str__(self) -> str:
        return f"a {self.every} health report of {whom(self.target)}"


# --- taking back ---


class Feature(enum.StrEnum):
    """What can be taken off a service again."""

    RETRIES = "retries"
    TIMEOUT = "timeout"
    BREAKER = "circuit_breaker"
    FAULT = "fault"
    RATE_LIMIT = "rate_limit"
    MIRROR = "mirror"
    LOGIN = "login"
    ACCESS = "access"
    THREAT_FILTER = "threat_filter"
    AUDIT_LOG = "audit_log"
    AUTOSCALING = "autoscaling"
    ALERT = "alert"
    ROLLOUT = "rollout"
    REPORT = "report"
    COMPRESSION = "compression"


@dataclass(frozen=True, slots=True)
class TakeOff:
    """The policies of one kind are taken off a service, or off everything."""

    feature: Feature
    target: ServiceKey | None

    def __str__(self) -> str:
        return f"no more {self.feature.replace('_', ' ')} for {whom(self.target)}"


@dataclass(frozen=True, slots=True)
class Undo:
    """The last change of documents is taken back."""

    def __str__(self) -> str:
        return "the last change of documents is taken back"


@dataclass(frozen=True, slots=True)
class Restore:
    """The documents as they were at a revision, or at a moment: "14:00" today, "yesterday 14:00", "2026-11-23 14:00",
    or so long `ago`."""

    revision: int | None = None
    moment: str = ""
    ago: timedelta | None = None

    def __str__(self) -> str:
        when = f"at revision {self.revision}" if self.revision is not None else self.moment or ""
        return f"documents become again what they were {when or (span(self.ago) + ' ago' if self.ago else '')}"


# --- questions ---


class About(enum.StrEnum):
    WHY_REFUSED = "why_refused"
    CHANGES = "changes"
    CALLERS = "callers"
    BEHIND = "behind"
    HEALTH = "health"
    TOPOLOGY = "topology"
    SPLIT = "split"
    SERVICES = "services"
    ROUTES = "routes"
    POLICIES = "policies"


@dataclass(frozen=True, slots=True)
class Question:
    """Something to be shown; nothing changes. `since` is "today", "yesterday", "" (no bound)."""

    about: About
    target: ServiceKey | None = None
    since: str = ""

    def __str__(self) -> str:
        about = {
            About.WHY_REFUSED: f"why requests or documents of {whom(self.target)} are refused",
            About.CHANGES: "what changed" + (f" since {self.since}" if self.since else ""),
            About.CALLERS: f"who can call {whom(self.target)}",
            About.BEHIND: "which proxies are behind",
            About.HEALTH: f"the health of {whom(self.target)}",
            About.TOPOLOGY: "the topology",
            About.SPLIT: f"where the traffic of {whom(self.target)} goes",
            About.SERVICES: "the services",
            About.ROUTES: "the routes",
            About.POLICIES: f"the policies of {whom(self.target)}",
        }
        return f"a question: {about[self.about]}"


INTENTS = (
    *(TrafficSplit, RouteTo, MatchRoute, Mirror, CreateRoute, Drain),
    *(Retries, Timeout, CircuitBreaker, Ejection, LoadBalancing, Fault, RateLimit, Compression),
    *(MutualTls, RequireLogin, AccessRule, BlockSuspicious, ThreatFilter, AuditLog),
    *(ScaleTo, Autoscale, CreateService, Alert, Rollout, MetricsInterval, TrackKpi, Report),
    *(TakeOff, Undo, Restore, Question),
)
Intent: TypeAlias = (
    TrafficSplit
    | RouteTo
    | MatchRoute
    | Mirror
    | CreateRoute
    | Drain
    | Retries
    | Timeout
    | CircuitBreaker
    | Ejection
    | LoadBalancing
    | Fault
    | RateLimit
    | Compression
    | MutualTls
    | RequireLogin
    | AccessRule
    | BlockSuspicious
    | ThreatFilter
    | AuditLog
    | ScaleTo
    | Autoscale
    | CreateService
    | Alert
    | Rollout
    | MetricsInterval
    | TrackKpi
    | Report
    | TakeOff
    | Undo
    | Restore
    | Question
)


def kind_of(intent: Intent | type[Intent]) -> str:
    """ "traffic_split" of TrafficSplit: the name in answers and forms."""
    name = (intent if isinstance(intent, type) else type(intent)).__name__
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def code(intent: Intent) -> str:
    """An intent on one line, without what is as usual: "timeout payment after=2s". Equal lines, equal intents."""
    parts = [kind_of(intent)]
    for item in fields(intent):
        value = getattr(intent, item.name)
        if item.name in ("target", "service"):
            parts.append("*" if value is None else _code(value))
        elif value != item.default:
            parts.append(f"{item.name}={_code(value)}")
    return " ".join(parts)


def _code(value: object) -> str:
    match value:
        case ServiceKey():
            return value.name if value.namespace == "default" else str(value)
        case tuple():
            return ",".join(_code(item) for item in value)
        case Share():
            return f"{value.version}:{value.percent.normalize():f}"
        case Decimal():
            return f"{value.normalize():f}"
        case timedelta():
            return span(value)
        case None:
            return "?"
        case _:
            return str(value)
