"""Mutual TLS between sidecars, as AuthenticationPolicies on Services. What it takes (sidecars, certificates, their
trust domain) is looked up; where it is not there, that is said, and nothing is made up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from intelligence.intents.errors import AmbiguousError, UnsupportedError
from intelligence.intents.intents import MtlsMode, MutualTls
from intelligence.intents.said import listed, whom
from intelligence.intents.writing.draft import Draft, Ref, name_of
from policy.attached import MAX_TARGETS
from policy.authentication_policy import AuthenticationPolicy
from policy.identities import Identity
from policy.kinds import http_routes, typed
from policy.sidecar import Sidecar
from registry.model import ServiceKey

_KIND = "AuthenticationPolicy"
_MODES = {MtlsMode.STRICT: "Strict", MtlsMode.PERMISSIVE: "Permissive"}
_FILES = "NAMESPACE/NAME/{tls.crt,tls.key,ca.crt} in the folder of the setting certificates"


def mutual_tls(intent: MutualTls, draft: Draft) -> None:
    """Sets the mode for the target, or for all services; takes the policies off again.

    Raises:
        AmbiguousError: of all services, some have no Sidecar.
        UnsupportedError: there is no Sidecar or no certificate with the service's SPIFFE ID.
    """
    if intent.mode is MtlsMode.OFF:
        _off(intent.target, draft)
        return
    keys = [intent.target] if intent.target is not None else sorted(draft.mesh.services)
    _need_sidecars(intent.target, keys, draft)
    domains = {key: _trust_domain(key, draft) for key in keys}
    fresh: dict[tuple[str, str], list[Ref]] = {}
    for key in keys:
        asked = {"mode": _MODES[intent.mode], "trustDomain": domains[key]}
        standing = _standing(key, draft)
        if standing is not None and len(standing.spec.target_refs) == 1:
            draft.attach(_KIND, key.namespace, [_ref(key)], name=key.name, spec={"mutualTls": asked})
            continue
        if standing is not None:
            _detach(standing, key, draft)
        fresh.setdefault((key.namespace, domains[key]), []).append(_ref(key))
    for (namespace, domain), refs in sorted(fresh.items()):
        asked = {"mode": _MODES[intent.mode], "trustDomain": domain}
        for first in range(0, len(refs), MAX_TARGETS):
            some = refs[first : first + MAX_TARGETS]
            name = draft.free(_KIND, namespace, f"{name_of(intent.target)}-mtls")
            draft.attach(_KIND, namespace, some, name=name, spec={"mutualTls": asked})
    if intent.mode is MtlsMode.STRICT:
        for key in keys:
            for caller in _callers_without_proof(key, draft):
                draft.danger(f"it shuts out {caller} from {key}: there is no certificate for it ({_FILES})")


def _off(target: ServiceKey | None, draft: Draft) -> None:
    found = [policy for policy in _policies(draft) if policy.spec.mutual_tls is not None]
    if target is not None:
        found = [policy for policy in found if _covers(policy, target)]
    if not found:
        draft.note(f"no AuthenticationPolicy asks for mutual TLS of callers of {whom(target)}: they are plain already")
    for policy in found:
        if target is None or len(policy.spec.target_refs) == 1:
            draft.remove(policy.key)
        else:
            _detach(policy, target, draft)


def _need_sidecars(target: ServiceKey | None, keys: Sequence[ServiceKey], draft: Draft) -> None:
    having = {ServiceKey(*key[1:]) for key in draft.mesh.documents if key.kind == Sidecar.KIND}
    lacking = [key for key in keys if key not in having]
    if not lacking:
        return
    if target is None and having & set(keys):
        raise AmbiguousError(
            f"mutual TLS is between sidecars, and {listed(map(str, lacking))} {_has(lacking)} no Sidecar: write one"
            " first, or name the services that are meant:",
            tuple(str(key) for key in keys if key in having),
            what="sidecar",
        )
    raise UnsupportedError(
        f"understood, but mutual TLS is between sidecars, and {whom(target)} {'has' if target else 'have'} no Sidecar"
        " (docs/policies/sidecar.md): write one first; nothing was changed"
    )


def _has(keys: Sequence[ServiceKey]) -> str:
    return "has" if len(keys) == 1 else "have"


def _trust_domain(key: ServiceKey, draft: Draft) -> str:
    """That of the service's own certificate, which its callers will look at."""
    identity = Identity(*key)
    chain = draft.identities.certificate(identity)
    if chain is None or draft.identities.trust(identity) is None:
        raise UnsupportedError(
            f"understood, but there is no certificate for {key} ({_FILES}), so it could not prove who it is; nothing"
            " was changed"
        )
    found = chain.spiffe_id or "no SPIFFE ID"
    domain, _, rest = found.removeprefix("spiffe://").partition("/")
    if rest != f"ns/{key.namespace}/sa/{key.name}":
        raise UnsupportedError(
            f"understood, but the certificate for {key} has {found}, want"
            f" spiffe://TRUST_DOMAIN/ns/{key.namespace}/sa/{key.name}; nothing was changed"
        )
    return domain


def _callers_without_proof(key: ServiceKey, draft: Draft) -> Iterator[str]:
    """The Gateways and sidecars that call `key`, and could not show a certificate."""
    for identity, words in sorted(set(_callers(key, draft))):
        known = draft.identities
        if known.certificate(identity) is None or known.trust(identity) is None:
            yield words


def _callers(key: ServiceKey, draft: Draft) -> Iterator[tuple[Identity, str]]:
    for document in draft.mesh.documents_of(Sidecar.KIND):
        sidecar = typed(document)
        assert isinstance(sidecar, Sidecar)
        for dependency in sidecar.spec.dependencies:
            if (dependency.namespace or sidecar.key.namespace, dependency.name) == key:
                yield Identity(*sidecar.key[1:]), f"Sidecar {sidecar.key.namespace}/{sidecar.key.name}"
    for route in http_routes(draft.mesh):
        if any(draft.carries(route, rule, key) for rule in route.spec.rules):
            for parent in route.spec.parent_refs:
                if parent.kind == "Gateway":
                    identity = Identity(parent.namespace or route.key.namespace, parent.name)
                    yield identity, f"Gateway {identity}"


# --- policies ---


def _policies(draft: Draft) -> Iterator[AuthenticationPolicy]:
    for policy in draft.policies_of(_KIND):
        assert isinstance(policy, AuthenticationPolicy)
        yield policy


def _standing(key: ServiceKey, draft: Draft) -> AuthenticationPolicy | None:
    return next((policy for policy in _policies(draft) if _covers(policy, key)), None)


def _covers(policy: AuthenticationPolicy, key: ServiceKey) -> bool:
    return any(target.kind == "Service" and (target.namespace, target.name) == key for target in policy.targets())


def _detach(policy: AuthenticationPolicy, key: ServiceKey, draft: Draft) -> None:
    """Leaves the policy to its other targets."""
    body = policy.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    kept = [ref for ref in body["spec"]["targetRefs"] if (ref["kind"], ref["name"]) != ("Service", key.name)]
    body["spec"]["targetRefs"] = kept
    body["metadata"]["namespace"] = policy.key.namespace
    body |= {"apiVersion": policy.API_VERSION, "kind": _KIND}
    draft.put(draft.read(AuthenticationPolicy, body))


def _ref(key: ServiceKey) -> Ref:
    return {"kind": "Service", "name": key.name}
