"""Whatever a document of the traffic policies says, it is refused with words, or Envoy takes what it compiles to."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from policy.compiler.compiler import Compiler
from policy.errors import PolicyError
from policy.reading import read_documents
from policy.shapes import BaseDocument
from policy.validation import validate
from registry.mesh import Mesh
from registry.model import Change, Endpoint, Item, Protocol, Service, labels
from tests.meshes import gateway
from tests.verdicts import verdict

MANY = 40  # of each kind: Envoy is asked once for all of them
DURATIONS = st.sampled_from(["0s", "1ms", "1s", "1500ms", "90s", "99999h", "1h30m"])
WORDS = st.sampled_from(["x-user", "Accept", "a.b", "v1", "$x", "%x%", "a b", "/x", "/x/y", "*"])
INTEGERS = st.sampled_from([0, 1, 2, 30, 99, 100, 101, 200, 503, 1024, 65_536, 1_000_000])
NUMBERS = INTEGERS | st.sampled_from([0.0001, 0.5, 12.5, 99.9999])


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with some of these fields."""
    return st.fixed_dictionaries({}, optional=fields)


def any_of(*names: str) -> st.SearchStrategy[str]:
    return st.sampled_from(names)


BACKEND = some(
    loadBalancing=some(
        algorithm=any_of("RoundRobin", "LeastRequest", "Random", "RingHash", "Maglev"),
        choices=INTEGERS,
        hashOn=st.lists(
            some(type=any_of("Header", "Cookie", "SourceAddress"), name=WORDS, ttl=DURATIONS, path=WORDS),
            min_size=1,
            max_size=3,
        ),
        slowStart=some(window=DURATIONS, minimumPercent=INTEGERS),
        locality=some(
            mode=any_of("Weighted", "PreferLocal"),
            weights=st.lists(some(zone=any_of("a", "b"), region=any_of("eu"), weight=INTEGERS), max_size=3),
            minimumEndpoints=INTEGERS,
        ),
        panicThreshold=INTEGERS,
    ),
    circuitBreakers=some(connections=INTEGERS, pendingRequests=INTEGERS, requests=INTEGERS, retries=INTEGERS),
    outlierDetection=some(
        consecutiveErrors=INTEGERS,
        consecutiveGatewayErrors=INTEGERS,
        successRate=some(deviations=NUMBERS, minimumEndpoints=INTEGERS, minimumRequests=INTEGERS),
        failureShare=some(percent=INTEGERS, minimumEndpoints=INTEGERS, minimumRequests=INTEGERS),
        interval=DURATIONS,
        ejectionTime=DURATIONS,
        maxEjectionTime=DURATIONS,
        maxEjectedPercent=INTEGERS,
    ),
    healthCheck=some(
        interval=DURATIONS,
        timeout=DURATIONS,
        unhealthyThreshold=INTEGERS,
        healthyThreshold=INTEGERS,
        http=some(path=WORDS, hostname=WORDS, statuses=st.lists(INTEGERS, max_size=2)),
        grpc=some(service=WORDS),
        tcp=some(send=WORDS, receive=st.lists(WORDS, max_size=2)),
    ),
    connection=some(
        connectTimeout=DURATIONS,
        idleTimeout=DURATIONS,
        maxDuration=DURATIONS,
        maxRequests=INTEGERS,
        tcpKeepalive=some(time=DURATIONS, interval=DURATIONS, probes=INTEGERS),
    ),
    protocol=any_of("HTTP1", "HTTP2", "Auto"),
)
TIMEOUT = some(request=DURATIONS, idle=DURATIONS, stream=DURATIONS)
EXPIRIES = any_of("2030-01-31T18:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z")
SHARES = st.sampled_from([0.0001, 0.5, 12.5, 99.9999, 100, 0, 101])
FAULT = st.fixed_dictionaries(
    {
        "expiresAt": EXPIRIES,
        "abort": some(percent=SHARES, status=st.just(503)) | some(percent=SHARES, grpcStatus=st.integers(1, 17)),
    },
    optional={
        "headers": st.lists(
            some(type=any_of("Exact", "RegularExpression"), name=st.just("x"), value=WORDS), min_size=1, max_size=2
        ),
        "delay": some(percent=SHARES, duration=DURATIONS),
    },
)
COMPRESSION = some(
    encodings=st.lists(any_of("Brotli", "Gzip", "Zstd"), max_size=3),
    contentTypes=st.lists(any_of("text/html", "application/x-a+b", "text/*"), max_size=2),
    minimumBytes=INTEGERS,
    effort=any_of("Fast", "Balanced", "Small"),
)
CACHE = some(
    directory=any_of("/tmp", "/tmp/a b", "/nowhere", "x"),  # named, not used
    varyOn=st.lists(WORDS, max_size=2),
    ignoreRequestCacheControl=st.booleans(),
)
ON_ROUTES = {"TimeoutPolicy": TIMEOUT, "FaultPolicy": FAULT, "CompressionPolicy": COMPRESSION, "CachePolicy": CACHE}
LOG = some(
    sinks=st.lists(
        some(type=any_of("Stdout", "File", "OTLP"), path=any_of("/dev/null"), collector=some(backendRef=st.just({"name": "otel"}))),
        min_size=1,
        max_size=2,
    ),
    fields=st.lists(some(name=WORDS, value=WORDS, requestHeader=WORDS, responseHeader=WORDS), max_size=3),
)  # fmt: skip
TELEMETRY = some(
    accessLog=LOG,
    auditLog=LOG,
    tracing=some(
        backendRef=st.just({"name": "otel"}),
        serviceName=WORDS,
        sampling=NUMBERS,
        tags=st.lists(some(name=WORDS, value=WORDS, requestHeader=WORDS), max_size=2),
    ),
)
CONNECTIONS = some(idleTimeout=DURATIONS, maxDuration=DURATIONS, headersTimeout=DURATIONS, receiveTimeout=DURATIONS)


def accepted(kind: str, name: str, target: dict[str, str], spec: dict[str, Any]) -> BaseDocument | None:
    """The document, unless it is refused."""
    text = json.dumps(
        {
            "apiVersion": "apg.mesh/v1",
            "kind": kind,
            "metadata": {"name": name},
            "spec": {"targetRefs": [target], **spec},
        }
    )
    try:
        [document] = read_documents(text.encode(), source="test")
    except PolicyError:
        return None
    return document


def fitting(kind: str, name: str, target: dict[str, str], spec: dict[str, Any]) -> BaseDocument | None:
    """The document, or what is left of it without the fields that it is refused for."""
    whole = accepted(kind, name, target, spec)
    if whole is not None:
        return whole
    parts = [key for key in spec if accepted(kind, name, target, {key: spec[key]}) is not None]
    return accepted(kind, name, target, {key: spec[key] for key in parts}) if parts else None


def routed(number: int) -> str:
    return json.dumps(
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": {"name": f"r{number}"},
            "spec": {
                "parentRefs": [{"name": "edge"}],
                "rules": [{"matches": [{"path": {"value": f"/{number}"}}], "backendRefs": [{"name": f"s{number}"}]}],
            },
        }
    )


@pytest.mark.xdist_group("traffic-policies")
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(data=st.data())
async def test_what_is_not_refused_envoy_takes(data: st.DataObject) -> None:
    items: list[Item] = [Service("default", "otel", 4317, Protocol.HTTP2)]
    typed: list[BaseDocument] = list(read_documents(gateway(80).encode(), source="test"))
    for number in range(MANY):
        items.append(Service("default", f"s{number}", protocol=data.draw(st.sampled_from(Protocol))))
        items += [
            Endpoint("default", f"s{number}", f"10.0.{number}.{at}", 80, labels({"zone": zone}))
            for at, zone in enumerate("ab")
        ]
        typed += read_documents(routed(number).encode(), source="test")
        target = {"kind": "Service", "name": f"s{number}"}
        found = [fitting("BackendPolicy", f"b{number}", target, data.draw(BACKEND))]
        for kind, specs in ON_ROUTES.items():
            found.append(fitting(kind, f"p{number}", {"kind": "HTTPRoute", "name": f"r{number}"}, data.draw(specs)))
        typed += [document for document in found if document is not None]
    edge = {"kind": "Gateway", "name": "edge"}
    wide = [
        fitting("TelemetryPolicy", "wide", edge, data.draw(TELEMETRY)),
        accepted("TimeoutPolicy", "wide", edge, {"connection": data.draw(CONNECTIONS)}),
    ]
    typed += [document for document in wide if document is not None]
    mesh = Mesh().after(Change(None, item) for item in (*items, *(document.to_document() for document in typed)))
    wrong = {problem.document for problem in validate(mesh).problems}
    mesh = mesh.after(Change(d.to_document(), None) for d in typed if str(d.key) in wrong)
    assert validate(mesh).problems == ()
    [snapshot] = Compiler().compile(mesh).values()
    assert await verdict(snapshot) == ""
