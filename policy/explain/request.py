"""A request as a proxy sees it once it has put host and path in order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from policy.errors import PolicyError
from policy.problems import plain

Address: TypeAlias = IPv4Address | IPv6Address

_METHOD = re.compile(r"[A-Z][A-Z-]{0,31}")
_HOST = "host"
_ESCAPED_SLASH = re.compile(r"%(2f|5c)", re.IGNORECASE)
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_COUNTRY = re.compile(r"[A-Z]{2}")
_PRINCIPAL = re.compile(r"spiffe://[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)+")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


@dataclass(frozen=True, slots=True)
class Request:
    """authority: the host as it was sent, but without its port; `host` is that in lower case. path: in normal form,
    without the query. query: as it stands in the URL, without "?"; None if there is none. headers: names in lower case;
    a name that was sent twice has both values, joined with commas, as Envoy matches them.

    server_name: the URL's host, which TLS asks for; "" where that is an address, which TLS does not ask for.
    redirect: where Envoy sends a request before it looks for a route: its path holds an escaped slash.
    body: None: nobody said what it is, and nothing is known of its length but what a header says.
    address: where the connection comes from; None: nobody said. country: that address', by its ISO 3166 code.
    principal: the SPIFFE ID in the certificate that the client shows, where it is asked for one.
    claims: those of its valid token, once a policy has looked at it.
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
    server_name: str = ""
    body: bytes | None = None
    address: Address | None = None
    country: str | None = None
    principal: str | None = None
    claims: Mapping[str, Any] | None = None

    @property
    def host(self) -> str:
        return self.authority.lower()

    @property
    def is_grpc(self) -> bool:
        """Whether Envoy takes it for a call of gRPC."""
        return re.fullmatch(r"application/grpc(\+.*)?", self.headers.get("content-type", "")) is not None

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

    @property
    def body_bytes(self) -> int | None:
        """The body's length, as far as it is known."""
        if self.body is not None:
            return len(self.body)
        declared = self.headers.get("content-length", "")
        return int(declared) if re.fullmatch("[0-9]{1,18}", declared) else None

    @property
    def cookies(self) -> Mapping[str, str]:
        """The first value of each."""
        found: dict[str, str] = {}
        for part in self.headers.get("cookie", "").split(";"):
            name, equals, value = part.strip().partition("=")
            if equals:
                found.setdefault(name, value)
        return found

    def without(
        self, *, header: str | None = None, query_param: str | None = None, cookie: str | None = None
    ) -> Request:
        """The request without the credential that was in one of these."""
        if header is not None:
            return self.with_headers({header.lower(): None})
        if query_param is not None:
            kept = [part for part in (self.query or "").split("&") if part.partition("=")[0] != query_param]
            return replace(self, query="&".join(kept) or None)
        cookies = [part.strip() for part in self.headers.get("cookie", "").split(";")]
        return self.with_headers(
            {"cookie": "; ".join(part for part in cookies if part.partition("=")[0] != cookie) or None}
        )

    def with_headers(self, changes: Mapping[str, str | None]) -> Request:
        """The request with the headers in `changes` set, or, where that is None, without them."""
        kept = {name: value for name, value in self.headers.items() if name not in changes}
        kept |= {name: value for name, value in changes.items() if value is not None}
        return replace(self, headers=kept)


def request(
    method: str,
    url: str,
    headers: Iterable[tuple[str, str]] = (),
    *,
    body: bytes | None = None,
    address: str = "",
    country: str = "",
    principal: str = "",
) -> Request:
    """A request by method, absolute URL and headers; a `Host` header goes before the URL's host. address, country,
    principal: "": not told.

    Raises:
        PolicyError: it could not be sent so.
    """
    if _METHOD.fullmatch(method) is None:
        raise PolicyError.of(document="request", path="method", got=f'"{plain(method)}"', want="a method, such as GET")
    if country and _COUNTRY.fullmatch(country) is None:
        want = 'an ISO 3166 code of two capitals, such as "DE"'
        raise PolicyError.of(document="request", path="country", got=f'"{plain(country)}"', want=want)
    if principal and _PRINCIPAL.fullmatch(principal) is None:
        want = 'a SPIFFE ID, such as "spiffe://mesh.example/ns/shop/sa/cart"'
        raise PolicyError.of(document="request", path="principal", got=f'"{plain(principal)}"', want=want)
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
        server_name="" if _is_address(hostname) else hostname.lower(),
        body=body,
        address=_address(address) if address else None,
        country=country or None,
        principal=principal or None,
    )


def _address(text: str) -> Address:
    try:
        return ip_address(text)
    except ValueError:
        want = 'an IP address, such as "192.0.2.7"'
        raise PolicyError.of(document="request", path="source", got=f'"{plain(text)}"', want=want) from None


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


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
