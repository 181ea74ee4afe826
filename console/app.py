"""The console's web application. It reads a view that it is given, and can change nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from importlib import resources
from typing import Any, TypeAlias

from aiohttp import web

View: TypeAlias = Callable[[], Awaitable[Mapping[str, Any]]]
"""What the page shows, as JSON holds it: revision, proxies, services, revisions."""

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_TYPES = {"index.html": "text/html", "console.css": "text/css", "console.js": "text/javascript"}
_LOOPBACK = frozenset(("127.0.0.1", "localhost", "[::1]"))


def application(view: View) -> web.Application:
    """The page and what it asks for."""

    async def state(request: web.Request) -> web.Response:
        return web.json_response(await view())

    app = web.Application(middlewares=[_guarded])
    app.router.add_get("/", _file("index.html"))
    for name in ("console.css", "console.js"):
        app.router.add_get(f"/{name}", _file(name))
    app.router.add_get("/api/state", state)
    return app


@web.middleware
async def _guarded(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answers those only who ask for this machine by a loopback name: a page elsewhere that had its own name resolve to
    127.0.0.1 (DNS rebinding) would ask for that name."""
    if request.host.rpartition(":")[0] not in _LOOPBACK:
        raise web.HTTPForbidden(text="want a loopback address: http://127.0.0.1:PORT/\n")
    response = await handler(request)
    response.headers.update(_HEADERS)
    return response


def _file(name: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    text = resources.files("console").joinpath(name).read_text(encoding="utf-8")

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=text, content_type=_TYPES[name])

    return answer
