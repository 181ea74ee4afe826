"""Small HTTP services to put behind a proxy: they say who answered, and a frontend asks the payment service first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

_SHOWN_HEADERS = ("host", "user-agent", "x-forwarded-for", "x-forwarded-proto", "x-request-id")
_CALL_DEADLINE = 5.0  # seconds a frontend waits for the service behind it
_STOP_DEADLINE = 1.0  # seconds for requests in progress


@dataclass(slots=True)
class RunningBackend:
    """One instance of a service, listening. `requests_served` leaves out health checks."""

    name: str
    version: str
    host: str
    port: int = 0
    requests_served: int = 0
    _runner: web.AppRunner | None = field(default=None, repr=False)

    async def stop(self) -> None:
        """Stops listening and ends the connections. Harmless when stopped already."""
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    def answer(self, request: web.Request) -> dict[str, object]:
        """The JSON that every request is answered with."""
        self.requests_served += 1
        headers = {name: request.headers[name] for name in _SHOWN_HEADERS if name in request.headers}
        return {"service": self.name, "version": self.version, "path": request.path_qs, "headers": headers}


async def start_backend(name: str, version: str, *, host: str = "127.0.0.1", port: int = 0) -> RunningBackend:
    """A service that answers everything with its own name and version. Port 0 takes a free one.

    Raises:
        OSError: the address cannot be listened on.
    """
    backend = RunningBackend(name, version, host)

    async def answer(request: web.Request) -> web.Response:
        return web.json_response(backend.answer(request))

    return await _listening(backend, web.Application(), answer, port)


async def start_frontend(
    name: str, version: str, *, payment_url: str, host: str = "127.0.0.1", port: int = 0
) -> RunningBackend:
    """A service that calls `payment_url` for each request and puts the answer into its own, under "payment".

    Where payment fails it fails too, with 502 and the reason in "error".

    Raises:
        OSError: the address cannot be listened on.
    """
    backend = RunningBackend(name, version, host)
    application = web.Application()
    session_key = web.AppKey("session", aiohttp.ClientSession)

    async def client(application: web.Application) -> AsyncIterator[None]:
        timeout = aiohttp.ClientTimeout(total=_CALL_DEADLINE)
        async with aiohttp.ClientSession(timeout=timeout, raise_for_status=True) as session:
            application[session_key] = session
            yield

    async def answer(request: web.Request) -> web.Response:
        own = backend.answer(request)
        try:
            async with request.app[session_key].get(payment_url) as response:
                return web.json_response(own | {"payment": await response.json()})
        except (aiohttp.ClientError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
            return web.json_response(own | {"error": f"GET {payment_url}: {reason}"}, status=502)

    application.cleanup_ctx.append(client)
    return await _listening(backend, application, answer, port)


async def _listening(
    backend: RunningBackend,
    application: web.Application,
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]],
    port: int,
) -> RunningBackend:
    async def healthy(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    application.router.add_get("/healthz", healthy)
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=_STOP_DEADLINE)
    await runner.setup()
    try:
        await web.TCPSite(runner, backend.host, port).start()
    except BaseException:
        await runner.cleanup()
        raise
    backend._runner = runner
    backend.port = runner.addresses[0][1]
    return backend
