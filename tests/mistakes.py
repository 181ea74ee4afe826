"""What people get wrong, kind by kind, and what they are told: `tests/data/errors/KIND.txt`, written anew by
`python -m tests.mistakes`, and then read as code is."""

from __future__ import annotations

import sys
from pathlib import Path

from policy.errors import PolicyError
from policy.kinds import KINDS
from policy.reading import read_documents
from policy.validation import validate
from registry.mesh import Mesh
from registry.model import Change, Item, Protocol, Service
from tests.meshes import documents, gateway

FOLDER = Path(__file__).parent / "data" / "errors"
MISTAKES = (
    "unknown field",
    "wrong unit",
    "out of range",
    "reference to nothing",
    "cycle",
    "regex",
    "twice",
    "exclusive",
)

_ROUTE = """
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: payment}
spec:
  parentRefs: [{name: edge}]
  hostnames: [shop.example]
  rules: [{name: pay, backendRefs: [{name: payment}]}]
"""
_NEWEST = {kind: version for version, kind in sorted(KINDS, reverse=True)}
_NO_DURATION, _NO_NUMBER = "no field of it is a duration", "no field of it is a number"
_NO_REGEX = "no field of it is a regular expression"
_LEAF = "what it names are services, routes, Gateways or certificates, none of which names a policy"
_TREE = "routes name services, and a service names nothing"
_LISTS = "its lists hold nothing that could be there twice"
_STACKS = "policies of the kind add up"

_PAYMENT = "targetRefs: [{kind: HTTPRoute, name: payment}]"
_EDGE = "targetRefs: [{kind: Gateway, name: edge}]"
_SERVICE = "targetRefs: [{kind: Service, name: payment}]"
_GHOST = "targetRefs: [{kind: HTTPRoute, name: paymnt}]"
_GHOST_SERVICE = "targetRefs: [{kind: Service, name: paymnt}]"
_REF = "backendRefs: [{name: payment}]"
_PARENT = "parentRefs: [{name: edge}]"
_JWT = "jwt: {providers: [{name: a, issuer: 'https://a', jwks: {url: 'https://a/k'}%s}]}"
_FAULT = "expiresAt: '2099-01-01T00:00:00Z', longerThanADay: true"
_COLLECTOR = "tracing: {backendRef: {name: %s}}"


class Never(str):
    """Why a mistake cannot be made with a kind."""

    __slots__ = ()


def _http(fields: str) -> str:
    return f"{{{_PARENT}, rules: [{{{fields}}}]}}"


def _two(kind: str, fields: str) -> str:
    """Two policies on one target: the one that is first by name has it."""
    return "---\n".join(document(kind, f"{{{fields}}}", name) for name in ("first", "second"))


def document(kind: str, spec: str, name: str = "it") -> str:
    return f"apiVersion: {_NEWEST[kind]}\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n"


TABLE: dict[str, dict[str, str]] = {
    "AlertPolicy": {
        "unknown field": f"{{{_SERVICE}, rule: []}}",
        "wrong unit": f"{{{_SERVICE}, rules: [{{metric: latency, latency: 10, quantile: 0.9}}]}}",
        "out of range": f"{{{_SERVICE}, rules: [{{metric: errorRate, percent: 101}}]}}",
        "reference to nothing": f"{{{_GHOST_SERVICE}, rules: [{{metric: errorRate, percent: 5}}]}}",
        "cycle": Never(_LEAF),
        "regex": Never(_NO_REGEX),
        "twice": Never("a rule that is there twice says the same twice"),
        "exclusive": Never(_STACKS),
    },
    "AuthenticationPolicy": {
        "unknown field": f"{{{_PAYMENT}, apiKey: {{}}}}",
        "wrong unit": f"{{{_PAYMENT}, {_JWT % ', clockSkew: 10'}}}",
        "out of range": f"{{{_PAYMENT}, {_JWT % ', clockSkew: 1h'}}}",
        "reference to nothing": f"{{{_PAYMENT}, external: {{backendRef: {{name: paymnt}}}}}}",
        "cycle": Never(_LEAF),
        "regex": Never(_NO_REGEX),
        "twice": f"{{{_PAYMENT}, apiKeys: {{clients: [{{name: a, key: 0123456789abcdef}}, "
        "{name: b, key: 0123456789abcdef}]}}",
        "exclusive": _two("AuthenticationPolicy", f"{_PAYMENT}, {_JWT % ''}"),
    },
    "AuthorizationPolicy": {
        "unknown field": f"{{{_PAYMENT}, action: Deny, rules: [{{method: [GET]}}]}}",
        "wrong unit": Never(_NO_DURATION),
        "out of range": f"{{{_EDGE}, action: Allow, clientAddress: {{trustedProxies: 0}}}}",
        "reference to nothing": f"{{{_GHOST}, action: Allow}}",
        "cycle": Never(_LEAF),
        "regex": f"{{{_PAYMENT}, action: Deny, rules: [{{paths: [{{type: RegularExpression, value: '(?=a)'}}], "
        "headers: [{name: a, type: RegularExpression, value: '[a-z]{1,200}'}]}]}",
        "twice": f"{{{_PAYMENT}, action: Deny, rules: [{{name: a, methods: [GET]}}, {{name: a, methods: [PUT]}}]}}",
        "exclusive": "---\n".join(
            document(
                "AuthorizationPolicy",
                f"{{{_PAYMENT}, action: Deny, rules: [{{countries: [DE]}}], countryDatabase: /{name}}}",
                name,
            )
            for name in ("first", "second")
        ),
    },
    "BackendPolicy": {
        "unknown field": f"{{{_SERVICE}, circuitBreaker: {{}}}}",
        "wrong unit": f"{{{_SERVICE}, connection: {{connectTimeout: 10}}}}",
        "out of range": f"{{{_SERVICE}, loadBalancing: {{algorithm: LeastRequest, choices: 1}}}}",
        "reference to nothing": f"{{{_GHOST_SERVICE}, protocol: HTTP2}}",
        "cycle": Never(_LEAF),
        "regex": Never(_NO_REGEX),
        "twice": f"{{{_SERVICE}, loadBalancing: {{locality: {{mode: Weighted, weights: [{{region: a, weight: 1}}, "
        "{region: a, weight: 2}]}}}",
        "exclusive": _two("BackendPolicy", f"{_SERVICE}, protocol: HTTP1"),
    },
    "BackendTLSPolicy": {
        "unknown field": f"{{{_SERVICE}, validation: {{host: a.example, wellKnownCACertificates: System}}}}",
        "wrong unit": Never(_NO_DURATION),
        "out of range": Never(_NO_NUMBER),
        "reference to nothing": f"{{{_GHOST_SERVICE}, validation: {{hostname: a.example, "
        "wellKnownCACertificates: System}}",
        "cycle": Never(_LEAF),
        "regex": Never(_NO_REGEX),
        "twice": Never("a name of the certificate that is there twice says the same twice"),
        "exclusive": _two(
            "BackendTLSPolicy", f"{_SERVICE}, validation: {{hostname: a.example, wellKnownCACertificates: System}}"
        ),
    },
    "CachePolicy": {
        "unknown field": f"{{{_PAYMENT}, directry: /var/cache}}",
        "wrong unit": Never(_NO_DURATION),
        "out of range": Never(_NO_NUMBER),
        "reference to nothing": f"{{{_GHOST}, directory: /var/cache}}",
        "cycle": Never(_LEAF),
        "regex": Never(_NO_REGEX),
        "twice": Never("a header to vary on that is there twice says the same twice"),
        "exclusive": _two("CachePolicy", f"{_PAYMENT}, directory: /var/cache"),
    },
    "CompressionPolicy": {
        "unknown field": f"{{{_PAYMENT}, encoding: [Gzip]}}",
        "wrong unit": Never(_NO_DURATION),
        "out of range": f"{{{_PAYMENT}, minimumBytes: 1}}",
        "reference to nothing": f"{{{_GHOST}, encodings: [Gzip]}}",
        "cycle": Never(_LEAF),
        "regex": Never(_NO_REGEX),
        "twice": f"{{{_PAYMENT}, encodings: [Gzip, Gzip]}}",
        "exclusive": _two("CompressionPolicy", f"{_PAYMENT}, encodings: [Gzip]"),
    },
    "EnvoyPatch": {
        "unknown field": f"{{{_EDGE}, resource: {{type: Listener, name: default/edge/80}}, merge: {{stat_prefx: a}}}}",
        "wrong unit": f"{{{_EDGE}, resource: {{type: Cluster, name: a}}, merge: {{connect_timeout: 10}}}}",
        "out of range": f"{{{_EDGE}, resource: {{type: Listener, name: default/edge/80}}, "
        "merge: {per_connection_buffer_limit_bytes: -1}}",
        "reference to nothing": "{targetRefs: [{kind: Gateway, name: edg}], resource: {type: Cluster, name: a}, "
        "merge: {connect_timeout: 1s}}",
        "cycle": Never(_LEAF),
        "regex": Never("expressions in it are Envoy's to judge: --check envoy"),
        "twice": Never("a patch that is there twice is merged twice, which changes nothing"),
        "exclusive": f"{{{_EDGE}, resource: {{type: Cluster, name: a}}, "
        "merge: {type: EDS, cluster_type: {name: a}}}",
    },
    "ExternalService": {
        "unknown field": "{hostname: a.example}",
        "wrong unit": Never(_NO_DURATION),
        "out of range": "{host: a.example, port: 70000}",
        "reference to nothing": "{host: a.example, tls: {caCertificateRefs: [{name: ghost}]}}",
        "cycle": Never("it names a host and a certificate"),
        "regex": Never(_NO_REGEX),
        "twice": document("ExternalService", "{host: a.example}")
        + "---\n"
        + document("ExternalService", "{host: b.example}"),
        "exclusive": document("ExternalService", "{host: a.example}", "payment"),
    },
    "FaultPolicy": {
        "unknown field": f"{{{_PAYMENT}, {_FAULT}, aborts: {{status: 503}}}}",
        "wrong unit": f"{{{_PAYMENT}, {_FAULT}, delay: {{duration: 10}}}}",
        "out of range": f"{{{_PAYMENT}, {_FAULT}, abort: {{status: 503, percent: 101}}}}",
        "reference to nothing": f"{{{_GHOST}, {_FAULT}, abort: {{status: 503}}}}",
        "cycle": Never(_LEAF),
        "regex": f"{{{_PAYMENT}, {_FAULT}, abort: {{status: 503}}, "
        "headers: [{name: a, type: RegularExpression, value: '(?!a)'}]}",
        "twice": Never("a header that is there twice has to be both, as with routes"),
        "exclusive": f"{{{_PAYMENT}, {_FAULT}, abort: {{status: 503, grpcStatus: 14}}}}",
    },
    "GRPCRoute": {
        "unknown field": _http("backendRef: []"),
        "wrong unit": _http(f"{_REF}, sessionPersistence: {{type: Cookie, absoluteTimeout: 10}}"),
        "out of range": _http("backendRefs: [{name: payment, weight: -1}]"),
        "reference to nothing": _http("backendRefs: [{name: call}]"),
        "cycle": Never(_TREE),
        "regex": _http(
            "matches: [{method: {type: RegularExpression, service: '(?=a)'}}], backendRefs: [{name: calls}]"
        ),
        "twice": _http("matches: [{method: {service: a}}, {method: {service: a}}], backendRefs: [{name: calls}]"),
        "exclusive": _http(
            "filters: [{type: RequestMirror, requestMirror: {backendRef: {name: calls}, percent: 5, "
            "fraction: {numerator: 1}}}], backendRefs: [{name: calls}]"
        ),
    },
    "Gateway": {
        "unknown field": "{listener: []}",
        "wrong unit": Never(_NO_DURATION),
        "out of range": "{listeners: [{name: a, protocol: HTTP, port: 0}]}",
        "reference to nothing": "{listeners: [{name: a, protocol: HTTPS, port: 443, "
        "tls: {certificateRefs: [{name: ghost}]}}]}",
        "cycle": Never("it names certificates only"),
        "regex": Never(_NO_REGEX),
        "twice": "{listeners: [{name: a, protocol: HTTP, port: 81}, {name: a, protocol: HTTP, port: 82}]}",
        "exclusive": "{listeners: [{name: a, protocol: HTTP, port: 81}, {name: b, protocol: TCP, port: 81}]}",
    },
    "HTTPRoute": {
        "unknown field": _http("backendRef: []"),
        "wrong unit": _http(f"{_REF}, timeouts: {{request: 10}}"),
        "out of range": _http("filters: [{type: RequestRedirect, requestRedirect: {statusCode: 200}}]"),
        "reference to nothing": _http("backendRefs: [{name: paymnt}]"),
        "cycle": _http(
            "matches: [{path: {value: /a}}], filters: [{type: RequestRedirect, requestRedirect: "
            "{path: {type: ReplacePrefixMatch, replacePrefixMatch: /a/b}}}]"
        ),
        "regex": _http(
            f"{_REF}, matches: [{{path: {{type: RegularExpression, value: '(?=a)'}}}}, "
            "{path: {type: RegularExpression, value: '/[a-z]{1,200}'}}]"
        ),
        "twice": _http(f"{_REF}, matches: [{{path: {{value: /a}}}}, {{path: {{value: /a}}}}]"),
        "exclusive": _http(
            "filters: [{type: RequestRedirect, requestRedirect: {port: 81}}, "
            f"{{type: URLRewrite, urlRewrite: {{hostname: a.example}}}}], {_REF}"
        ),
    },
    "RateLimitPolicy": {
        "unknown field": f"{{{_PAYMENT}, limit: []}}",
        "wrong unit": f"{{{_PAYMENT}, limits: [{{requests: 1, per: 1}}]}}",
        "out of range": f"{{{_PAYMENT}, limits: [{{requests: 0, per: 1s}}]}}",
        "reference to nothing": f"{{{_PAYMENT}, scope: Service, limits: [{{requests: 1, per: 1s}}], "
        "service: {backendRef: {name: limiter}}}",
        "cycle": Never(_LEAF),
        "regex": Never(_NO_REGEX),
        "twice": f"{{{_PAYMENT}, limits: [{{name: a, requests: 1, per: 1s}}, {{name: a, requests: 2, per: 1m}}]}}",
        "exclusive": "---\n".join(
            document(
                "RateLimitPolicy",
                f"{{targetRefs: [{{kind: {kind}, name: {target}}}], scope: Service, limits: [{{requests: 1, per: 1s}}], "
                f"service: {{server: {{host: {kind.lower()}.example, port: 81}}}}}}",
                kind.lower(),
            )
            for kind, target in (("Gateway", "edge"), ("HTTPRoute", "payment"))
        ),
    },
    "ReferenceGrant": {
        "unknown field": "{from: [{kind: HTTPRoute, namespaces: a}], to: [{kind: Service}]}",
        "wrong unit": Never(_NO_DURATION),
        "out of range": Never(_NO_NUMBER),
        "reference to nothing": Never(
            "it may be there before what it allows: whoever owns the other side decides when"
        ),
        "cycle": Never("two namespaces may allow each other"),
        "regex": Never(_NO_REGEX),
        "twice": Never("what is allowed twice is allowed"),
        "exclusive": Never("grants add up"),
    },
    "ReportPolicy": {
        "unknown field": "{evry: Daily}",
        "wrong unit": "{metricsInterval: 10}",
        "out of range": "{metricsInterval: 1ms}",
        "reference to nothing": f"{{{_GHOST_SERVICE}, every: Daily}}",
        "cycle": Never(_LEAF),
        "regex": Never(_NO_REGEX),
        "twice": Never("a figure that is named twice is reported once"),
        "exclusive": Never(_STACKS),
    },
    "RetryPolicy": {
        "unknown field": f"{{{_PAYMENT}, attempt: 3}}",
        "wrong unit": f"{{{_PAYMENT}, attempts: 3, perTryTimeout: 10}}",
        "out of range": f"{{{_PAYMENT}, attempts: 0}}",
        "reference to nothing": f"{{{_GHOST}, attempts: 3}}",
        "cycle": Never(_LEAF),
        "regex": Never(_NO_REGEX),
        "twice": Never("a reason to try again that is there twice says the same twice"),
        "exclusive": _two("RetryPolicy", f"{_PAYMENT}, attempts: 3"),
    },
    "RolloutPolicy": {
        "unknown field": f"{{{_SERVICE}, canary: v2, advanceBelw: 1}}",
        "wrong unit": f"{{{_SERVICE}, canary: v2, advanceBelow: 1, interval: 10}}",
        "out of range": f"{{{_SERVICE}, canary: v2, advanceBelow: 1, step: 0}}",
        "reference to nothing": f"{{{_GHOST_SERVICE}, canary: v2, advanceBelow: 1}}",
        "cycle": Never(_LEAF),
        "regex": Never(_NO_REGEX),
        "twice": "{targetRefs: [{kind: Service, name: payment}, {kind: Service, name: cart}], canary: v2, "
        "advanceBelow: 1}",
        "exclusive": f"{{{_SERVICE}, canary: v2, advanceBelow: 5, rollBackAbove: 1}}",
    },
    "ScalingPolicy": {
        "unknown field": f"{{{_SERVICE}, replica: 3}}",
        "wrong unit": Never(_NO_DURATION),
        "out of range": f"{{{_SERVICE}, replicas: -1}}",
        "reference to nothing": f"{{{_GHOST_SERVICE}, replicas: 3}}",
        "cycle": Never(_LEAF),
        "regex": Never(_NO_REGEX),
        "twice": f"{{{_SERVICE}, metrics: [{{resource: cpu, utilization: 50}}, {{resource: cpu, utilization: 60}}]}}",
        "exclusive": f"{{{_SERVICE}, replicas: 3, metrics: [{{resource: cpu, utilization: 50}}]}}",
    },
    "Sidecar": {
        "unknown field": document("Sidecar", "{inbound: {aplication: 81}}", "payment"),
        "wrong unit": Never(_NO_DURATION),
        "out of range": document("Sidecar", "{inbound: {application: 0}}", "payment"),
        "reference to nothing": document(
            "Sidecar", "{inbound: {application: 81}, dependencies: [{name: crt}]}", "payment"
        ),
        "cycle": Never(
            "services may call each other, and themselves: a call goes to endpoints, never on to a dependency"
        ),
        "regex": Never(_NO_REGEX),
        "twice": document(
            "Sidecar", "{inbound: {application: 81}, dependencies: [{name: cart}, {name: cart}]}", "payment"
        ),
        "exclusive": document("Sidecar", "{inbound: {application: 81, port: 81}}", "payment"),
    },
    "TCPRoute": {
        "unknown field": f"{{parentRefs: [{{name: edge, sectionName: tcp}}], rules: [{{{_REF}}}], hostnames: [a.example]}}",
        "wrong unit": Never(_NO_DURATION),
        "out of range": "{parentRefs: [{name: edge, sectionName: tcp}], rules: [{backendRefs: [{name: payment, weight: -1}]}]}",
        "reference to nothing": "{parentRefs: [{name: edge, sectionName: tpc}], rules: [{backendRefs: [{name: paymnt}]}]}",
        "cycle": Never(_TREE),
        "regex": Never(_NO_REGEX),
        "twice": f"{{parentRefs: [{{name: edge, sectionName: tcp}}], rules: [{{{_REF}}}, {{{_REF}}}]}}",
        "exclusive": "---\n".join(
            document("TCPRoute", f"{{parentRefs: [{{name: edge, sectionName: tcp}}], rules: [{{{_REF}}}]}}", name)
            for name in ("first", "second")
        ),
    },
    "TLSRoute": {
        "unknown field": f"{{parentRefs: [{{name: edge, sectionName: tls}}], hostname: [a.example], rules: [{{{_REF}}}]}}",
        "wrong unit": Never(_NO_DURATION),
        "out of range": "{parentRefs: [{name: edge, sectionName: tls}], hostnames: [a.example], "
        "rules: [{backendRefs: [{name: payment, weight: 1000001}]}]}",
        "reference to nothing": "{parentRefs: [{name: egde}], hostnames: [a.example], rules: [{backendRefs: [{name: paymnt}]}]}",
        "cycle": Never(_TREE),
        "regex": Never(_NO_REGEX),
        "twice": f"{{parentRefs: [{{name: edge, sectionName: tls}}], hostnames: [a.example], rules: [{{{_REF}}}, {{{_REF}}}]}}",
        "exclusive": "---\n".join(
            document(
                "TLSRoute",
                f"{{parentRefs: [{{name: edge, sectionName: tls}}], hostnames: [a.example], rules: [{{{_REF}}}]}}",
                name,
            )
            for name in ("first", "second")
        ),
    },
    "TelemetryPolicy": {
        "unknown field": f"{{{_EDGE}, accesLog: {{sinks: [{{type: Stdout}}]}}}}",
        "wrong unit": Never(_NO_DURATION),
        "out of range": f"{{{_EDGE}, tracing: {{backendRef: {{name: calls}}, sampling: 101}}}}",
        "reference to nothing": f"{{{_EDGE}, {_COLLECTOR % 'call'}}}",
        "cycle": "---\n".join(
            document(
                "TelemetryPolicy",
                f"{{targetRefs: [{{kind: Service, name: {one}}}], {_COLLECTOR % other}}}",
                f"of-{one}",
            )
            for one, other in (("calls", "cart"), ("cart", "calls"))
        ),
        "regex": Never(_NO_REGEX),
        "twice": f"{{{_EDGE}, accessLog: {{sinks: [{{type: Stdout}}], fields: [{{name: a, value: b}}, "
        "{name: a, value: c}]}}",
        "exclusive": _two("TelemetryPolicy", f"{_EDGE}, accessLog: {{sinks: [{{type: Stdout}}]}}"),
    },
    "ThreatPolicy": {
        "unknown field": f"{{{_PAYMENT}, pattern: [SQLInjection]}}",
        "wrong unit": Never(_NO_DURATION),
        "out of range": f"{{{_PAYMENT}, bounds: {{headerCount: 1}}}}",
        "reference to nothing": f"{{{_GHOST}, patterns: [SQLInjection]}}",
        "cycle": Never(_LEAF),
        "regex": Never(_NO_REGEX),
        "twice": f"{{{_PAYMENT}, patterns: [SQLInjection, SQLInjection]}}",
        "exclusive": _two("ThreatPolicy", f"{_PAYMENT}, patterns: [SQLInjection]"),
    },
    "TimeoutPolicy": {
        "unknown field": f"{{{_PAYMENT}, requests: 1s}}",
        "wrong unit": f"{{{_PAYMENT}, request: 10, idle: 1 minute}}",
        "out of range": f"{{{_PAYMENT}, request: 5s, stream: 1s}}",
        "reference to nothing": f"{{{_GHOST}, request: 1s}}",
        "cycle": Never(_LEAF),
        "regex": Never(_NO_REGEX),
        "twice": Never(_LISTS),
        "exclusive": _two("TimeoutPolicy", f"{_PAYMENT}, request: 1s"),
    },
}
"""By kind and mistake: a spec, or whole documents, or why it cannot be made."""


def told(text: str) -> list[str]:
    """What is said of `text`, problems and warnings ("warning: ..."), in a mesh with the services payment, cart and
    calls (HTTP/2), a Gateway and a route."""
    services = (Service("default", "payment", 8080), Service("default", "cart", 8080))
    items: list[Item] = [*services, Service("default", "calls", 8080, protocol=Protocol.HTTP2)]
    edge = gateway(80).replace("port: 80}", "port: 80}, {name: tcp, protocol: TCP, port: 81}, "
                               "{name: tls, protocol: TLS, port: 82, tls: {mode: Passthrough}}")  # fmt: skip
    try:
        items += [item.to_document() for item in read_documents(documents(edge, _ROUTE).encode(), source="base")]
        items += [item.to_document() for item in read_documents(text.encode(), source="it.yaml")]
    except PolicyError as error:
        return [str(problem) for problem in error.problems]
    found = validate(Mesh().after(Change(None, item) for item in items))
    return [
        *map(str, found.problems),
        *(f"warning: {words}" for words in found.warnings if "default/payment:" not in words),
    ]


def golden(kind: str) -> str:
    """All that a kind's mistakes are answered with, as its file has it."""
    parts = []
    for mistake in MISTAKES:
        text = TABLE[kind].get(mistake, "")
        if isinstance(text, Never):
            parts.append(f"# {mistake}: cannot be: {text}\n")
        else:
            lines = told(text if text.startswith("apiVersion") else document(kind, text))
            parts.append(f"# {mistake}\n" + "".join(f"{line}\n" for line in lines))
    return "\n".join(parts)


def main() -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for kind in TABLE:
        (FOLDER / f"{kind}.txt").write_text(golden(kind))
    return 0


if __name__ == "__main__":
    sys.exit(main())
