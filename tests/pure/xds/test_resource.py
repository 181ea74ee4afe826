"""What is a resource, what its version covers, and what is none."""

from __future__ import annotations

from typing import Any, cast

import pytest
from envoy_data_plane.envoy.config.cluster.v3 import Cluster
from envoy_data_plane.envoy.extensions.transport_sockets.tls.v3 import Secret

from xds.errors import SnapshotError
from xds.resource import Resource
from xds.resource_types import CLUSTER, resource_type
from xds.snapshot import Snapshot


def test_a_type_that_the_table_lacks_is_served_as_it_is() -> None:
    resource = Resource.from_bytes("type.googleapis.com/made.up.Type", b"\xff anything", name="a")
    assert (resource.body, resource.references, resource.type.is_opaque) == (b"\xff anything", frozenset(), True)
    assert resource.type is resource_type("type.googleapis.com/made.up.Type")
    with pytest.raises(SnapshotError, match="without a name"):
        Resource.from_bytes("type.googleapis.com/made.up.Type", b"")


def test_a_version_covers_content_lifetime_and_aliases_and_nothing_else() -> None:
    plain = Resource.of(Secret(name="a"))
    assert Resource.of(Secret(name="a"), origin=("Document x",)).version == plain.version
    assert len({plain.version, Resource.of(Secret(name="a"), ttl=1).version}) == 2
    assert Resource.of(Secret(name="a"), version="7").version == "7"


@pytest.mark.parametrize("ttl", [0, -1, float("inf"), float("nan")])
def test_a_lifetime_that_is_none_is_refused(ttl: float) -> None:
    with pytest.raises(SnapshotError, match="ttl: got"):
        Resource.of(Secret(name="a"), ttl=ttl)


@pytest.mark.parametrize(
    ("type_url", "options", "words"),
    [
        ("envoy.config.cluster.v3.Cluster", {}, "type_url: got 'envoy.config.cluster.v3.Cluster', want one as in"),
        ("", {"name": "a"}, "type_url: got ''"),
        (CLUSTER.type_url, {"version": 7}, "version: got 7, want text"),
        (CLUSTER.type_url, {"ttl": 0.01}, "ttl: got 0.01 s, want 0.1 s or more"),
        (CLUSTER.type_url, {"name": "b"}, "name: got 'b' for a message named 'a'"),
    ],
)
def test_what_could_not_be_served_is_no_resource(type_url: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(SnapshotError, match=words):
        Resource.from_bytes(type_url, Resource.of(Cluster(name="a")).body, **options)


def test_the_name_that_asks_for_all_is_no_resources_name() -> None:
    with pytest.raises(SnapshotError, match=r"got '\*', which asks for all"):
        Resource.of(Cluster(name="*"))


def test_versions_of_a_change_are_text() -> None:
    with pytest.raises(SnapshotError, match="version: got 3, want text"):
        Snapshot.partial().replace(put=[Resource.of(Cluster(name="a"))], version=cast("Any", 3))
