"""The names that a sentence can mean: services and their versions, as people say them."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from intelligence.intents.errors import AmbiguousError, UnknownNameError
from registry.mesh import Mesh
from registry.model import ServiceKey

_LISTED = 5


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The services of a mesh with their versions, and the ways to say each service.

    aliases: lower-case words, separated by one space, to the services that they can mean.
    """

    versions: Mapping[ServiceKey, tuple[str, ...]]
    aliases: Mapping[str, tuple[ServiceKey, ...]]

    @classmethod
    def of(cls, mesh: Mesh) -> Vocabulary:
        aliases: dict[str, list[ServiceKey]] = {}
        for key in sorted(mesh.services):
            for alias in _aliases(key):
                aliases.setdefault(alias, []).append(key)
        return cls(
            versions={key: mesh.versions_of(key) for key in sorted(mesh.services)},
            aliases={alias: tuple(keys) for alias, keys in aliases.items()},
        )

    @property
    def longest_alias(self) -> int:
        """The number of words of the longest alias."""
        return max((alias.count(" ") + 1 for alias in self.aliases), default=0)

    @property
    def all_versions(self) -> frozenset[str]:
        return frozenset(version for versions in self.versions.values() for version in versions)

    def service(self, said: str) -> ServiceKey:
        """The service that `said` means; a service's own name means it, whatever else it could.

        Raises:
            UnknownNameError, AmbiguousError
        """
        keys = self.aliases.get(said.lower(), ())
        exact = [key for key in keys if said in (key.name, str(key))]
        match exact or keys:
            case [] | ():
                raise UnknownNameError("service", said, self._nearest(said))
            case [key]:
                return key
            case several:
                raise AmbiguousError(f'which "{said}":', tuple(str(key) for key in several))

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

    def _nearest(self, said: str) -> tuple[str, ...]:
        names = {key.name: None for key in self.versions}
        close = difflib.get_close_matches(said, names, n=_LISTED, cutoff=0.5)
        return tuple(close or list(names)[:_LISTED])


def _aliases(key: ServiceKey) -> Iterator[str]:
    """The ways to say a service: with and without "service", in the plural, with spaces for hyphens."""
    yield str(key)
    stems = {key.name, key.name.removesuffix("-service"), key.name.removesuffix("-svc")}
    said: set[str] = set()
    for stem in stems:
        for form in (stem, f"{stem}s", f"{stem}'s", stem.removesuffix("s")):
            said |= {form, form.replace("-", " "), f"{form} service", f"{form}-service", f"{form} service's"}
    said |= {form.replace("-", " ") for form in list(said)}
    yield from sorted(form for form in said if form)
