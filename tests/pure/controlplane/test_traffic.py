"""What flows now, from load reports."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from controlplane.traffic import ServiceTraffic, traffic_of
from registry.mesh import Mesh
from registry.model import Change, Endpoint, Service, ServiceKey, labels
from xds.loads import ClusterLoad, LocalityLoad, LocalityName, Requests

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PAYMENT, CART = ServiceKey("default", "payment"), ServiceKey("default", "cart")
MESH = Mesh().after(
    [
        Change(None, Service(*PAYMENT)),
        Change(None, Service(*CART)),
        Change(None, Endpoint(*PAYMENT, "10.0.0.1", 80, labels({"version": "v1"}))),
    ]
)


def load(node: str, cluster: str, *, issued: int, failed: int = 0, age: float = 0) -> ClusterLoad:
    requests = Requests(in_progress=0, succeeded=issued - failed, failed=failed, issued=issued)
    locality = LocalityLoad(LocalityName("", "", ""), 0, requests, {}, ())
    received = NOW - timedelta(seconds=age)
    return ClusterLoad(node, "default/edge", received, cluster, "", timedelta(seconds=10), 0, {}, (locality,))


def test_the_newest_report_of_each_proxy_counts_over_all_versions() -> None:
    loads = [
        load("a", "default/payment", issued=9_999, age=20),
        load("a", "default/payment", issued=100),
        load("b", "default/payment-v1", issued=50, failed=15),
        load("b", "default/payments", issued=7),
    ]
    assert traffic_of([PAYMENT, CART], MESH, loads, now=NOW) == (ServiceTraffic(PAYMENT, 15.0, 10.0),)


def test_old_reports_tell_nothing_of_now() -> None:
    assert traffic_of([PAYMENT], MESH, [load("a", "default/payment", issued=100, age=61)], now=NOW) == ()
