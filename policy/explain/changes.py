"""What a rule's filters make of a request: where a redirect leads, what a rewrite leaves, which headers are edited."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from policy.explain.explanation import Effect, Step
from policy.explain.request import Request
from policy.http_route import (
    HTTPHeaderFilter,
    HTTPPathModifier,
    HTTPRequestRedirect,
    HTTPRouteFilter,
    HTTPRouteMatch,
    HTTPURLRewrite,
)


def redirect_of(filters: Iterable[HTTPRouteFilter]) -> HTTPRequestRedirect | None:
    return next((item.request_redirect for item in filters if item.request_redirect is not None), None)


def rewrite_of(filters: Iterable[HTTPRouteFilter]) -> HTTPURLRewrite | None:
    return next((item.url_rewrite for item in filters if item.url_rewrite is not None), None)


_WELL_KNOWN = {"http": 80, "https": 443}


def location(redirect: HTTPRequestRedirect, match: HTTPRouteMatch, request: Request, *, port: int) -> str:
    """The URL that a redirect answers with. port: the listener's.

    Gateway API, HTTPRequestRedirectFilter.port: without one, that which the scheme is known for, or, without a scheme
    either, the listener's; and what the scheme is known for is not written.
    """
    scheme = redirect.scheme or request.scheme
    asked = redirect.port or (_WELL_KNOWN[redirect.scheme] if redirect.scheme is not None else port)
    host = (redirect.hostname or request.authority) + (f":{asked}" if asked != _WELL_KNOWN[scheme] else "")
    path = changed_path(redirect.path, match, request.path) if redirect.path is not None else request.path
    return f"{scheme}://{host}{with_query(path, request)}"


def with_query(path: str, request: Request) -> str:
    return path if request.query is None else f"{path}?{request.query}"


def changed_path(modifier: HTTPPathModifier, match: HTTPRouteMatch, path: str) -> str:
    """Gateway API, HTTPPathModifier: the whole path, or just the prefix that was matched, with one slash behind it."""
    if modifier.type == "ReplaceFullPath":
        return modifier.replace_full_path or "/"
    old, new = match.path.value.rstrip("/"), (modifier.replace_prefix_match or "").rstrip("/")
    rest = path[len(old) :]
    return f"{new}{rest}" if new else "/" + rest.lstrip("/")


def header_steps(filters: Iterable[HTTPRouteFilter], *, document: str, path: str) -> Iterator[Step]:
    """The header modifiers among `filters`. `path` is where the list stands in the document."""
    for index, item in enumerate(filters):
        for side, edits in (("request", item.request_header_modifier), ("response", item.response_header_modifier)):
            if edits is not None:
                words = f"the {side}'s headers: {'; '.join(_edits(edits))}"
                yield Step(f"{side} headers", Effect.CHANGES, words, document, f"{path}[{index}]")


def mirror_steps(filters: Iterable[HTTPRouteFilter], *, document: str, path: str) -> Iterator[Step]:
    """The copies that are sent of a request which goes on to a backend."""
    for index, item in enumerate(filters):
        if item.request_mirror is not None:
            words = f"a copy may go to {item.request_mirror.backend_ref.name}, whose answer nobody waits for"
            yield Step("mirror", Effect.PASSES, words, document, f"{path}[{index}]")


def is_preflight(request: Request) -> bool:
    """Fetch standard: a browser asks whether a page may send a request."""
    return request.method == "OPTIONS" and bool(request.header("access-control-request-method"))


def allows(origins: Iterable[str], origin: str) -> bool:
    """Whether `origin` is one of `origins`, in which "*" stands for a part of a host, or alone for any."""
    return any(
        wanted in ("*", origin)
        or ("*" in wanted and re.fullmatch("[^/:]+".join(map(re.escape, wanted.split("*"))), origin) is not None)
        for wanted in origins
    )


def _edits(edits: HTTPHeaderFilter) -> Iterator[str]:
    for verb, headers in (("set", edits.set), ("add", edits.add)):
        yield from (f'{verb} {header.name}: "{header.value}"' for header in headers)
    yield from (f"remove {name}" for name in edits.remove)
