"""The xDS protocol in scenarios, each over state-of-the-world and delta, aggregated and with one stream for each type.

That something does not arrive is shown by what arrives next: each response that a client reads must be the one that it
is due. References are to the sections of "xDS REST and gRPC protocol".
"""

from __future__ import annotations

from typing import TypeAlias

import pytest
from envoy_data_plane.envoy.config.route.v3 import VirtualHost

from protos.apg.xds.v3.discovery_pb2 import DeltaDiscoveryRequest, DiscoveryRequest
from tests.conditions import eventually
from tests.strict_client import Received, StrictClient, Way, connected
from tests.tiny_resources import tiny
from tests.xds_mesh import NODE, Mesh
from tests.xds_resources import cluster, endpoints, listener, routes, service
from xds import Resource
from xds.resource_types import (
    CLUSTER,
    ENDPOINT,
    LISTENER,
    RESOURCE_TYPES,
    ROUTE,
    RUNTIME,
    SCOPED_ROUTE,
    SECRET,
    VIRTUAL_HOST,
    ResourceType,
    resource_type,
)

Type: TypeAlias = ResourceType
FULL_STATE = [type for type in RESOURCE_TYPES if type.full_state]
BY_NAME = [type for type in RESOURCE_TYPES if not type.on_demand]
of_each = pytest.mark.parametrize("type", BY_NAME, ids=str)
aggregated = pytest.mark.parametrize("way", [Way.SOTW_ADS, Way.DELTA_ADS], ids=lambda way: way.value, indirect=True)
delta = pytest.mark.parametrize("way", [Way.DELTA_ADS, Way.DELTA_PER_TYPE], ids=lambda way: way.value, indirect=True)
of_full_state = pytest.mark.parametrize("type", FULL_STATE, ids=str)


def virtual_host(name: str, *domains: str) -> Resource:
    return Resource.of(VirtualHost(name=name, domains=list(domains)))


def shows(received: Received, client: StrictClient, *fresh: str) -> bool:
    """Whether a response brings just `fresh`: alone, or, where a response lists everything, with what is held."""
    lists_all = received.type.full_state and not client.way.is_delta
    before = {name for name in client.holds(received.type) if name not in fresh}
    return received.names == ({*fresh} | before if lists_all else {*fresh})


# --- subscribing (section "How the client specifies what resources to return") ---


@of_full_state
async def test_a_wildcard_subscription_is_sent_all(mesh: Mesh, client: StrictClient, type: Type) -> None:
    a, b = tiny(type, "a"), tiny(type, "b")
    mesh.set(a, b)
    await client.subscribe(type)
    assert (await client.take(type)).bodies == {"a": a.body, "b": b.body}
    await mesh.in_sync(type)


@of_each
async def test_a_named_subscription_is_sent_only_that(mesh: Mesh, client: StrictClient, type: Type) -> None:
    mesh.set(*(tiny(type, name) for name in "abc"))
    await client.subscribe(type, "a", "c")
    assert (await client.take(type)).names == {"a", "c"}
    await mesh.in_sync(type)


@of_each
async def test_a_star_is_a_wildcard_too(mesh: Mesh, client: StrictClient, type: Type) -> None:
    mesh.set(tiny(type, "a"), tiny(type, "b"))
    await client.subscribe(type, "*")
    assert (await client.take(type)).names == {"a", "b"}


@of_each
async def test_a_later_change_to_a_subscribed_resource_arrives(mesh: Mesh, client: StrictClient, type: Type) -> None:
    mesh.set(tiny(type, "a"), tiny(type, "b"))
    await client.subscribe(type, "a", "b")
    first = await client.take(type)
    await mesh.in_sync(type)
    changed = tiny(type, "a", 2)
    mesh.put(changed)
    second = await client.receive(type)
    assert shows(second, client, "a")
    assert second.bodies["a"] == changed.body
    assert second.version != first.version


@of_each
async def test_a_change_to_another_resource_does_not_arrive(mesh: Mesh, client: StrictClient, type: Type) -> None:
    mesh.set(tiny(type, "a"), tiny(type, "other"))
    await client.subscribe(type, "a")
    await client.take(type)
    await mesh.in_sync(type)
    mesh.put(tiny(type, "other", 2))
    await mesh.in_sync(type)
    mesh.put(tiny(type, "a", 2))
    assert (await client.take(type)).names == {"a"}


@of_full_state
async def test_what_is_added_under_a_wildcard_arrives(mesh: Mesh, client: StrictClient, type: Type) -> None:
    mesh.set(tiny(type, "a"))
    await client.subscribe(type)
    await client.take(type)
    await mesh.in_sync(type)
    mesh.put(tiny(type, "b"))
    assert shows(await client.take(type), client, "b")
    assert set(client.holds(type)) == {"a", "b"}


@of_full_state
async def test_what_is_removed_under_a_wildcard_goes(mesh: Mesh, client: StrictClient, type: Type) -> None:
    mesh.set(tiny(type, "a"), tiny(type, "b"))
    await client.subscribe(type)
    await client.take(type)
    await mesh.in_sync(type)
    mesh.remove(type, "a")
    received = await client.take(type)
    assert received.removed == ({"a"} if client.way.is_delta else set())
    assert set(client.holds(type)) == {"b"}


async def test_what_a_group_is_cleared_of_goes(mesh: Mesh, client: StrictClient) -> None:
    mesh.set(tiny(CLUSTER, "a"), tiny(CLUSTER, "b"))
    await client.subscribe(CLUSTER)
    await client.take(CLUSTER)
    await mesh.in_sync(CLUSTER)
    mesh.cache.clear(NODE)
    await client.take(CLUSTER)
    assert client.holds(CLUSTER) == {}


@of_each
async def test_a_name_that_does_not_exist_does_not_hold_up_the_others(
    mesh: Mesh, client: StrictClient, type: Type
) -> None:
    mesh.set(tiny(type, "a"))
    await client.subscribe(type, "ghost", "a")
    first = await client.take(type)
    assert first.names == {"a"}
    assert first.removed == ({"ghost"} if client.way.is_delta else set())
    await mesh.in_sync(type)
    mesh.put(tiny(type, "ghost"))
    assert shows(await client.take(type), client, "ghost")


@of_each
async def test_unsubscribing_from_everything_is_not_a_wildcard(mesh: Mesh, client: StrictClient, type: Type) -> None:
    mesh.set(tiny(type, "a"), tiny(type, "b"))
    await client.subscribe(type, "a", "b")
    await client.take(type)
    await client.unsubscribe(type, "a", "b")
    await eventually(lambda: mesh.status(type).subscribed == 0)
    if type.full_state and not client.way.is_delta:
        assert mesh.status(type).in_sync  # a shorter list asks for nothing
    mesh.put(tiny(type, "a", 2), tiny(type, "b", 2))
    await client.subscribe(type, "b")
    assert (await client.take(type)).bodies == {"b": tiny(type, "b", 2).body}
    mesh.put(tiny(type, "b", 3))
    assert (await client.take(type)).bodies == {"b": tiny(type, "b", 3).body}


@of_each
async def test_subscriptions_come_and_go_on_one_stream(mesh: Mesh, client: StrictClient, type: Type) -> None:
    mesh.set(*(tiny(type, name) for name in "abc"))
    await client.subscribe(type, "a")
    assert (await client.take(type)).names == {"a"}
    await client.subscribe(type, "b", "c")
    assert shows(await client.take(type), client, "b", "c")
    await client.unsubscribe(type, "a", "c")
    await eventually(lambda: mesh.status(type).subscribed == 1)
    mesh.put(*(tiny(type, name, 2) for name in "abc"))
    assert (await client.take(type)).names == {"b"}
    await client.subscribe(type, "a")
    received = await client.take(type)
    assert received.bodies["a"] == tiny(type, "a", 2).body
    assert shows(received, client, "a")


@of_full_state
async def test_a_wildcard_and_names_can_be_mixed(mesh: Mesh, client: StrictClient, type: Type) -> None:
    """Section "Wildcard subscriptions": the name outlives the wildcard."""
    mesh.set(tiny(type, "a"), tiny(type, "b"))
    await client.subscribe(type, "*", "a")
    assert (await client.take(type)).names == {"a", "b"}
    await client.unsubscribe(type, "*")
    await eventually(lambda: not mesh.status(type).wildcard)
    mesh.put(tiny(type, "a", 2), tiny(type, "b", 2), tiny(type, "c", 2))
    assert (await client.take(type)).names == {"a"}


@of_full_state
async def test_a_name_under_a_wildcard_can_go_and_the_wildcard_stays(
    mesh: Mesh, client: StrictClient, type: Type
) -> None:
    mesh.set(tiny(type, "a"), tiny(type, "b"))
    await client.subscribe(type, "*", "a")
    await client.take(type)
    await mesh.in_sync(type)
    await client.unsubscribe(type, "a")
    if client.way.is_delta:  # whether it still exists has to be said (section "Unsubscribing from resources")
        assert (await client.take(type)).names == {"a"}
    mesh.put(tiny(type, "a", 2))
    assert (await client.take(type)).bodies["a"] == tiny(type, "a", 2).body


@of_full_state
async def test_a_client_that_named_something_ends_its_wildcard_by_an_empty_list(
    mesh: Mesh, client: StrictClient, type: Type
) -> None:
    mesh.set(tiny(type, "a"), tiny(type, "b"))
    await client.subscribe(type, "*")
    await client.take(type)
    await client.unsubscribe(type, "*")
    await eventually(lambda: not mesh.status(type).wildcard)
    mesh.put(tiny(type, "a", 2))
    await client.subscribe(type, "b")
    assert (await client.take(type)).names == {"b"}


async def test_a_resubscription_is_answered_again(mesh: Mesh, client: StrictClient) -> None:
    mesh.set(tiny(ENDPOINT, "a"), tiny(ENDPOINT, "b"))
    await client.subscribe(ENDPOINT, "a", "b")
    await client.take(ENDPOINT)
    if client.way.is_delta:
        await client.subscribe(ENDPOINT, "a")  # that is: I forgot it
    else:
        await client.unsubscribe(ENDPOINT, "a")
        await client.subscribe(ENDPOINT, "a")
    assert (await client.take(ENDPOINT)).names == {"a"}


@of_each
async def test_a_subscription_that_changes_before_the_answer_is_acknowledged_is_answered(
    mesh: Mesh, client: StrictClient, type: Type
) -> None:
    mesh.set(tiny(type, "a"), tiny(type, "b"))
    await client.subscribe(type, "a")
    first = await client.receive(type)
    await client.subscribe(type, "b")  # state of the world: with the nonce that it had before, so it is stale
    if client.way.is_delta:
        second = await client.receive(type)
        await client.ack(first)
    else:
        await client.ack(first)
        second = await client.receive(type)
    assert shows(second, client, "b")
    await client.ack(second)
    await mesh.in_sync(type)
    assert set(client.holds(type)) == {"a", "b"}


async def test_nothing_is_said_to_a_node_that_nothing_was_published_for(mesh: Mesh, client: StrictClient) -> None:
    await client.subscribe(CLUSTER)
    await eventually(lambda: len(mesh.fleet) == 1)
    mesh.set(tiny(CLUSTER, "a"))
    assert (await client.take(CLUSTER)).names == {"a"}


async def test_an_author_who_gives_versions_finds_them_in_the_responses(mesh: Mesh, client: StrictClient) -> None:
    mesh.set(*(tiny(CLUSTER, name, 1, version="1") for name in "ab"))
    await client.subscribe(CLUSTER)
    received = await client.take(CLUSTER)
    assert received.version == "1"
    assert received.versions == ({"a": "1", "b": "1"} if client.way.is_delta else {})
    await mesh.in_sync(CLUSTER)
    mesh.put(tiny(CLUSTER, "a", 2, version="2"))
    assert (await client.take(CLUSTER)).version == "2"
    await mesh.in_sync(CLUSTER)
    mesh.cache.remove(NODE, CLUSTER.type_url, "b", version="3")
    assert (await client.take(CLUSTER)).version == "3"


# --- nonces, ACK and NACK (section "ACK/NACK and resource type instance version") ---


async def test_several_types_keep_separate_nonces(mesh: Mesh, client: StrictClient) -> None:
    mesh.set(tiny(CLUSTER, "a"), tiny(ENDPOINT, "a"), tiny(LISTENER, "a"))
    await client.subscribe(CLUSTER)
    clusters = await client.receive(CLUSTER)
    await client.subscribe(ENDPOINT, "a")
    assignments = await client.receive(ENDPOINT)
    await client.subscribe(LISTENER)
    listeners = await client.receive(LISTENER)
    await client.ack(listeners)
    await client.ack(assignments)
    await mesh.in_sync(ENDPOINT, LISTENER)
    assert not mesh.status(CLUSTER).in_sync  # nobody has acknowledged it
    await client.ack(clusters)
    await mesh.in_sync(CLUSTER, ENDPOINT, LISTENER)


@aggregated
async def test_a_nonce_of_another_type_acknowledges_nothing(mesh: Mesh, client: StrictClient) -> None:
    mesh.set(tiny(CLUSTER, "a"), tiny(RUNTIME, "a"))
    await client.subscribe(CLUSTER)
    clusters = await client.receive(CLUSTER)
    await client.subscribe(RUNTIME, "a")
    layers = await client.receive(RUNTIME)
    wrong = DeltaDiscoveryRequest(response_nonce=layers.nonce)
    await client.send(
        CLUSTER, wrong if client.way.is_delta else DiscoveryRequest(response_nonce=layers.nonce, version_info="x")
    )
    await client.ack(layers)
    await mesh.in_sync(RUNTIME)
    assert mesh.status(CLUSTER).accepted == ""
    await client.ack(clusters)
    await mesh.in_sync(CLUSTER)


@of_each
async def test_a_refused_version_is_not_sent_again_until_it_changes(
    mesh: Mesh, client: StrictClient, type: Type
) -> None:
    mesh.set(tiny(type, "a"))
    await client.subscribe(type, "a")
    await client.take(type)
    await mesh.in_sync(type)
    mesh.put(tiny(type, "a", 2, origin=("Document x",)))
    await client.nack(await client.receive(type), "a: not like this")
    await eventually(lambda: mesh.refusals)
    [refused] = mesh.refusals
    assert refused.client.node_id == NODE
    assert refused.refusal.nacked.reason == "a: not like this"
    assert (refused.refusal.nacked.resources, refused.refusal.nacked.origins) == (("a",), ("Document x",))
    assert not mesh.status(type).in_sync
    mesh.put(tiny(type, "a", 3))
    received = await client.take(type)
    assert received.bodies == {"a": tiny(type, "a", 3).body}
    await mesh.in_sync(type)


@of_full_state
async def test_the_others_move_on_when_one_is_refused(mesh: Mesh, client: StrictClient, type: Type) -> None:
    good, bad = tiny(type, "good"), tiny(type, "bad")
    mesh.set(good, bad)
    await client.subscribe(type)
    await client.take(type)
    await mesh.in_sync(type)
    mesh.put(tiny(type, "good", 2), tiny(type, "bad", 2))
    await client.nack(await client.receive(type), "resource bad: no")
    again = await client.take(type)
    assert again.bodies["good"] == tiny(type, "good", 2).body
    assert client.holds(type) == {"good": tiny(type, "good", 2).body, "bad": bad.body}


async def test_a_stale_nonce_says_nothing(mesh: Mesh, client: StrictClient) -> None:
    mesh.set(tiny(ENDPOINT, "a"))
    await client.subscribe(ENDPOINT, "a")
    first = await client.take(ENDPOINT)
    await mesh.in_sync(ENDPOINT)
    mesh.put(tiny(ENDPOINT, "a", 2))
    second = await client.receive(ENDPOINT)
    await client.nack(first, "too late")
    await client.ack(second)
    await mesh.in_sync(ENDPOINT)
    assert mesh.refusals == []
    assert mesh.status(ENDPOINT).accepted == second.version


async def test_a_client_that_never_acknowledges_gets_one_response_and_at_last_the_newest(
    mesh: Mesh, client: StrictClient
) -> None:
    mesh.set(tiny(ENDPOINT, "a"))
    await client.subscribe(ENDPOINT, "a")
    await client.take(ENDPOINT)
    await mesh.in_sync(ENDPOINT)
    mesh.put(tiny(ENDPOINT, "a", 2))
    unanswered = await client.receive(ENDPOINT)
    for mark in range(3, 50):
        mesh.put(tiny(ENDPOINT, "a", mark))
    await client.ack(unanswered)
    assert (await client.take(ENDPOINT)).bodies == {"a": tiny(ENDPOINT, "a", 49).body}
    await mesh.in_sync(ENDPOINT)


async def test_a_client_that_just_started_and_refuses_is_given_what_its_group_lived_with(
    mesh: Mesh, way: Way, client: StrictClient
) -> None:
    mesh.set(tiny(LISTENER, "a"))
    await client.subscribe(LISTENER)
    await client.take(LISTENER)
    await mesh.in_sync(LISTENER)
    mesh.put(tiny(LISTENER, "a", 2))
    await client.nack(await client.receive(LISTENER), "a: no")
    await eventually(lambda: mesh.refusals)
    async with connected(mesh.port, way, node=NODE) as restarted:
        await restarted.subscribe(LISTENER)
        received = await restarted.receive(LISTENER)
        assert received.bodies == {"a": tiny(LISTENER, "a", 2).body}  # it decides for itself
        await restarted.nack(received, "a: no")
        assert (await restarted.take(LISTENER)).bodies == {"a": tiny(LISTENER, "a").body}
        mesh.put(tiny(LISTENER, "a", 3))
        assert (await restarted.take(LISTENER)).bodies == {"a": tiny(LISTENER, "a", 3).body}


# --- reconnecting ---


async def test_an_unchanged_client_that_reconnects_is_sent_nothing(way: Way) -> None:
    """To a server that started meanwhile, or another replica, which has the same content."""
    content = (tiny(CLUSTER, "a"), tiny(CLUSTER, "b"))
    async with (
        Mesh.started() as one,
        Mesh.started() as other,
        connected(one.port, way, node=NODE) as before,
        connected(other.port, way, node=NODE) as after,
    ):
        one.set(*content)
        other.set(*reversed(content))
        await before.subscribe(CLUSTER)
        await before.take(CLUSTER)
        await after.resume(before, CLUSTER)
        await eventually(lambda: len(other.fleet) == 1)
        await other.in_sync(CLUSTER)
        other.put(tiny(CLUSTER, "b", 2))
        assert shows(await after.take(CLUSTER), after, "b")  # the first that it hears


async def test_a_client_that_reconnects_after_changes_is_sent_the_difference(mesh: Mesh, way: Way) -> None:
    mesh.set(tiny(CLUSTER, "kept"), tiny(CLUSTER, "changed"), tiny(CLUSTER, "gone"))
    async with connected(mesh.port, way, node=NODE) as before:
        await before.subscribe(CLUSTER)
        await before.take(CLUSTER)
    mesh.set(tiny(CLUSTER, "kept"), tiny(CLUSTER, "changed", 2), tiny(CLUSTER, "new"))
    async with connected(mesh.port, way, node=NODE) as after:
        await after.resume(before, CLUSTER)
        received = await after.take(CLUSTER)
        if way.is_delta:
            assert received.names == {"changed", "new"}
            assert received.removed == {"gone"}
        assert set(after.holds(CLUSTER)) == {"kept", "changed", "new"}


# --- order (section "Eventual consistency considerations") ---

BEFORE = (*service("pay", 1), routes("web", "pay"), listener("edge", routes="web"))
AFTER = (*service("new", 7), routes("web", "new"), listener("edge", routes="web"))


async def started(client: StrictClient) -> None:
    """All of BEFORE is subscribed to and acknowledged."""
    for type, name in ((CLUSTER, None), (ENDPOINT, "pay"), (LISTENER, None), (ROUTE, "web")):
        await client.subscribe(type, *([name] if name else []))
        await client.take(type)


async def test_on_an_aggregated_stream_clusters_come_before_routes_and_go_after_them(
    mesh: Mesh, client: StrictClient
) -> None:
    mesh.set(*BEFORE)
    await started(client)
    await mesh.in_sync(CLUSTER, ENDPOINT, LISTENER, ROUTE)
    mesh.set(*AFTER)
    if not client.way.is_aggregated:  # nothing is ordered between streams; each has its news at once
        assert (await client.take(ROUTE)).bodies == {"web": AFTER[2].body}
        await client.take(CLUSTER)
        assert "new" in client.holds(CLUSTER)
        return
    await client.take(CLUSTER)
    assert set(client.holds(CLUSTER)) == {"pay", "new"}
    await client.subscribe(ENDPOINT, "new")
    assert (await client.take(ENDPOINT)).names == {"new"}
    assert (await client.take(ROUTE)).bodies == {"web": AFTER[2].body}
    await client.take(CLUSTER)
    assert set(client.holds(CLUSTER)) == {"new"}


async def test_routes_wait_for_clusters_no_longer_than_the_bound(way: Way) -> None:
    """The client never acknowledges the clusters."""
    async with Mesh.started(hold_seconds=0.2) as mesh, connected(mesh.port, way, node=NODE) as client:
        mesh.set(*BEFORE)
        await started(client)
        await mesh.in_sync(CLUSTER, ENDPOINT, LISTENER, ROUTE)
        mesh.set(*AFTER)
        await client.receive(CLUSTER)
        assert (await client.take(ROUTE)).bodies == {"web": AFTER[2].body}
        assert not mesh.status(CLUSTER).in_sync


async def test_a_changed_cluster_has_its_endpoints_answered_so_that_it_does_not_stay_warming(
    mesh: Mesh, client: StrictClient
) -> None:
    mesh.set(*BEFORE)
    await started(client)
    await mesh.in_sync(CLUSTER, ENDPOINT, LISTENER, ROUTE)
    mesh.put(cluster("pay", stat_name="changed"))
    await client.take(CLUSTER)
    if client.way.is_aggregated:
        assert (await client.take(ENDPOINT)).bodies == {"pay": endpoints("pay", 1).body}


# --- lifetimes (section "TTL") ---


async def test_a_lifetime_is_renewed_before_it_ends(mesh: Mesh, client: StrictClient) -> None:
    """Delta: without the content. State of the world: with it, since Envoy needs it so."""
    mesh.set(tiny(RUNTIME, "rush", ttl=0.4))
    await client.subscribe(RUNTIME, "rush")
    first = await client.take(RUNTIME)
    assert (first.names, first.ttls) == ({"rush"}, {"rush": 0.4})
    for _ in range(2):
        beat = await client.take(RUNTIME)
        assert beat.ttls == {"rush": 0.4}
        assert beat.version == first.version
        if client.way.is_delta:
            assert (beat.bodies, beat.heartbeats) == ({}, first.versions)
        else:
            assert beat.bodies == first.bodies
    changed = tiny(RUNTIME, "rush", 2, ttl=100)
    mesh.put(changed)
    while (received := await client.take(RUNTIME)).bodies != {"rush": changed.body}:
        assert received.ttls == {"rush": 0.4}
    assert received.ttls == {"rush": 100.0}


async def test_a_lifetime_among_those_that_must_all_be_listed_is_renewed_with_all(
    mesh: Mesh, client: StrictClient
) -> None:
    """A state-of-the-world client would drop the clusters that a heartbeat leaves out."""
    mesh.set(tiny(CLUSTER, "brief", ttl=0.4), tiny(CLUSTER, "lasting"))
    await client.subscribe(CLUSTER)
    await client.take(CLUSTER)
    beat = await client.take(CLUSTER)
    assert beat.ttls == {"brief": 0.4}
    assert set(client.holds(CLUSTER)) == {"brief", "lasting"}
    assert beat.names == (set() if client.way.is_delta else {"brief", "lasting"})


# --- on demand and opaque types ---


@delta
async def test_a_virtual_host_is_found_by_the_name_of_a_host(mesh: Mesh, client: StrictClient) -> None:
    shop = tiny(VIRTUAL_HOST, "edge/shop.example")
    mesh.set(shop)
    await client.subscribe(VIRTUAL_HOST)
    assert (await client.take(VIRTUAL_HOST)).bodies == {}  # on demand: nothing is sent unasked
    await client.subscribe(VIRTUAL_HOST, "edge/shop.example:8080")
    received = await client.take(VIRTUAL_HOST)
    assert received.bodies == {"edge/shop.example": shop.body}
    assert received.aliases == {"edge/shop.example": ("edge/shop.example:8080",)}
    await client.subscribe(VIRTUAL_HOST, "edge/nowhere.example")
    assert (await client.take(VIRTUAL_HOST)).unresolved == {"edge/nowhere.example"}
    await mesh.in_sync(VIRTUAL_HOST)
    changed = tiny(VIRTUAL_HOST, "edge/shop.example", 2)
    mesh.put(changed, tiny(VIRTUAL_HOST, "edge/nowhere.example"))
    received = await client.take(VIRTUAL_HOST)
    assert received.bodies["edge/shop.example"] == changed.body
    assert received.names == {"edge/shop.example", "edge/nowhere.example"}
    await mesh.in_sync(VIRTUAL_HOST)
    mesh.remove(VIRTUAL_HOST, "edge/shop.example")
    assert (await client.take(VIRTUAL_HOST)).removed == {"edge/shop.example"}


@delta
async def test_a_host_that_moves_to_another_virtual_host_leaves_the_first(mesh: Mesh, client: StrictClient) -> None:
    """With both, a client would have one domain twice."""
    mesh.set(virtual_host("edge/one", "a.example"))
    await client.subscribe(VIRTUAL_HOST, "edge/a.example", "edge/one")
    assert (await client.take(VIRTUAL_HOST)).names == {"edge/one"}
    await mesh.in_sync(VIRTUAL_HOST)
    mesh.set(virtual_host("edge/one", "b.example"), virtual_host("edge/two", "a.example"))
    received = await client.take(VIRTUAL_HOST)
    assert (received.names, received.removed) == ({"edge/one", "edge/two"}, frozenset())
    await client.unsubscribe(VIRTUAL_HOST, "edge/one")
    await eventually(lambda: mesh.status(VIRTUAL_HOST).subscribed == 1)
    mesh.set(virtual_host("edge/two", "b.example"), virtual_host("edge/three", "a.example"))
    received = await client.take(VIRTUAL_HOST)
    assert (received.names, received.removed) == ({"edge/three"}, frozenset({"edge/two"}))


async def test_clusters_can_be_asked_for_on_demand_one_by_one(mesh: Mesh, client: StrictClient) -> None:
    mesh.set(tiny(CLUSTER, "a"), tiny(CLUSTER, "b"))
    await client.subscribe(CLUSTER, "a")
    assert (await client.take(CLUSTER)).names == {"a"}
    await client.subscribe(CLUSTER, "nowhere")
    received = await client.take(CLUSTER)
    assert received.removed == ({"nowhere"} if client.way.is_delta else set())
    await client.subscribe(CLUSTER, "b")
    assert shows(await client.take(CLUSTER), client, "b")


@aggregated
async def test_a_type_that_the_server_knows_nothing_of_is_served_as_bytes(mesh: Mesh, client: StrictClient) -> None:
    made_up = resource_type("type.googleapis.com/made.up.Type")
    await client.subscribe(made_up)
    await eventually(lambda: len(mesh.fleet) == 1)
    mesh.set(tiny(made_up, "a", 7), tiny(CLUSTER, "c"))
    assert list((await client.take(made_up)).bodies.values()) == [b"\7"]
    await mesh.in_sync(made_up)
    mesh.put(tiny(made_up, "a", 8))
    assert list((await client.take(made_up)).bodies.values()) == [b"\10"]


async def test_a_stream_of_one_type_refuses_another(mesh: Mesh, client: StrictClient) -> None:
    request = DeltaDiscoveryRequest if client.way.is_delta else DiscoveryRequest
    if client.way.is_aggregated:
        await client.send(SECRET, request())
        for call in client._calls.values():
            await call.write(request(type_url=""))
        error = await client.ended(SECRET)
        assert "type_url: got none" in (error.details() or "")
    else:
        await client.send(SECRET, request(type_url=CLUSTER.type_url))
        error = await client.ended(SECRET)
        assert f"type_url: got {CLUSTER.type_url}, want {SECRET.type_url}" in (error.details() or "")
    assert error.code().name == "INVALID_ARGUMENT"


# --- groups ---


async def test_each_node_is_served_its_own(mesh: Mesh, way: Way) -> None:
    shared = tiny(CLUSTER, "shared")
    mesh.cache.set("one", [shared, tiny(CLUSTER, "first")])
    mesh.cache.set("two", [shared, tiny(SCOPED_ROUTE, "second")])
    async with connected(mesh.port, way, node="one") as one, connected(mesh.port, way, node="two") as two:
        await one.subscribe(CLUSTER)
        await two.subscribe(CLUSTER)
        assert (await one.take(CLUSTER)).names == {"shared", "first"}
        assert (await two.take(CLUSTER)).names == {"shared"}
