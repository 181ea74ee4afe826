"""Which attached policies apply where: a mesh's policies by target, and their precedence (docs/decisions/0040)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from policy.attached import AttachedPolicy, Target
from policy.backends import Backend
from registry.model import DocumentKey, ServiceKey

PolicyT = TypeVar("PolicyT", bound=AttachedPolicy)


@dataclass(frozen=True, slots=True)
class Effective:
    """The policies that apply to one rule, listener or backend, from the most general to the most specific. Of a kind
    that does not stack there is one at most. Cheap to hash: it is part of what resources are remembered under."""

    policies: tuple[AttachedPolicy, ...] = ()

    def one(self, kind: type[PolicyT]) -> PolicyT | None:
        """The policy of a kind that does not stack."""
        return next((policy for policy in self.policies if isinstance(policy, kind)), None)

    def all(self, kind: type[PolicyT]) -> tuple[PolicyT, ...]:
        """The policies of a kind that stacks."""
        return tuple(policy for policy in self.policies if isinstance(policy, kind))

    @property
    def origins(self) -> tuple[str, ...]:
        """The documents, in words, as `Resource.origin` has them."""
        return tuple(str(policy.key) for policy in self.policies)


NOTHING = Effective()
_SERVICE = "Service"


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two policies of one kind on the very same target: `loser` has no effect there (Gateway API: `Conflicted`)."""

    winner: AttachedPolicy
    loser: AttachedPolicy
    index: int  # in the loser's targetRefs
    target: Target


class Attachments:
    """A mesh's policies by target. Built once for a mesh; lookups are remembered."""

    def __init__(self, policies: Iterable[AttachedPolicy]) -> None:
        """policies: sorted by namespace and name within a kind, which settles conflicts: creation times are not part
        of a mesh, so the alphabetical order that Gateway API falls back to decides at once."""
        by_target: dict[Target, list[AttachedPolicy]] = {}
        conflicts: list[Conflict] = []
        for policy in policies:
            for index, target in enumerate(policy.targets()):
                standing = by_target.setdefault(target, [])
                winner = None if policy.STACKS else _of_kind(standing, policy.KIND)
                if winner is None:
                    standing.append(policy)
                elif winner is not policy:
                    conflicts.append(Conflict(winner, policy, index, target))
        self._by_target = {target: tuple(standing) for target, standing in by_target.items()}
        self._at_server: dict[Target, tuple[AttachedPolicy, ...]] = {}
        for target in [target for target in by_target if target.kind == _SERVICE]:
            standing_there = self._by_target[target]
            self._at_server[target] = tuple(policy for policy in standing_there if policy.AT_SERVER)
            self._by_target[target] = tuple(policy for policy in standing_there if not policy.AT_SERVER)
        self._known: dict[tuple[tuple[AttachedPolicy, ...], ...], Effective] = {}
        self.conflicts = tuple(conflicts)

    def on_rule(self, gateway: DocumentKey, listener: str, route: DocumentKey, rule: str | None) -> Effective:
        """For requests of a route's rule through a Gateway's listener: rule > route > listener > Gateway."""
        if not self._by_target:
            return NOTHING
        targets = [Target(*gateway), Target(*gateway, listener), Target(*route)]
        if rule is not None:
            targets.append(Target(*route, rule))
        return self._effective(targets)

    def on_listeners(self, gateway: DocumentKey, listeners: Iterable[str]) -> Effective:
        """For what all requests of a Gateway's port share, before any route is known: listener > Gateway. Of several
        listeners on one port, the alphabetically first that has a policy of the kind decides."""
        if not self._by_target:
            return NOTHING
        names = sorted(listeners, reverse=True)
        return self._effective([Target(*gateway), *(Target(*gateway, name) for name in names)])

    def on_backend(self, backend: Backend) -> Effective:
        """Where a service, or one version of it, is called from: version > Service."""
        if not self._by_target:
            return NOTHING
        service = Target(_SERVICE, *backend.service)
        targets = [service] if backend.version is None else [service, service._replace(section=backend.version)]
        return self._effective(targets)

    def on_inbound(self, service: ServiceKey) -> Effective:
        """At the sidecars of a service, for what comes in."""
        found = self._at_server.get(Target(_SERVICE, *service))
        return self._of((found,)) if found else NOTHING

    def on_call(self, service: ServiceKey, route: DocumentKey, rule: str | None) -> Effective:
        """For calls to a service that a sidecar routes by a route's rule: rule > route > Service."""
        if not self._by_target:
            return NOTHING
        targets = [Target(_SERVICE, *service), Target(*route)]
        if rule is not None:
            targets.append(Target(*route, rule))
        return self._effective(targets)

    def _effective(self, targets: Iterable[Target]) -> Effective:
        levels = tuple(found for target in targets if (found := self._by_target.get(target)))
        return self._of(levels) if levels else NOTHING

    def _of(self, levels: tuple[tuple[AttachedPolicy, ...], ...]) -> Effective:
        known = self._known.get(levels)
        if known is None:
            known = self._known[levels] = Effective(_by_precedence(levels))
        return known


def _by_precedence(levels: Iterable[tuple[AttachedPolicy, ...]]) -> tuple[AttachedPolicy, ...]:
    """The policies of `levels`, from general to specific, without those that a more specific one overrides."""
    kept: list[AttachedPolicy] = []
    for level in levels:
        overriding = {policy.KIND for policy in level if not policy.STACKS}
        kept = [policy for policy in kept if policy.KIND not in overriding and policy not in level]
        kept.extend(level)
    return tuple(kept)


def _of_kind(policies: Iterable[AttachedPolicy], kind: str) -> AttachedPolicy | None:
    return next((policy for policy in policies if kind == policy.KIND), None)
