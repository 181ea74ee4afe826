"""All checks over a whole mesh. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime

from policy.analysis.finding import Finding, Severity
from policy.analysis.reached import empty_listeners, idle_policies, unrouted_services
from policy.analysis.routes import open_paths, shadowed, splits
from policy.analysis.served import Served
from policy.documents import Documents
from policy.identities import Identities, NoIdentities
from policy.validation import Memory, validate
from registry.mesh import Mesh

_CHECKS = (shadowed, splits, open_paths, idle_policies, empty_listeners, unrouted_services)
_OF_CHANGES = (shadowed, splits, open_paths)

_KNOWN: tuple[tuple[str, str, Severity, str], ...] = (
    ("has no endpoints", "no-endpoints", Severity.ERROR, "register an endpoint, or take the backend out of the rule"),
    ("no endpoint of", "no-endpoints", Severity.WARNING, "register one, or take the section out of the policy"),
    ("one machine can run one", "shared-port", Severity.WARNING, "give one of them another port or address"),
    ("its requests get 500", "no-backend", Severity.WARNING, "give a backend a weight"),
    ("its sidecars' port stays closed", "no-certificate", Severity.ERROR, "issue a certificate, or take Permissive"),
    ("without a certificate", "no-certificate", Severity.WARNING, "issue certificates to them, or take Permissive"),
    ("its sidecars take plain calls", "no-certificate", Severity.WARNING, "issue a certificate with its ca.crt"),
    ("has no Sidecar that would", "no-sidecar", Severity.ERROR, "apply one, or take the Service out of the policy"),
    ("the same match stands earlier", "shadowed", Severity.WARNING, "remove the later one"),
    ("conflicts with", "conflict", Severity.WARNING, "keep one of the two, or attach one to a part of the target"),
    ("comes first and has", "conflict", Severity.WARNING, "give one of them another hostname"),
)
"""What validation's words mean here: a part of them, the check, its severity, and what to do."""


def analyze(mesh: Mesh, *, identities: Identities | None = None, now: datetime | None = None) -> tuple[Finding, ...]:
    """All that is worth a look, the gravest first. now: as for `validate`."""
    identities = identities if identities is not None else NoIdentities()
    served = Served(mesh, Documents.of(mesh), identities)
    found = [*_validated(mesh, identities, now), *(finding for check in _CHECKS for finding in check(served))]
    return tuple(
        sorted(dict.fromkeys(found), key=lambda item: (item.severity.rank, item.check, item.document, item.path))
    )


def new_findings(before: Mesh, after: Mesh, *, identities: Identities) -> tuple[Finding, ...]:
    """What a change makes worth a look about routes: what validation does not say already."""
    both = (Served(mesh, Documents.of(mesh), identities) for mesh in (before, after))
    known, now = ([finding for check in _OF_CHANGES for finding in check(served)] for served in both)
    old = frozenset(known)
    return tuple(finding for finding in dict.fromkeys(now) if finding not in old)


def _validated(mesh: Mesh, identities: Identities, now: datetime | None) -> Iterator[Finding]:
    """What validation finds. A standing mesh may have become wrong: a certificate or a service may be gone."""
    judged = validate(mesh, changed=(), identities=identities, now=now, memory=Memory())
    for problem in judged.problems:
        words = f"got {problem.got}, want {problem.want}"
        yield Finding(Severity.ERROR, "invalid", problem.document, problem.path, words, "apply what it wants")
    for warning in judged.warnings:
        yield _of_warning(warning)


def _of_warning(text: str) -> Finding:
    document, path, words = _parted(text)
    for fragment, check, severity, advice in _KNOWN:
        if fragment in words:
            told = Severity.INFO if "if it had weight" in words else severity
            return Finding(told, check, document, path, words, advice)
    return Finding(Severity.WARNING, "validation", document, path, words, "see the page of its kind in docs/policies")


def _parted(text: str) -> tuple[str, str, str]:
    """A warning's document, path and words, as far as it has them."""
    head, colon, rest = text.partition(": ")
    if not colon or head.count(" ") != 1 or "/" not in head:
        return "", "", text
    path, colon, words = rest.partition(": ")
    if colon and path.startswith(("spec", "metadata")) and " " not in path:
        return head, path, words
    return head, "", rest


def gravest(findings: Collection[Finding]) -> Severity | None:
    return min((finding.severity for finding in findings), key=lambda severity: severity.rank, default=None)
