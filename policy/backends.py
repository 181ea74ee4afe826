"""What a backendRef's name means: a service, or one version of a service (docs/decisions/0002)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from registry.mesh import Mesh
from registry.model import Endpoint, ServiceKey


class Backend(NamedTuple):
    """A service's endpoints, or those with the label `version`."""

    service: ServiceKey
    version: str | None

    def __str__(self) -> str:
        return f"{self.service}-{self.version}" if self.version is not None else str(self.service)

    def among(self, endpoints: Iterable[Endpoint]) -> Iterator[Endpoint]:
        """Those of the service's endpoints that belong to this backend."""
        return (endpoint for endpoint in endpoints if self.version in (None, endpoint.version))


def resolve(mesh: Mesh, *, namespace: str, name: str) -> Backend | None:
    """The backend `name` in `namespace`: the service of that name, or, for "S-V", the version V of the service S that
    an endpoint carries. None if there is neither."""
    service = ServiceKey(namespace, name)
    if service in mesh.services:
        return Backend(service, None)
    for owner, version in splits(mesh, service):
        if version in mesh.versions_of(owner):
            return Backend(owner, version)
    return None


def standing(mesh: Mesh, *, namespace: str, name: str) -> Backend | None:
    """As `resolve`, but a version may have lost its last endpoint since its document was accepted."""
    backend = resolve(mesh, namespace=namespace, name=name)
    if backend is not None:
        return backend
    return next((Backend(*split) for split in splits(mesh, ServiceKey(namespace, name))), None)


def splits(mesh: Mesh, name: ServiceKey) -> Iterator[tuple[ServiceKey, str]]:
    """The ways to read "S-V" as a registered service and a version, the longest service name first."""
    for cut in range(len(name.name) - 2, 0, -1):
        if name.name[cut] == "-":
            owner = ServiceKey(name.namespace, name.name[:cut])
            if owner in mesh.services:
                yield owner, name.name[cut + 1 :]
