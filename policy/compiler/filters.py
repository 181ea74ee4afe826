"""HTTPRoute filters in Envoy's words: header modifiers, redirects and rewrites."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from envoy_data_plane.envoy.config.core.v3 import (
    HeaderValue,
    HeaderValueOption,
    HeaderValueOptionHeaderAppendAction,
)
from envoy_data_plane.envoy.config.route.v3 import (
    RedirectAction,
    RedirectActionRedirectResponseCode,
    RouteAction,
)
from envoy_data_plane.envoy.type.matcher.v3 import RegexMatchAndSubstitute, RegexMatcher

from policy.http_route import HTTPHeaderFilter, HTTPPathModifier, HTTPRequestRedirect, HTTPRouteFilter, HTTPURLRewrite
from xds.messages import unchecked

_REDIRECT_CODES = {
    301: RedirectActionRedirectResponseCode.MOVED_PERMANENTLY,
    302: RedirectActionRedirectResponseCode.FOUND,
    303: RedirectActionRedirectResponseCode.SEE_OTHER,
    307: RedirectActionRedirectResponseCode.TEMPORARY_REDIRECT,
    308: RedirectActionRedirectResponseCode.PERMANENT_REDIRECT,
}

_WELL_KNOWN_PORTS = {"http": 80, "https": 443}

_HeaderValue = unchecked(HeaderValue)
_HeaderValueOption = unchecked(HeaderValueOption)
_RegexMatchAndSubstitute = unchecked(RegexMatchAndSubstitute)
_RegexMatcher = unchecked(RegexMatcher)


@dataclass(slots=True)
class HeaderEdits:
    """The four header fields that routes and weighted clusters have alike."""

    request_headers_to_add: list[HeaderValueOption] = field(default_factory=list)
    request_headers_to_remove: list[str] = field(default_factory=list)
    response_headers_to_add: list[HeaderValueOption] = field(default_factory=list)
    response_headers_to_remove: list[str] = field(default_factory=list)


def header_edits(filters: Iterable[HTTPRouteFilter]) -> HeaderEdits:
    """What the header modifiers among `filters` do, in their order."""
    edits = HeaderEdits()
    for item in filters:
        if item.request_header_modifier is not None:
            edits.request_headers_to_add += _added(item.request_header_modifier)
            edits.request_headers_to_remove += item.request_header_modifier.remove
        if item.response_header_modifier is not None:
            edits.response_headers_to_add += _added(item.response_header_modifier)
            edits.response_headers_to_remove += item.response_header_modifier.remove
    return edits


def redirect(filters: Iterable[HTTPRouteFilter], *, prefix: str | None, port: int | None) -> RedirectAction | None:
    """The redirect among `filters`, if there is one. `prefix` is the path prefix that the rule matches, if any; `port`,
    what `redirect_port` says."""
    for item in filters:
        if item.request_redirect is not None:
            return _redirect(item.request_redirect, prefix, port)
    return None


def redirect_port(filters: Iterable[HTTPRouteFilter], *, scheme: str, port: int) -> int | None:
    """The port that the redirect among `filters` has to say, to clients of a listener with this scheme and port; None
    where there is no redirect, or its port is what the scheme is known for.

    Gateway API, HTTPRequestRedirectFilter.port: without a port, that of the scheme it names, or else the listener's.
    Envoy would say the port that the client asked for, but that is stripped from the host before routes are matched.
    """
    for item in filters:
        if (given := item.request_redirect) is not None:
            known = _WELL_KNOWN_PORTS[given.scheme or scheme]
            wanted = given.port or (known if given.scheme is not None else port)
            return wanted if wanted != known else None
    return None


def rewrite(action: RouteAction, filters: Iterable[HTTPRouteFilter], *, prefix: str | None) -> None:
    """Puts the rewrite among `filters`, if there is one, into `action`."""
    for item in filters:
        if item.url_rewrite is not None:
            _rewrite(action, item.url_rewrite, prefix)


def _added(modifier: HTTPHeaderFilter) -> list[HeaderValueOption]:
    actions = HeaderValueOptionHeaderAppendAction
    return [
        _HeaderValueOption(header=_HeaderValue(key=header.name, value=_plain(header.value)), append_action=action)
        for headers, action in (
            (modifier.set, actions.OVERWRITE_IF_EXISTS_OR_ADD),
            (modifier.add, actions.APPEND_IF_EXISTS_OR_ADD),
        )
        for header in headers
    ]


def _plain(value: str) -> str:
    """A value as it stands: in Envoy's, "%" begins a command."""
    return value.replace("%", "%%")


def _redirect(redirect: HTTPRequestRedirect, prefix: str | None, port: int | None) -> RedirectAction:
    action = RedirectAction(response_code=_REDIRECT_CODES[redirect.status_code])
    if redirect.scheme is not None:
        action.scheme_redirect = redirect.scheme
    if redirect.hostname is not None:
        action.host_redirect = redirect.hostname
    if port is not None:
        action.port_redirect = port
    if redirect.path is not None:
        if redirect.path.type == "ReplaceFullPath":
            action.path_redirect = redirect.path.replace_full_path
        else:
            _replace_prefix(action, redirect.path, prefix)
    return action


def _rewrite(action: RouteAction, rewrite: HTTPURLRewrite, prefix: str | None) -> None:
    if rewrite.hostname is not None:
        action.host_rewrite_literal = rewrite.hostname
    if rewrite.path is not None:
        if rewrite.path.type == "ReplaceFullPath":
            action.regex_rewrite = _RegexMatchAndSubstitute(
                pattern=_RegexMatcher(regex="^/.*$"), substitution=_literal(rewrite.path.replace_full_path or "/")
            )
        else:
            _replace_prefix(action, rewrite.path, prefix)


def _replace_prefix(action: RedirectAction | RouteAction, path: HTTPPathModifier, prefix: str | None) -> None:
    """Gateway API, HTTPPathModifier.replacePrefixMatch: "/foo" replaced by "/" turns "/foo/bar" into "/bar" and "/foo"
    into "/". Envoy's `prefix_rewrite` would turn it into "//bar", so the slash after the prefix is matched too."""
    old = (prefix or "/").rstrip("/")
    new = (path.replace_prefix_match or "").rstrip("/")
    if new and old:
        action.prefix_rewrite = new
    elif new:
        action.regex_rewrite = _RegexMatchAndSubstitute(
            pattern=_RegexMatcher(regex="^(/.*)$"), substitution=f"{_literal(new)}\\1"
        )
    else:
        # However long, a literal at the beginning costs RE2 nothing.
        action.regex_rewrite = _RegexMatchAndSubstitute(
            pattern=_RegexMatcher(regex=f"^{_quoted(old)}/*"), substitution="/"
        )


def _quoted(text: str) -> str:
    """`text` as an RE2 expression for itself."""
    return "".join(character if character.isalnum() or character in "/_" else f"\\{character}" for character in text)


def _literal(text: str) -> str:
    """`text` as an RE2 substitution for itself."""
    return text.replace("\\", "\\\\")
