"""What a change would do: to the documents, and to the Envoy resources of each group of proxies. Pure."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from policy.analysis.analysis import new_findings
from policy.compiler.compiler import Compiler
from policy.compiler.patches import effect_findings, switch_findings
from policy.documents import Documents
from policy.errors import PolicyError, Problem
from policy.validation import validate
from registry.mesh import Mesh
from registry.model import Change
from xds.resource import Resource
from xds.resource_types import RESOURCE_TYPES
from xds.snapshot import EMPTY, Snapshot


class Operation(enum.Enum):
    ADD = "add"
    CHANGE = "change"
    REMOVE = "remove"

    @classmethod
    def of(cls, before: object, after: object) -> Operation:
        return cls.ADD if before is None else cls.REMOVE if after is None else cls.CHANGE


@dataclass(frozen=True, slots=True)
class ResourceDiff:
    """One Envoy resource of one group, before and after; None stands for its absence."""

    group: str
    before: Resource | None
    after: Resource | None

    @property
    def operation(self) -> Operation:
        return Operation.of(self.before, self.after)

    @property
    def resource(self) -> Resource:
        resource = self.after or self.before
        assert resource is not None
        return resource


@dataclass(frozen=True, slots=True)
class Plan:
    """Changes that passed validation, with what they come to. `after` is the mesh that they would make, `snapshots`
    what it compiles to, by group."""

    base_revision: int
    changes: tuple[Change, ...]
    resources: tuple[ResourceDiff, ...]
    warnings: tuple[str, ...]
    after: Mesh
    snapshots: Mapping[str, Snapshot]


_FEW = 100  # rules: a look at all that is routed takes three milliseconds then


def plan(
    mesh: Mesh, changes: Sequence[Change], *, compiler: Compiler, now: datetime | None = None, thorough: bool = True
) -> Plan:
    """What `changes` would do to `mesh`. now: as for `validate`. thorough: whether to warn also of what takes a look at
    all that is routed (`policy.analysis`), where that is a lot.

    Raises:
        PolicyError: the mesh would not be valid. The problems may lie in other documents than the changed ones: those
            that refer to what would be gone.
    """
    after = mesh.after(changes)
    changed, documents = {change.key for change in changes}, Documents.of(after)
    findings = validate(after, changed=changed, identities=compiler.identities, now=now)
    switched = tuple(switch_findings(documents, allowed=compiler.patches, changed=changed))
    refused = [finding for finding in switched if isinstance(finding, Problem)]
    if findings.problems or refused:
        raise PolicyError([*findings.problems, *refused])
    before, snapshots = compiler.compile(mesh), compiler.compile(after)
    warnings = [finding for finding in switched if isinstance(finding, str)]
    if thorough or _few(documents):
        known = frozenset(findings.warnings)
        added = map(str, new_findings(mesh, after, identities=compiler.identities))
        warnings.extend(warning for warning in added if warning not in known)
    if compiler.patches:
        warnings.extend(effect_findings(documents, snapshots))
    return Plan(
        base_revision=mesh.revision,
        changes=tuple(changes),
        resources=tuple(_diff(before, snapshots)),
        warnings=(*findings.warnings, *warnings),
        after=after,
        snapshots=snapshots,
    )


def _few(documents: Documents) -> bool:
    rules = (name for route in documents.routes for name in route.rule_names)
    return len(tuple(islice(rules, _FEW + 1))) <= _FEW


def _diff(before: Mapping[str, Snapshot], after: Mapping[str, Snapshot]) -> Iterable[ResourceDiff]:
    for group in sorted(before.keys() | after.keys()):
        old, new = before.get(group, EMPTY), after.get(group, EMPTY)
        changes = new.changes_since(old)
        for type in RESOURCE_TYPES:
            for name in sorted(changes.get(type, ())):
                yield ResourceDiff(group, old.get(type, name), new.get(type, name))
