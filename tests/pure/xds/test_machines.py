"""What both protocol machines promise, in both variants: each test drives a scripted client without a network."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from tests.tiny_resources import tiny
from tests.xds_client import DeltaScript, Script, SotwScript
from tests.xds_resources import cluster, endpoints, listener, routes, service
from xds.delivery import Acked, Nacked, Pending, Refusal
from xds.machine import Response
from xds.resource import Resource
from xds.resource_types import CLUSTER, ENDPOINT, LISTENER, ROUTE, RUNTIME
from xds.snapshot import Snapshot

PAY = (*service("pay", 1), routes("web", "pay"), listener("edge", routes="web"))


@pytest.fixture(params=[SotwScript, DeltaScript], ids=["sotw", "delta"])
def script(request: pytest.FixtureRequest) -> Script:
    made: Script = request.param()
    return made


def snapshot(*resources: Resource | Iterable[Resource]) -> Snapshot:
    flat: list[Resource] = []
    for item in resources:
        flat.extend([item] if isinstance(item, Resource) else item)
    return Snapshot.of(flat)


def synced(script: Script, first: Snapshot) -> Script:
    """A client that behaves as Envoy does at start, and has all of `first`."""
    script.publish(first)
    script.settle_all()
    assert script.holds(first)
    return script


def refuse_clusters(script: Script, sent: list[Response], reason: str) -> None:
    """Refuses CDS; what came with it, the endpoints of the same clusters, is accepted."""
    script.refuse([response for response in sent if response.type is CLUSTER], reason)
    script.accept([response for response in sent if response.type is not CLUSTER])


def last_refusal(script: Script) -> Refusal:
    [refusal] = [answer for answer in script.machine.take_answers() if isinstance(answer, Refusal)]
    return refusal


def test_a_wildcard_subscription_is_sent_all(script: Script) -> None:
    script.publish(snapshot(service("a", 1), service("b", 2)))
    [response] = script.subscribe(CLUSTER)
    assert response.names == ("a", "b")


def test_a_named_subscription_is_sent_only_that(script: Script) -> None:
    script.publish(snapshot(service("a", 1), service("b", 2)))
    [response] = script.subscribe(ENDPOINT, "b")
    assert response.names == ("b",)


def test_the_same_content_has_the_same_version_however_it_was_made() -> None:
    one = snapshot(service("a", 1), service("b", 2))
    other = snapshot(service("b", 3)).replace(put=service("a", 1)).replace(put=[endpoints("b", 2)])
    assert one.version(ENDPOINT) == other.version(ENDPOINT)
    assert one.version(CLUSTER) == other.version(CLUSTER)
    assert one.same_as(other)


def test_an_unchanged_rebuild_sends_nothing(script: Script) -> None:
    synced(script, snapshot(PAY))
    assert script.publish(snapshot(PAY)) == []


def test_a_change_to_a_subscribed_resource_arrives_alone(script: Script) -> None:
    synced(script, snapshot(PAY, service("other", 5)))
    [response] = script.publish(snapshot(*service("pay", 2), PAY[2:], service("other", 5)))
    assert response.type is ENDPOINT
    assert response.names == ("pay",)


def test_a_change_to_an_unsubscribed_resource_is_not_sent(script: Script) -> None:
    script.publish(snapshot(service("a", 1), service("b", 1)))
    script.accept(script.subscribe(ENDPOINT, "a"))
    assert script.publish(snapshot(service("a", 1), service("b", 2))) == []


def test_a_resource_that_appears_under_a_wildcard_arrives(script: Script) -> None:
    script.publish(snapshot(service("a", 1)))
    script.accept(script.subscribe(CLUSTER))
    [response] = script.publish(snapshot(service("a", 1), service("b", 1)))
    assert "b" in response.names


def test_a_name_that_does_not_exist_does_not_hold_up_the_others(script: Script) -> None:
    script.publish(snapshot(service("a", 1)))
    [response] = script.subscribe(ENDPOINT, "a", "ghost")
    assert response.names == ("a",)
    script.accept([response])
    [later] = script.publish(snapshot(service("a", 1), service("ghost", 1)))
    assert later.names == ("ghost",)


def test_unsubscribing_from_everything_is_not_a_wildcard(script: Script) -> None:
    script.publish(snapshot(service("a", 1), service("b", 1)))
    script.accept(script.subscribe(ENDPOINT, "a"))
    assert script.unsubscribe(ENDPOINT, "a") == []
    assert script.publish(snapshot(service("a", 2), service("b", 2))) == []


def test_an_unknown_group_is_left_alone_until_it_is_published(script: Script) -> None:
    assert script.subscribe(CLUSTER) == []
    [response] = script.publish(snapshot(service("a", 1)))
    assert response.names == ("a",)


def test_an_empty_snapshot_answers_a_wildcard_so_that_the_client_can_go_on(script: Script) -> None:
    script.publish(Snapshot.of([]))
    [response] = script.subscribe(LISTENER)
    assert response.names == ()


def test_a_type_that_nothing_was_published_of_is_one_without_resources(script: Script) -> None:
    script.publish(snapshot(PAY))
    [response] = script.subscribe_url("type.googleapis.com/made.up.Type")
    assert (response.names, response.removed) == ((), ())


def test_only_the_newest_snapshot_is_sent_to_a_client_that_was_busy(script: Script) -> None:
    script.publish(snapshot(service("a", 1)))
    script.accept(script.subscribe(ENDPOINT, "a"))
    busy = script.publish(snapshot(service("a", 2)))
    assert script.publish(snapshot(service("a", 3))) == []
    newest = endpoints("a", 4)
    assert script.publish(snapshot(cluster("a"), newest)) == []
    [response] = script.accept(busy)
    assert script.body(response, "a") == newest.body


# --- acceptance and refusal ---


def test_a_response_is_pending_until_it_is_accepted(script: Script) -> None:
    script.publish(snapshot(service("a", 1)))
    sent = script.subscribe(CLUSTER)
    assert script.machine.delivery(CLUSTER) == Pending(sent[0].version)
    script.accept(sent)
    assert script.machine.delivery(CLUSTER) == Acked(sent[0].version)


def test_a_refused_version_is_not_sent_again_until_it_changes(script: Script) -> None:
    synced(script, snapshot(PAY))
    broken, repaired = cluster("pay", stat_name="broken"), cluster("pay", stat_name="repaired")
    sent = script.publish(snapshot(broken, PAY[1:]))
    assert script.refuse(sent, "unknown lb policy") == []
    assert script.publish(snapshot(broken, endpoints("pay", 9), PAY[2:])) != []  # others move on
    script.settle_all()
    assert script.held(CLUSTER, "pay") == PAY[0].version
    [again] = [r for r in script.publish(snapshot(repaired, endpoints("pay", 9), PAY[2:])) if r.type is CLUSTER]
    assert script.body(again, "pay") == repaired.body


def test_a_refusal_names_the_blamed_resource_its_origin_and_the_clients_words(script: Script) -> None:
    synced(script, snapshot(service("a", 1), service("b", 1)))
    bad = cluster("b", stat_name="bad")
    sent = script.publish(snapshot(cluster("a", stat_name="good"), endpoints("a", 1), bad, endpoints("b", 1)))
    refuse_clusters(script, sent, "Error adding/updating cluster(s) b: no such lb policy")
    refusal = last_refusal(script)
    assert refusal.type is CLUSTER
    assert refusal.nacked.resources == ("b",)
    assert refusal.nacked.origins == ("Service b",)
    assert "no such lb policy" in refusal.nacked.reason
    assert isinstance(script.machine.delivery(CLUSTER), Pending | Nacked)


def test_the_others_of_a_refused_response_go_out_without_the_blamed_one(script: Script) -> None:
    synced(script, snapshot(service("a", 1), service("b", 1)))
    good, bad = cluster("a", stat_name="good"), cluster("b", stat_name="bad")
    sent = script.publish(snapshot(good, endpoints("a", 1), bad, endpoints("b", 1)))
    again = script.refuse(sent, "Error adding/updating cluster(s) b: no such lb policy")
    assert script.body(again[0], "a") == good.body
    script.accept(again)
    script.settle_all()
    assert script.held(CLUSTER, "a") == good.version
    assert script.held(CLUSTER, "b") == cluster("b").version


def test_if_nobody_is_named_each_goes_out_alone_to_find_who_is_to_blame(script: Script) -> None:
    synced(script, snapshot(service("a", 1), service("b", 1), service("c", 1)))
    waiting = script.publish(snapshot(service("a", 2), service("b", 2), service("c", 2)))
    assert [response.names for response in waiting] == [("a", "b", "c")]
    waiting = script.refuse(waiting, "malformed IP address")
    assert last_refusal(script).nacked.resources == ()
    tried = []
    while waiting:
        [response] = waiting
        tried.append(response.names)
        bad = response.names == ("b",)
        waiting = script.refuse([response], "malformed IP address") if bad else script.accept([response])
    assert tried == [("a",), ("b",), ("c",)]
    assert last_refusal(script).nacked.resources == ("b",)
    assert [script.held(ENDPOINT, name) for name in "abc"] == [
        endpoints("a", 2).version,
        endpoints("b", 1).version,
        endpoints("c", 2).version,
    ]
    [repaired] = script.publish(snapshot(service("a", 2), service("b", 3), service("c", 2)))
    assert repaired.names == ("b",)


def test_what_changes_while_each_is_tried_alone_goes_out_anew(script: Script) -> None:
    synced(script, snapshot(service("a", 1), service("b", 1)))
    [alone] = script.refuse(script.publish(snapshot(service("a", 2), service("b", 2))), "malformed IP address")
    assert alone.names == ("a",)
    newest = snapshot(service("a", 3), service("b", 3))
    script.publish(newest)
    script.run([alone])
    assert script.holds(newest)


def test_a_blame_is_a_whole_name_and_not_a_part_of_one(script: Script) -> None:
    synced(script, snapshot(service("pay", 1), service("pay-v2", 1)))
    sent = script.publish(
        snapshot(
            cluster("pay", stat_name="x"), endpoints("pay", 1), cluster("pay-v2", stat_name="x"), endpoints("pay-v2", 1)
        )
    )
    refuse_clusters(script, sent, "cluster pay-v2: bad.")
    refusal = last_refusal(script)
    assert refusal.nacked.resources == ("pay-v2",)


def test_a_refusal_is_forgotten_when_the_snapshot_takes_the_content_back(script: Script) -> None:
    synced(script, snapshot(PAY))
    refuse_clusters(script, script.publish(snapshot(cluster("pay", stat_name="broken"), PAY[1:])), "no")
    assert not all(status.in_sync for status in script.machine.status())
    assert script.publish(snapshot(PAY)) == []
    assert all(status.in_sync for status in script.machine.status())
    assert all(status.nacked is None for status in script.machine.status())


def test_a_changed_cluster_brings_its_endpoints_along_and_does_not_wait_for_its_ack(script: Script) -> None:
    """Envoy keeps the ACK of CDS back until the clusters are warm, which they are once EDS has answered."""
    synced(script, snapshot(PAY))
    sent = script.publish(snapshot(cluster("pay", stat_name="changed"), PAY[1:]))
    assert [(response.type, response.names) for response in sent] == [(CLUSTER, ("pay",)), (ENDPOINT, ("pay",))]
    script.accept(reversed(sent))
    assert all(status.in_sync for status in script.machine.status())


def test_endpoints_that_go_while_their_cluster_is_on_its_way_are_answered_all_the_same(script: Script) -> None:
    """Envoy keeps the ACK of CDS back until its clusters heard of endpoints; without an answer it would learn of nothing
    newer until its time-out."""
    synced(script, snapshot(PAY))
    [clusters] = script.publish(snapshot(PAY, service("new", 7)))
    later = script.publish(snapshot(PAY))
    [answer] = script.subscribe(ENDPOINT, "new")
    assert answer.type is ENDPOINT
    assert (*answer.names, *answer.removed) == ("new",)
    script.run([answer, clusters, *later])
    assert script.holds(snapshot(PAY))
    assert all(status.in_sync for status in script.machine.status())


def test_what_was_refused_and_never_held_has_no_lifetime_to_renew(script: Script) -> None:
    script.publish(snapshot(tiny(RUNTIME, "a", ttl=2)))
    refused = script.refuse(script.subscribe(RUNTIME, "a"), "no")
    assert refused == []
    assert script.machine.deadline is None
    assert script.machine.on_time(60.0) == []


def test_every_refusal_of_everything_ends(script: Script) -> None:
    """A client that refuses all it is sent gets no content twice."""
    synced(script, snapshot(service("a", 1), service("b", 1)))
    waiting = script.publish(snapshot(service("a", 2, stat_name="x"), service("b", 2, stat_name="x")))
    rounds = 0
    while waiting:
        rounds += 1
        assert rounds < 10
        waiting = script.refuse(waiting, "no, and a is to blame")


# --- order: make before break ---


def test_a_new_service_comes_in_before_the_route_to_it(script: Script) -> None:
    synced(script, snapshot(PAY))
    after = snapshot(PAY[:2], service("new", 7), routes("web", "new"), PAY[3])
    order = script.run(script.publish(after))
    kinds = [response.type for response in order if response.names]
    assert kinds.index(CLUSTER) < kinds.index(ENDPOINT) < kinds.index(ROUTE)
    assert script.holds(after)


def test_a_cluster_is_removed_last_and_only_once_nothing_refers_to_it(script: Script) -> None:
    synced(script, snapshot(PAY))
    after = snapshot(service("new", 7), routes("web", "new"), PAY[3])
    seen_without_pay = False
    for response in script.steps(script.publish(after)):
        holds_pay = script.held(CLUSTER, "pay") is not None
        if response.type is ROUTE:
            assert holds_pay, "the old cluster went before the route to it"
        seen_without_pay = seen_without_pay or not holds_pay
    assert seen_without_pay
    assert script.holds(after)


def test_a_refused_route_keeps_the_cluster_that_it_still_uses(script: Script) -> None:
    synced(script, snapshot(PAY))
    waiting = script.publish(snapshot(service("new", 7), routes("web", "new"), PAY[3]))
    while waiting:
        response, *rest = waiting
        more = script.refuse([response], "no") if response.type is ROUTE else script.accept([response])
        waiting = [*rest, *more, *script.follow()]
    assert script.held(CLUSTER, "pay") is not None
    assert script.held(ROUTE, "web") == PAY[2].version


def test_a_changed_cluster_has_its_endpoints_answered_though_they_did_not_change(script: Script) -> None:
    synced(script, snapshot(PAY))
    order = script.run(script.publish(snapshot(cluster("pay", stat_name="changed"), PAY[1:])))
    assert [response.type for response in order] == [CLUSTER, ENDPOINT]


def test_an_update_is_held_back_for_a_bounded_time(script: Script) -> None:
    """The client never answers CDS: RDS goes out once the bound has passed, and nothing is asked of the clock after."""
    synced(script, snapshot(PAY))
    after = snapshot(PAY[:2], service("new", 7), routes("web", "new"), PAY[3])
    stuck = script.publish(after)
    assert [response.type for response in stuck] == [CLUSTER]
    deadline = script.machine.deadline
    assert deadline is not None
    script.now = deadline
    late = script.machine.on_time(script.now)
    assert ROUTE in [response.type for response in late]
    assert script.machine.deadline is None or script.machine.deadline > script.now


# --- reconnecting ---


def test_a_delta_client_that_reconnects_unchanged_is_sent_nothing() -> None:
    first = snapshot(PAY)
    old = synced(DeltaScript(), first)
    new = DeltaScript()
    new.publish(snapshot(PAY))  # another server, the same content
    assert new.reconnect(old) == []
    assert all(status.in_sync for status in new.machine.status())


def test_a_delta_client_that_reconnects_after_a_change_is_sent_the_difference() -> None:
    old = synced(DeltaScript(), snapshot(PAY, service("gone", 3)))
    new = DeltaScript()
    after = snapshot(cluster("pay"), endpoints("pay", 2), PAY[2:])
    new.publish(after)
    sent = new.run(new.reconnect(old))
    assert {(response.type, response.names) for response in sent if response.names} == {(ENDPOINT, ("pay",))}
    removed = {(response.type, response.removed) for response in sent if response.removed}
    assert removed == {(CLUSTER, ("gone",)), (ENDPOINT, ("gone",))}


def test_a_sotw_client_that_reconnects_with_the_current_version_is_not_sent_it_again() -> None:
    old = synced(SotwScript(), snapshot(PAY))
    new = SotwScript()
    new.publish(snapshot(PAY))
    assert {response.type for response in new.reconnect(old)} <= {ENDPOINT, ROUTE}


def test_a_client_that_reconnects_before_there_is_a_snapshot_is_sent_nothing_if_it_has_all(script: Script) -> None:
    old = synced(script, snapshot(PAY))
    new = type(script)()  # a server that has only just started
    assert new.reconnect(old) == []
    sent = new.publish(snapshot(PAY))
    named = (
        {ENDPOINT, ROUTE} if isinstance(script, SotwScript) else set()
    )  # by name: there is no version of all to go by
    assert {response.type for response in sent} == named
    changed = snapshot(cluster("pay", stat_name="changed"), PAY[1:])
    assert [response.type for response in new.run([*sent, *new.publish(changed)]) if response.type is CLUSTER] == [
        CLUSTER
    ]


def test_a_stale_nonce_says_nothing() -> None:
    script = SotwScript()
    script.publish(snapshot(service("a", 1)))
    script.accept(script.subscribe(ENDPOINT, "a"))
    stale = script.publish(snapshot(service("a", 2)))
    newest = script.publish(snapshot(service("a", 3)))
    assert newest == []
    [newest_response] = script.accept(stale)
    assert script.answer(stale[0], error="too late") == []
    assert not any(isinstance(answer, Refusal) for answer in script.machine.take_answers())
    assert script.accept([newest_response]) == []


def test_a_resubscription_is_answered_again() -> None:
    script = DeltaScript()
    script.publish(snapshot(service("a", 1)))
    script.accept(script.subscribe(ENDPOINT, "a"))
    [again] = script.subscribe(ENDPOINT, "a")
    assert again.names == ("a",)


def test_a_delta_client_is_told_that_a_name_does_not_exist() -> None:
    script = DeltaScript()
    script.publish(snapshot(service("a", 1)))
    [response] = script.subscribe(ENDPOINT, "ghost")
    assert response.removed == ("ghost",)


def test_a_subscription_is_answered_while_another_response_is_unacknowledged() -> None:
    script = DeltaScript()
    script.publish(snapshot(service("a", 1), service("b", 1)))
    first = script.subscribe(ENDPOINT, "a")
    [second] = script.subscribe(ENDPOINT, "b")
    assert second.names == ("b",)
    assert script.accept([*first, second]) == []
