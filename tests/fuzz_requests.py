"""A target for atheris: `python -m tests.fuzz_requests -runs=N`. Bytes become requests of one stream, and must end in
answers or in a refusal in words.

Coverage guides what is tried, in the machines and in the messages' parser.
"""

from __future__ import annotations

import sys
from typing import Any

import atheris

with atheris.instrument_imports(include=["xds"]):
    from xds.delta import DeltaMachine
    from xds.errors import RequestError
    from xds.machine import Machine
    from xds.snapshot import Snapshot
    from xds.sotw import SotwMachine

from google.protobuf.message import DecodeError

from protos.apg.xds.v3.discovery_pb2 import DeltaDiscoveryRequest, DiscoveryRequest
from tests.tiny_resources import tiny
from xds.resource_types import CLUSTER, ENDPOINT, RUNTIME, VIRTUAL_HOST

FIRST = Snapshot.of([tiny(CLUSTER, "a"), tiny(ENDPOINT, "a"), tiny(VIRTUAL_HOST, "r/a"), tiny(RUNTIME, "a", ttl=1)])
SECOND = FIRST.replace(put=[tiny(CLUSTER, "a", 2), tiny(CLUSTER, "b")])


def one_stream(data: bytes) -> None:
    provider = atheris.FuzzedDataProvider(data)
    delta = provider.ConsumeBool()
    machine: Machine[Any] = DeltaMachine(FIRST) if delta else SotwMachine(FIRST)
    parse = DeltaDiscoveryRequest.FromString if delta else DiscoveryRequest.FromString
    now = 0.0
    while provider.remaining_bytes():
        now += provider.ConsumeIntInRange(0, 3)
        try:
            match provider.ConsumeIntInRange(0, 3):
                case 0:
                    machine.publish(SECOND if provider.ConsumeBool() else FIRST, now=now)
                case 1:
                    machine.on_time(now)
                case _:
                    chunk = provider.ConsumeBytes(provider.ConsumeIntInRange(0, 120))
                    for response in machine.on_request(parse(chunk), now=now):
                        response.encode()
        except RequestError:
            return
        except DecodeError:
            continue
        machine.status()


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_stream)
    atheris.Fuzz()
