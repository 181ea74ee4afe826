"""Answers to questions about the mesh and its proxies, as lines for people."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import datetime, time, timedelta

from controlplane.operations import Operations
from intelligence.intents.errors import ContradictionError
from intelligence.intents.intents import About, Question, Restore
from policy.backends import standing
from policy.kinds import http_routes
from registry.model import Change, Document, ServiceKey
from xds.fleet import ClientStatus

_SHOWN = 50  # lines


class Questions:
    """Looks at the mesh, its revisions and the fleet."""

    def __init__(
        self,
        operations: Operations,
        *,
        fleet: Callable[[], Sequence[ClientStatus]],
        console: Callable[[], str | None],
        now: Callable[[], datetime],
    ) -> None:
        self._operations = operations
        self._fleet = fleet
        self._console = console
        self._now = now

    async def answered(self, question: Question) -> list[str]:
        """The lines that answer it; never none."""
        match question.about:
            case About.CHANGES:
                lines = [line async for line in self._changes(question)]
                return lines or [f"nothing changed{' since ' + question.since if question.since else ''}"]
            case About.HEALTH:
                lines = list(self._health(question.target))
            case About.BEHIND:
                lines = list(self._behind())
            case About.WHY_REFUSED:
                lines = list(self._refused(question.target))
            case About.CALLERS:
                lines = list(self._callers(question.target))
            case About.TOPOLOGY:
                lines = [self._topology()]
            case About.SPLIT:
                lines = list(self._split(question.target))
            case About.SERVICES:
                lines = [self._service(key) for key in sorted(self._operations.mesh.services)]
            case About.ROUTES:
                lines = [f"{route.key}: {len(route.spec.rules)} rules" for route in http_routes(self._operations.mesh)]
            case About.POLICIES:
                lines = list(self._policies(question.target))
        return lines[:_SHOWN] or ["none"]

    def standing(self, changes: Sequence[Change]) -> Iterator[str]:
        """What is worth knowing of the proxies that a change would go to."""
        if changes and any(not status.in_sync for status in self._fleet()):
            yield "some proxies are behind already: `apg status` shows which"

    def _service(self, key: ServiceKey) -> str:
        mesh = self._operations.mesh
        versions = ", ".join(mesh.versions_of(key)) or "no versions"
        return f"{key}: {len(mesh.endpoints_of(key))} endpoints, {versions}"

    def _health(self, target: ServiceKey | None) -> Iterator[str]:
        mesh = self._operations.mesh
        for key in [target] if target is not None else sorted(mesh.services):
            count = len(mesh.endpoints_of(key))
            state = "no endpoint: requests to it fail" if not count else f"{count} endpoints registered"
            yield f"{key}: {state}"
        fleet = self._fleet()
        behind = sum(not status.in_sync for status in fleet)
        yield f"{len(fleet)} proxies connected, {behind} behind"

    def _behind(self) -> Iterator[str]:
        fleet = self._fleet()
        for status in fleet:
            if status.in_sync:
                continue
            refusals = [
                f"{item.type.short} refused: {item.nacked.reason}" for item in status.types if item.nacked is not None
            ]
            why = "; ".join(refusals) or "has not ACKed the newest yet"
            yield f"{status.client.node_id} ({status.client.group}): {why}"
        if all(status.in_sync for status in fleet):
            yield f"no proxy is behind; {len(fleet)} are connected"

    def _refused(self, target: ServiceKey | None) -> Iterator[str]:
        """Documents of the service that proxies refuse, and policies that refuse its callers."""
        names = self._documents_about(target)
        found = False
        for status in self._fleet():
            for item in status.types:
                if item.nacked is None:
                    continue
                blamed = [origin for origin in item.nacked.origins if target is None or origin in names]
                if blamed or target is None:
                    found = True
                    what = ", ".join(blamed) or item.type.short
                    yield f"{status.client.node_id} refused {what}: {item.nacked.reason}"
        closing = [name for name in sorted(names) if name.split(" ")[0] in _CLOSING]
        if closing:
            yield f"policies that may refuse its callers: {', '.join(closing)}"
        if not found:
            what = f"no document of {target}" if target is not None else "no document"
            yield f"{what} is refused by a connected proxy"

    def _callers(self, target: ServiceKey | None) -> Iterator[str]:
        if target is None:
            return
        rules = [name for name in sorted(self._documents_about(target)) if name.startswith("AuthorizationPolicy")]
        if not rules:
            yield f"everybody: no AuthorizationPolicy is about {target}"
        for name in rules:
            kind, _, rest = name.partition(" ")
            namespace, _, short = rest.partition("/")
            document = next(
                d for d in self._operations.mesh.documents_of(kind) if (d.namespace, d.name) == (namespace, short)
            )
            spec = {k: v for k, v in json.loads(document.body)["spec"].items() if k != "targetRefs"}
            yield f"{name}: {json.dumps(spec, ensure_ascii=False)}"
        routes = sorted(
            {str(route.key) for route in http_routes(self._operations.mesh) if self._carries(route, target)}
        )
        yield f"requests come in by {', '.join(routes)}" if routes else "no HTTPRoute leads to it"

    def _carries(self, route: object, target: ServiceKey) -> bool:
        from policy.http_route import HTTPRoute

        assert isinstance(route, HTTPRoute)
        return any(
            (backend := standing(self._operations.mesh, namespace=ref.namespace or route.key.namespace, name=ref.name))
            is not None
            and backend.service == target
            for rule in route.spec.rules
            for ref in rule.backend_refs
        )

    def _split(self, target: ServiceKey | None) -> Iterator[str]:
        for route in http_routes(self._operations.mesh):
            if target is not None and not self._carries(route, target):
                continue
            for index, rule in enumerate(route.spec.rules):
                total = sum(ref.weight for ref in rule.backend_refs) or 1
                shares = ", ".join(f"{100 * ref.weight / total:g}% to {ref.name}" for ref in rule.backend_refs)
                yield f"{route.key}, rule {index}: {shares or 'no backend'}"

    def _policies(self, target: ServiceKey | None) -> Iterator[str]:
        routing = ("Gateway", "HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute", "ReferenceGrant")
        names = self._documents_about(target)
        return (name for name in sorted(names) if name.split(" ")[0] not in routing)

    def _documents_about(self, target: ServiceKey | None) -> set[str]:
        """The documents of a service: its routes, and the policies attached to it or to those; all, without one."""
        mesh = self._operations.mesh
        if target is None:
            return {str(key) for key in mesh.documents}
        routes = {route.key for route in http_routes(mesh) if self._carries(route, target)}
        found = {str(key) for key in routes}
        parents = {
            (ref.namespace or route.key.namespace, ref.name)
            for route in http_routes(mesh)
            if route.key in routes
            for ref in route.spec.parent_refs
        }
        for key, document in mesh.documents.items():
            for ref in json.loads(document.body).get("spec", {}).get("targetRefs", ()):
                place = (key.namespace, ref["name"])
                if (
                    (ref["kind"] == "Service" and place == tuple(target))
                    or any(ref["kind"] == route.kind and place == (route.namespace, route.name) for route in routes)
                    or (ref["kind"] == "Gateway" and place in parents)
                ):
                    found.add(str(key))
        return found

    def _topology(self) -> str:
        address = self._console()
        if address is None:
            switch = "`apg up --console-address 127.0.0.1:18002`"
            return f"the topology is a page of the console, which is not switched on: {switch}"
        return f"the topology is a page of the console: http://{address}/"

    async def _changes(self, question: Question) -> AsyncIterator[str]:
        since: datetime | None = None
        if question.since:
            today = datetime.combine(self._now().date(), time(), self._now().tzinfo)
            since = today if question.since == "today" else today - timedelta(days=1)
        about = self._documents_about(question.target) if question.target is not None else None
        for revision in await self._operations.revisions(before=None, limit=_SHOWN):
            if since is not None and revision.at < since:
                return
            changes = [
                str(change)
                for change in revision.changes
                if about is None or str(change.key) in about or not isinstance(change.item, Document)
            ]
            if changes:
                at = revision.at.strftime("%Y-%m-%d %H:%M")
                yield f"revision {revision.number}, {at}, {revision.author}: {'; '.join(changes[:5])}" + (
                    f" ({revision.reason})" if revision.reason else ""
                )


_CLOSING = ("AuthenticationPolicy", "AuthorizationPolicy", "ThreatPolicy", "RateLimitPolicy", "FaultPolicy")


def moment_of(restore: Restore, now: datetime) -> datetime:
    """The moment that is meant, in the zone of `now`. Raises ContradictionError for one that is to come."""
    if restore.ago is not None:
        return now - restore.ago
    day, _, clock = restore.moment.rpartition(" ")
    try:
        date = (
            now.date()
            if not day
            else now.date() - timedelta(days=1)
            if day == "yesterday"
            else datetime.fromisoformat(day).date()
        )
        moment = datetime.combine(date, time.fromisoformat(clock), now.tzinfo)
    except ValueError:
        raise ContradictionError(
            f"{restore.moment}: want a date and a time, such as 2026-01-31 14:00; nothing was changed"
        ) from None
    if moment > now:
        raise ContradictionError(f"{restore.moment} is to come: want a moment that has been; nothing was changed")
    return moment
