"""When what is asked for on demand is answered, what is remembered of it, and what others are served instead."""

from __future__ import annotations

from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration, Vhds

from protos.apg.xds.v3.discovery_pb2 import DeltaDiscoveryRequest
from tests.xds_resources import routes, service
from xds.bounds import MAX_NAMES
from xds.delta import DeltaMachine
from xds.machine import HOLD_SECONDS, Response
from xds.resource import Resource
from xds.resource_types import CLUSTER, ENDPOINT, ROUTE, VIRTUAL_HOST, ResourceType
from xds.snapshot import Snapshot
from xds.sotw import SotwMachine
from xds.without_on_demand import without_on_demand

ASKING = Resource.of(RouteConfiguration(name="web", vhds=Vhds()))


def request(type: ResourceType, *names: str, nonce: str = "") -> DeltaDiscoveryRequest:
    return DeltaDiscoveryRequest(type_url=type.type_url, resource_names_subscribe=names, response_nonce=nonce)


def settled() -> DeltaMachine:
    """A client that has the cluster "pay" and asked for no host yet."""
    machine = DeltaMachine(Snapshot.of([*service("pay", 1), ASKING]), forgets=True)
    waiting: list[Response] = []
    for type, names in ((CLUSTER, ()), (ENDPOINT, ("pay",)), (ROUTE, ("web",)), (VIRTUAL_HOST, ())):
        waiting += machine.on_request(request(type, *names), now=0.0)
        while waiting:
            response = waiting.pop(0)
            waiting += machine.on_request(request(response.type, nonce=response.nonce), now=0.0)
    assert machine.is_settled
    return machine


def test_an_answer_comes_after_what_was_published_for_it() -> None:
    machine = settled()
    [clusters] = machine.publish(Snapshot.of([*service("pay", 1), *service("cart", 2), ASKING]), now=1.0)
    assert machine.on_request(request(VIRTUAL_HOST, "web/cart"), now=1.0) == []
    [endpoints] = machine.on_request(request(ENDPOINT, "cart"), now=1.0)
    assert machine.on_request(request(CLUSTER, nonce=clusters.nonce), now=1.0) == []
    [answer] = machine.on_request(request(ENDPOINT, nonce=endpoints.nonce), now=1.0)
    assert (answer.type, answer.removed) == (VIRTUAL_HOST, ("web/cart",))
    assert machine.status()[-1].names == frozenset()


def test_an_answer_waits_no_longer_than_an_update() -> None:
    machine = settled()
    machine.publish(Snapshot.of([*service("pay", 1), *service("cart", 2), ASKING]), now=1.0)
    machine.on_request(request(VIRTUAL_HOST, "web/cart"), now=1.0)
    assert machine.deadline == 1.0 + HOLD_SECONDS
    assert machine.on_time(1.0 + HOLD_SECONDS / 2) == []
    [answer] = machine.on_time(1.0 + HOLD_SECONDS)
    assert answer.removed == ("web/cart",)


def test_hosts_that_lead_nowhere_are_answered_at_once_and_forgotten_however_many_and_long_they_are() -> None:
    machine = settled()
    for names in ([f"web/{number}" for number in range(MAX_NAMES + 1)], ["web/" + "x" * 10_000]):
        [answer] = machine.on_request(request(VIRTUAL_HOST, *names), now=1.0)
        assert set(answer.removed) == set(names)
        assert machine.on_request(request(VIRTUAL_HOST, nonce=answer.nonce), now=1.0) == []
        assert machine.status()[-1].names == frozenset()


def test_a_returning_client_may_ask_for_all_that_it_ever_asked_for() -> None:
    machine = DeltaMachine(Snapshot.of([ASKING]), forgets=True)
    names = [f"web/{number}" for number in range(MAX_NAMES + 1)]
    first = request(VIRTUAL_HOST, *names)
    first.initial_resource_versions.update(dict.fromkeys(names, ""))
    [answer] = machine.on_request(first, now=0.0)
    assert set(names) <= set(answer.removed)
    assert machine.status()[0].names == frozenset()


def test_state_of_the_world_is_served_without_virtual_hosts_on_demand() -> None:
    plain = routes("plain", "pay")
    snapshot = Snapshot.of([*service("pay", 1), ASKING, plain])
    served = without_on_demand(snapshot)
    assert without_on_demand(snapshot) is served
    found = served.get(ROUTE, "web")
    assert found is not None
    assert RouteConfiguration.parse(found.body) == RouteConfiguration(name="web")
    assert found.references == frozenset()
    assert served.get(ROUTE, "plain") is plain
    again = without_on_demand(snapshot.replace(put=service("cart", 2)))
    assert again.get(ROUTE, "web") is found
    nothing = Snapshot.of([plain, *service("pay", 1)])
    assert without_on_demand(nothing) is nothing
    assert SotwMachine(snapshot).knows_group
