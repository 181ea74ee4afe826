"""Lists of addresses: what is read of a file, and what of it reaches a snapshot."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import pytest

from controlplane.address_lists import FileAddressLists, Read, read
from policy.authorization_policy import MAX_LISTED
from policy.compiler.compiler import Compiler
from policy.reading import read_documents
from registry.mesh import Mesh
from registry.model import Change, Endpoint, Item, Service, labels
from tests.meshes import documents, gateway, route
from tests.shop import policy
from xds.snapshot import Snapshot

DENY = policy("AuthorizationPolicy", "action: Deny, rules: [{addressLists: [bad.txt]}]")


def test_ranges_are_merged_and_comments_passed_over() -> None:
    text = "# of today\n198.51.100.0/25\n198.51.100.128/25 ; twice a half\n203.0.113.9,scanner\n\n2001:db8::1\n"
    assert read(text) == Read(("198.51.100.0/24", "203.0.113.9/32", "2001:db8::1/128"))


def test_lines_that_are_no_addresses_are_left_out_and_the_first_is_named() -> None:
    found = read("192.0.2.1\n192.0.2.2\n0.0.0.0/0\nexample.com\n192.0.2.9\n")
    assert (len(found.addresses), found.skipped) == (3, 2)
    assert found.first == "line 3: a range as wide as /0, want /8 or narrower"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<html>\n<body>gone</body>\n192.0.2.1\n", "2 lines are no addresses, and 1 are (line 1: want an address"),
        ("\n".join(f"10.{i >> 8}.{i & 255}.1" for i in range(MAX_LISTED + 1)), "5001 ranges, want 5000 at most"),
    ],
)
def test_what_is_no_list_is_refused_whole(text: str, words: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011  # its words are looked at
        read(text)
    assert words in str(error.value)


def test_what_was_good_last_is_used_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lists, file = FileAddressLists(tmp_path), tmp_path / "bad.txt"
    assert not lists.reload()
    assert lists.addresses("bad.txt") is None
    file.write_text("192.0.2.1\n")
    assert lists.reload()
    file.write_text("<html>\nno\n")
    with caplog.at_level(logging.ERROR):
        assert not lists.reload()
    assert "list=bad.txt not read, the last good one is used on" in caplog.text
    file.unlink()
    assert not lists.reload()
    assert lists.addresses("bad.txt") == ("192.0.2.1/32",)


class Lists:
    """Lists that a test writes."""

    def __init__(self, **lists: tuple[str, ...]) -> None:
        self.known = lists

    def addresses(self, name: str) -> tuple[str, ...] | None:
        return self.known.get(name.removesuffix(".txt"))


def mesh(*texts: str) -> Mesh:
    items: list[Item] = [Service("default", "payment")]
    items += [Endpoint("default", "payment", "10.0.0.1", 80, labels({"version": "v1"}))]
    text = documents(gateway(8080), route("payment"), *texts)
    items += [document.to_document() for document in read_documents(text.encode(), source="test")]
    return Mesh().after(Change(None, item) for item in items)


def texts(snapshots: Mapping[str, Snapshot]) -> bytes:
    [snapshot] = snapshots.values()
    return b"".join(resource.framed for type in snapshot.types for resource in snapshot.resources(type).values())


def test_a_changed_list_changes_what_is_compiled_and_nothing_else() -> None:
    lists = Lists(bad=("192.0.2.1/32",))
    compiler, made = Compiler(lists=lists), mesh(DENY)
    first = compiler.compile(made)
    assert b"192.0.2.1" in texts(first)
    again = compiler.compile(made)
    assert again["default/edge"] is first["default/edge"], "the same of the same"
    lists.known["bad"] = ("198.51.100.0/24",)
    assert b"198.51.100.0" in texts(compiler.compile(made))
    assert b"192.0.2.1" not in texts(compiler.compile(made))
    later = made.after([Change(None, Service("default", "other"))])
    assert texts(compiler.compile(later)) == texts(Compiler(lists=lists).compile(later))


def test_a_list_that_is_not_there_matches_nobody() -> None:
    assert b"0.0.0.0" in texts(Compiler(lists=Lists()).compile(mesh(DENY)))
    assert b"0.0.0.0" in texts(Compiler().compile(mesh(DENY)))
