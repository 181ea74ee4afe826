"""AuthenticationPolicy: how requests prove who sends them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, ClassVar, Literal, TypeVar

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from policy.attached import AttachedPolicy, AttachedSpec, BackendReference, TargetKind
from policy.errors import Problem
from policy.http_route import HeaderName, Path
from policy.secrets import NOT_SHOWN, Secret
from policy.servers import CertificateBundle, HttpsUrl, OutsideServer, ServiceReference
from policy.shapes import LIST, AbsoluteFile, Duration, ObjectName, PreciseHostname, Shape, Word, matching

_MAX_JWKS = 65_536
_HTPASSWD_LINE = re.compile(r"[^:\s]{1,255}:\{SHA\}[A-Za-z0-9+/]{27}=")
_SHORTEST = timedelta(milliseconds=1)
_LONGEST_CALL = timedelta(seconds=60)
_PRIVATE = ("d", "k")

ItemT = TypeVar("ItemT")


def _jwks(value: str) -> str:
    """RFC 7517, of public keys."""
    try:
        keys = json.loads(value)["keys"]
        kinds = [key["kty"] for key in keys]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise ValueError('a JWK set, {"keys": [{"kty": ...}]}') from None
    if not kinds:
        raise ValueError("a JWK set with one key at least")
    for number, (key, kind) in enumerate(zip(keys, kinds, strict=True)):
        if kind not in ("RSA", "EC", "OKP") or any(name in key for name in _PRIVATE):
            raise ValueError(f"public keys (RSA, EC or OKP), and keys[{number}] is a secret one")
    return value


def _htpasswd(value: str) -> str:
    lines = [line for line in value.splitlines() if line.strip()]
    if not lines:
        raise ValueError("a user on each line, as `htpasswd -s` writes them: NAME:{SHA}HASH")
    for number, line in enumerate(lines, start=1):
        if _HTPASSWD_LINE.fullmatch(line.strip()) is None:
            raise ValueError(
                f"a user on each line, as `htpasswd -s` writes them: NAME:{{SHA}}HASH (Envoy knows no other hash), and "
                f"line {number} is different"
            )
    names = [line.strip().partition(":")[0] for line in lines]
    if (twice := _twice(names)) is not None:
        raise ValueError(f"each user once, and {twice} is there twice")
    return "\n".join(line.strip() for line in lines)


def _twice(items: list[ItemT]) -> ItemT | None:
    return next((item for item in items if items.count(item) > 1), None)


class CredentialSource(Shape):
    """Where in a request a credential may be. A prefix is for headers: "Bearer "."""

    header: HeaderName | None = None
    prefix: Word | None = None
    query_param: HeaderName | None = None
    cookie: HeaderName | None = None

    @model_validator(mode="after")
    def _one(self) -> CredentialSource:
        if sum(name is not None for name in (self.header, self.query_param, self.cookie)) != 1:
            raise ValueError("one of header, queryParam, cookie")
        if self.prefix is not None and self.header is None:
            raise ValueError("a prefix only beside header")
        return self


class Jwks(Shape):
    """The keys that tokens are signed with: `inline`, or fetched from a `url`, or from a service of the mesh."""

    inline: Annotated[str, StringConstraints(max_length=_MAX_JWKS), AfterValidator(_jwks), NOT_SHOWN] | None = None
    url: HttpsUrl | None = None
    ca_certificates: CertificateBundle | None = None
    backend_ref: ServiceReference | None = None
    path: Path | None = None
    cache_duration: Duration = timedelta(minutes=10)

    @model_validator(mode="after")
    def _one_origin(self) -> Jwks:
        if sum(origin is not None for origin in (self.inline, self.url, self.backend_ref)) != 1:
            raise ValueError("one of inline, url, backendRef")
        if self.ca_certificates is not None and self.url is None:
            raise ValueError("caCertificates only beside url")
        if (self.path is not None) != (self.backend_ref is not None):
            raise ValueError("a path beside backendRef, and only there")
        if not timedelta(seconds=1) <= self.cache_duration <= timedelta(days=1):
            raise ValueError("a cacheDuration from 1s to 24h")
        return self


class ClaimToHeader(Shape):
    """A claim of a valid token, as a request header for the backend. "a.b" is the claim b within a."""

    claim: Word
    header: HeaderName


class JwtProvider(Shape):
    """Who signs tokens, and for whom. Without `from`: `Authorization: Bearer`."""

    name: ObjectName
    issuer: Word
    audiences: Annotated[tuple[Word, ...], LIST, Field(max_length=32)] = ()
    jwks: Jwks
    from_: Annotated[tuple[CredentialSource, ...], LIST, Field(alias="from", max_length=16)] = ()
    claims_to_headers: Annotated[tuple[ClaimToHeader, ...], LIST, Field(max_length=32)] = ()
    forward: bool = False
    clock_skew: Duration = timedelta(seconds=60)

    @model_validator(mode="after")
    def _bounded(self) -> JwtProvider:
        if not timedelta(seconds=1) <= self.clock_skew <= timedelta(minutes=10):
            raise ValueError("a clockSkew from 1s to 10m")
        headers = [item.header.lower() for item in self.claims_to_headers]
        if (twice := _twice(headers)) is not None:
            raise ValueError(f"each header for one claim, and {twice} is there twice")
        return self


class JwtAuthentication(Shape):
    """A valid token of any of the providers. `optional`: a request without one passes, one with a bad one does not."""

    providers: Annotated[tuple[JwtProvider, ...], LIST, Field(min_length=1, max_length=16)]
    optional: bool = False

    @model_validator(mode="after")
    def _distinct(self) -> JwtAuthentication:
        if (twice := _twice([provider.name for provider in self.providers])) is not None:
            raise ValueError(f"providers with names of their own, and {twice} is there twice")
        return self


class ApiClient(Shape):
    """A client and its key."""

    name: Word
    key: Annotated[Secret, matching(r"[\x21-\x7e]{16,512}", "a key of 16 to 512 visible ASCII characters")]


class ApiKeyAuthentication(Shape):
    """A key that belongs to one of the clients. `client_header` tells the backend which."""

    clients: Annotated[tuple[ApiClient, ...], LIST, Field(min_length=1, max_length=1_000)]
    from_: Annotated[tuple[CredentialSource, ...], LIST, Field(alias="from", min_length=1, max_length=16)] = (
        CredentialSource(header="x-api-key"),
    )
    client_header: HeaderName | None = None
    forward: bool = False

    @model_validator(mode="after")
    def _distinct(self) -> ApiKeyAuthentication:
        keys: set[str] = set()
        for client in self.clients:
            if client.key in keys:
                raise ValueError(f"keys that belong to one client each, and that of {client.name} belongs to another")
            keys.add(client.key)
        if any(source.prefix is not None for source in self.from_):
            raise ValueError('headers without a prefix: Envoy takes all that follows "Bearer ", or the whole header')
        return self


class BasicAuthentication(Shape):
    """User and password (RFC 7617), by lines that `htpasswd -s` writes: here, or in a file of the proxy's machine."""

    htpasswd: Annotated[Secret, AfterValidator(_htpasswd)] | None = None
    htpasswd_file: AbsoluteFile | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> BasicAuthentication:
        if (self.htpasswd is None) == (self.htpasswd_file is None):
            raise ValueError("one of htpasswd, htpasswdFile")
        return self


class ExternalAuthorization(Shape):
    """A server that is asked about each request (Envoy's ext_authz), and refuses or lets pass.

    failure_mode: what happens to requests when it does not answer in time: Closed: 503, Open: they pass.
    """

    protocol: Literal["GRPC", "HTTP"] = "GRPC"
    backend_ref: ServiceReference | None = None
    server: OutsideServer | None = None
    timeout: Duration = timedelta(milliseconds=250)
    failure_mode: Literal["Closed", "Open"] = "Closed"
    path_prefix: Path | None = None
    request_headers: Annotated[tuple[HeaderName, ...], LIST, Field(max_length=64)] = ()
    backend_headers: Annotated[tuple[HeaderName, ...], LIST, Field(max_length=64)] = ()
    body_bytes: Annotated[int, Field(ge=1, le=1_048_576)] | None = None
    context: dict[Word, Word] = Field(default_factory=dict, max_length=32)

    def __hash__(self) -> int:
        return hash((self.protocol, self.backend_ref, self.server, self.timeout, self.failure_mode))

    @model_validator(mode="after")
    def _fits(self) -> ExternalAuthorization:
        if (self.backend_ref is None) == (self.server is None):
            raise ValueError("one of backendRef, server")
        if not _SHORTEST <= self.timeout <= _LONGEST_CALL:
            raise ValueError("a timeout from 1ms to 60s")
        only_http = {
            "pathPrefix": self.path_prefix is not None,
            "requestHeaders": bool(self.request_headers),
            "backendHeaders": bool(self.backend_headers),
        }
        if self.protocol == "GRPC" and (given := next((name for name, there in only_http.items() if there), None)):
            raise ValueError(f"{given} only with protocol HTTP: a gRPC server gets all headers and says which to add")
        if self.protocol == "HTTP" and self.context:
            raise ValueError("context only with protocol GRPC")
        return self


class MutualTls(Shape):
    """TLS between the sidecars of a service and its callers, each of whom shows a certificate with its SPIFFE ID,
    `spiffe://TRUST_DOMAIN/ns/NAMESPACE/sa/NAME`. mode: Strict: nothing else is taken; Permissive: plain calls, too."""

    mode: Literal["Strict", "Permissive"] = "Strict"
    trust_domain: PreciseHostname = "cluster.local"

    def identity_of(self, namespace: str, name: str) -> str:
        """The SPIFFE ID of a service or a gateway."""
        return f"spiffe://{self.trust_domain}/ns/{namespace}/sa/{name}"


class AuthenticationPolicySpec(AttachedSpec):
    """All of the methods that are given must succeed. `anonymous`: none is asked, whatever a Gateway's policy says."""

    jwt: JwtAuthentication | None = None
    api_keys: ApiKeyAuthentication | None = None
    basic: BasicAuthentication | None = None
    external: ExternalAuthorization | None = None
    mutual_tls: MutualTls | None = None
    anonymous: bool = False

    @property
    def of_requests(self) -> tuple[object, ...]:
        """The methods that look at each request by itself."""
        given = (self.jwt, self.api_keys, self.basic, self.external)
        return tuple(method for method in given if method is not None)

    @model_validator(mode="after")
    def _something(self) -> AuthenticationPolicySpec:
        methods = [method for method in (*self.of_requests, self.mutual_tls) if method is not None]
        if self.anonymous and methods:
            raise ValueError("anonymous or methods, not both")
        if not self.anonymous and not methods:
            raise ValueError("one method at least (jwt, apiKeys, basic, external, mutualTls), or anonymous: true")
        return self


class AuthenticationPolicy(AttachedPolicy):
    """Who may send requests is for an AuthorizationPolicy to say; here they prove who they are."""

    KIND: ClassVar[str] = "AuthenticationPolicy"
    TARGETS: ClassVar[tuple[TargetKind, ...]] = ("Gateway", "HTTPRoute", "GRPCRoute", "Service")
    AT_SERVER: ClassVar[bool] = True
    HAS_SECRETS: ClassVar[bool] = True

    api_version: Literal["apg.mesh/v1"] = "apg.mesh/v1"
    kind: Literal["AuthenticationPolicy"] = "AuthenticationPolicy"
    spec: AuthenticationPolicySpec

    def backend_refs(self) -> Iterator[tuple[str, BackendReference]]:
        """Where keys are fetched, and who is asked."""
        if self.spec.jwt is not None:
            for index, provider in enumerate(self.spec.jwt.providers):
                if provider.jwks.backend_ref is not None:
                    yield f"spec.jwt.providers[{index}].jwks.backendRef", provider.jwks.backend_ref
        if self.spec.external is not None and self.spec.external.backend_ref is not None:
            yield "spec.external.backendRef", self.spec.external.backend_ref

    def findings(self) -> Iterator[Problem | str]:
        """Connections are made to a service, and requests meet a route."""
        for index, ref in enumerate(self.spec.target_refs):
            where = f"spec.targetRefs[{index}]"
            if ref.kind == "Service" and (self.spec.of_requests or self.spec.anonymous):
                yield Problem(
                    str(self.key), where, "a Service", "a Gateway or a route; only mutualTls is for a Service"
                )
            elif ref.kind == "Service" and ref.section_name is not None:
                got = f"the version {ref.section_name}"
                yield Problem(
                    str(self.key), f"{where}.sectionName", got, "the whole Service: mutualTls is for all of it"
                )
            elif ref.kind != "Service" and self.spec.mutual_tls is not None:
                got = f"a {ref.kind}, in a policy with mutualTls"
                yield Problem(str(self.key), where, got, "a Service with a Sidecar")
