"""Of two route configurations, what they do not share: nobody reads thousands of routes to find the one that changed,
and turning all of them into text takes seconds. Pure."""

from __future__ import annotations

from collections import Counter

from protos.apg.xds.v3 import references_pb2 as pb

_MANY = 500
"""Routes of one configuration that are turned into text: some milliseconds each."""
_FEW = 10
"""Routes up to which all are shown, for their order is easier to see so."""


def differing(before: bytes, after: bytes) -> tuple[bytes, bytes]:
    """Both, serialized, without the routes that both have in the same virtual host, where there are many of them. A
    virtual host that is the same in both is left out."""
    one, other = pb.RouteConfigurationRefs.FromString(before), pb.RouteConfigurationRefs.FromString(after)
    if _count(one) <= _FEW and _count(other) <= _FEW:
        return before, after
    shared = {host.name: _routes(host) for host in one.virtual_hosts}
    for host in other.virtual_hosts:
        shared[host.name] = shared.get(host.name, Counter()) & _routes(host)
    whole = {host.name: host.SerializeToString() for host in one.virtual_hosts}
    same = {host.name for host in other.virtual_hosts if whole.get(host.name) == host.SerializeToString()}
    present = {host.name for host in other.virtual_hosts} & whole.keys()
    for configuration in (one, other):
        kept = [host for host in configuration.virtual_hosts if host.name not in same]
        for host in kept:
            if host.name in present:
                _keep_only_unshared(host, Counter(shared[host.name]))
        del configuration.virtual_hosts[:]
        configuration.virtual_hosts.extend(kept)
    return one.SerializeToString(), other.SerializeToString()


def shortened(body: bytes) -> tuple[bytes, int]:
    """A route configuration with its first routes, and how many more it has, where there are very many."""
    configuration = pb.RouteConfigurationRefs.FromString(body)
    count = _count(configuration)
    if count <= _MANY:
        return body, 0
    left = _MANY
    kept = []
    for host in configuration.virtual_hosts:
        if left <= 0:
            break
        del host.routes[left:]
        left -= len(host.routes)
        kept.append(host)
    del configuration.virtual_hosts[:]
    configuration.virtual_hosts.extend(kept)
    return configuration.SerializeToString(), count - _MANY


def _keep_only_unshared(host: pb.VirtualHostRefs, shared: Counter[bytes]) -> None:
    kept = []
    for route in host.routes:
        key = route.SerializeToString()
        if shared[key]:
            shared[key] -= 1
        else:
            kept.append(route)
    del host.routes[:]
    host.routes.extend(kept)


def _routes(host: pb.VirtualHostRefs) -> Counter[bytes]:
    return Counter(route.SerializeToString() for route in host.routes)


def _count(configuration: pb.RouteConfigurationRefs) -> int:
    return sum(len(host.routes) for host in configuration.virtual_hosts)
