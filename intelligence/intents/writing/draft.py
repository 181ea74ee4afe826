"""A mesh in the making: what the intents of one text change, one after the other, and what is to be said about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from intelligence.intents.errors import AmbiguousError, ContradictionError, UnknownNameError, UnsupportedError
from policy.address_lists import AddressLists, NoAddressLists
from policy.attached import MAX_TARGETS, POLICY_API, AttachedPolicy
from policy.backends import standing
from policy.gateway import Gateway
from policy.http_route import HTTPRoute, HTTPRouteRule
from policy.identities import Identities, NoIdentities
from policy.kinds import KINDS, gateways, http_routes, typed
from policy.problems import problems
from policy.shapes import MAX_NAME, BaseDocument
from registry.mesh import Mesh
from registry.model import DEFAULT_NAMESPACE, Change, DocumentKey, Service, ServiceKey

Ref = dict[str, Any]
"""A targetRef as documents write it."""


class Draft:
    """The mesh as it would be, notes for the person who asked, and dangers that only its writer can see."""

    def __init__(
        self,
        mesh: Mesh,
        *,
        now: datetime,
        identities: Identities | None = None,
        lists: AddressLists | None = None,
    ) -> None:
        self.now = now
        self.lists = lists or NoAddressLists()
        self.identities = identities or NoIdentities()
        self._before = mesh
        self.mesh = mesh
        self.notes: list[str] = []
        self.dangers: list[str] = []

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def danger(self, text: str) -> None:
        """A reason for a high risk."""
        if text not in self.dangers:
            self.dangers.append(text)

    def put(self, document: BaseDocument) -> None:
        after = document.to_document()
        self.mesh = self.mesh.after([Change(self.mesh.documents.get(after.key), after)])

    def remove(self, key: DocumentKey) -> None:
        self.mesh = self.mesh.after([Change(self.mesh.documents[key], None)])

    def add_service(self, service: Service) -> None:
        self.mesh = self.mesh.after([Change(None, service)])

    def changes(self) -> tuple[Change, ...]:
        """What differs from the mesh as it was, sorted."""
        services = sorted(self.mesh.services.keys() - self._before.services.keys())
        before, after = self._before.documents, self.mesh.documents
        return (
            *(Change(None, self.mesh.services[key]) for key in services),
            *(
                Change(before.get(key), after.get(key))
                for key in sorted(before.keys() | after.keys())
                if before.get(key) != after.get(key)
            ),
        )

    # --- what there is ---

    def routes_of(self, service: ServiceKey) -> list[HTTPRoute]:
        """The routes with a rule that carries traffic of `service`.

        Raises:
            UnknownNameError: there is none.
        """
        found = [
            route
            for route in http_routes(self.mesh)
            if any(self.carries(route, rule, service) for rule in route.spec.rules)
        ]
        if not found:
            routes = tuple(f"{route.key.namespace}/{route.key.name}" for route in http_routes(self.mesh))
            raise UnknownNameError(f"HTTPRoute with a backend of {service}", "any", routes)
        return found

    def carries(self, route: HTTPRoute, rule: HTTPRouteRule, service: ServiceKey) -> bool:
        return service in self.carried(route, rule)

    def carried(self, route: HTTPRoute, rule: HTTPRouteRule) -> set[ServiceKey]:
        """The services that a rule sends requests to."""
        backends = (
            standing(self.mesh, namespace=ref.namespace or route.key.namespace, name=ref.name)
            for ref in rule.backend_refs
        )
        return {backend.service for backend in backends if backend is not None}

    def gateways(self) -> list[Gateway]:
        """All of them. Raises UnknownNameError if there is none."""
        found = list(gateways(self.mesh))
        if not found:
            raise UnknownNameError("Gateway", "any", ())
        return found

    def requests_to(self, target: ServiceKey | None) -> Iterator[tuple[str, list[Ref]]]:
        """What a policy about the requests to `target` attaches to, by namespace: the routes (or rules of them) that
        carry nothing else; all Gateways, for all services.

        Raises:
            UnknownNameError: nothing carries its traffic.
            UnsupportedError: a rule without a name carries it, beside rules of other services.
        """
        refs: dict[str, list[Ref]] = {}
        if target is None:
            for gateway in self.gateways():
                refs.setdefault(gateway.key.namespace, []).append({"kind": "Gateway", "name": gateway.key.name})
        else:
            for route in self.routes_of(target):
                refs.setdefault(route.key.namespace, []).extend(self._of_route(route, target))
        yield from sorted(refs.items())

    def _of_route(self, route: HTTPRoute, target: ServiceKey) -> list[Ref]:
        rules = route.spec.rules
        if all(self.carried(route, rule) <= {target} for rule in rules):
            return [{"kind": "HTTPRoute", "name": route.key.name}]
        found: list[Ref] = []
        for index, rule in enumerate(rules):
            carried = self.carried(route, rule)
            if target not in carried:
                continue
            if carried != {target}:
                others = ", ".join(sorted(str(key) for key in carried - {target}))
                raise UnsupportedError(
                    f"{route.key} splits one rule between {target} and {others}: what is attached there would meet"
                    " both; nothing was changed"
                )
            if rule.name is None:
                raise UnsupportedError(
                    f"{route.key} serves other services, too, and its rule {index} for {target} has no name to attach"
                    " to: give it one (spec.rules[].name); nothing was changed"
                )
            found.append({"kind": "HTTPRoute", "name": route.key.name, "sectionName": rule.name})
        return found

    def connections_to(self, target: ServiceKey | None) -> Iterator[tuple[str, list[Ref]]]:
        """What a policy about a service itself attaches to, by namespace; every service, for all."""
        refs: dict[str, list[Ref]] = {}
        for key in [target] if target is not None else sorted(self.mesh.services):
            refs.setdefault(key.namespace, []).append({"kind": "Service", "name": key.name})
        if any(len(found) > MAX_TARGETS for found in refs.values()):
            raise UnsupportedError(
                f"more than {MAX_TARGETS} services at once: name those that you mean; nothing was changed"
            )
        yield from sorted(refs.items())

    # --- attached policies ---

    def attach(self, kind: str, namespace: str, refs: Sequence[Ref], *, name: str, spec: Mapping[str, Any]) -> None:
        """Sets `spec` (fields as documents write them; None takes one away) in the policy of `kind` on just these
        targets; makes one if there is none.

        Raises:
            UnsupportedError: the kind is not there.
            AmbiguousError: one of the targets has such a policy together with others.
        """
        model = self.kind(kind)
        standing_policy = self.policy_on(kind, namespace, refs)
        if standing_policy is not None:
            body = standing_policy.model_dump(mode="json", by_alias=True, exclude_defaults=True)
            body["spec"] = {k: v for k, v in {**body["spec"], **spec}.items() if v is not None}
        else:
            body = {
                "metadata": {"name": self.free(kind, namespace, name), "namespace": namespace},
                "spec": {"targetRefs": list(refs), **{k: v for k, v in spec.items() if v is not None}},
            }
            if not refs:
                del body["spec"]["targetRefs"]
        body |= {"apiVersion": model.API_VERSION, "kind": kind}
        self.put(self.read(model, body))

    def kind(self, kind: str) -> type[BaseDocument]:
        model = KINDS.get((POLICY_API, kind))
        if model is None:
            raise UnsupportedError(
                f"understood, but there is no {kind} in this build that could do it; nothing was changed"
            )
        return model

    def read(self, model: type[BaseDocument], body: Mapping[str, Any]) -> BaseDocument:
        """Raises ContradictionError for a document that its kind does not take."""
        try:
            return model.model_validate(body)
        except ValidationError as error:
            name = f"{model.KIND} {body['metadata']['namespace']}/{body['metadata']['name']}"
            said = "; ".join(str(problem) for problem in problems(error, model, document=name))
            raise ContradictionError(f"{said}; nothing was changed") from None

    def policies_of(self, kind: str) -> Iterator[AttachedPolicy]:
        for document in self.mesh.documents_of(kind):
            policy = typed(document)
            assert isinstance(policy, AttachedPolicy)
            yield policy

    def policy_on(self, kind: str, namespace: str, refs: Sequence[Ref]) -> AttachedPolicy | None:
        """The policy on just these targets. Raises AmbiguousError if one of them shares it with other targets."""
        wanted = {(ref["kind"], ref["name"], ref.get("sectionName")) for ref in refs}
        for policy in self.policies_of(kind):
            if policy.key.namespace != namespace:
                continue
            have = {(target.kind, target.name, target.section) for target in policy.targets()}
            if have == wanted:
                return policy
            if have & wanted and not policy.STACKS:
                raise AmbiguousError(
                    f"{policy.key} is there for this and for other targets: change it by hand, or name all of them:",
                    tuple(f"{k} {n}" for k, n, _ in sorted(have, key=str)),
                    what="targets",
                )
        return None

    def free(self, kind: str, namespace: str, name: str) -> str:
        """`name`, or the first of name-2, name-3 … that no document of the kind has."""
        name = name[: MAX_NAME - 4]
        number, candidate = 1, name
        while DocumentKey(kind, namespace, candidate) in self.mesh.documents:
            number += 1
            candidate = f"{name}-{number}"
        return candidate


def name_of(target: ServiceKey | None) -> str:
    return target.name if target is not None else "all"


def namespace_of(target: ServiceKey | None) -> str:
    return target.namespace if target is not None else DEFAULT_NAMESPACE


def service_refs(target: ServiceKey | None) -> list[Ref]:
    return [{"kind": "Service", "name": target.name}] if target is not None else []
