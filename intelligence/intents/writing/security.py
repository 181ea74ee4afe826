"""Who may do what, as attached policies: tokens, access, suspicious addresses, attacks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from intelligence.intents.errors import AmbiguousError, ContradictionError, UnsupportedError
from intelligence.intents.intents import (
    Access,
    AccessRule,
    AuditLog,
    BlockSuspicious,
    RequireLogin,
    Threat,
    ThreatFilter,
)
from intelligence.intents.writing.draft import Draft, Ref, name_of
from policy.attached import POLICY_API, AttachedPolicy
from policy.authentication_policy import MutualTls
from policy.identities import Identity
from registry.model import ServiceKey

_PATTERNS = {Threat.SQL_INJECTION: "SQLInjection", Threat.PATH_TRAVERSAL: "PathTraversal"}


def _spec(policy: AttachedPolicy) -> dict[str, Any]:
    spec: dict[str, Any] = policy.model_dump(mode="json", by_alias=True, exclude_defaults=True)["spec"]
    return spec


# --- tokens ---


def login(intent: RequireLogin, draft: Draft) -> None:
    """A token of the issuer that is named, or of those that the mesh knows already."""
    draft.kind("AuthenticationPolicy")
    if intent.issuer and intent.keys:
        host = "".join(c if c.isalnum() else "-" for c in intent.issuer.split("://")[-1].lower()).strip("-")
        providers = [{"name": host[:60].strip("-") or "issuer", "issuer": intent.issuer, "jwks": {"url": intent.keys}}]
    else:
        providers = _known_providers(draft, intent.issuer)
    if not providers:
        raise AmbiguousError(
            "who issues the tokens, and where are their keys (such as: issued by https://id.example.com with keys at"
            " https://id.example.com/jwks)?",
            what="issuer",
        )
    for namespace, refs in draft.requests_to(intent.target):
        spec = {"jwt": {"providers": providers}, "anonymous": None}
        draft.attach("AuthenticationPolicy", namespace, refs, name=name_of(intent.target), spec=spec)


def _known_providers(draft: Draft, issuer: str) -> list[dict[str, Any]]:
    """The providers that policies of the mesh name; of `issuer`, if that is given."""
    found: dict[str, dict[str, Any]] = {}
    for document in draft.mesh.documents_of("AuthenticationPolicy"):
        for provider in json.loads(document.body)["spec"].get("jwt", {}).get("providers", ()):
            if not issuer or provider["issuer"] == issuer:
                found.setdefault(provider["name"], provider)
    return list(found.values())


# --- access ---


def access(intent: AccessRule, draft: Draft) -> None:
    """A rule of an AuthorizationPolicy on the target. ONLY replaces the rules that are there; ALLOW adds to them, and
    is nothing where nobody is shut out."""
    draft.kind("AuthorizationPolicy")
    rule = _rule(intent, draft)
    for namespace, refs in draft.requests_to(intent.target):
        if intent.action is Access.DENY:
            _with_rule(draft, namespace, refs, intent, rule, action="Deny")
        elif intent.action is Access.ONLY:
            _with_rule(draft, namespace, refs, intent, rule, action="Allow", alone=True)
        else:
            _allow(draft, namespace, refs, intent, rule)


def _allow(draft: Draft, namespace: str, refs: Sequence[Ref], intent: AccessRule, rule: dict[str, Any]) -> None:
    denying = _on(draft, namespace, refs, "Deny")
    for policy in denying:
        rules = [other for other in _spec(policy)["rules"] if other != rule]
        if len(rules) < len(_spec(policy)["rules"]):
            _put(draft, policy, rules)
    if _on(draft, namespace, refs, "Allow"):
        _with_rule(draft, namespace, refs, intent, rule, action="Allow")
    elif not denying:
        draft.note("nothing refuses it: no AuthorizationPolicy is attached there, so all may call")


def _with_rule(
    draft: Draft,
    namespace: str,
    refs: Sequence[Ref],
    intent: AccessRule,
    rule: dict[str, Any],
    *,
    action: str,
    alone: bool = False,
) -> None:
    standing = _on(draft, namespace, refs, action)
    database = _country_database(draft) if rule.get("countries") else {}
    if standing:
        rules = [] if alone else _spec(standing[0]).get("rules", [])
        _put(draft, standing[0], rules if rule in rules else [*rules, rule], database)
        return
    model = draft.kind("AuthorizationPolicy")
    body = {
        "apiVersion": POLICY_API,
        "kind": "AuthorizationPolicy",
        "metadata": {
            "name": draft.free("AuthorizationPolicy", namespace, f"{name_of(intent.target)}-{action.lower()}"),
            "namespace": namespace,
        },
        "spec": {"targetRefs": list(refs), "action": action, "rules": [rule], **database},
    }
    draft.put(draft.read(model, body))


def _country_database(draft: Draft) -> dict[str, str]:
    """The file that the mesh's policies look countries up in: all must name the same."""
    paths = [_spec(policy).get("countryDatabase") for policy in draft.policies_of("AuthorizationPolicy")]
    return next(({"countryDatabase": path} for path in paths if path), {})


def _put(
    draft: Draft, policy: AttachedPolicy, rules: list[dict[str, Any]], more: Mapping[str, Any] | None = None
) -> None:
    if not rules and _spec(policy)["action"] == "Deny":
        draft.remove(policy.key)
        return
    body = policy.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    body["spec"] |= {"rules": rules, **(more or {})}
    body |= {"apiVersion": POLICY_API, "kind": "AuthorizationPolicy"}
    body["metadata"]["namespace"] = policy.key.namespace
    draft.put(draft.read(type(policy), body))


def _on(draft: Draft, namespace: str, refs: Sequence[Ref], action: str) -> list[AttachedPolicy]:
    """The policies with that action on just these targets, audits left out."""
    wanted = {(ref["kind"], ref["name"], ref.get("sectionName")) for ref in refs}
    return [
        policy
        for policy in draft.policies_of("AuthorizationPolicy")
        if policy.key.namespace == namespace
        and {(target.kind, target.name, target.section) for target in policy.targets()} == wanted
        and _spec(policy)["action"] == action
        and not _spec(policy).get("audit")
    ]


def _rule(intent: AccessRule, draft: Draft) -> dict[str, Any]:
    rule: dict[str, Any] = {}
    if intent.services:
        domain = intent.trust_domain or _trust_domain(intent.services, draft)
        rule["principals"] = [f"spiffe://{domain}/ns/{key.namespace}/sa/{key.name}" for key in intent.services]
    if intent.countries:
        rule["countries"] = list(intent.countries)
        draft.note("countries are looked up in the file that spec.countryDatabase names, on each proxy's machine")
    if intent.addresses:
        rule["addresses"] = [address if "/" in address else f"{address}/32" for address in intent.addresses]
    if intent.methods:
        rule["methods"] = list(intent.methods)
    if intent.path:
        rule["paths"] = [{"type": "PathPrefix", "value": intent.path}]
    return rule


def _trust_domain(callers: Sequence[ServiceKey], draft: Draft) -> str:
    """That of the callers' certificates, or the one that the mesh's policies speak of. Raises AmbiguousError: none, or
    several."""
    chains = [draft.identities.certificate(Identity(*key)) for key in callers]
    shown = {chain.spiffe_id.split("/")[2] for chain in chains if chain is not None and chain.spiffe_id}
    if len(shown) == 1:
        return next(iter(shown))
    found: set[str] = set(shown)
    for document in draft.mesh.documents_of("AuthenticationPolicy"):
        mutual = json.loads(document.body)["spec"].get("mutualTls")
        if mutual is not None:
            found.add(mutual.get("trustDomain", MutualTls().trust_domain))
    for document in draft.mesh.documents_of("AuthorizationPolicy"):
        for rule in json.loads(document.body)["spec"].get("rules", ()):
            found |= {principal.split("/")[2] for principal in rule.get("principals", ())}
    if len(found) == 1:
        return next(iter(found))
    raise AmbiguousError(
        "callers are known by the SPIFFE IDs of their certificates: of which trust domain (such as mesh.example)?",
        tuple(sorted(found)),
        what="trust_domain",
    )


def block_suspicious(intent: BlockSuspicious, draft: Draft) -> None:
    if not intent.feed and intent.refusals is None:
        raise AmbiguousError(
            "which addresses are suspicious: a list (203.0.113.0/24, …), the file of a threat feed, or a rule (more"
            " than N refused requests a minute)?",
            what="suspicious",
        )
    if intent.feed:
        _block_list(intent, draft)
        return
    raise UnsupportedError(
        "understood, but nothing here counts refused requests by address yet: name the addresses; nothing was changed"
    )


def _block_list(intent: BlockSuspicious, draft: Draft) -> None:
    """A Deny of the list that the file is. The control plane reads lists from one folder, and follows them."""
    name = intent.feed.rpartition("/")[2]
    found = draft.lists.addresses(name)
    if found is None:
        raise UnsupportedError(
            f"understood, but there is no list {name} in the folder of the setting address_lists, or none that can be"
            f" read: put it there (docs/policies/authorization.md), then say it again; nothing was changed"
        )
    rule = {"addressLists": [name]}
    for namespace, refs in draft.requests_to(intent.target):
        about = AccessRule(Access.DENY, intent.target)
        _with_rule(draft, namespace, refs, about, rule, action="Deny")
    draft.note(f"{len(found)} ranges are on the list {name} now; what changes in the file is followed")


# --- attacks ---


def threats(intent: ThreatFilter, draft: Draft) -> None:
    draft.kind("ThreatPolicy")
    unknown = [pattern for pattern in intent.patterns if pattern not in _PATTERNS]
    if unknown:
        raise UnsupportedError(
            f"understood, but ThreatPolicy has no patterns for {unknown[0].replace('_', ' ')}; nothing was changed"
        )
    if not intent.patterns:
        raise ContradictionError("no attack is named; nothing was changed")
    for namespace, refs in draft.requests_to(intent.target):
        standing = draft.policy_on("ThreatPolicy", namespace, refs)
        before = _spec(standing).get("patterns", []) if standing is not None else []
        patterns = list(dict.fromkeys([*before, *(_PATTERNS[pattern] for pattern in intent.patterns)]))
        spec = {"patterns": patterns, "mode": "Log" if intent.log_only else None}
        draft.attach("ThreatPolicy", namespace, refs, name=name_of(intent.target), spec=spec)
    draft.note("patterns are a net with holes: they do not make a backend safe that is not")


def audit(intent: AuditLog, draft: Draft) -> None:
    """Denials on the standard output of gateways, or of a service's sidecars."""
    draft.kind("TelemetryPolicy")
    for namespace, refs in draft.requests_to(None) if intent.target is None else draft.connections_to(intent.target):
        spec = {"auditLog": {"sinks": [{"type": "Stdout"}]}}
        draft.attach("TelemetryPolicy", namespace, refs, name=name_of(intent.target), spec=spec)
    where = "each gateway" if intent.target is None else f"the sidecars of {intent.target}"
    draft.note(f"denials are written as lines of JSON to the standard output of {where}")
