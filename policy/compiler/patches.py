"""EnvoyPatch on compiled resources: the last step, where a control plane allows it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from betterproto2 import Message

from policy.compiler import names
from policy.documents import Documents
from policy.envoy_patch import CLASSES, EnvoyPatch
from policy.errors import Problem
from policy.merging import merge
from policy.problems import nearest
from registry.model import DocumentKey, ItemKey
from xds.errors import EncodeError
from xds.resource import Resource
from xds.resource_types import CLUSTER, ENDPOINT, LISTENER, ROUTE, ResourceKey
from xds.snapshot import EMPTY, Snapshot

TYPES = {"Cluster": CLUSTER, "ClusterLoadAssignment": ENDPOINT, "Listener": LISTENER, "RouteConfiguration": ROUTE}
SWITCH = "envoy_patches"
"""The setting of the control plane that allows them."""


def patches_of(documents: Documents, group: str) -> tuple[EnvoyPatch, ...]:
    """The patches for the proxies of `group`, by namespace and name; those that fit their messages, as they did when
    they were accepted, with the messages of that time."""
    return tuple(patch for patch in documents.all(EnvoyPatch) if group in _groups(patch) and _fits(patch))


@lru_cache(maxsize=1024)
def _fits(patch: EnvoyPatch) -> bool:
    return not any(isinstance(finding, Problem) for finding in patch.findings())


def patched(
    resources: Iterable[Resource],
    patches: Iterable[EnvoyPatch],
    made: Callable[[Resource, tuple[EnvoyPatch, ...], Callable[[], Message]], Resource],
) -> Iterator[Resource]:
    """`resources` with `patches` merged into them. made: as `Compiler` remembers resources.

    A patch that would make its resource refer to what the group lacks is left out, for as long as it would: what it
    refers to may go while the patch stays, and an inconsistent snapshot would hold up everything else.
    """
    resources = list(resources)
    known = {resource.key for resource in resources}
    by_resource: dict[ResourceKey, list[EnvoyPatch]] = {}
    for patch in patches:
        target = patch.spec.resource
        by_resource.setdefault(ResourceKey(TYPES[target.type], target.name), []).append(patch)
    for resource in resources:
        found = tuple(by_resource.get(resource.key, ()))
        if not found:
            yield resource
            continue
        try:
            after = made(resource, found, lambda resource=resource, found=found: _merged(resource, found))  # type: ignore[misc]
        except EncodeError:
            after = resource
        yield after if after.references <= known else resource


def _merged(resource: Resource, patches: Sequence[EnvoyPatch]) -> Message:
    message = CLASSES[patches[0].spec.resource.type].parse(resource.body)
    for patch in patches:
        merge(message, patch.spec.merge)
    return message


def switch_findings(documents: Documents, *, allowed: bool, changed: Collection[ItemKey]) -> Iterator[Problem | str]:
    """What is to be said of patches where they are switched off: new ones are refused, standing ones do nothing."""
    if allowed:
        return
    for patch in documents.all(EnvoyPatch):
        if patch.key in changed:
            want = f"a control plane with {SWITCH} = true, or a policy of another kind"
            yield Problem(str(patch.key), "kind", "EnvoyPatch, which is switched off", want)
        else:
            yield f"{patch.key}: it has no effect: {SWITCH} is switched off"


def effect_findings(documents: Documents, snapshots: Mapping[str, Snapshot]) -> Iterator[str]:
    """Which patches come to nothing in what `documents` compile to."""
    for patch in documents.all(EnvoyPatch):
        target = patch.spec.resource
        for group in _groups(patch):
            snapshot = snapshots.get(group, EMPTY)
            resource = snapshot.get(TYPES[target.type], target.name)
            if resource is None:
                there = sorted(snapshot.resources(TYPES[target.type]))
                yield (
                    f"{patch.key}: spec.resource.name: the proxies of {group} have no {target.type} {target.name}"
                    f"{nearest(target.name, there)}"
                )
            elif str(patch.key) not in resource.origin:
                yield (
                    f"{patch.key}: spec.merge: left out for the proxies of {group}: it refers to what they do not have"
                )


def _groups(patch: EnvoyPatch) -> Iterator[str]:
    for target in patch.targets():
        key = DocumentKey(*target[:3])
        yield names.group(key) if target.kind == "Gateway" else names.sidecar_group(key)
