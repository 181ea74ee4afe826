"""What a rule's filters make of a request: where a redirect leads, what a rewrite leaves, which headers are edited."""

from __future__ import annotations

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


def location(redirect: HTTPRequestRedirect, match: HTTPRouteMatch, request: Request) -> str:
    """The URL that a redirect answers with."""
    host = redirect.hostname or request.authority
    port = f":{redirect.port}" if redirect.port is not None else ""
    path = changed_path(redirect.path, match, request.path) if redirect.path is not None else request.path
    return f"{redirect.scheme or request.scheme}://{host}{port}{with_query(path, request)}"


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


def other_steps(filters: Iterable[HTTPRouteFilter], request: Request, *, document: str, path: str) -> Iterator[Step]:
    """Mirrors, and what browsers are told."""
    for index, item in enumerate(filters):
        where = f"{path}[{index}]"
        if item.request_mirror is not None:
            words = f"a copy may go to {item.request_mirror.backend_ref.name}, whose answer nobody waits for"
            yield Step("mirror", Effect.PASSES, words, document, where)
        if item.cors is not None and (origin := request.header("origin")) is not None:
            preflight = request.method == "OPTIONS" and request.header("access-control-request-method") is not None
            if preflight and _allows(item.cors.allow_origins, origin):
                yield Step("CORS", Effect.ANSWERS, f"the preflight of {origin} is answered", document, where)
            else:
                told = "may" if _allows(item.cors.allow_origins, origin) else "may not"
                yield Step("CORS", Effect.PASSES, f"pages of {origin} {told} read the answer", document, where)


def _allows(origins: Iterable[str], origin: str) -> bool:
    for allowed in origins:
        head, star, tail = allowed.partition("*")
        if origin == allowed or (star and origin.startswith(head) and origin.endswith(tail) and origin != head + tail):
            return True
    return False


def _edits(edits: HTTPHeaderFilter) -> Iterator[str]:
    for verb, headers in (("set", edits.set), ("add", edits.add)):
        yield from (f'{verb} {header.name}: "{header.value}"' for header in headers)
    yield from (f"remove {name}" for name in edits.remove)
