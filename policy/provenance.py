"""Which documents, and which steps of the compiler, each part of a compiled resource comes from. Pure.

A part that a policy made is found by compiling without that policy: what differs is its. So this needs no help from the
features, and cannot be wrong about them. What a route is, its name says.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from betterproto2 import Casing, Message

from policy.attached import AttachedPolicy
from policy.compiler.compiler import Compiler
from policy.compiler.features import ACTION_STEPS, CLUSTER_STEPS, CONNECTION_MANAGER_STEPS, STREAM_STEPS
from policy.compiler.http_filters import HTTP_FILTERS
from policy.compiler.names import route_source
from policy.documents import Documents
from policy.gateway import Gateway
from protos.apg.xds.v3 import references_pb2 as pb
from registry.mesh import Mesh
from registry.model import Change
from xds.resource import Resource
from xds.resource_types import CLUSTER, ENDPOINT, LISTENER, ROUTE, ResourceType

_BUILDERS = {
    CLUSTER: "policy.compiler.clusters",
    ENDPOINT: "policy.compiler.endpoints",
    LISTENER: "policy.compiler.listeners",
    ROUTE: "policy.compiler.routes",
}
_POLICIES = 64
"""Policies of one resource that are looked into: each is a compilation of its own."""


@dataclass(frozen=True, slots=True)
class Part:
    """A place in a resource (field names as Envoy's documentation has them; virtual hosts and routes by name), and
    what it comes from: a document, with a place there where it is known, or what is registered."""

    place: str
    document: str
    path: str
    step: str


def parts(mesh: Mesh, group: str, resource: Resource, compiler: Compiler) -> Iterator[Part]:
    """The parts of `resource`, which `mesh` compiles to for `group`: first those that come from what exists and from
    routing documents, then those of each attached policy."""
    yield from _own_parts(mesh, resource)
    documents = Documents.of(mesh)
    by_word = {str(policy.key): policy for policy in documents.policies}
    policies = [by_word[word] for word in resource.origin if word in by_word]
    for policy in policies[:_POLICIES]:
        yield from _policy_parts(mesh, group, resource, compiler, policy)


def _own_parts(mesh: Mesh, resource: Resource) -> Iterator[Part]:
    step = _BUILDERS.get(resource.type, "policy.compiler.compiler")
    if resource.type is ROUTE:
        yield from _route_parts(resource)
        return
    origin = resource.origin[0] if resource.origin else ""
    if resource.type is ENDPOINT:
        body = _message(resource.type, resource.body).to_dict(casing=Casing.SNAKE)
        for number, locality in enumerate(body.get("endpoints", [])):
            for index, endpoint in enumerate(locality.get("lb_endpoints", [])):
                address = endpoint["endpoint"]["address"]["socket_address"]
                where = f"{origin.removeprefix('Service ')} {address['address']}:{address['port_value']}"
                yield Part(f"endpoints[{number}].lb_endpoints[{index}]", f"Endpoint {where}", "", step)
        return
    if resource.type is LISTENER and origin.startswith(f"{Gateway.KIND} "):
        yield Part("address", origin, "spec.addresses", step)
        yield Part("filter_chains", origin, "spec.listeners", step)
        return
    yield Part("", origin, "", step)


def _route_parts(resource: Resource) -> Iterator[Part]:
    for host in pb.RouteConfigurationRefs.FromString(resource.body).virtual_hosts:
        for number, route in enumerate(host.routes):
            name = _message_of("Route", route.SerializeToString()).name
            source = route_source(name)
            document, path = (name, "")
            if source is not None:
                key, rule, match = source
                document, path = str(key), f"spec.rules[{rule}].matches[{match}]"
            yield Part(f"virtual_hosts[{host.name}].routes[{number}]", document, path, _BUILDERS[ROUTE])


def _policy_parts(
    mesh: Mesh, group: str, resource: Resource, compiler: Compiler, policy: AttachedPolicy
) -> Iterator[Part]:
    """What would be otherwise without `policy`."""
    without = mesh.after([Change(mesh.documents[policy.key], None)])
    other = compiler.compile(without).get(group)
    before = other.get(*resource.key) if other is not None else None
    step = _step_of(type(policy))
    if before is None:
        yield Part("", str(policy.key), "", step)
        return
    for place in _differences(resource, before):
        yield Part(place, str(policy.key), "spec", step)


def _differences(one: Resource, other: Resource) -> Iterator[str]:
    """The places in which two resources of one name differ."""
    if one.type is not ROUTE:
        yield from _places(_dict(one.type, one.body), _dict(other.type, other.body), "")
        return
    known = {
        (host.name, number): route.SerializeToString()
        for host in pb.RouteConfigurationRefs.FromString(other.body).virtual_hosts
        for number, route in enumerate(host.routes)
    }
    for host in pb.RouteConfigurationRefs.FromString(one.body).virtual_hosts:
        for number, route in enumerate(host.routes):
            here, there = route.SerializeToString(), known.get((host.name, number))
            if here != there:
                place = f"virtual_hosts[{host.name}].routes[{number}]"
                then = {} if there is None else _message_of("Route", there).to_dict(casing=Casing.SNAKE)
                yield from _places(_message_of("Route", here).to_dict(casing=Casing.SNAKE), then, place)


def _places(one: Any, other: Any, place: str) -> Iterator[str]:  # noqa: ANN401  # whatever JSON holds
    """The outermost places that are in `one` and not, or otherwise, in `other`."""
    if one == other:
        return
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted(one.keys() | other.keys()):
            inner = f"{place}.{name}" if place else name
            if name not in one or name not in other:
                yield inner
            else:
                yield from _places(one[name], other[name], inner)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (here, there) in enumerate(zip(one, other, strict=True)):
            yield from _places(here, there, f"{place}[{index}]")
    else:
        yield place


def _dict(type: ResourceType, body: bytes) -> dict[str, Any]:
    return _message(type, body).to_dict(casing=Casing.SNAKE)


def _message(type: ResourceType, body: bytes) -> Message:
    module, name = type.message.split(":")
    made: Message = getattr(importlib.import_module(module), name).parse(body)
    return made


def _message_of(name: str, body: bytes) -> Any:  # noqa: ANN401  # a class of that module
    return getattr(importlib.import_module("envoy_data_plane.envoy.config.route.v3"), name).parse(body)


@cache
def _step_of(kind: type[AttachedPolicy]) -> str:
    """The modules of the compiler that read a kind of policy: those of the registered steps that name it."""
    steps: Iterable[Any] = (
        *ACTION_STEPS,
        *CLUSTER_STEPS,
        *CONNECTION_MANAGER_STEPS,
        *STREAM_STEPS,
        *(row.asked for row in HTTP_FILTERS),
    )
    modules = dict.fromkeys(getattr(step, "__module__", "") for step in steps)
    found = [name for name in modules if name and kind in vars(importlib.import_module(name)).values()]
    return ", ".join(found) or "policy.compiler"
