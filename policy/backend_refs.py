"""Whether the backendRefs of routes name what exists: each name is looked up once, however many use it."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from policy.attached import AttachedPolicy, BackendReference
from policy.backends import Backend, resolve, splits, standing
from policy.errors import Problem
from policy.external_service import ExternalService
from policy.problems import listed, nearest
from policy.reference_grant import Grants
from policy.route import BackendRef, Route
from policy.shapes import BaseDocument
from policy.sidecar import Sidecar
from registry.mesh import Mesh
from registry.model import DocumentKey, ItemKey, ServiceKey

_SUGGESTIONS = 4
"""Looking for a name that is near takes about 0.1 s among 10,000, and a file may name thousands that do not exist."""


class BackendRefs:
    """Judges backendRefs against a mesh; `changed` as for `validate`."""

    def __init__(self, mesh: Mesh, grants: Grants, *, changed: Collection[ItemKey] | None) -> None:
        self._mesh = mesh
        self._grants = grants
        self._changed = frozenset(changed) if changed is not None else None
        self._resolved: dict[tuple[ServiceKey, bool], Backend | None] = {}
        self._wanted: dict[ServiceKey, tuple[str, str]] = {}
        self._served: dict[Backend, bool] = {}
        self._names: dict[str, list[str]] = {}
        self._suggestions = 0

    def findings(self, route: Route | Sidecar) -> Iterator[Problem | str]:
        """What is wrong with the backendRefs of `route`, and, as text, what is worth a look."""
        for where, ref in route.backend_refs():
            yield from self._finding(route, ref, where)

    def findings_of_policy(self, policy: AttachedPolicy) -> Iterator[Problem | str]:
        """The same for the services that an attached policy names."""
        for where, ref in policy.backend_refs():
            yield from self._finding(policy, ref, where)

    def _finding(self, route: BaseDocument, ref: BackendReference, where: str) -> Iterator[Problem | str]:
        document, home = str(route.key), route.key.namespace
        name = ServiceKey(ref.namespace or home, ref.name)
        if not self._grants.allow(route, kind="Service", namespace=name.namespace, name=name.name):
            # Whether it exists is not told: that is for those to know whom it was granted to.
            want = (
                f"a service in {home}, or a ReferenceGrant in {name.namespace} from {route.key.kind} in {home} "
                f"to Service {name.name}"
            )
            yield Problem(document, where, f"{name}, in another namespace", want)
            return
        backend = self._backend(name, fresh=self._is_fresh(route, name))
        if backend is None:
            yield Problem(document, f"{where}.name", *self._missing(name))
            return
        service = self._mesh.services[backend.service]
        if ref.port is not None and ref.port != service.port:
            want = f"{service.port}, the port of {service.key}, or none"
            yield Problem(document, f"{where}.port", str(ref.port), want)
        if not self._is_served(backend):
            idle = isinstance(ref, BackendRef) and not ref.weight
            share = "if it had weight, it would get" if idle else "its share of requests gets"
            yield f"{document}: {where}: {backend} has no endpoints: {share} 503"

    def _is_fresh(self, route: BaseDocument, name: ServiceKey) -> bool:
        # Of a service that has just been removed, "payment-canary", what is left must not pass for the version "canary"
        # of payment.
        return self._changed is None or route.key in self._changed or name in self._changed

    def _backend(self, name: ServiceKey, *, fresh: bool) -> Backend | None:
        if (name, fresh) not in self._resolved:
            find = resolve if fresh else standing
            self._resolved[name, fresh] = find(self._mesh, namespace=name.namespace, name=name.name)
        return self._resolved[name, fresh]

    def _is_served(self, backend: Backend) -> bool:
        if backend not in self._served:
            external = DocumentKey(ExternalService.KIND, *backend.service) in self._mesh.documents
            instances = self._mesh.endpoints.get(backend.service, {}).values()
            self._served[backend] = external or any(backend.among(instances))
        return self._served[backend]

    def _missing(self, name: ServiceKey) -> tuple[str, str]:
        """What was got and what would be right, for a name that nothing has."""
        if name not in self._wanted:
            self._wanted[name] = self._missing_version(name) or self._missing_service(name)
        return self._wanted[name]

    def _missing_version(self, name: ServiceKey) -> tuple[str, str] | None:
        for owner, version in splits(self._mesh, name):
            versions = self._mesh.versions_of(owner)
            if versions or version.startswith("v"):
                got = f"{name.name}: no endpoint of {owner.name} has the version {version}"
                return got, f"a version of {owner.name}: {listed(versions) or 'none yet'}"
        return None

    def _missing_service(self, name: ServiceKey) -> tuple[str, str]:
        got, names = f"{name.name}, which does not exist", self._names_in(name.namespace)
        if not names:
            return got, f"a service of {name.namespace}, which has none"
        suggestion = nearest(name.name, names) if self._suggestions < _SUGGESTIONS else ""
        self._suggestions += 1
        return got, f"a service of {name.namespace}: {listed(names)}{suggestion}"

    def _names_in(self, namespace: str) -> list[str]:
        if namespace not in self._names:
            self._names[namespace] = sorted(key.name for key in self._mesh.services if key.namespace == namespace)
        return self._names[namespace]
