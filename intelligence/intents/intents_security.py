"""Intents about who may do what."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import timedelta

from intelligence.intents.said import listed, span, whom
from registry.model import ServiceKey


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
