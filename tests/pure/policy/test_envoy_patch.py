"""EnvoyPatch: what merges into what, what is refused and where, and when patches have no effect."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from betterproto2 import Casing, Message
from envoy_data_plane.envoy.config.cluster.v3 import Cluster
from envoy_data_plane.envoy.config.core.v3 import Metadata
from envoy_data_plane.envoy.config.listener.v3 import Listener
from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
    HttpConnectionManager,
    HttpFilter,
)
from hypothesis import given
from hypothesis import strategies as st

from policy.compiler.compiler import Compiler
from policy.errors import PolicyError
from policy.merging import merge, misfits
from policy.plan import Plan, plan
from policy.reading import read_documents
from registry.mesh import Mesh
from registry.model import Change, Endpoint, Item, Service
from tests.meshes import documents, gateway, route
from xds.encoder import encode, pack
from xds.resource_types import CLUSTER, ROUTE

TYPES = "type.googleapis.com/envoy.extensions"
LUA = f"{TYPES}.filters.http.lua.v3.Lua"
OPTIONS = f"{TYPES}.upstreams.http.v3.HttpProtocolOptions"
KEY = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
MANAGER = f"{TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager"


def merged(message: Message, text: str) -> dict[str, Any]:
    patch = yaml.safe_load(text)
    assert list(misfits(type(message), patch)) == []
    merge(message, patch)
    encode(message)
    return message.to_dict(casing=Casing.SNAKE)


@pytest.mark.parametrize(
    ("before", "patch", "after"),
    [
        ("{name: a}", "{connect_timeout: 0.5s}", {"name": "a", "connect_timeout": "0.500s"}),
        ("{name: a}", "{connectTimeout: 5s}", {"name": "a", "connect_timeout": "5s"}),
        ("{name: a, connect_timeout: 5s}", "{connect_timeout: null}", {"name": "a"}),
        ("{lb_policy: RANDOM}", "{lb_policy: MAGLEV}", {"lb_policy": "MAGLEV"}),
        ("{}", "{per_connection_buffer_limit_bytes: 0}", {"per_connection_buffer_limit_bytes": 0}),
        (
            "{circuit_breakers: {thresholds: [{max_requests: 1, max_retries: 2}]}}",
            "{circuit_breakers: {thresholds: [{max_requests: 3}]}}",
            {"circuit_breakers": {"thresholds": [{"max_requests": 3}]}},
        ),
        ("{outlier_detection: {interval: 1s}}", "{outlier_detection: {consecutive_5xx: 3}}",
         {"outlier_detection": {"interval": "1s", "consecutive_5_xx": 3}}),
        ("{type: EDS}", "{cluster_type: {name: x}}", {"cluster_type": {"name": "x"}}),
        ("{metadata: {filter_metadata: {a: {x: 1, y: 2}, b: {}}}}", "{metadata: {filter_metadata: {a: {x: [3]}, b: null}}}",
         {"metadata": {"filter_metadata": {"a": {"x": [3.0], "y": 2.0}}}}),
        ("{health_checks: [{tls_options: {alpn_protocols: [a, b]}}]}", "{health_checks: [{tls_options: {alpn_protocols: [c]}}]}",
         {"health_checks": [{"tls_options": {"alpn_protocols": ["c"]}}]}),
        ("{filters: [{name: a}, {name: b}]}",
         "{filters: [{name: b, typed_config: {'@type': " + LUA + ", stat_prefix: x}}, {name: c}, {name: a, $patch: delete}]}",
         {"filters": [{"name": "b", "typed_config": {"@type": LUA, "stat_prefix": "x"}}, {"name": "c"}]}),
    ],
)  # fmt: skip
def test_what_a_merge_comes_to(before: str, patch: str, after: dict[str, Any]) -> None:
    cluster = Cluster()
    merge(cluster, yaml.safe_load(before))
    assert merged(cluster, patch) == after


def test_what_is_packed_is_merged_into_its_own_type_and_replaced_by_another() -> None:
    cluster = Cluster()
    merged(
        cluster,
        f"{{typed_extension_protocol_options: {{{KEY}: {{'@type': {OPTIONS}, explicit_http_config: {{http2_protocol_options: {{}}}}}}}}}}",
    )
    idle = f"{{typed_extension_protocol_options: {{{KEY}: {{'@type': {OPTIONS}, common_http_protocol_options: {{idle_timeout: 1s}}}}}}}}"
    assert merged(cluster, idle)["typed_extension_protocol_options"][KEY] == {
        "@type": OPTIONS,
        "explicit_http_config": {"http2_protocol_options": {}},
        "common_http_protocol_options": {"idle_timeout": "1s"},
    }
    other = f"{{typed_extension_protocol_options: {{{KEY}: {{'@type': {LUA}, stat_prefix: x}}}}}}"
    assert merged(cluster, other)["typed_extension_protocol_options"][KEY] == {"@type": LUA, "stat_prefix": "x"}


def test_a_new_http_filter_stands_before_the_router() -> None:
    manager = HttpConnectionManager(http_filters=[HttpFilter(name="first"), HttpFilter(name="router")])
    merge(manager, {"http_filters": [{"name": "new"}, {"name": "newer"}]})
    assert [item.name for item in manager.http_filters] == ["first", "new", "newer", "router"]


def test_without_a_name_an_item_is_for_the_one_at_its_place() -> None:
    listener = Listener()
    merge(listener, {"filter_chains": [{"filters": [{"name": "x"}]}]})
    merged(listener, "{filter_chains: [{transport_socket_connect_timeout: 1s}]}")
    [chain] = listener.filter_chains
    assert [item.name for item in chain.filters] == ["x"]
    assert chain.transport_socket_connect_timeout is not None


@pytest.mark.parametrize(
    ("patch", "wanted"),
    [
        ("{conect_timeout: 5s}", "conect_timeout: got a field that does not exist, want a field of Cluster; did you mean connect_timeout?"),
        ("{connect_timeout: 5}", 'connect_timeout: got 5, want a duration in seconds, such as "0.5s"'),
        ("{connect_timeout: 1m}", 'connect_timeout: got the text "1m", want a duration in seconds, such as "0.5s"'),
        ("{lb_policy: ROUNDROBIN}", 'lb_policy: got the text "ROUNDROBIN", want one of ROUND_ROBIN, LEAST_REQUEST, RING_HASH, RANDOM, MAGLEV, CLUSTER_PROVIDED, LOAD_BALANCING_POLICY_CONFIG; did you mean ROUND_ROBIN?'),
        ("{lb_policy: 0}", "lb_policy: got 0, want one of ROUND_ROBIN"),
        ("{per_connection_buffer_limit_bytes: -1}", "per_connection_buffer_limit_bytes: got -1, want a whole number from 0 to 4294967295"),
        ("{per_connection_buffer_limit_bytes: true}", "per_connection_buffer_limit_bytes: got true, want a whole number from 0 to 4294967295"),
        ("{ignore_health_on_host_removal: 'yes'}", 'ignore_health_on_host_removal: got the text "yes", want true or false'),
        ("{circuit_breakers: []}", "circuit_breakers: got an empty list, want an object: CircuitBreakers"),
        ("{circuit_breakers: {thresholds: {}}}", "circuit_breakers.thresholds: got an empty object, want a list"),
        ("{circuit_breakers: {thresholds: [{max_requests: 1, max: 2}]}}", "circuit_breakers.thresholds[0].max: got a field that does not exist, want a field of CircuitBreakersThresholds"),
        ("{type: EDS, cluster_type: {name: x}}", "cluster_type: got cluster_type beside type, want one of them: they exclude each other"),
        ("{transport_socket: {typed_config: {a: 1}}}", 'transport_socket.typed_config.@type: got nothing, want the type of a message of Envoy'),
        ("{transport_socket: {typed_config: {'@type': type.googleapis.com/envoy.Nothing}}}", 'transport_socket.typed_config.@type: got the text "type.googleapis.com/envoy.Nothing", want the type'),
        ("{transport_socket: {typed_config: {'@type': type.googleapis.com/os.path.X}}}", 'transport_socket.typed_config.@type: got the text'),
        ("{transport_socket: {typed_config: {'@type': " + LUA + ", stat_prefx: x}}}", "transport_socket.typed_config.stat_prefx: got a field that does not exist, want a field of Lua; did you mean stat_prefix?"),
        ("{health_checks: [{$patch: delete}]}", "health_checks[0]: got a $patch, want {name: ..., $patch: delete}, in a list of messages with names"),
        ("{health_checks: [1]}", "health_checks[0]: got 1, want an object: HealthCheck"),
        ("{filters: [{name: a, $patch: replace}]}", "filters[0]: got a $patch, want {name: ..., $patch: delete}"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_with_its_place(patch: str, wanted: str) -> None:
    [found] = misfits(Cluster, yaml.safe_load(patch))
    assert f"{found.path}: got {found.got}, want {found.want}".startswith(wanted)


_NAMES = st.sampled_from(["name", "filters", "type", "cluster_type", "metadata", "circuit_breakers", "thresholds",
                          "typed_config", "@type", "$patch", "connect_timeout", "x"])  # fmt: skip
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from([LUA, "5s", "EDS"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(_NAMES, _JSON, max_size=4))
def test_whatever_json_is_merged_or_refused_and_nothing_else(patch: dict[str, Any]) -> None:
    if not list(misfits(Cluster, patch)):
        cluster = Cluster(name="a", metadata=Metadata())
        merge(cluster, patch)
        encode(cluster)


# --- the documents ---


def patch(merge: str, *, name: str = "test", resource: str = "{type: Cluster, name: default/payment}") -> str:
    return f"""
apiVersion: apg.mesh/v1
kind: EnvoyPatch
metadata: {{name: {name}}}
spec: {{targetRefs: [{{kind: Gateway, name: edge}}], resource: {resource}, merge: {merge}}}
"""


def mesh(*texts: str) -> Mesh:
    items: list[Item] = [
        Service("default", "payment"), Endpoint("default", "payment", "10.0.0.1", 80),
        Service("default", "cart"), Endpoint("default", "cart", "10.0.0.2", 80),
    ]  # fmt: skip
    text = documents(gateway(80), route("payment"), route("cart", name="cart", path="/cart"), *texts)
    items += [item.to_document() for item in read_documents(text.encode(), source="test")]
    return Mesh().after(Change(None, item) for item in items)


def planned(*texts: str, allowed: bool = True) -> Plan:
    """What adding `texts` to the mesh would do."""
    items = [item.to_document() for text in texts for item in read_documents(text.encode(), source="test")]
    return plan(mesh(), [Change(None, item) for item in items], compiler=Compiler(patches=allowed))


def cluster_of(made: Plan) -> tuple[Cluster, tuple[str, ...]]:
    resource = made.snapshots["default/edge"].get(CLUSTER, "default/payment")
    assert resource is not None
    return Cluster.parse(resource.body), resource.origin


def test_patches_apply_in_the_order_of_their_names_and_are_origins() -> None:
    made = planned(
        patch("{per_connection_buffer_limit_bytes: 2}", name="b"),
        patch("{per_connection_buffer_limit_bytes: 1, alt_stat_name: x}", name="a"),
    )
    cluster, origin = cluster_of(made)
    assert (cluster.per_connection_buffer_limit_bytes, cluster.alt_stat_name) == (2, "x")
    assert origin == ("Service default/payment", "EnvoyPatch default/a", "EnvoyPatch default/b")
    assert [diff.resource.name for diff in made.resources] == ["default/payment"]
    assert made.warnings == ()


def test_a_patch_that_nothing_is_there_for_is_told() -> None:
    made = planned(patch("{alt_stat_name: x}", resource="{type: Cluster, name: default/paymnt}"))
    assert made.resources == ()
    assert made.warnings == (
        "EnvoyPatch default/test: spec.resource.name: the proxies of default/edge have no Cluster default/paymnt; did you "
        "mean default/payment?",
    )


def test_a_patch_to_what_the_proxies_do_not_have_is_left_out_and_told() -> None:
    stray = patch(
        "{virtual_hosts: [{name: '*', routes: [{name: HTTPRoute default/payment rule 0 match 0, route: {cluster: nowhere}}]}]}",
        resource="{type: RouteConfiguration, name: default/edge/80}",
    )
    made = planned(stray)
    resource = made.snapshots["default/edge"].get(ROUTE, "default/edge/80")
    assert resource is not None
    assert b"nowhere" not in resource.body
    assert made.warnings == (
        "EnvoyPatch default/test: spec.merge: left out for the proxies of default/edge: it refers to what they do not have",
    )
    there = planned(stray.replace("nowhere", "default/cart"))
    resource = there.snapshots["default/edge"].get(ROUTE, "default/edge/80")
    assert resource is not None
    assert "default/cart" in json.dumps(RouteConfiguration.parse(resource.body).to_dict())
    assert there.warnings == ()


def test_where_they_are_switched_off_new_ones_are_refused_and_standing_ones_do_nothing() -> None:
    text = patch("{alt_stat_name: x}")
    with pytest.raises(PolicyError) as caught:
        planned(text, allowed=False)
    assert str(caught.value) == (
        "EnvoyPatch default/test: kind: got EnvoyPatch, which is switched off, want a control plane with envoy_patches = "
        "true, or a policy of another kind"
    )
    made = plan(mesh(text), [], compiler=Compiler())
    assert cluster_of(made)[0].alt_stat_name == ""
    assert made.warnings == ("EnvoyPatch default/test: it has no effect: envoy_patches is switched off",)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (patch("{}"), "spec.merge: got"),
        (patch("{name: other}"), "spec.merge.name: got a name, want none: names hold resources together"),
        (patch("{cluster_name: other}", resource="{type: ClusterLoadAssignment, name: default/payment}"), "spec.merge.cluster_name: got a name, want none"),
        (patch("{altstat: x}"), "spec.merge.altstat: got a field that does not exist, want a field of Cluster"),
        (patch("{alt_stat_name: x}", resource="{type: Secret, name: x}"), 'spec.resource.type: got the text "Secret", want Cluster, ClusterLoadAssignment, Listener, or RouteConfiguration'),
        (patch("{alt_stat_name: x}").replace("name: edge", "name: edge, sectionName: http"), "spec.targetRefs[0].sectionName: got http, want none"),
        (patch("{alt_stat_name: x}").replace("name: edge", "name: egde"), "spec.targetRefs[0].name: got Gateway default/egde, which does not exist"),
    ],
)  # fmt: skip
def test_a_wrong_one_is_refused_with_what_would_be_right(text: str, wanted: str) -> None:
    with pytest.raises(PolicyError) as caught:
        planned(text)
    [problem] = caught.value.problems
    assert str(problem).startswith(f"EnvoyPatch default/test: {wanted}")


def test_packing_what_a_patch_made_keeps_what_it_did_not_touch() -> None:
    manager = HttpConnectionManager(stat_prefix="x", merge_slashes=True)
    listener = Listener()
    merge(listener, {"filter_chains": [{"filters": [{"name": "hcm"}]}]})
    listener.filter_chains[0].filters[0].typed_config = pack(manager)
    merge(
        listener, {"filter_chains": [{"filters": [{"name": "hcm", "typed_config": {"@type": MANAGER, "via": "me"}}]}]}
    )
    packed = listener.filter_chains[0].filters[0].typed_config
    assert packed is not None
    assert HttpConnectionManager.parse(packed.value) == HttpConnectionManager(
        stat_prefix="x", merge_slashes=True, via="me"
    )
