"""The mesh on disk: one SQLite file, one writer, one transaction for each revision.

WAL with synchronous=FULL: a revision that was committed survives the death of the process and of the machine. It costs
one fsync a revision, a few milliseconds at most, on a path that people and deployments take, not requests.

A transaction is a function that runs in a thread from its beginning to its end, so the event loop goes on meanwhile and
is woken once (docs/decisions/0086).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, create_engine, delete, event, func, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from registry import rows, tables
from registry.errors import ConflictError, RevisionNotFoundError, StoreUnavailableError
from registry.guard import FileGuard
from registry.mesh import Mesh
from registry.model import Change, Endpoint, Item, Revision, Service

P = ParamSpec("P")
ResultT = TypeVar("ResultT")

_BUSY = timedelta(seconds=2)
_THREADS = 2  # one transaction writes at a time, and does not hold up those that read
_READS = "apg_reads"  # the execution option of transactions that only read


class Store:
    """The durable mesh. Lives on one event loop; commits are serialised."""

    def __init__(self, engine: Engine, path: Path, guard: FileGuard, clock: Callable[[], datetime]) -> None:
        """Use `Store.open`."""
        self._engine = engine
        self._path = path
        self._guard = guard
        self._clock = clock
        self._committing = asyncio.Lock()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="apg-store")

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        busy: timedelta = _BUSY,
    ) -> Store:
        """Opens `path`, and makes it if there is none. `busy` bounds the wait for another program's transaction.

        Raises:
            StoreUnavailableError: it is not ours to use, or cannot be used.
        """
        guard = FileGuard(path)
        engine = _engine(path, busy)
        store = cls(engine, path, guard, clock)
        try:
            await store._write(_prepare, path)
        except BaseException:
            await store.close()
            raise
        return store

    async def close(self) -> None:
        self._threads.shutdown()  # transactions are short: there is next to nothing to wait for
        self._engine.dispose()
        self._guard.release()

    async def __aenter__(self) -> Store:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def load(self) -> Mesh:
        """The mesh as it stands."""
        return await self._read(_load)

    async def commit(
        self, changes: Sequence[Change], *, author: str, reason: str, expected: int | None = None
    ) -> Revision:
        """Makes `changes` as one revision, or none of them. Once begun it is brought to its end: a cancellation that
        comes meanwhile is too late, and the caller learns what became of the changes.

        expected: the revision that the caller's view is of; None does not ask.

        Raises:
            ValueError: there are no changes, or two of one item.
            ConflictError: the mesh is at another revision, or an item is not as its change's `before` says, or an
                endpoint would be without its service.
            StoreUnavailableError: the file cannot be written now.
        """
        keys = [change.key for change in changes]
        if not keys or len(set(keys)) != len(keys):
            raise ValueError("a revision needs changes, and one for each item at most")
        at = self._clock().astimezone(UTC)
        async with self._committing:
            return await self._write(_commit, changes, at, author, reason, expected)

    async def revisions(self, *, before: int | None = None, limit: int = 50) -> tuple[Revision, ...]:
        """Up to `limit` revisions older than `before`, the newest first."""
        return await self._read(_revisions, before, limit)

    async def revision(self, number: int) -> Revision:
        """Raises RevisionNotFoundError."""
        found = await self.revisions(before=number + 1, limit=1)
        if not found or found[0].number != number:
            raise await self._no_revision(number)
        return found[0]

    async def mesh_at(self, number: int) -> Mesh:
        """The mesh as it stood after revision `number` (0: before the first): the newer ones undone.

        Raises:
            RevisionNotFoundError: there is no such revision yet.
        """
        newest, changes = await self._read(_changes_after, number)
        if not 0 <= number <= newest:
            raise await self._no_revision(number)
        mesh = await self.load()
        for later in sorted(changes, reverse=True):
            mesh = mesh.after(change.inverse() for change in reversed(changes[later]))
        return mesh.after((), revision=number)

    # --- inside ---

    async def _no_revision(self, number: int) -> RevisionNotFoundError:
        return RevisionNotFoundError(f"no revision {number}: want one of 0 to {await self._read(_newest)}")

    async def _read(
        self, work: Callable[Concatenate[Connection, P], ResultT], *args: P.args, **kwargs: P.kwargs
    ) -> ResultT:
        """What `work` finds, in a transaction of its own in a thread."""

        def transaction() -> ResultT:
            with self._translating(), self._engine.connect() as connection:
                return work(connection.execution_options(**{_READS: True}), *args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._threads, transaction)

    async def _write(
        self, work: Callable[Concatenate[Connection, P], ResultT], *args: P.args, **kwargs: P.kwargs
    ) -> ResultT:
        """Does `work` in a transaction of its own in a thread, to its end."""

        def transaction() -> ResultT:
            with self._translating(), self._engine.begin() as connection:
                return work(connection, *args, **kwargs)

        future = asyncio.get_running_loop().run_in_executor(self._threads, transaction)
        while not future.done():
            # The thread cannot be stopped, and a change that was made must not be taken for one that was not.
            with suppress(asyncio.CancelledError):
                await asyncio.wait([future])
        return future.result()

    @contextmanager
    def _translating(self) -> Iterator[None]:
        """The database's errors in the operator's words."""
        try:
            yield
        except IntegrityError as error:
            raise ConflictError(f"{self._path}: the change does not fit what is stored: {error.orig}") from error
        except DBAPIError as error:
            raise StoreUnavailableError(f"{self._path}: {error.orig}: {_remedy(str(error.orig))}") from error
        except (SQLAlchemyError, OSError) as error:
            raise StoreUnavailableError(f"{self._path}: {error}: want a SQLite file that can be written") from error


def _engine(path: Path, busy: timedelta) -> Engine:
    engine = create_engine(f"sqlite:///{path.absolute()}", connect_args={"timeout": busy.total_seconds()})

    @event.listens_for(engine, "connect")
    def configure(connection: Any, record: object) -> None:  # noqa: ANN401  # the driver's, by SQLAlchemy's contract
        connection.isolation_level = None  # or the driver would open transactions by its own rules
        cursor = connection.cursor()
        try:
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()
        except BaseException:
            connection.close()  # the pool forgets a connection that fails here
            raise

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:  # noqa: ANN401  # as above
        # A transaction that writes says so at once: one that upgraded later could only fail.
        reads = connection.get_execution_options().get(_READS, False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


def _remedy(words: str) -> str:
    if "locked" in words:
        return "another program holds a transaction on it: want that one ended"
    if "not a database" in words or "malformed" in words:
        return "want a SQLite file, or another path (--state)"
    if "full" in words:
        return "want free space there"
    return "want a SQLite file that can be written"


def _prepare(connection: Connection, path: Path) -> None:
    tables.metadata.create_all(connection)
    query = select(tables.meta.c.value).where(tables.meta.c.key == "schema")
    version = connection.execute(query).scalar_one_or_none()
    if version is None:
        connection.execute(insert(tables.meta).values({"key": "schema", "value": str(tables.SCHEMA_VERSION)}))
    elif int(version) > tables.SCHEMA_VERSION:
        raise StoreUnavailableError(
            f"{path}: written by a newer version (schema {version}, this one knows "
            f"{tables.SCHEMA_VERSION}): want that version, or another file (--state)"
        )


def _load(connection: Connection) -> Mesh:
    def items() -> Iterator[Item]:
        for table, read in (
            (tables.services, rows.service),
            (tables.endpoints, rows.endpoint),
            (tables.documents, rows.document),
        ):
            for row in connection.execute(select(table)).mappings():
                yield read(row)  # type: ignore[arg-type]  # RowMapping is one

    return Mesh().after((Change(None, item) for item in items()), revision=_newest(connection))


def _commit(
    connection: Connection,
    changes: Sequence[Change],
    at: datetime,
    author: str,
    reason: str,
    expected: int | None,
) -> Revision:
    newest = _newest(connection)
    if expected is not None and expected != newest:
        raise ConflictError(f"the mesh is at revision {newest}, not at {expected}: look at the plan again")
    revision = Revision(newest + 1, at, author, reason, tuple(changes))
    _log(connection, revision)
    for change in _in_safe_order(changes):
        _make(connection, change)
    return revision


def _revisions(connection: Connection, before: int | None, limit: int) -> tuple[Revision, ...]:
    query = select(tables.revisions).order_by(tables.revisions.c.number.desc()).limit(limit)
    if before is not None:
        query = query.where(tables.revisions.c.number < before)
    heads = connection.execute(query).mappings().all()
    if not heads:
        return ()
    numbers = [head["number"] for head in heads]
    changes = _changes(connection, low=min(numbers), high=max(numbers))
    return tuple(_revision(head, changes.get(head["number"], ())) for head in heads)


def _changes_after(connection: Connection, number: int) -> tuple[int, dict[int, tuple[Change, ...]]]:
    """The newest revision, and the changes of those after `number`."""
    newest = _newest(connection)
    return newest, _changes(connection, low=number + 1, high=newest)


def _newest(connection: Connection) -> int:
    return (connection.execute(select(func.max(tables.revisions.c.number)))).scalar_one() or 0


def _log(connection: Connection, revision: Revision) -> None:
    head = {"number": revision.number, "at": revision.at, "author": revision.author, "reason": revision.reason}
    connection.execute(insert(tables.revisions).values(head))
    connection.execute(
        insert(tables.revision_changes),
        [
            {
                "revision": revision.number,
                "place": place,
                "before": rows.to_log(change.before),
                "after": rows.to_log(change.after),
            }
            for place, change in enumerate(revision.changes)
        ],
    )


def _in_safe_order(changes: Iterable[Change]) -> list[Change]:
    """Services before their endpoints on the way in, after them on the way out."""

    def rank(change: Change) -> int:
        removal = change.after is None
        match change.item:
            case Endpoint():
                return 0 if removal else 2
            case Service():
                return 3 if removal else 1
            case _:
                return 1

    return sorted(changes, key=rank)


def _make(connection: Connection, change: Change) -> None:
    """Writes one change, if the item is what the change says it was."""
    table = rows.table_of(change.item)
    where = rows.where_key(table, change.key)
    stored = (connection.execute(select(table).where(where))).mappings().one_or_none()
    expected = rows.values_of(change.before) if change.before is not None else None
    if (dict(stored) if stored is not None else None) != expected:
        raise ConflictError(f"{str(change).split(' ', 1)[1]} is not as it was when this change was planned: plan again")
    if isinstance(change.after, Endpoint):
        _refuse_orphan(connection, change.after)
    if change.after is None:
        if isinstance(change.item, Service):
            _refuse_left_endpoints(connection, change.item)
        connection.execute(delete(table).where(where))
    elif change.before is None:
        connection.execute(insert(table).values(rows.values_of(change.after)))
    else:
        connection.execute(update(table).where(where).values(rows.values_of(change.after)))


def _refuse_left_endpoints(connection: Connection, service: Service) -> None:
    columns = tables.endpoints.c
    query = select(func.count()).where(columns.namespace == service.namespace, columns.service == service.name)
    left = (connection.execute(query)).scalar_one()
    if left:
        raise ConflictError(f"service {service.key} still has {left} endpoints: remove them with it")


def _refuse_orphan(connection: Connection, endpoint: Endpoint) -> None:
    where = rows.where_key(tables.services, endpoint.service_key)
    if (connection.execute(select(tables.services.c.name).where(where))).first() is None:
        raise ConflictError(f"endpoint {endpoint.key}: there is no service {endpoint.service_key}")


def _changes(connection: Connection, *, low: int, high: int) -> dict[int, tuple[Change, ...]]:
    columns = tables.revision_changes.c
    query = select(tables.revision_changes).where(columns.revision.between(low, high))
    found: dict[int, list[Change]] = {}
    for row in (connection.execute(query.order_by(columns.revision, columns.place))).mappings():
        change = Change(rows.from_log(row["before"]), rows.from_log(row["after"]))
        found.setdefault(row["revision"], []).append(change)
    return {number: tuple(changes) for number, changes in found.items()}


def _revision(head: Any, changes: tuple[Change, ...]) -> Revision:  # noqa: ANN401  # a row
    at: datetime = head["at"]
    aware = at if at.tzinfo is not None else at.replace(tzinfo=UTC)  # SQLite keeps no time zone; all are written in UTC
    return Revision(head["number"], aware, head["author"], head["reason"], changes)
