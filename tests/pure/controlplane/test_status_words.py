"""What `apg status` says of a proxy, in a word or two."""

from __future__ import annotations

import pytest

from controlplane.cli.commands.fleet import _state
from protos.apg.admin.v1 import admin_pb2 as pb
from xds.resource_types import CLUSTER, LISTENER

FINE = pb.TypeStatus(type_url=LISTENER.type_url)
REFUSED = pb.TypeStatus(type_url=CLUSTER.type_url, nack_version="1", nack_reason="no")
SILENT = pb.TypeStatus(type_url=CLUSTER.type_url, unanswered_seconds=75.2)


@pytest.mark.parametrize(
    ("proxy", "words"),
    [
        (pb.Proxy(known_group=True, in_sync=True, types=[FINE]), "[green]in sync[/]"),
        (pb.Proxy(known_group=True, types=[FINE, REFUSED]), "[red]refuses CDS[/]"),
        (pb.Proxy(known_group=True, types=[FINE, SILENT]), "[yellow]behind[/], silent for 75 s"),
        (pb.Proxy(known_group=True, types=[FINE]), "[yellow]behind[/]"),
        (pb.Proxy(known_group=False), "[yellow]no such Gateway[/]"),
    ],
)
def test_a_proxy_in_a_word_or_two(proxy: pb.Proxy, words: str) -> None:
    assert _state(proxy) == words
