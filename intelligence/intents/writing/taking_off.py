"""Taking a policy off again: the documents of a kind whose targets are those that are meant."""

from __future__ import annotations

from intelligence.intents.errors import IntentError, UnknownNameError
from intelligence.intents.intents import Feature, TakeOff
from intelligence.intents.said import whom
from intelligence.intents.writing import traffic
from intelligence.intents.writing.draft import Draft, namespace_of, service_refs
from policy.attached import AttachedPolicy
from policy.authentication_policy import AuthenticationPolicy
from registry.model import ServiceKey

_KINDS = {
    Feature.RETRIES: ("RetryPolicy",),
    Feature.TIMEOUT: ("TimeoutPolicy",),
    Feature.FAULT: ("FaultPolicy",),
    Feature.RATE_LIMIT: ("RateLimitPolicy",),
    Feature.THREAT_FILTER: ("ThreatPolicy",),
    Feature.AUTOSCALING: ("ScalingPolicy",),
    Feature.ALERT: ("AlertPolicy",),
    Feature.ROLLOUT: ("RolloutPolicy",),
    Feature.REPORT: ("ReportPolicy",),
    Feature.COMPRESSION: ("CompressionPolicy",),
    Feature.LOGIN: ("AuthenticationPolicy",),
    Feature.ACCESS: ("AuthorizationPolicy",),
}
"""Features that a kind of document is all about."""

_PARTS = {
    Feature.BREAKER: ("BackendPolicy", "circuitBreakers"),
    Feature.AUDIT_LOG: ("TelemetryPolicy", "auditLog"),
}
"""Features that are one field of a kind's spec."""


def take_off(intent: TakeOff, draft: Draft) -> None:
    """Removes the policies that are attached to the target, whole, and to nothing else."""
    if intent.feature is Feature.MIRROR:
        traffic.unmirror(intent.target, draft)
        return
    if intent.feature in _PARTS:
        _take_part_off(intent, draft, *_PARTS[intent.feature])
        return
    kinds = _KINDS[intent.feature]
    found: list[AttachedPolicy] = []
    for kind in kinds:
        draft.kind(kind)
        found += [
            policy
            for policy in draft.policies_of(kind)
            if _is_about(policy, intent.target, draft) and not _is_of_connections(policy)
        ]
    if not found:
        names = tuple(str(policy.key) for kind in kinds for policy in draft.policies_of(kind))
        raise UnknownNameError(f"{' or '.join(kinds)} on {whom(intent.target)} alone", "any", names)
    for policy in found:
        draft.remove(policy.key)


def _take_part_off(intent: TakeOff, draft: Draft, kind: str, part: str) -> None:
    """Takes one field off the policies of the target; one that says nothing else goes."""
    draft.kind(kind)
    found = [
        policy
        for policy in draft.policies_of(kind)
        if _is_about(policy, intent.target, draft)
        and part in policy.model_dump(mode="json", by_alias=True, exclude_defaults=True)["spec"]
    ]
    if not found:
        raise UnknownNameError(f"{kind} with {part} on {whom(intent.target)} alone", "any", ())
    for policy in found:
        spec = policy.model_dump(mode="json", by_alias=True, exclude_defaults=True)["spec"]
        if spec.keys() <= {"targetRefs", part}:
            draft.remove(policy.key)
        else:
            refs = spec["targetRefs"]
            draft.attach(kind, policy.key.namespace, refs, name=policy.key.name, spec={part: None})


def _is_of_connections(policy: AttachedPolicy) -> bool:
    """Whether it is about mutual TLS, which nobody means by a login."""
    return isinstance(policy, AuthenticationPolicy) and policy.spec.mutual_tls is not None


def _is_about(policy: AttachedPolicy, target: ServiceKey | None, draft: Draft) -> bool:
    if target is None:
        return True
    have = {(ref.kind, ref.name, ref.section) for ref in policy.targets()}
    wanted: list[set[tuple[str, str, str | None]]] = []
    if policy.key.namespace == namespace_of(target):
        wanted.append({(ref["kind"], ref["name"], None) for ref in service_refs(target)})
    try:
        for namespace, refs in draft.requests_to(target):
            if namespace == policy.key.namespace:
                wanted.append({(ref["kind"], ref["name"], ref.get("sectionName")) for ref in refs})
    except IntentError:
        pass
    return bool(have) and have in wanted
