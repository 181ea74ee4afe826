"""How much one client may have a machine keep, and look at."""

from __future__ import annotations

from itertools import chain

import pytest

from protos.apg.xds.v3.discovery_pb2 import DeltaDiscoveryRequest, DiscoveryRequest
from tests.xds_client import DeltaScript, Script, SotwScript
from tests.xds_resources import service
from xds.bounds import MAX_NAMES, MAX_REASON_LENGTH
from xds.delivery import Nacked
from xds.errors import LimitError
from xds.resource_types import CLUSTER, ENDPOINT, LISTENER
from xds.snapshot import Snapshot


@pytest.fixture(params=[SotwScript, DeltaScript], ids=["sotw", "delta"])
def script(request: pytest.FixtureRequest) -> Script:
    made: Script = request.param()
    return made


def test_a_delta_client_that_asks_on_without_answering_is_answered_no_further_until_it_does() -> None:
    script = DeltaScript()
    names = [f"s{number:03}" for number in range(100)]
    script.publish(Snapshot.of(chain.from_iterable(service(name, 1) for name in names)))
    sent = [response for name in names for response in script.subscribe(ENDPOINT, name)]
    assert len(sent) == 64
    [rest] = script.accept(sent[:1])
    assert rest.names == tuple(names[64:])


def test_what_a_client_claims_to_hold_is_bounded() -> None:
    script = DeltaScript()
    script.publish(Snapshot.of(service("pay", 1)))
    request = DeltaDiscoveryRequest(type_url=CLUSTER.type_url)
    request.initial_resource_versions.update({f"n{number}": "1" for number in range(MAX_NAMES + 1)})
    with pytest.raises(LimitError, match="CDS: got 50,001 resource names, want at most 50,000"):
        script.machine.on_request(request, now=0.0)
    request = DeltaDiscoveryRequest(type_url=LISTENER.type_url, initial_resource_versions={"a": "x" * 2_000})
    with pytest.raises(LimitError, match="LDS: got a version of 2,000 characters"):
        script.machine.on_request(request, now=0.0)


def test_what_a_client_claims_to_be_at_is_bounded() -> None:
    request = DiscoveryRequest(type_url=CLUSTER.type_url, version_info="x" * 2_000)
    with pytest.raises(LimitError, match="CDS: got a version of 2,000 characters"):
        SotwScript().machine.on_request(request, now=0.0)


def test_a_type_url_is_bounded(script: Script) -> None:
    with pytest.raises(LimitError, match="type_url: got 100,003 characters"):
        script.subscribe_url("a.b" + "x" * 100_000)


def test_of_a_refusal_as_much_is_kept_as_somebody_might_read(script: Script) -> None:
    script.publish(Snapshot.of(service("pay", 1)))
    [sent] = script.subscribe(CLUSTER)
    script.answer(sent, error="pay: " + "x" * 4_000_000)
    delivery = script.machine.delivery(CLUSTER)
    assert isinstance(delivery, Nacked)
    assert (len(delivery.reason), delivery.resources) == (MAX_REASON_LENGTH, ("pay",))
