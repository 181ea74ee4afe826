"""A request as a proxy sees it once it has put host and path in order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from policy.errors import PolicyError
from policy.problems import plain

_METHOD = re.compile(r"[A-Z][A-Z-]{0,31}")
_HOST = "host"
_ESCAPED_SLASH = re.compile(r"%(2f|5c)", re.IGNORECASE)
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


@dataclass(frozen=True, slots=True)
class Request:
    """authority: the host as it was sent, but without its port; `host` is that in lower case. path: in normal form,
    without the query. query: as it stands in the URL, without "?"; None if there is none. headers: names in lower case;
    a name that was sent twice has both values, joined with commas, as Envoy matches them.

    redirect: where Envoy sends a request before it looks for a route: its path holds an escaped slash.
    """

    method: str
    scheme: str
    authority: str
    port: int
    path: str
    query: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    port_given: bool = False
    redirect: str | None = None

    @property
    def host(self) -> str:
        return self.authority.lower()

    @property
    def parameters(self) -> Mapping[str, str]:
        """The parameters of the query as they stand in it, for so Envoy matches them: "%31" is not "1". The first value
        counts where there are several."""
        found: dict[str, str] = {}
        for part in (self.query or "").split("&"):
            name, _, value = part.partition("=")
            if part:
                found.setdefault(name, value)
        return found

    def header(self, name: str) -> str | None:
        name = name.lower()
        return self.authority if name == _HOST else self.headers.get(name)


def request(method: str, url: str, headers: Iterable[tuple[str, str]] = ()) -> Request:
    """A request by method, absolute URL and headers; a `Host` header goes before the URL's host.

    Raises:
        PolicyError: it could not be sent so.
    """
    if _METHOD.fullmatch(method) is None:
        raise PolicyError.of(document="request", path="method", got=f'"{plain(method)}"', want="a method, such as GET")
    try:
        parts = urlsplit(url)
        port, hostname = parts.port, parts.hostname
    except ValueError:
        port, hostname = None, None
    if not hostname or parts.scheme not in _DEFAULT_PORTS:
        want = 'an absolute URL, such as "http://shop/pay", with a port from 1 to 65535 or none'
        raise PolicyError.of(document="request", path="url", got=f'"{plain(url)}"', want=want)
    together: dict[str, str] = {}
    for name, value in headers:
        key = name.strip().lower()
        together[key] = f"{together[key]},{value.strip()}" if key in together else value.strip()
    host = together.pop(_HOST, "") or hostname
    path, redirect = _normal(parts.path or "/")
    return Request(
        method=method,
        scheme=parts.scheme,
        authority=_without_port(host),
        port=port or _DEFAULT_PORTS[parts.scheme],
        path=path,
        query=parts.query if "?" in url.partition("#")[0] else None,
        headers=together,
        port_given=port is not None,
        redirect=redirect,
    )


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdecimal() and (":" not in name or name.endswith("]")) else host


def _normal(path: str) -> tuple[str, str | None]:
    """The path as Envoy matches it, and where it redirects to if the path held escaped slashes (`normalize_path`,
    `merge_slashes` and `UNESCAPE_AND_REDIRECT` of the connection manager; RFC 3986, 5.2.4 and 6)."""
    unescaped = _ESCAPED_SLASH.sub(lambda found: "/" if found[1].lower() == "2f" else "\\", path)
    normal = _without_dots(_ESCAPE.sub(_if_needed, unescaped.replace("\\", "/")))
    normal = "//" if set(normal) == {"/"} and len(normal) > 1 else re.sub("/{2,}", "/", normal)  # as Envoy has it
    return normal, normal if unescaped != path else None


def _if_needed(escape: re.Match[str]) -> str:
    character = chr(int(escape[1], 16))
    return character if character in _UNRESERVED else escape[0]


def _without_dots(path: str) -> str:
    kept: list[str] = []
    segments = path.split("/")[1:]
    for number, segment in enumerate(segments):
        last = number == len(segments) - 1
        if segment == "..":
            kept = kept[:-1]
        elif segment != ".":
            kept.append(segment)
            continue
        if last:
            kept.append("")
    return "/" + "/".join(kept)
