"""Whether attached policies fit what they are attached to: targets that exist, sections of them, conflicts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from policy.attached import AttachedPolicy, Target
from policy.backend_refs import BackendRefs
from policy.documents import Documents
from policy.errors import Problem
from policy.gateway import Gateway
from policy.kinds import POLICY_KINDS
from policy.problems import listed, nearest
from policy.route import Route
from registry.mesh import Mesh
from registry.model import DocumentKey, ServiceKey


class PolicyJudge:
    """Judges one attached policy after the other."""

    def __init__(self, mesh: Mesh, documents: Documents, backend_refs: BackendRefs) -> None:
        self._targets = _Targets(mesh, documents)
        self._backend_refs = backend_refs

    def findings(self, policy: AttachedPolicy) -> Iterator[Problem | str]:
        """What is wrong with `policy`, and, as text, what is worth a look."""
        seen: set[Target] = set()
        for index, target in enumerate(policy.targets()):
            where = f"spec.targetRefs[{index}]"
            if target in seen:
                yield Problem(str(policy.key), where, f"{target} a second time", "each target once")
            elif target.kind not in policy.TARGETS:
                want = f"one of {', '.join(policy.TARGETS)}"
                yield Problem(
                    str(policy.key), f"{where}.kind", f"{target.kind}, which {policy.KIND} does not fit", want
                )
            else:
                yield from self._targets.findings(policy, target, where)
            seen.add(target)
        yield from policy.findings()
        yield from self._backend_refs.findings_of_policy(policy)


def disagreements(documents: Documents) -> Iterator[Problem | str]:
    """What is wrong with the attached policies of a mesh taken together, and, as text, what is worth a look."""
    for kind in POLICY_KINDS:
        yield from kind.disagreements(documents.all(kind))
    for conflict in documents.attachments.conflicts:
        yield (
            f"{conflict.loser.key}: spec.targetRefs[{conflict.index}]: conflicts with {conflict.winner.key}, which has "
            f"the same target, {conflict.target}, and comes first: it has no effect there"
        )


class _Targets:
    """What there is to attach to."""

    def __init__(self, mesh: Mesh, documents: Documents) -> None:
        self._mesh = mesh
        self._documents = documents

    def findings(self, policy: AttachedPolicy, target: Target, where: str) -> Iterator[Problem | str]:
        if target.kind == "Service":
            yield from self._service(policy, target, where)
            return
        document = self._documents.find(DocumentKey(*target[:3]))
        if document is None:
            yield self._missing(policy, target, where, self._documents.names(target.kind, target.namespace))
            return
        if target.section is None:
            return
        match document:
            case Gateway():
                sections = [listener.name for listener in document.spec.listeners]
            case Route():
                sections = [name for name in document.rule_names if name is not None]
            case _:
                sections = []
        if target.section not in sections:
            word = "listener" if target.kind == "Gateway" else "rule with a name"
            got = f"{target.section}, which {document.key} does not have"
            yield Problem(str(policy.key), f"{where}.sectionName", got, _one_of(f"a {word}", target.section, sections))

    def _service(self, policy: AttachedPolicy, target: Target, where: str) -> Iterator[Problem | str]:
        service = ServiceKey(target.namespace, target.name)
        if service not in self._mesh.services:
            names = sorted(key.name for key in self._mesh.services if key.namespace == target.namespace)
            yield self._missing(policy, target, where, names)
        elif target.section is not None and target.section not in self._mesh.versions_of(service):
            # Endpoints come and go, and make no document wrong (docs/decisions/0005).
            yield f"{policy.key}: {where}.sectionName: no endpoint of {service} has the version {target.section}"

    def _missing(self, policy: AttachedPolicy, target: Target, where: str, names: Sequence[str]) -> Problem:
        got = f"{target.kind} {target.namespace}/{target.name}, which does not exist"
        return Problem(
            str(policy.key),
            f"{where}.name",
            got,
            _one_of(f"{_a(target.kind)} of {target.namespace}", target.name, names),
        )


def _one_of(what: str, word: str, names: Sequence[str]) -> str:
    return f"{what}: {listed(names)}{nearest(word, names)}" if names else f"{what}, and there is none"


def _a(kind: str) -> str:
    """A kind with its article: "H" is spoken with a vowel."""
    return f"an {kind}" if kind.startswith("HTTP") else f"a {kind}"
