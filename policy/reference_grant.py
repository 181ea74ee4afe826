"""ReferenceGrant (Gateway API): which documents of other namespaces may name what this namespace has.

Without one, what another namespace has is invisible: nobody is told whether it exists.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from policy.shapes import LIST, BaseDocument, NamespaceName, ObjectName, Shape


class ReferenceGrantFrom(Shape):
    """Documents of one kind in one namespace."""

    group: Literal["gateway.networking.k8s.io", "apg.mesh"] = "gateway.networking.k8s.io"
    kind: Annotated[str, Field(min_length=1, max_length=63)]
    namespace: NamespaceName


class ReferenceGrantTo(Shape):
    """What they may name: all of a kind, or one."""

    group: Literal[""] = ""
    kind: Literal["Service", "Secret", "ConfigMap"]
    name: ObjectName | None = None


class ReferenceGrantSpec(Shape):
    from_: Annotated[tuple[ReferenceGrantFrom, ...], LIST, Field(alias="from", min_length=1, max_length=16)]
    to: Annotated[tuple[ReferenceGrantTo, ...], LIST, Field(min_length=1, max_length=16)]


class ReferenceGrant(BaseDocument):
    """Lets documents of other namespaces name what its own namespace has."""

    KIND: ClassVar[str] = "ReferenceGrant"
    API_VERSION: ClassVar[str] = "gateway.networking.k8s.io/v1"
    OLDER_VERSIONS: ClassVar[tuple[str, ...]] = ("gateway.networking.k8s.io/v1beta1",)

    api_version: Literal["gateway.networking.k8s.io/v1", "gateway.networking.k8s.io/v1beta1"] = (
        "gateway.networking.k8s.io/v1"
    )
    kind: Literal["ReferenceGrant"] = "ReferenceGrant"
    spec: ReferenceGrantSpec


class Grants:
    """The ReferenceGrants of a mesh."""

    def __init__(self, grants: Iterable[ReferenceGrant]) -> None:
        self._given = {
            (source.kind, source.namespace, target.kind, grant.key.namespace, target.name)
            for grant in grants
            for source in grant.spec.from_
            for target in grant.spec.to
        }

    def allow(self, source: BaseDocument, *, kind: str, namespace: str, name: str) -> bool:
        """Whether `source` may name the `kind` called `name` in `namespace`."""
        if source.key.namespace == namespace:
            return True
        start = (source.key.kind, source.key.namespace, kind, namespace)
        return (*start, name) in self._given or (*start, None) in self._given
