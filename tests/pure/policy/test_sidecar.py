"""Sidecar: what helps whoever wrote a wrong one, and which routes and policies count for calls."""

from __future__ import annotations

import pytest
from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration

from policy.compiler.compiler import Compiler
from policy.errors import PolicyError
from policy.reading import read_documents
from policy.validation import validate
from registry.mesh import Mesh
from registry.model import Change, Item, Service
from tests.meshes import documents
from tests.shop import policy
from xds.resource_types import CLUSTER, LISTENER, ROUTE, ResourceKey


def sidecar(fields: str, *, name: str = "checkout") -> str:
    return f"""
apiVersion: apg.mesh/v1
kind: Sidecar
metadata: {{name: {name}}}
spec: {{inbound: {{application: 8080}}, {fields}}}
"""


def route(name: str, *, namespace: str = "default", parent: str = "payment") -> str:
    return f"""
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  parentRefs: [{{group: "", kind: Service, name: {parent}, namespace: default}}]
  rules: [{{backendRefs: [{{name: payment}}]}}]
"""


def mesh(*texts: str) -> Mesh:
    items: list[Item] = [
        Service("default", "checkout"),
        Service("default", "payment"),
        Service("bank", "ledger"),
        Service("bank", "payment"),
    ]
    items += [item.to_document() for item in read_documents(documents(*texts).encode(), source="test")]
    return Mesh().after(Change(None, item) for item in items)


def problems(*texts: str) -> list[str]:
    try:
        return [str(problem) for problem in validate(mesh(*texts)).problems]
    except PolicyError as error:
        return [str(problem) for problem in error.problems]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (sidecar("", name="chekout"), "Sidecar default/chekout: metadata.name: got chekout, which is no registered service"),
        (sidecar("dependencies: [{name: paymet}]"), "spec.dependencies[0].name: got paymet, which does not exist"),
        (
            sidecar("dependencies: [{name: ledger, namespace: bank}]"),
            "spec.dependencies[0]: got bank/ledger, in another namespace, want a service in default, or a ReferenceGrant in "
            "bank from Sidecar in default to Service ledger",
        ),
        (sidecar("dependencies: [{name: payment}, {name: payment}]"), "want each dependency once"),
        (sidecar("outbound: {port: 15006}"), "want ports of their own for inbound, application, outbound and tcpPort"),
        (sidecar("outbound: {address: localhost}"), 'spec.outbound.address: got the text "localhost", want an IPv4 or'),
        (route("a", parent="paymet"), "spec.parentRefs[0].name: got paymet, which does not exist, want a service of"),
        (
            route("a").replace("name: payment, namespace", "sectionName: x, name: payment, namespace"),
            "spec.parentRefs[0]: got an object, want no sectionName: a Service has no sections here",
        ),
    ],
)  # fmt: skip
def test_a_wrong_one_is_refused_with_what_would_be_right(text: str, wanted: str) -> None:
    [problem] = problems(text)
    assert wanted in problem


GRANTS = documents(
    """
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {name: routes}
spec: {from: [{kind: HTTPRoute, namespace: bank}], to: [{kind: Service}]}
""",
    """
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {name: sidecars}
spec: {from: [{group: apg.mesh, kind: Sidecar, namespace: bank}], to: [{kind: Service}]}
""",
)


def outbound(group: str, *texts: str) -> list[str]:
    resource = Compiler().compile(mesh(*texts))[group].get(ROUTE, f"{group}/outbound")
    assert resource is not None
    made = RouteConfiguration.parse(resource.body)
    return [route.name for host in made.virtual_hosts for route in host.routes]


def test_the_services_own_routes_count_for_all_and_a_callers_for_itself() -> None:
    texts = (
        GRANTS,
        route("own"),
        route("callers", namespace="bank"),
        sidecar("dependencies: [{name: payment}]"),
        sidecar("dependencies: [{name: payment, namespace: default}]", name="ledger").replace(
            "{name: ledger}", "{name: ledger, namespace: bank}"
        ),
    )
    assert problems(*texts) == []
    assert outbound("sidecar/default/checkout", *texts) == ["HTTPRoute default/own rule 0 match 0"]
    assert outbound("sidecar/bank/ledger", *texts) == [
        "HTTPRoute bank/callers rule 0 match 0",
        "HTTPRoute default/own rule 0 match 0",
    ]


def test_without_a_route_the_service_itself_is_named_as_the_origin() -> None:
    text = sidecar("dependencies: [{name: payment}]")
    assert outbound("sidecar/default/checkout", text) == ["Service default/payment rule 0 match 0"]
    resource = (
        Compiler().compile(mesh(text))["sidecar/default/checkout"].get(ROUTE, "sidecar/default/checkout/outbound")
    )
    assert resource is not None
    assert resource.origin == ("Sidecar default/checkout", "Service default/payment")


def test_a_policy_on_the_service_applies_to_calls_unless_the_route_has_its_own() -> None:
    on_service = policy("RetryPolicy", "attempts: 5", target="{kind: Service, name: payment}", name="service")
    on_route = policy("RetryPolicy", "attempts: 1", target="{kind: HTTPRoute, name: own}", name="route")
    scope = sidecar("dependencies: [{name: payment}]")

    def attempts(*texts: str) -> int | None:
        assert problems(*texts) == []
        group = "sidecar/default/checkout"
        resource = Compiler().compile(mesh(*texts))[group].get(ROUTE, f"{group}/outbound")
        assert resource is not None
        [host] = RouteConfiguration.parse(resource.body).virtual_hosts
        assert host.routes[0].route is not None
        retry = host.routes[0].route.retry_policy
        return retry.num_retries if retry is not None else None

    assert attempts(scope) is None
    assert attempts(scope, on_service) == 5
    assert attempts(scope, on_service, route("own")) == 5
    assert attempts(scope, on_service, route("own"), on_route) == 1


def test_inbound_connections_can_be_carried_whole() -> None:
    text = sidecar("dependencies: []").replace("{application: 8080}", "{application: 8080, protocol: TCP}")
    snapshot = Compiler().compile(mesh(text))["sidecar/default/checkout"]
    listener = snapshot.get(LISTENER, "sidecar/default/checkout/inbound")
    assert listener is not None
    assert listener.references == {ResourceKey(CLUSTER, "default/checkout@application")}
    assert snapshot.get(ROUTE, "sidecar/default/checkout/inbound") is None


def test_retries_of_calls_to_a_service_are_the_callers_and_not_also_its_own_sidecars() -> None:
    texts = (
        sidecar("dependencies: [{name: payment}]"),
        sidecar("dependencies: []", name="payment"),
        policy("RetryPolicy", "attempts: 5", target="{kind: Service, name: payment}"),
    )

    def origins(service: str, side: str) -> tuple[str, ...]:
        group = f"sidecar/default/{service}"
        resource = Compiler().compile(mesh(*texts))[group].get(ROUTE, f"{group}/{side}")
        assert resource is not None
        return resource.origin

    assert "RetryPolicy default/test" in origins("checkout", "outbound")
    assert "RetryPolicy default/test" not in origins("payment", "inbound")


def test_what_a_service_tells_is_told_by_its_own_sidecars_and_not_also_by_its_callers() -> None:
    texts = (
        sidecar("dependencies: [{name: payment}]"),
        sidecar("dependencies: []", name="payment"),
        policy("TelemetryPolicy", "accessLog: {sinks: [{type: Stdout}]}", target="{kind: Service, name: payment}"),
    )

    def told(service: str) -> set[str]:
        snapshot = Compiler().compile(mesh(*texts))[f"sidecar/default/{service}"]
        return {
            resource.name.rpartition("/")[2]
            for type in snapshot.types
            for resource in snapshot.resources(type).values()
            if "TelemetryPolicy default/test" in resource.origin
        }

    assert told("payment") == {"inbound"}
    assert told("checkout") == set()
