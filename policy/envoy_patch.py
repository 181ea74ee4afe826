"""EnvoyPatch: the escape hatch: fields of Envoy's own messages, merged into a compiled resource."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from betterproto2 import Message
from envoy_data_plane.envoy.config.cluster.v3 import Cluster
from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment
from envoy_data_plane.envoy.config.listener.v3 import Listener
from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration
from pydantic import Field, StringConstraints

from policy.attached import AttachedPolicy, AttachedSpec, TargetKind
from policy.errors import Problem
from policy.merging import misfits
from policy.shapes import Shape

PatchedType: TypeAlias = Literal["Cluster", "ClusterLoadAssignment", "Listener", "RouteConfiguration"]

CLASSES: dict[str, type[Message]] = {
    "Cluster": Cluster,
    "ClusterLoadAssignment": ClusterLoadAssignment,
    "Listener": Listener,
    "RouteConfiguration": RouteConfiguration,
}
_NAMES = {"name", "cluster_name", "clusterName"}
"""By which resources find each other, so they stay."""


class PatchedResource(Shape):
    """A resource of the targets' proxies, by the name that `apg plan` shows."""

    type: PatchedType
    name: Annotated[str, StringConstraints(min_length=1, max_length=1024)]


class EnvoyPatchSpec(AttachedSpec):
    """merge: an object in the JSON of the resource's message, with the field names of Envoy's documentation."""

    resource: PatchedResource
    merge: dict[str, Any] = Field(min_length=1)

    def __hash__(self) -> int:
        return hash((self.target_refs, self.resource))


class EnvoyPatch(AttachedPolicy):
    """A merge into one compiled resource. All that are for the same one apply, in the order of their names."""

    KIND: ClassVar[str] = "EnvoyPatch"
    TARGETS: ClassVar[tuple[TargetKind, ...]] = ("Gateway", "Service")
    STACKS: ClassVar[bool] = True

    api_version: Literal["apg.mesh/v1"] = "apg.mesh/v1"
    kind: Literal["EnvoyPatch"] = "EnvoyPatch"
    spec: EnvoyPatchSpec

    def findings(self) -> Iterator[Problem | str]:
        spec = self.spec
        for index, ref in enumerate(spec.target_refs):
            if ref.section_name is not None:
                got, want = ref.section_name, "none: a resource is named under spec.resource"
                yield Problem(str(self.key), f"spec.targetRefs[{index}].sectionName", got, want)
        for name in sorted(_NAMES & spec.merge.keys()):
            if name == "name" or spec.resource.type == "ClusterLoadAssignment":
                yield Problem(str(self.key), f"spec.merge.{name}", "a name", "none: names hold resources together")
        for misfit in misfits(CLASSES[spec.resource.type], spec.merge, "spec.merge"):
            yield Problem(str(self.key), *misfit)
