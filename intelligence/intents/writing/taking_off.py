"""Taking a policy off again: the documents of a kind whose targets are those that are meant."""

from __future__ import annotations

from intelligence.intents.errors import IntentError, UnknownNameError, UnsupportedError
from intelligence.intents.intents import Feature, TakeOff
from intelligence.intents.said import whom
from intelligence.intents.writing.draft import Draft, namespace_of, service_refs
from policy.attached import AttachedPolicy
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
}


def take_off(intent: TakeOff, draft: Draft) -> None:
    """Removes the policies that are attached to the target, whole, and to nothing else."""
    kinds = _KINDS.get(intent.feature)
    if kinds is None:
        what = intent.feature.replace("_", " ")
        raise UnsupportedError(
            f"understood, but {what} shares its document with other settings: edit it by hand; nothing was changed"
        )
    found: list[AttachedPolicy] = []
    for kind in kinds:
        draft.kind(kind)
        found += [policy for policy in draft.policies_of(kind) if _is_about(policy, intent.target, draft)]
    if not found:
        names = tuple(str(policy.key) for kind in kinds for policy in draft.policies_of(kind))
        raise UnknownNameError(f"{' or '.join(kinds)} on {whom(intent.target)} alone", "any", names)
    for policy in found:
        draft.remove(policy.key)


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
