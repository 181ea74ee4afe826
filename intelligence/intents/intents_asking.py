"""Intents that take back, and questions."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import timedelta

from intelligence.intents.said import span, whom
from registry.model import ServiceKey


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
