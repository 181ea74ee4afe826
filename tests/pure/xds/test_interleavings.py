"""Whatever the order in which snapshots, responses and requests meet, a client that behaves comes to hold the newest.

Messages wait in two queues, as they do on a network, and hypothesis says what is delivered next. Time stands still, so
nothing may need the bound on holding back to come to its end.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tiny_resources import tiny
from tests.xds_client import DeltaScript, Script, SotwScript, content_version
from tests.xds_resources import cluster, endpoints, listener, routes
from xds.machine import Response
from xds.references import references
from xds.resource_types import CLUSTER, ENDPOINT, LISTENER, ROUTE, SECRET
from xds.snapshot import Snapshot

NAMES = ("a", "b", "c")


@cache
def world(used: frozenset[str], ports: int, stat_name: str, secret: str, mark: int) -> Snapshot:
    """A listener whose routes lead to the services of `used`, which exist, and no others; their clusters use `secret`,
    if it has a name."""
    clusters = [cluster(name, stat_name=stat_name, secret=secret) for name in sorted(used)]
    assignments = [endpoints(name, ports) for name in sorted(used)]
    secrets = [tiny(SECRET, secret, mark)] if secret else []
    edge = [routes("web", *sorted(used)), listener("edge", routes="web")]
    return Snapshot.of([*clusters, *assignments, *secrets, *edge])


worlds = st.builds(
    world,
    st.frozensets(st.sampled_from(NAMES), min_size=1),
    st.integers(1, 2),
    st.sampled_from(["", "x"]),
    st.sampled_from(["", "roots", "new-roots"]),
    st.integers(1, 2),
)
steps = st.one_of(
    worlds,
    st.sampled_from(["response", "response, then follow", "request", "nudge"]),
    st.sampled_from(["response", "request"]),
)


class Network:
    """A client and a machine with a queue each way. The client refuses a response with a cluster that `is_bad`; it
    takes nothing of it, and says whom it blames, or does not."""

    def __init__(
        self, script: Script, *, is_bad: Callable[[str, bytes], bool] = lambda name, body: False, says_whom: bool = True
    ) -> None:
        self.script = script
        self._is_bad = is_bad
        self._says_whom = says_whom
        self.refused: list[str] = []
        self.machine = script.machine
        self.to_client: deque[Response] = deque()
        self.to_server: deque[Any] = deque()
        script.machine = self  # type: ignore[assignment]  # what the client sends meets the queue

    def on_request(self, request: Any, *, now: float) -> list[Response]:
        self.to_server.append(request)
        return []

    def publish(self, snapshot: Snapshot) -> None:
        self.to_client.extend(self.machine.publish(snapshot, now=0.0))

    def step(self, step: str) -> None:
        match step:
            case "request" if self.to_server:
                self.to_client.extend(self.machine.on_request(self.to_server.popleft(), now=0.0))
            case "response" | "response, then follow" if self.to_client:
                self._receive(self.to_client.popleft(), answer_first=step == "response")
            case "nudge" if ENDPOINT in self.script.names and isinstance(self.script, SotwScript):
                self.script.subscribe(ENDPOINT)  # Envoy asks again for the same names now and then
            case _:
                pass

    def settle(self) -> None:
        for _ in range(1_000):
            if not self.to_client and not self.to_server:
                return
            self.step("request")
            self.step("response")
        raise AssertionError("the exchange does not come to an end")

    def _receive(self, response: Response, *, answer_first: bool) -> None:
        script, wanted = self.script, response.type in (CLUSTER, LISTENER)
        bodies, gone = script.decoded(response)
        if response.type is CLUSTER:
            bad = sorted(name for name, body in bodies.items() if self._is_bad(name, body))
            if bad:
                self.refused += [f"{name} {content_version(bodies[name])}" for name in bad]
                script.answer(response, error=f"bad: {', '.join(bad)}" if self._says_whom else "bad")
                return
        holds = script.resources.setdefault(response.type, {})
        names = script.names.get(response.type, set())
        holds.update({name: body for name, body in bodies.items() if wanted or name in names})
        self._refuse_lost_secrets(response, gone.intersection(holds))
        for name in gone:
            holds.pop(name, None)
        script.versions[response.type] = response.version
        if answer_first:
            script.answer(response)
        script.follow()
        if not answer_first:
            script.answer(response)
        self._refuse_broken_routes()

    def _refuse_lost_secrets(self, response: Response, gone: set[str]) -> None:
        """A secret does not go before the last cluster that uses it."""
        if response.type is SECRET:
            for body in self.script.resources.get(CLUSTER, {}).values():
                lost = gone.intersection(key.name for key in references(CLUSTER, body) if key.type is SECRET)
                assert not lost, f"{lost} went while it was in use"

    def _refuse_broken_routes(self) -> None:
        """A route in use leads to a cluster that the client has, and that has had its endpoints."""
        for body in self.script.resources.get(ROUTE, {}).values():
            for name in NAMES:
                if f"/{name}".encode() in body and name not in "".join(self.refused):
                    assert name in self.script.resources[CLUSTER], f"the route to {name} has no cluster"


@pytest.mark.parametrize("variant", [SotwScript, DeltaScript], ids=["sotw", "delta"])
@given(first=worlds, story=st.lists(steps, max_size=40))
@settings(max_examples=300, deadline=None)
def test_the_newest_snapshot_arrives_and_no_route_is_ever_broken(
    variant: type[Script], first: Snapshot, story: list[Snapshot | str]
) -> None:
    network = Network(variant())
    network.publish(first)
    for type in (CLUSTER, LISTENER):
        network.script.subscribe(type)
        network.settle()
    newest = first
    for step in story:
        if isinstance(step, Snapshot):
            newest = step
            network.publish(step)
        else:
            network.step(step)
    network.settle()
    assert network.script.holds(newest), network.machine.status()
    assert all(status.in_sync for status in network.machine.status())
    assert network.machine.deadline is None


@pytest.mark.parametrize("variant", [SotwScript, DeltaScript], ids=["sotw", "delta"])
@given(first=worlds, story=st.lists(steps, max_size=40), says_whom=st.booleans())
@settings(max_examples=150, deadline=None)
def test_what_a_client_refuses_is_not_forced_on_it_and_the_rest_arrives(
    variant: type[Script], first: Snapshot, story: list[Snapshot | str], says_whom: bool
) -> None:
    """The client refuses the cluster "c" whenever it is called "x"."""
    says_whom = says_whom or variant is SotwScript  # else all that came with it are to blame
    network = Network(variant(), is_bad=lambda name, body: name == "c" and b"\x01x" in body, says_whom=says_whom)
    network.publish(first)
    for type in (CLUSTER, LISTENER):
        network.script.subscribe(type)
        network.settle()
    newest = first
    for step in story:
        if isinstance(step, Snapshot):
            newest = step
            network.publish(step)
        else:
            network.step(step)
    network.settle()
    held = network.script.resources.get(CLUSTER, {})
    for name, resource in newest.resources(CLUSTER).items():
        if name != "c":
            assert held[name] == resource.body
        elif name in held:
            assert b"\x01x" not in held[name]
        else:
            assert b"\x01x" in resource.body
    if "c" not in newest.resources(CLUSTER):
        assert "c" not in held
    published = sum(isinstance(step, Snapshot) for step in story) + 1
    assert max(Counter(network.refused).values(), default=0) <= 2 * published
