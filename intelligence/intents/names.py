"""The names that a sentence can mean: services and their versions, as people say them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from intelligence.intents.errors import AmbiguousError, UnknownNameError
from registry.mesh import Mesh
from registry.model import ServiceKey

_LISTED = 5
_NUMBERED = re.compile(r"v?(\d+(?:\.\d+)*)")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The services of a mesh with their versions, and the ways to say each.

    aliases: lower-case words, separated by one space, to the services that they can mean.
    backends: "payment-v2" to the service and the version.
    documents: kind, namespace and name of each document, for questions about them.
    """

    versions: Mapping[ServiceKey, tuple[str, ...]]
    aliases: Mapping[str, tuple[ServiceKey, ...]]
    backends: Mapping[str, tuple[ServiceKey, str]] = field(default_factory=dict)
    version_words: frozenset[str] = frozenset()
    longest_alias: int = 0

    @classmethod
    def of(cls, mesh: Mesh) -> Vocabulary:
        aliases: dict[str, list[ServiceKey]] = {}
        versions = {key: mesh.versions_of(key) for key in sorted(mesh.services)}
        for key in versions:
            for alias in _aliases(key):
                aliases.setdefault(alias, []).append(key)
        return cls(
            versions=versions,
            aliases={alias: tuple(keys) for alias, keys in aliases.items()},
            backends={
                f"{key.name}-{version}".lower(): (key, version) for key, names in versions.items() for version in names
            },
            version_words=frozenset(version.lower() for names in versions.values() for version in names),
            longest_alias=max((alias.count(" ") + 1 for alias in aliases), default=0),
        )

    @property
    def all_versions(self) -> frozenset[str]:
        return frozenset(version for versions in self.versions.values() for version in versions)

    def service(self, said: str) -> ServiceKey:
        """The service that `said` means; a service's own name means it, whatever else it could.

        Raises:
            UnknownNameError, AmbiguousError
        """
        plain = " ".join(said.lower().split())
        keys = self.aliases.get(plain, ())
        exact = [key for key in keys if plain in (key.name.lower(), str(key).lower())]
        match exact or list(keys):
            case []:
                raise UnknownNameError("service", said, self.nearest(said))
            case [key]:
                return key
            case several:
                raise AmbiguousError(f'which "{said}":', tuple(str(key) for key in several), what="service")

    def version(self, service: ServiceKey, said: str) -> str:
        """The version of `service` that `said` means: "v2", "2", "canary".

        Raises:
            UnknownNameError
        """
        known = self.versions[service]
        for candidate in (said, f"v{said}", said.removeprefix("v")):
            for version in known:
                if version.lower() == candidate.lower():
                    return version
        raise UnknownNameError(f"version of {service}", said, known)

    def has_version(self, service: ServiceKey, said: str) -> bool:
        known = {version.lower() for version in self.versions[service]}
        return bool(known & {said.lower(), f"v{said}".lower(), said.lower().removeprefix("v")})

    def by_role(self, service: ServiceKey, role: str) -> str:
        """The newest ("new") or the one before it ("old") of versions that are numbered, or of stable and canary.

        Raises:
            AmbiguousError: their names do not say which is newer.
        """
        known = self.versions[service]
        if set(known) == {"stable", "canary"}:
            return "canary" if role == "new" else "stable"
        numbers = {version: _number(version) for version in known}
        if len(known) > 1 and all(number is not None for number in numbers.values()):
            ordered = sorted(known, key=lambda version: numbers[version] or ())
            if role == "new":
                return ordered[-1]
            if len(ordered) == 2:
                return ordered[0]
        raise AmbiguousError(f"which version of {service} is the {role} one:", known, what="version")

    def nearest(self, said: str) -> tuple[str, ...]:
        names = {key.name: None for key in self.versions}
        close = difflib.get_close_matches(said.lower(), names, n=_LISTED, cutoff=0.5)
        return tuple(close or list(names)[:_LISTED])


def _number(version: str) -> tuple[int, ...] | None:
    found = _NUMBERED.fullmatch(version.lower())
    return tuple(int(part) for part in found[1].split(".")) if found else None


def _aliases(key: ServiceKey) -> Iterator[str]:
    """The ways to say a service: with and without "service", in the plural, with spaces for hyphens."""
    yield str(key).lower()
    name = key.name.lower()
    stems = {name, name.removesuffix("-service"), name.removesuffix("-svc")}
    said: set[str] = set()
    for stem in stems:
        for form in (stem, f"{stem}s", f"{stem}'s", stem.removesuffix("s")):
            said |= {form, f"{form} service", f"{form}-service", f"{form} service's", f"{form} svc", f"{form}-svc"}
    said |= {form.replace("-", " ") for form in list(said)}
    yield from sorted(form for form in said if form)
