"""Which services a sidecar may call besides its dependencies, and which of them a host means. Pure.

It may call what its document might declare: what its own namespace has, and what others granted to it. Of all else it
is not told whether it exists.
"""

from __future__ import annotations

from collections.abc import Iterator

from policy.backends import resolve, standing
from policy.documents import Documents
from policy.external_service import ExternalService, with_external
from policy.sidecar import Sidecar
from registry.mesh import Mesh
from registry.model import ServiceKey

CLUSTER_DOMAIN = "svc.cluster.local"


def may_call(mesh: Mesh, documents: Documents, sidecar: Sidecar, service: ServiceKey) -> bool:
    """Whether calls to `service`, or a version of one, go out though they are not declared. mesh: with what is external
    (`with_external`)."""
    return _is_open_to(documents, sidecar, service) and standing(mesh, **service._asdict()) is not None


def named(mesh: Mesh, documents: Documents, sidecar: Sidecar, host: str) -> ServiceKey | None:
    """The undeclared service that `host` (in lower case, with or without a port) means to the application beside
    `sidecar`; None if there is none that it may call."""
    mesh = with_external(mesh, documents.all(ExternalService))
    name = _without_port(host)
    outside = (ServiceKey(*item.key[1:]) for item in documents.all(ExternalService) if item.spec.host == name)
    for service in (*_readings(name, sidecar.key.namespace), *outside):
        # A version has to exist: every name with a "-" might mean one.
        if _is_open_to(documents, sidecar, service) and resolve(mesh, **service._asdict()) is not None:
            return service
    return None


def _is_open_to(documents: Documents, sidecar: Sidecar, service: ServiceKey) -> bool:
    if sidecar.spec.outbound.undeclared == "Refuse":
        return False
    return documents.grants.allow(sidecar, kind="Service", namespace=service.namespace, name=service.name)


def _readings(host: str, home: str) -> Iterator[ServiceKey]:
    """The ways to read `host`: see `host_names`. A name may have dots in it, a namespace has none."""
    short = host.removesuffix(f".{CLUSTER_DOMAIN}").removesuffix(".svc")
    if short == host:
        yield ServiceKey(home, host)
    name, dot, namespace = short.rpartition(".")
    if dot:
        yield ServiceKey(namespace, name)


def _without_port(host: str) -> str:
    bare, colon, port = host.rpartition(":")
    return bare if colon and port.isdigit() else host


def host_names(documents: Documents, called: ServiceKey, home: str) -> Iterator[str]:
    """The hosts by which a service is called from the namespace `home`: as Kubernetes names them, and by a host outside
    as it is."""
    yield f"{called.name}.{called.namespace}"
    if called.namespace == home:
        yield called.name
    yield f"{called.name}.{called.namespace}.svc"
    yield f"{called.name}.{called.namespace}.{CLUSTER_DOMAIN}"
    external = documents.get(ExternalService, *called)
    if external is not None:
        yield external.spec.host
