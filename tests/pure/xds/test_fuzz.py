"""Whatever a client sends, in whatever order: a machine answers what can be answered, and refuses the rest in words."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st

from protos.apg.xds.v3.discovery_pb2 import (
    DeltaDiscoveryRequest,
    DeltaDiscoveryResponse,
    DiscoveryRequest,
    DiscoveryResponse,
)
from tests.tiny_resources import tiny
from tests.xds_resources import listener, routes, service
from xds.delta import DeltaMachine
from xds.errors import RequestError
from xds.machine import Machine, Response
from xds.resource_types import CLUSTER, RESOURCE_TYPES, RUNTIME, SECRET, VIRTUAL_HOST
from xds.snapshot import Snapshot
from xds.sotw import SotwMachine

SNAPSHOTS = (
    Snapshot.of([]),
    Snapshot.of([*service("a", 1), routes("web", "a"), listener("edge", routes="web"), tiny(RUNTIME, "a", ttl=2)]),
    Snapshot.of([*service("a", 2), *service("b", 1), routes("web", "b"), listener("edge", routes="web")]),
    Snapshot.of([tiny(VIRTUAL_HOST, "web/a"), tiny(VIRTUAL_HOST, "web/*"), tiny(SECRET, "a", ttl=0.5)]),
)

names = st.one_of(
    st.sampled_from(["a", "b", "web", "edge", "*", "", "web/a", "web/b:80", "web/", "ghost"]), st.text(max_size=8)
)
type_urls = st.one_of(
    st.sampled_from([*(type.type_url for type in RESOURCE_TYPES), "type.googleapis.com/made.up.Type"]),
    st.text(max_size=8),
)
nonces = st.one_of(st.integers(0, 12).map(str), st.text(max_size=4))
errors = st.one_of(st.none(), st.text(max_size=40), st.sampled_from(["a: no", "cluster(s) b: no, web: (["]))
name_lists = st.lists(names, max_size=5)


@st.composite
def sotw_requests(draw: st.DrawFn) -> DiscoveryRequest:
    request = DiscoveryRequest(
        type_url=draw(type_urls),
        resource_names=draw(name_lists),
        response_nonce=draw(nonces),
        version_info=draw(st.one_of(st.sampled_from(sorted({s.version(CLUSTER) for s in SNAPSHOTS})), names)),
    )
    _refuse(request, draw(errors))
    return request


@st.composite
def delta_requests(draw: st.DrawFn) -> DeltaDiscoveryRequest:
    request = DeltaDiscoveryRequest(
        type_url=draw(type_urls),
        resource_names_subscribe=draw(name_lists),
        resource_names_unsubscribe=draw(name_lists),
        initial_resource_versions=draw(st.dictionaries(names, names, max_size=3)),
        response_nonce=draw(nonces),
    )
    _refuse(request, draw(errors))
    return request


def _refuse(request: Any, error: str | None) -> None:
    if error is not None:
        request.error_detail.code, request.error_detail.message = 3, error


events = st.one_of(st.sampled_from(SNAPSHOTS), st.floats(0.0, 6.0))
VARIANTS: dict[str, tuple[Any, Any, Any, st.SearchStrategy[Any]]] = {
    "sotw": (SotwMachine, DiscoveryRequest, DiscoveryResponse, sotw_requests()),
    "delta": (DeltaMachine, DeltaDiscoveryRequest, DeltaDiscoveryResponse, delta_requests()),
}


class Stream:
    """A machine, and what must hold of all that it says."""

    def __init__(self, machine: Machine[Any], response_type: Any) -> None:
        self.machine = machine
        self.now = 0.0
        self._response_type = response_type
        self._nonces: set[str] = set()

    def happen(self, event: Any) -> bool:
        """Whether the stream goes on."""
        try:
            match event:
                case Snapshot():
                    self._said(self.machine.publish(event, now=self.now))
                case float():
                    self.now += event
                    self._said(self.machine.on_time(self.now))
                case _:
                    self._said(self.machine.on_request(event, now=self.now))
        except RequestError as error:
            assert str(error)
            return False
        self.machine.take_answers()
        assert all(status.type.short for status in self.machine.status())
        assert self.machine.deadline is None or self.machine.deadline > self.now - 30
        return True

    def _said(self, responses: list[Response]) -> None:
        for response in responses:
            message = self._response_type.FromString(response.encode())
            assert message.nonce not in self._nonces
            self._nonces.add(message.nonce)
            assert message.type_url == response.type.type_url
            gone = set(getattr(message, "removed_resources", ()))
            came = [resource.name for resource in message.resources if hasattr(resource, "name")]
            assert len(came) == len(set(came))
            assert not gone.intersection(came)


@pytest.mark.parametrize("variant", VARIANTS)
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_no_order_of_requests_breaks_a_machine(variant: str, data: st.DataObject) -> None:
    machine, _, response_type, requests = VARIANTS[variant]
    stream = Stream(machine(), response_type)
    for event in data.draw(st.lists(st.one_of(requests, requests, events), max_size=25)):
        if not stream.happen(event):
            break


@pytest.mark.parametrize("variant", VARIANTS)
@given(chunks=st.lists(st.binary(max_size=80), max_size=10))
@settings(max_examples=200, deadline=None)
def test_no_bytes_break_a_machine(variant: str, chunks: list[bytes]) -> None:
    machine, request_type, response_type, _ = VARIANTS[variant]
    stream = Stream(machine(SNAPSHOTS[1]), response_type)
    for chunk in chunks:
        try:
            request = request_type.FromString(chunk)
        except DecodeError:
            continue
        request.type_url = request.type_url or CLUSTER.type_url
        if not stream.happen(request):
            break


@pytest.mark.parametrize("variant", VARIANTS)
@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_a_client_that_comes_to_its_senses_gets_what_there_is(variant: str, data: st.DataObject) -> None:
    """After any nonsense, a client that subscribes to a type that it had not named yet has all of it."""
    machine, request_type, response_type, requests = VARIANTS[variant]
    stream = Stream(machine(SNAPSHOTS[1]), response_type)
    for request in data.draw(st.lists(requests, max_size=10)):
        if request.type_url != CLUSTER.type_url and not stream.happen(request):
            return
    [response] = [
        response
        for response in stream.machine.on_request(request_type(type_url=CLUSTER.type_url), now=stream.now)
        if response.type is CLUSTER
    ]
    assert response.names == ("a",)
