"""Bad input at the command line: one clear line that says where, what and what would be right; nothing applied."""

from __future__ import annotations

import json
import socket
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.commands import Result, apg, apg_async, apg_up
from tests.meshes import documents, gateway, route

GOOD = documents(gateway(18080), route("payment"))

DEEP = "a: " + "[" * 200 + "]" * 200
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(12)
)


@pytest.fixture
async def admin(tmp_path: Path) -> AsyncIterator[str]:
    async with apg_up(tmp_path) as addresses:
        address = addresses["admin"]
        for command in (
            ("service", "add", "payment"),
            ("endpoint", "add", "payment", "127.0.0.1:9", "--label", "version=v1"),
        ):
            assert (await apg_async("--admin", address, *command)).code == 0
        yield address


CASES = {
    "unknown kind": (
        GOOD.replace("kind: HTTPRoute", "kind: HttpRoutes"),
        'document 2: kind: got the text "HttpRoutes", want one of ',
    ),
    "unknown version": (
        GOOD.replace("networking.k8s.io/v1", "networking.k8s.io/v1beta9", 1),
        'Gateway default/edge: apiVersion: got the text "gateway.networking.k8s.io/v1beta9", '
        "want gateway.networking.k8s.io/v1",
    ),
    "wrong type": (
        GOOD.replace("port: 18080", 'port: "18080"'),
        'Gateway default/edge: spec.listeners[0].port: got the text "18080", want a whole number',
    ),
    "unknown field": (
        GOOD.replace("backendRefs:", "backendRef:"),
        "HTTPRoute default/payment: spec.rules[0].backendRef: got a field that does not exist, "
        "want one of name, matches, filters, backendRefs, timeouts, retry, sessionPersistence; did you mean backendRefs?",
    ),
    "missing field": (
        GOOD.replace("metadata: {name: payment}", "metadata: {}"),
        "bad.yaml, document 2: metadata.name: got nothing, want a value: this field is required",
    ),
    "weight of -1": (
        documents(gateway(18080), route("payment=-1")),
        "HTTPRoute default/payment: spec.rules[0].backendRefs[0].weight: got -1, want 0 to 1000000",
    ),
    "a service that does not exist": (
        documents(gateway(18080), route("paymint")),
        "HTTPRoute default/payment: spec.rules[0].backendRefs[0].name: got paymint, which does not exist, "
        "want a service of default: payment; did you mean payment?",
    ),
    "a version that does not exist": (
        documents(gateway(18080), route("payment-v7")),
        "HTTPRoute default/payment: spec.rules[0].backendRefs[0].name: got payment-v7: no endpoint of payment has the "
        "version v7, want a version of payment: v1",
    ),
    "a gateway that does not exist": (
        documents(gateway(18080), route("payment", parent="egde")),
        "HTTPRoute default/payment: spec.parentRefs[0]: got default/egde, which does not exist, "
        "want a Gateway that exists: default/edge; did you mean default/edge?",
    ),
    "one name twice": (
        documents(gateway(18080), route("payment"), route("payment")),
        "HTTPRoute default/payment: metadata.name: got the same name in documents 2 and 3 of bad.yaml, "
        "want a name of its own, or one of the two",
    ),
    "one key twice": (
        GOOD.replace("metadata: {name: edge}", "metadata: {name: edge, name: egde}"),
        'bad.yaml, document 1: line 4: got the key "name" twice, want it once',
    ),
    "10 MB": ("# " + "x" * (10 << 20), "bad.yaml: got 10,485,762 bytes, want at most 1,048,576"),
    "an alias bomb": (BOMB, "with its aliases expanded, want at most 100,000"),
    "too deep": (DEEP, "got too deep a nesting, want at most 64 levels"),
    "an alias of itself": ("a: &a [*a]", "bad.yaml, document 1: line 1: got an alias of what it stands in, want none"),
    "no YAML": ("a: [1, 2", "bad.yaml: line 2, column 1: got while parsing a flow sequence"),
    "a tag that makes objects": ("!!python/object/apply:os.system [true]", "could not determine a constructor"),
    "not an object": ("- 1\n- 2", "bad.yaml, document 1: got a list of 2, want an object"),
    "nothing": ("# just a comment\n", "bad.yaml: got no document, want one at least"),
    "a unit forgotten": (
        GOOD + "      timeouts: {request: 10}\n",
        "spec.rules[0].timeouts.request: got 10, want a duration with its unit",
    ),
}


def one_clear_refusal(result: Result, words: str) -> None:
    assert result.code == 3, result
    assert words in result.err, result.err
    assert "Traceback" not in result.err + result.out
    assert len(result.err.strip().splitlines()) <= 2


async def test_each_bad_document_is_refused_in_words_and_nothing_of_it_is_applied(admin: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    for name, (text, words) in CASES.items():
        path.write_text(text)
        for command in ("apply", "plan"):
            result = await apg_async("--admin", admin, command, "-f", str(path))
            assert words in result.err, (name, result.err)
            one_clear_refusal(result, words)
    kept = await apg_async("--admin", admin, "-o", "json", "get", "all")
    assert [item for item in json.loads(kept.out) if "kind" in item] == []


async def test_a_service_in_use_is_not_removed_and_says_by_whom(admin: str) -> None:
    good = await apg_async("--admin", admin, "apply", "-f", "-", stdin=GOOD.encode())
    assert good.code == 0, good
    result = await apg_async("--admin", admin, "service", "remove", "payment")
    one_clear_refusal(result, "HTTPRoute default/payment: spec.rules[0].backendRefs[0].name: got payment")


async def test_bad_registrations_are_refused_in_words(admin: str) -> None:
    for arguments, words in (
        (("service", "add", "Pay_Ment"), 'Service default/Pay_Ment: name: got "Pay_Ment", want 1 to 63 of a-z'),
        (("service", "add", "pay", "--port", "70000"), "port: got 70000, want 1 to 65535"),
        (("service", "add", "payment-v1"), "which already means version v1 of default/payment"),
        (("endpoint", "add", "payment", "localhost:80"), 'address: got "localhost", want an IPv4 or IPv6 address'),
        (("endpoint", "add", "payment", "127.0.0.1:80", "--weight", "500"), "weight: got 500, want 1 to 128"),
    ):
        one_clear_refusal(await apg_async("--admin", admin, *arguments), words)
    unknown = await apg_async("--admin", admin, "endpoint", "add", "ghost", "127.0.0.1:80")
    assert (unknown.code, "no service default/ghost" in unknown.err) == (5, True)


async def test_a_sentence_that_is_not_understood_changes_nothing_and_offers_some_that_are(admin: str) -> None:
    result = await apg_async("--admin", admin, "ask", "--yes", "make everything faster")
    assert result.code == 3
    assert "not understood" in result.err
    assert "route 20% of payment traffic to v1" in result.err


async def test_without_somebody_to_ask_a_sentence_changes_nothing(admin: str) -> None:
    await apg_async("--admin", admin, "apply", "-f", "-", stdin=GOOD.encode())
    result = await apg_async("--admin", admin, "ask", "send all payment traffic to v1")
    assert result.code == 7
    assert "nothing was changed" in result.err


async def test_a_taken_address_is_named_with_the_way_out(admin: str, tmp_path: Path) -> None:
    other = ("--state", str(tmp_path / "other.db"))
    result = await apg_async("up", "--admin-address", admin, "--xds-address", "127.0.0.1:0", *other)
    assert result.code == 1
    assert f"admin address {admin}: cannot listen there: want a free port" in result.err
    assert len(result.err.strip().splitlines()) == 1
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        result = await apg_async("up", "--admin-address", "127.0.0.1:0", "--xds-address", address, *other)
    assert result.code == 1
    assert f"xDS address {address}: cannot listen there" in result.err


async def test_a_state_that_another_control_plane_holds_is_named(admin: str, tmp_path: Path) -> None:
    result = await apg_async("up", "--state", str(tmp_path / "mesh.db"), "--xds-address", "127.0.0.1:0")
    assert result.code == 1
    assert "mesh.db: another control plane uses it" in result.err
    assert "Traceback" not in result.err


async def test_a_locked_database_refuses_the_change_and_keeps_the_rest(admin: str, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "mesh.db", isolation_level=None) as foreign:
        foreign.execute("BEGIN IMMEDIATE")
        result = await apg_async("--admin", admin, "apply", "-f", "-", stdin=GOOD.encode())
        foreign.execute("ROLLBACK")
    foreign.close()
    assert result.code == 4, result
    assert "database is locked: another program holds a transaction on it" in result.err
    again = await apg_async("--admin", admin, "apply", "-f", "-", stdin=GOOD.encode())
    assert again.code == 0


def test_a_state_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("this is not a database, it is a text" * 100)
    result = apg("up", "--state", str(path), "--xds-address", "127.0.0.1:0", "--admin-address", "127.0.0.1:0")
    assert result.code == 1
    assert "notes.txt: file is not a database: want a SQLite file" in result.err
    assert "Traceback" not in result.err


def test_a_missing_envoy_is_named_with_the_way_to_get_one(tmp_path: Path) -> None:
    result = apg("proxy", "--gateway", "edge", "--envoy", str(tmp_path / "envoy"))
    assert result.code == 1
    assert f"no Envoy at {tmp_path / 'envoy'}" in result.err
    assert len(result.err.strip().splitlines()) == 1


def test_nobody_at_the_address_is_said_with_the_way_to_start_one() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        result = apg("--admin", address, "status")
    assert result.code == 4
    assert f"no control plane answers at {address}: start one with `apg up`" in result.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--admin-address", "0.0.0.0:0"), "want admin_token_file, admin_tls_cert and admin_tls_key with it"),
        (("--xds-address", "0.0.0.0:0"), "want xds_tls_cert and xds_tls_key with it"),
        (("--xds-address", "18000"), "got '18000', want HOST:PORT"),
        (("--config", "/nonexistent.toml"), "/nonexistent.toml: no such file"),
    ],
)
def test_a_bad_setting_is_named(arguments: tuple[str, ...], words: str) -> None:
    result = apg("up", *arguments)
    assert result.code == 2
    assert words in result.err
