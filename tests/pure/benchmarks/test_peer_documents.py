"""What each peer is told: the same content, in the documents of each."""

from __future__ import annotations

from itertools import pairwise

import pytest
import yaml

from benchmarks.figures import row
from benchmarks.peers import findings, gateway_api, istio
from benchmarks.peers.builds import go_mod
from benchmarks.peers.content import Host, hosts
from benchmarks.report import Report
from policy.reading import read_documents


@pytest.mark.parametrize("steps", [[1, 20], [1, 100], [1, 100, 1_000, 3_000], [10, 30]])
def test_growing_adds_each_route_once_whatever_the_steps(steps: list[int]) -> None:
    added = [host for first, last in pairwise(steps) for host in hosts(first, last)]
    paths = [path for host in added for path in host.paths]
    assert len(paths) == len(set(paths)) == steps[-1] - steps[0]
    assert len(added) == len({host.domain for host in added}) == len({host.service for host in added})


@pytest.mark.parametrize("routes", [0, 5, 101, -10])
def test_a_number_of_routes_that_fills_no_host_is_refused(routes: int) -> None:
    with pytest.raises(ValueError, match=f"got {routes}, want 1 or a multiple of 10"):
        hosts(1, routes)


def test_our_documents_are_read_by_our_own_reader() -> None:
    made = [gateway_api.our_gateway(8080), gateway_api.changing(3), *map(gateway_api.our_routes, hosts(1, 20))]
    documents = read_documents(gateway_api.text(made).encode(), source="bench")
    assert [(document.key.kind, document.key.name) for document in documents] == [
        ("Gateway", "bench"),
        ("HTTPRoute", "changing"),
        ("HTTPRoute", "host-0"),
        ("HTTPRoute", "host-1"),
    ]


def test_envoy_gateways_routes_differ_from_ours_in_the_kind_of_their_services_alone() -> None:
    [ours, theirs] = gateway_api.our_routes(Host(4)), gateway_api.their_routes(Host(4))
    for rule in (*ours["spec"]["rules"], *theirs["spec"]["rules"]):
        [backend] = rule.pop("backendRefs")
        assert backend["name"] == "service-4"
    assert ours == theirs


def test_envoy_gateway_is_told_its_class_and_its_services() -> None:
    made = [*gateway_api.their_gateway(8080), gateway_api.their_service(Host(1), 9)]
    [kind, gateway, service] = yaml.safe_load_all(gateway_api.text(made))
    assert gateway["spec"]["gatewayClassName"] == kind["metadata"]["name"]
    assert [endpoint["ip"] for endpoint in service["spec"]["endpoints"]] == [
        {"address": f"127.0.0.{number}", "port": 9} for number in (1, 2, 3)
    ]


def test_istio_is_told_the_same() -> None:
    host = Host(2)
    routes, service = istio.routes(host), istio.service(host, 9)
    assert routes.collection == "/apis/networking.istio.io/v1/namespaces/default/virtualservices"
    assert routes.body["spec"]["hosts"] == [host.domain]
    assert [rule["match"] for rule in routes.body["spec"]["http"]] == [
        [{"uri": {"prefix": path}}] for path in host.paths
    ]
    names = {rule["route"][0]["destination"]["host"] for rule in routes.body["spec"]["http"]}
    assert names == set(service.body["spec"]["hosts"])
    assert istio.changing(7).body["spec"] == istio.changed(7)
    [rule] = istio.changed(7)["http"]
    [same] = gateway_api.changing(7)["spec"]["rules"]
    assert rule["redirect"]["uri"] == same["filters"][0]["requestRedirect"]["path"]["replaceFullPath"] == "/version/7"


def test_the_api_servers_go_mod_replaces_what_kubernetes_replaces() -> None:
    theirs = """module k8s.io/kubernetes

require k8s.io/klog/v2 v2.130.1

replace (
	k8s.io/api => ./staging/src/k8s.io/api
	k8s.io/apiserver => ./staging/src/k8s.io/apiserver
)
"""
    assert go_mod(theirs, "v1.32.3").splitlines()[4:] == [
        "require k8s.io/kubernetes v1.32.3",
        "",
        "replace (",
        "\tk8s.io/api => k8s.io/api v0.32.3",
        "\tk8s.io/apiserver => k8s.io/apiserver v0.32.3",
        ")",
    ]


def test_curves_are_drawn_of_what_grows_with_the_routes() -> None:
    report = Report("peers")
    for routes in ("1 route", "1,000 routes"):
        figure = f"beside x: change to first answer by the new route, p50, {routes}"
        report.add(row(figure, "ms", [1.0, 2.0, 3.0], peer="x", theirs=[4.0, 5.0, 6.0]))
        report.add(row(f"beside x: memory, {routes}, all programs", "MB", [1.0], peer="x", theirs=[2.0]))
    findings.draw(report)
    assert [(curve.series, curve.points) for curve in report.curves] == [
        ("APG Mesh, beside x", ((1.0, 2.0, 1.5, 2.5), (1000.0, 2.0, 1.5, 2.5))),
        ("x", ((1.0, 5.0, 4.5, 5.5), (1000.0, 5.0, 4.5, 5.5))),
    ]
