"""JSON web tokens as Envoy's jwt_authn filter judges them (source/common/jwt and extensions/filters/http/jwt_authn)."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from policy.authentication_policy import CredentialSource, JwtProvider
from policy.explain.request import Request

BEARER = CredentialSource(header="Authorization", prefix="Bearer ")
_ALGORITHMS = ("RS", "PS", "ES")
_BITS = ("256", "384", "512")
_KNOWN = (*(f"{kind}{bits}" for kind in _ALGORITHMS for bits in _BITS), "EdDSA")
_TOKEN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")


class Judged(NamedTuple):
    """A token, or that there is none, seen by one provider.

    status: 0: it is valid, as far as `unsure` is "". missing: whether there was none. foreign: whether it is another's
    to judge. claims: of a valid one. unsure: what its validity hangs on that the documents do not say. source: where it
    was found.
    """

    status: int
    words: str
    missing: bool = False
    foreign: bool = False
    claims: Mapping[str, Any] | None = None
    unsure: str = ""
    source: CredentialSource | None = None


def judged(provider: JwtProvider, request: Request, now: datetime) -> Judged:
    """What `provider` says of the request: the first of its tokens that is valid decides, or else the last."""
    told = Judged(401, "there is no token", missing=True)
    for source, token in _tokens(provider, request):
        told = _judged(provider, token, now)._replace(source=source)
        if not told.status:
            break
    return told


def _tokens(provider: JwtProvider, request: Request) -> Iterator[tuple[CredentialSource, str]]:
    sources = provider.from_ or (BEARER,)
    for source in sorted(sources, key=lambda item: (item.header is None, item.query_param is None)):
        if source.header is not None:
            value = request.header(source.header)
            before, found, after = (value or "").partition(source.prefix or "") if source.prefix else ("", "", value)
            if value is None or before + found == value:
                continue
            if source.prefix and not found:
                continue
            yield source, _leading(after) if source.prefix else value
        elif source.query_param is not None:
            if source.query_param in request.parameters:
                yield source, request.parameters[source.query_param]
        elif source.cookie is not None and source.cookie in request.cookies:
            yield source, request.cookies[source.cookie]


def _leading(text: str | None) -> str:
    """The token behind a prefix: it ends at the first character that no token has."""
    text = text or ""
    end = next((at for at, character in enumerate(text) if character not in _TOKEN), len(text))
    return text[:end]


def _judged(provider: JwtProvider, token: str, now: datetime) -> Judged:
    head, claims = _part(token, 0), _part(token, 1)
    if head is None or claims is None or token.count(".") != 2:
        return Judged(401, "what is there is no token")
    if head.get("alg") not in _KNOWN:
        return Judged(401, "the token is signed with an algorithm that is not taken")
    if claims.get("iss") != provider.issuer:
        return Judged(401, f"the token's issuer is not {provider.issuer}", foreign=True)
    skew, time = provider.clock_skew.total_seconds(), int(now.timestamp())
    begins, ends = _time(claims, "nbf"), _time(claims, "exp")
    if begins is not None and time + skew < begins:
        return Judged(401, "the token is not valid yet")
    if ends is None:
        return Judged(401, "the token has no end")
    if time > ends + skew:
        return Judged(401, "the token is past its end")
    audiences = claims.get("aud", ())
    audiences = {audiences} if isinstance(audiences, str) else set(audiences)
    if provider.audiences and not audiences & set(provider.audiences):
        return Judged(403, f"the token is not for {' or '.join(provider.audiences)}")
    if provider.jwks.inline is None:
        return Judged(0, "", claims=claims, unsure="the keys are fetched when they are needed, so not known here")
    if not _is_signed(token, str(head["alg"]), head.get("kid"), provider.jwks.inline):
        return Judged(401, "none of the keys verifies the token's signature")
    return Judged(0, "", claims=claims)


def _part(token: str, number: int) -> dict[str, Any] | None:
    try:
        part = token.split(".")[number]
        value = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, IndexError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _time(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _is_signed(token: str, algorithm: str, kid: object, jwks: str) -> bool:
    # 9 MB of memory that a control plane without such a question does not need.
    from joserfc import jws
    from joserfc.errors import JoseError
    from joserfc.jwk import KeySet

    loaded: dict[str, Any] = json.loads(jwks)
    for key in loaded["keys"]:
        if (kid and key.get("kid", kid) != kid) or key.get("alg", algorithm) != algorithm:
            continue
        try:
            jws.deserialize_compact(token, KeySet.import_key_set({"keys": [key]}), algorithms=[algorithm])
        except (JoseError, ValueError, TypeError, KeyError):
            continue
        return True
    return False
