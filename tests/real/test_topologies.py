"""Any topology is refused in words, or compiles to what a real Envoy takes; never anything else."""

from __future__ import annotations

import asyncio
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policy.compiler.compiler import Compiler
from policy.errors import PolicyError
from policy.reading import read_documents
from policy.validation import validate
from registry.mesh import Mesh
from registry.model import Change, Item, Protocol, Service
from tests.examples import AllIdentities
from tests.verdicts import verdict

HOSTS = ("a.example", "b.a.example", "*.example", "*.a.example")
BACKENDS = ("payment", "grpc", "outside", "ghost")
LISTENERS = ("one", "two", "three")


def documents_of(kind: str, spec: st.SearchStrategy[dict[str, Any]], *names: str) -> st.SearchStrategy[dict[str, Any]]:
    api = "apg.mesh/v1" if kind in ("Sidecar", "ExternalService") else "gateway.networking.k8s.io/v1"
    made = {"apiVersion": st.just(api), "kind": st.just(kind), "spec": spec}
    return st.fixed_dictionaries({**made, "metadata": st.fixed_dictionaries({"name": st.sampled_from(names)})})


def some(*values: object) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


hosts = st.lists(some(*HOSTS), min_size=1, max_size=3, unique=True)
certificates = st.just([{"name": "shop"}])
listener = st.one_of(
    st.fixed_dictionaries({"protocol": some("HTTP"), "port": some(80, 81)}, optional={"hostname": some(*HOSTS)}),
    st.fixed_dictionaries(
        {"protocol": some("HTTPS"), "port": some(443), "tls": st.fixed_dictionaries({"certificateRefs": certificates})},
        optional={"hostname": some(*HOSTS)},
    ),
    st.fixed_dictionaries(
        {
            "protocol": some("TLS"),
            "port": some(443),
            "tls": some({"mode": "Passthrough"}, {"certificateRefs": [{"name": "s"}]}),
        },
        optional={"hostname": some(*HOSTS)},
    ),
    st.fixed_dictionaries({"protocol": some("TCP"), "port": some(82, 443)}),
)
gateway = documents_of(
    "Gateway",
    st.lists(listener, min_size=1, max_size=3).map(
        lambda made: {"listeners": [{"name": name, **item} for name, item in zip(LISTENERS, made, strict=False)]}
    ),
    "edge",
)
parents = st.one_of(
    st.just([{"name": "edge"}]),
    st.lists(some(*LISTENERS), min_size=1, max_size=2, unique=True).map(
        lambda names: [{"name": "edge", "sectionName": name} for name in names]
    ),
    st.just([{"group": "", "kind": "Service", "name": "payment"}]),
)
refs = st.lists(
    st.fixed_dictionaries({"name": some(*BACKENDS[:3])}, optional={"weight": some(0, 1, 5)}), min_size=1, max_size=2
)
path = st.fixed_dictionaries({"type": some("Exact", "PathPrefix"), "value": some("/", "/a", "/a/b")})
filters = st.lists(
    some(
        {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "payment"}, "percent": 10}},
        {"type": "CORS", "cors": {"allowOrigins": ["https://*.example", "*"]}},
        {"type": "URLRewrite", "urlRewrite": {"hostname": "x.example"}},
        {"type": "RequestRedirect", "requestRedirect": {"scheme": "https"}},
    ),
    max_size=2,
)
rule = st.fixed_dictionaries(
    {"matches": st.lists(st.fixed_dictionaries({"path": path}), min_size=1, max_size=2)},
    optional={
        "backendRefs": refs,
        "filters": filters,
        "retry": some({}, {"codes": [500], "attempts": 2, "backoff": "1ms"}),
        "sessionPersistence": some({}, {"type": "Header"}),
        "timeouts": some({"request": "1s"}, {"request": "0s", "backendRequest": "1s"}),
    },
)
http_route = documents_of(
    "HTTPRoute",
    st.fixed_dictionaries(
        {"parentRefs": parents, "rules": st.lists(rule, min_size=1, max_size=2)}, optional={"hostnames": hosts}
    ),
    "h1",
    "h2",
)
grpc_rule = st.fixed_dictionaries(
    {"backendRefs": st.just([{"name": "grpc"}])},
    optional={
        "matches": st.lists(
            st.fixed_dictionaries(
                {"method": some({"service": "a.B"}, {"method": "C"}, {"service": "a.B", "method": "C"})}
            ),
            min_size=1,
            max_size=2,
        )
    },
)
grpc_route = documents_of(
    "GRPCRoute",
    st.fixed_dictionaries(
        {"parentRefs": parents, "rules": st.lists(grpc_rule, min_size=1, max_size=2)}, optional={"hostnames": hosts}
    ),
    "g1",
)
stream_rules = st.lists(st.fixed_dictionaries({"backendRefs": refs}), min_size=1, max_size=1)
tls_route = documents_of(
    "TLSRoute", st.fixed_dictionaries({"parentRefs": parents, "hostnames": hosts, "rules": stream_rules}), "t1", "t2"
)
tcp_route = documents_of("TCPRoute", st.fixed_dictionaries({"parentRefs": parents, "rules": stream_rules}), "c1", "c2")
outside = documents_of(
    "ExternalService",
    st.fixed_dictionaries(
        {"host": some("outside.example", "10.0.0.9")},
        optional={"tls": some({}, {"sni": "x.example"}, {"caCertificateRefs": [{"name": "ca"}]}), "port": some(80)},
    ),
    "outside",
)
dependency = st.fixed_dictionaries({"name": some(*BACKENDS[:3])}, optional={"tcpPort": some(7001, 7002)})
sidecar = documents_of(
    "Sidecar",
    st.fixed_dictionaries(
        {
            "inbound": some({"application": 8080}, {"application": 8080, "protocol": "TCP"}),
            "dependencies": st.lists(dependency, max_size=3),
        }
    ),
    "payment",
)
topology = st.tuples(
    gateway, outside, st.lists(st.one_of(http_route, grpc_route, tls_route, tcp_route, sidecar), max_size=4)
).map(lambda made: [made[0], made[1], *made[2]])


@settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(documents=topology)
def test_a_topology_is_refused_in_words_or_taken_by_envoy(documents: list[dict[str, Any]]) -> None:
    items: list[Item] = [Service("default", "payment"), Service("default", "grpc", protocol=Protocol.HTTP2)]
    try:
        items += [item.to_document() for item in read_documents(yaml.safe_dump_all(documents).encode(), source="test")]
    except PolicyError as error:
        assert str(error)
        return
    mesh, identities = Mesh().after(Change(None, item) for item in items), AllIdentities()
    if validate(mesh, identities=identities).problems:
        return
    for group, snapshot in Compiler(identities).compile(mesh).items():
        words = asyncio.run(verdict(snapshot))
        assert words == "", (group, words)
