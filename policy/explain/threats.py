"""What a ThreatPolicy makes of a request. The patterns are tried by the very script that proxies run, in a Lua of our
own: whoever told them from the documents again would be wrong about some text, sooner or later."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Any

from lupa.lua51 import LuaRuntime

from policy.compiler import threats as compiled
from policy.explain.meeting import Met, Place, doubting, passing, refusing
from policy.explain.request import Request
from policy.threat_policy import ThreatPolicy

_SCRIPT = files("policy.compiler").joinpath("threats.lua").read_bytes()
_HANDLE = files("policy.explain").joinpath("threats.lua").read_bytes()
_SOME_ADDRESS = "255.255.255.255"


@lru_cache(maxsize=1)
def _script() -> tuple[LuaRuntime, Any]:
    lua = LuaRuntime(encoding=None, register_eval=False, register_builtins=False, unpack_returned_tuples=True)
    lua.execute(_SCRIPT)
    return lua, lua.execute(_HANDLE)


def bounds(place: Place, request: Request) -> Met:
    """What buffers the body, and refuses a larger one."""
    policy = place.rule.policies.one(ThreatPolicy)
    assert policy is not None
    most, length, path = policy.spec.bounds.body_bytes, request.body_bytes, "spec.bounds.bodyBytes"
    assert most is not None
    if length is None:
        return Met(request)
    if length > most:
        return refusing(request, policy, 413, f"its body of {length:,} bytes is larger than {most:,}", path=path)
    return passing(request, policy, f"its body of {length:,} bytes is not larger than {most:,}", path=path)


def patterns(place: Place, request: Request) -> Met:
    """What the script says."""
    policy = place.rule.policies.one(ThreatPolicy)
    asked = compiled.asked_to_inspect(place.rule)
    assert policy is not None
    assert asked is not None
    found, status = _inspect(compiled.context(asked), request)
    if not found:
        looked = ", ".join(policy.spec.patterns) or "bounds"
        unseen = "Body" in policy.spec.inspect and policy.spec.patterns and request.body is None
        if unseen and request.body_bytes != 0 and request.method not in ("GET", "HEAD"):
            return doubting(request, policy, f"{looked}: nothing found, but in a body (--data) there may be")
        return passing(request, policy, f"{looked}: nothing found")
    if not status:
        return passing(request, policy, f"{found}: logged only")
    return refusing(request, policy, status, found)


def _inspect(context: dict[str, Any], request: Request) -> tuple[str, int]:
    """What was found, "" for nothing, and the answer's status, 0 for none."""
    lua, run = _script()
    query = "" if request.query is None else f"?{request.query}"
    seen: dict[str, str] = {":method": request.method, ":path": request.path + query, ":authority": request.authority}
    # What a proxy adds before any filter sees the request counts, too; the identifier is a UUID.
    address = str(request.address) if request.address is not None else _SOME_ADDRESS
    before = request.headers.get("x-forwarded-for")
    seen |= request.headers
    seen |= {"x-forwarded-proto": request.scheme, "x-request-id": "0" * 36, "x-envoy-external-address": address}
    seen["x-forwarded-for"] = address if before is None else f"{before},{address}"
    names, values = zip(*seen.items(), strict=True)
    body = request.body or None
    found, status = run(_table(lua, names), _table(lua, values), body, _table(lua, context)) or (None, None)
    return (found or b"").decode(errors="replace"), int(status or 0)


def _table(lua: LuaRuntime, value: Any) -> Any:  # noqa: ANN401  # JSON, and Lua's tables for it
    match value:
        case str():
            return value.encode(errors="surrogateescape")
        case dict():
            return lua.table_from({key.encode(): _table(lua, item) for key, item in value.items()})
        case list() | tuple():
            return lua.table_from([_table(lua, item) for item in value])
        case _:
            return value
