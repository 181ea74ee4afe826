"""The rendered bootstrap, as text. What a real Envoy makes of it: tests/real/test_bootstrap.py."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from controlplane.bootstrap import BootstrapOptions, Variant, render
from controlplane.xds_tls import XdsTls
from registry.model import labels

_XDS_CLUSTER = "xds"
# All text but lone surrogates, which no protobuf string can carry.
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


def options(**changed: Any) -> BootstrapOptions:
    plain = BootstrapOptions(node_id="edge-1", group="default/edge", xds_host="127.0.0.1", xds_port=18000)
    return replace(plain, **changed)


def rendered(**changed: Any) -> dict[str, Any]:
    bootstrap = yaml.safe_load(render(options(**changed)))
    assert isinstance(bootstrap, dict)
    return bootstrap


@settings(max_examples=30)
@given(node_id=_TEXT, group=_TEXT, host=_TEXT, key=_TEXT, value=_TEXT)
@example(node_id='a"\nadmin: {}', group="x: {y: 1}", host="- &a *a", key="${node_id}", value="${xds_port}")
@example(node_id="1e3", group="0o17", host="no", key="~", value="2001-01-01")
@example(node_id="\u2028\x85\ufeff\x7f", group="\U0001f600", host="!!python/none", key="<<", value="=")
def test_whatever_a_value_says_it_stays_that_value(node_id: str, group: str, host: str, key: str, value: str) -> None:
    bootstrap = rendered(node_id=node_id, group=group, xds_host=host, metadata=labels({key: value}))

    assert bootstrap["node"] == {"id": node_id, "cluster": group, "metadata": {key: value}}
    expected = rendered()
    address = _xds_address(expected)
    address["address"] = host
    assert bootstrap | {"node": None} == expected | {"node": None}


@settings(max_examples=30)
@given(text=_TEXT)
@example(text="1e3")
@example(text="0o17")
def test_every_value_that_is_a_text_is_quoted(text: str) -> None:
    [line] = [line for line in render(options(node_id=text)).splitlines() if line.startswith('  "id": ')]
    assert line.startswith('  "id": "')
    assert line.endswith('"')


def test_addresses_and_ports_land_where_envoy_looks_for_them() -> None:
    bootstrap = rendered(xds_host="control.example", xds_port=18443, admin_port=9901)

    assert _xds_address(bootstrap) == {"address": "control.example", "port_value": 18443}
    assert bootstrap["admin"]["address"] == {"socket_address": {"address": "127.0.0.1", "port_value": 9901}}


@pytest.mark.parametrize(("variant", "api_type"), [(Variant.DELTA, "DELTA_GRPC"), (Variant.SOTW, "GRPC")])
def test_clusters_and_listeners_come_over_one_stream_of_the_chosen_variant(variant: Variant, api_type: str) -> None:
    dynamic = rendered(variant=variant)["dynamic_resources"]

    assert dynamic["ads_config"]["api_type"] == api_type
    assert dynamic["ads_config"]["transport_api_version"] == "V3"
    assert dynamic["ads_config"]["set_node_on_first_message_only"] is True
    assert "ads" in dynamic["cds_config"]
    assert "ads" in dynamic["lds_config"]


def test_what_is_not_switched_on_leaves_no_trace() -> None:
    bare = rendered()
    assert {"cluster_manager", "stats_sinks"}.isdisjoint(bare)

    reporting = rendered(load_reports=True)
    assert reporting["cluster_manager"]["load_stats_config"]["api_type"] == "GRPC"
    assert "stats_sinks" not in reporting

    measuring = rendered(metrics_sink=True)
    assert [sink["name"] for sink in measuring["stats_sinks"]] == ["envoy.stat_sinks.open_telemetry"]
    assert "cluster_manager" not in measuring


def test_a_proxy_with_a_zone_knows_that_it_belongs_there() -> None:
    bootstrap = rendered(region="eu", zone="eu-1")
    assert bootstrap["node"]["locality"] == {"region": "eu", "zone": "eu-1"}
    assert bootstrap["cluster_manager"] == {"local_cluster_name": "self"}
    [_, self_alone] = bootstrap["static_resources"]["clusters"]
    assert self_alone["name"] == "self"
    [endpoints] = self_alone["load_assignment"]["endpoints"]
    assert endpoints["locality"] == {"region": "eu", "zone": "eu-1"}
    assert "locality" not in rendered()["node"]


def test_all_that_is_asked_of_the_control_plane_goes_to_its_cluster() -> None:
    bootstrap = rendered(load_reports=True, metrics_sink=True)
    assert _values_of(bootstrap, "cluster_name") == {_XDS_CLUSTER}
    assert [cluster["name"] for cluster in bootstrap["static_resources"]["clusters"]] == [_XDS_CLUSTER]


def tls(**changed: Any) -> XdsTls:
    plain = XdsTls(ca=Path("/c/ca.crt"), server_name="control.example", folder=Path("/run/xds"))
    return replace(plain, **changed)


def test_certificates_are_followed_by_files_that_name_them_and_the_server_is_verified() -> None:
    own = tls(certificate=Path("/c/tls.crt"), key=Path("/k/tls.key"))
    bootstrap = rendered(tls=own)
    assert _values_of(bootstrap, "path") == {"/run/xds/certificate.json", "/run/xds/trust.json"}
    assert _values_of(bootstrap, "sni") == {"control.example"}
    assert _values_of(bootstrap, "san_type") == {"DNS"}
    assert _values_of(bootstrap, "exact") == {"control.example"}
    written = {name: yaml.safe_load(text) for name, text in own.secrets().items()}
    assert _values_of(written, "filename") == {"/c/ca.crt", "/c/tls.crt", "/k/tls.key"}
    assert "transport_socket" not in rendered()["static_resources"]["clusters"][0]


def test_a_server_is_known_by_its_address_too_and_a_proxy_may_have_no_certificate() -> None:
    bootstrap = rendered(tls=tls(server_name="::1"))
    assert _values_of(bootstrap, "path") == {"/run/xds/trust.json"}
    assert _values_of(bootstrap, "san_type") == {"IP_ADDRESS"}
    assert _values_of(bootstrap, "sni") == set()
    assert list(tls().secrets()) == ["trust"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"server_name": ""}, "server_name: got an empty text"),
        ({"key": Path("/k/tls.key")}, "got one of certificate and key, want both or neither"),
        ({"ca": Path("ca.crt")}, "got ca.crt, want an absolute path"),
    ],
)
def test_tls_that_no_envoy_could_use_is_refused(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        tls(**changed)


def test_no_placeholder_is_left() -> None:
    assert "${" not in render(options(load_reports=True, metrics_sink=True, zone="a", tls=tls()))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"node_id": ""}, "node_id: got an empty text"),
        ({"group": ""}, "group: got an empty text"),
        ({"xds_host": ""}, "xds_host: got an empty text"),
        ({"xds_port": 0}, "xds_port: got 0, want 1 to 65535"),
        ({"xds_port": 65536}, "xds_port: got 65536, want 1 to 65535"),
        ({"admin_port": -1}, "admin_port: got -1, want 0 to 65535"),
    ],
)
def test_options_that_no_envoy_could_use_are_refused(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        options(**changed)


def _xds_address(bootstrap: dict[str, Any]) -> dict[str, Any]:
    [cluster] = bootstrap["static_resources"]["clusters"]
    [locality] = cluster["load_assignment"]["endpoints"]
    [endpoint] = locality["lb_endpoints"]
    address = endpoint["endpoint"]["address"]["socket_address"]
    assert isinstance(address, dict)
    return address


def _values_of(node: object, key: str) -> set[object]:
    """All that stands under `key` anywhere in `node`."""
    match node:
        case dict():
            below = set[object]().union(*(_values_of(value, key) for value in node.values()))
            return below | ({node[key]} if key in node else set())
        case list():
            return set[object]().union(*(_values_of(value, key) for value in node))
        case _:
            return set()
