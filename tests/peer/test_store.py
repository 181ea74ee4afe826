"""The store: one SQLite file, one revision a transaction, and what happens when things go wrong."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.errors import ConflictError, RevisionNotFoundError, StoreUnavailableError
from registry.mesh import Mesh
from registry.model import Change, Document, Endpoint, Item, Protocol, Service, labels
from registry.store import Store

ROOT = Path(__file__).parents[2]
PAY = Service("default", "pay", 8080, Protocol.HTTP2, labels({"team": "shop"}))
ONE = Endpoint("default", "pay", "10.0.0.1", 80, labels({"version": "v1"}), 3)
DOCUMENT = Document("HTTPRoute", "default", "pay", '{"ü":1}')


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with await Store.open(tmp_path / "mesh.db") as opened:
        yield opened


async def commit(store: Store, *changes: Change, expected: int | None = None) -> int:
    revision = await store.commit(changes, author="me", reason="because", expected=expected)
    return revision.number


async def test_what_was_committed_is_there_after_a_restart(tmp_path: Path) -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    async with await Store.open(tmp_path / "deep" / "mesh.db", clock=lambda: at) as store:
        await commit(store, Change(None, ONE), Change(None, PAY), Change(None, DOCUMENT))
    async with await Store.open(tmp_path / "deep" / "mesh.db") as store:
        mesh = await store.load()
        [revision] = await store.revisions()
    assert mesh.services == {PAY.key: PAY}
    assert mesh.endpoints_of(PAY.key) == (ONE,)
    assert mesh.documents == {DOCUMENT.key: DOCUMENT}
    assert (revision.number, revision.at, revision.author, revision.reason) == (1, at, "me", "because")
    assert set(revision.changes) == {Change(None, ONE), Change(None, PAY), Change(None, DOCUMENT)}


async def test_a_change_of_what_is_not_so_any_more_is_refused_whole(store: Store) -> None:
    await commit(store, Change(None, PAY))
    other = Service("default", "pay", 9090)
    with pytest.raises(ConflictError, match="Service default/pay is not as it was"):
        await commit(store, Change(None, DOCUMENT), Change(other, None))
    assert (await store.load()).documents == {}
    assert await commit(store, Change(None, DOCUMENT)) == 2, "a failed commit left a gap"


async def test_an_expected_revision_that_has_passed_is_refused(store: Store) -> None:
    await commit(store, Change(None, PAY))
    with pytest.raises(ConflictError, match="at revision 1, not at 0"):
        await commit(store, Change(None, DOCUMENT), expected=0)


async def test_an_endpoint_needs_its_service_and_a_service_does_not_leave_endpoints_behind(store: Store) -> None:
    with pytest.raises(ConflictError, match="there is no service default/pay"):
        await commit(store, Change(None, ONE))
    await commit(store, Change(None, PAY), Change(None, ONE))
    with pytest.raises(ConflictError, match="still has 1 endpoints"):
        await commit(store, Change(PAY, None))
    await commit(store, Change(PAY, None), Change(ONE, None))
    assert (await store.load()).services == {}


@pytest.mark.parametrize("changes", [(), (Change(None, PAY), Change(PAY, None))], ids=["none", "one item twice"])
async def test_a_revision_has_changes_and_one_for_an_item(store: Store, changes: tuple[Change, ...]) -> None:
    with pytest.raises(ValueError, match="a revision needs changes"):
        await commit(store, *changes)


async def test_commits_at_the_same_time_are_serialised_without_gaps(store: Store) -> None:
    services = [Service("default", f"s{number}") for number in range(30)]
    numbers = await asyncio.gather(*(commit(store, Change(None, service)) for service in services))
    assert sorted(numbers) == list(range(1, 31))
    assert len((await store.load()).services) == 30


async def test_a_revision_that_does_not_exist_is_named_with_those_that_do(store: Store) -> None:
    await commit(store, Change(None, PAY))
    for asking in (store.revision(2), store.mesh_at(2), store.mesh_at(-1)):
        with pytest.raises(RevisionNotFoundError, match="want one of 0 to 1"):
            await asking


def _items() -> st.SearchStrategy[Item]:
    names = st.sampled_from(["a", "b"])
    services = st.builds(Service, st.just("default"), names, st.integers(1, 3))
    bodies = st.sampled_from(["{}", '{"x":1}'])
    return services | st.builds(Document, st.just("HTTPRoute"), st.just("default"), names, bodies)


@given(steps=st.lists(st.tuples(_items(), st.booleans()), min_size=1, max_size=12))
@settings(max_examples=25, deadline=None)
def test_time_travel_finds_each_mesh_as_it_was(steps: list[tuple[Item, bool]]) -> None:
    async def story() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with await Store.open(Path(folder) / "mesh.db") as store:
                mesh, remembered = Mesh(), [Mesh()]
                for item, remove in steps:
                    tables: Mapping[Any, Item] = mesh.services if isinstance(item, Service) else mesh.documents
                    before = tables.get(item.key)
                    change = None if remove and before is None else Change(before, None if remove else item)
                    if change is None or before == change.after:
                        continue
                    revision = await store.commit([change], author="", reason="")
                    mesh = mesh.after([change], revision=revision.number)
                    remembered.append(mesh)
                assert await store.load() == mesh
                for number, then in enumerate(remembered):
                    assert await store.mesh_at(number) == then

    asyncio.run(story())


async def test_a_second_process_is_told_that_the_file_is_in_use(tmp_path: Path, store: Store) -> None:
    with pytest.raises(StoreUnavailableError, match="another control plane uses it"):
        await Store.open(tmp_path / "mesh.db")


async def test_a_foreign_transaction_makes_a_commit_fail_in_words_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "mesh.db"
    async with await Store.open(path, busy=timedelta(milliseconds=50)) as store:
        foreign = sqlite3.connect(path, isolation_level=None)
        foreign.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailableError, match="locked: another program holds a transaction"):
            await commit(store, Change(None, PAY))
        assert (await store.load()).services == {}, "reading needs no lock"
        foreign.execute("ROLLBACK")
        foreign.close()
        assert await commit(store, Change(None, PAY)) == 1


async def test_a_commit_that_has_begun_is_not_given_up(tmp_path: Path) -> None:
    """Else a change could be on disk that nobody was told of, and the next one would not fit."""
    path = tmp_path / "mesh.db"
    async with await Store.open(path, busy=timedelta(seconds=60)) as store:
        foreign = sqlite3.connect(path, isolation_level=None)
        foreign.execute("BEGIN IMMEDIATE")
        begun = asyncio.create_task(commit(store, Change(None, PAY)))
        waiting = asyncio.create_task(commit(store, Change(None, DOCUMENT)))
        await store.load()  # in the other thread: so the first commit had its turn before
        for task in (begun, waiting):
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        foreign.execute("ROLLBACK")
        foreign.close()
        assert await begun == 1
        mesh = await store.load()
        assert (mesh.services, mesh.documents) == ({PAY.key: PAY}, {})


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"plain text, and a lot of it" * 99, "file is not a database"), (None, "Is a directory: want a file")],
)
async def test_what_is_no_database_is_named(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "thing.db"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(StoreUnavailableError, match=words) as caught:
        await Store.open(path)
    assert str(path) in str(caught.value)


async def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "mesh.db"
    async with await Store.open(path):
        pass
    with sqlite3.connect(path) as foreign:
        foreign.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
    foreign.close()
    with pytest.raises(StoreUnavailableError, match="schema 99, this one knows 1"):
        await Store.open(path)


def killed_while_committing(path: Path) -> int:
    """Lets a process commit, kills it in the midst of it; the last number that it was sure of."""
    program = f"""
import asyncio
from pathlib import Path
from typing import Any
from registry.model import Change, Endpoint, Service
from registry.store import Store
async def main():
    async with await Store.open(Path({str(path)!r})) as store:
        for number in range(100000):
            service = Service("default", f"s{{number}}")
            endpoint = Endpoint("default", service.name, "10.0.0.1", 80)
            await store.commit([Change(None, service), Change(None, endpoint)], author="", reason="")
            print(number, flush=True)
asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for _ in range(20):
            last = process.stdout.readline()
        process.kill()
    return int(last)


async def test_a_process_killed_while_it_commits_leaves_a_whole_mesh(tmp_path: Path) -> None:
    """The log of revisions, replayed, is the mesh: no revision is half there."""
    path = tmp_path / "mesh.db"
    last = await asyncio.to_thread(killed_while_committing, path)
    async with await Store.open(path) as store:  # the dead process's lock is free
        mesh, newest = await store.load(), (await store.revisions(limit=1))[0]
        replayed = Mesh()
        for revision in reversed(await store.revisions(limit=1000)):
            replayed = replayed.after(revision.changes, revision=revision.number)
        assert replayed == mesh
        assert newest.number >= last + 1, "an answered commit was lost"
        assert len(mesh.services) == len(mesh.endpoints) == newest.number
