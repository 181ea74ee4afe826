"""A thousand nodes with scopes of their own over the same resources share all of their bytes."""

from __future__ import annotations

import pytest
from betterproto2 import Message

from protos.apg.xds.v3.discovery_pb2 import DeltaDiscoveryRequest
from tests.tiny_resources import tiny
from xds.cache import SnapshotCache
from xds.delta import DeltaMachine
from xds.encoder import encode
from xds.resource_types import CLUSTER, ENDPOINT
from xds.snapshot import Snapshot


def test_a_thousand_scopes_encode_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[Message] = []

    def counted(message: Message) -> bytes:
        encoded.append(message)
        return encode(message)

    monkeypatch.setattr("xds.resource.encode", counted)
    services = [(tiny(CLUSTER, f"s{n}"), tiny(ENDPOINT, f"s{n}")) for n in range(100)]
    cache = SnapshotCache()
    for node in range(1_000):
        scope = [resource for n in range(10) for resource in services[(node + n * 7) % 100]]
        cache.publish(f"node-{node}", Snapshot.of(scope))
    assert len(encoded) == 200
    assert len({snapshot.version(CLUSTER) for snapshot in cache.groups.values()}) == 100  # as many as there are scopes

    changed = tiny(ENDPOINT, "s0", 2)
    sent = 0
    for group, snapshot in list(cache.groups.items()):
        machine = DeltaMachine(snapshot)
        request = DeltaDiscoveryRequest(type_url=ENDPOINT.type_url, resource_names_subscribe=["s0"])
        [first] = machine.on_request(request, now=0.0)
        machine.on_request(DeltaDiscoveryRequest(type_url=ENDPOINT.type_url, response_nonce=first.nonce), now=0.0)
        if snapshot.get(ENDPOINT, "s0") is None:
            continue
        cache.put(group, changed)
        after = cache.get(group)
        assert after is not None
        assert after.get(ENDPOINT, "s0") is changed  # the very same object, in each group that has it
        assert all(after.get(CLUSTER, name) is snapshot.get(CLUSTER, name) for name in snapshot.resources(CLUSTER))
        [response] = machine.publish(after, now=0.0)
        assert changed.framed in response.payload
        sent += 1
    assert sent == 100
    assert len(encoded) == 201
