"""Scripted ADS clients for the protocol machines: they decode real bytes, keep books as a proxy does, and answer.

A script holds no opinion on what should come; tests do. `settle_all` and `run` behave as Envoy does: clusters make it
subscribe to endpoints, listeners to routes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Any

from protos.apg.xds.v3.discovery_pb2 import (
    DeltaDiscoveryRequest,
    DeltaDiscoveryResponse,
    DiscoveryRequest,
    DiscoveryResponse,
)
from xds.delta import DeltaMachine
from xds.machine import Machine, Response
from xds.references import references, resource_name
from xds.resource_types import CLUSTER, ENDPOINT, LISTENER, ROUTE, SECRET, ResourceType
from xds.snapshot import Snapshot
from xds.sotw import SotwMachine

_INVALID = 3  # google.rpc.Code.INVALID_ARGUMENT


def content_version(body: bytes) -> str:
    return blake2b(body, digest_size=8).hexdigest()


class Script(ABC):
    """One client and its server-side machine. `now` is the time that the machine is told, in seconds."""

    machine: Machine[Any]

    def __init__(self) -> None:
        self.now = 0.0
        self.resources: dict[ResourceType, dict[str, bytes]] = {}
        self.names: dict[ResourceType, set[str]] = {}
        self.versions: dict[ResourceType, str] = {}

    def publish(self, snapshot: Snapshot) -> list[Response]:
        return self.machine.publish(snapshot, now=self.now)

    @abstractmethod
    def subscribe(self, type: ResourceType, *names: str) -> list[Response]:
        """Subscribes to `names` too; a first subscription without any means all."""

    @abstractmethod
    def unsubscribe(self, type: ResourceType, *names: str) -> list[Response]: ...

    @abstractmethod
    def subscribe_url(self, type_url: str) -> list[Response]: ...

    @abstractmethod
    def answer(self, response: Response, *, error: str | None = None) -> list[Response]:
        """ACKs, or NACKs with `error`, without looking at the content."""

    @abstractmethod
    def decoded(self, response: Response) -> tuple[dict[str, bytes], set[str]]:
        """The bodies by name, and the names that the response takes away from this client."""

    @abstractmethod
    def reconnect(self, old: Script) -> list[Response]:
        """Takes over what `old` holds, and subscribes again to all of it on a new stream."""

    def body(self, response: Response, name: str) -> bytes:
        return self.decoded(response)[0][name]

    def held(self, type: ResourceType, name: str) -> str | None:
        """The content version of what the client has accepted."""
        body = self.resources.get(type, {}).get(name)
        return None if body is None else content_version(body)

    def accept(self, responses: Iterable[Response]) -> list[Response]:
        """Takes the content and ACKs; what comes back at once."""
        more: list[Response] = []
        for response in responses:
            bodies, gone = self.decoded(response)
            holds = self.resources.setdefault(response.type, {})
            holds.update(bodies)
            for name in gone:
                holds.pop(name, None)
            self.versions[response.type] = response.version
            more += self.answer(response)
        return more

    def refuse(self, responses: Iterable[Response], reason: str) -> list[Response]:
        return [again for response in responses for again in self.answer(response, error=reason)]

    def follow(self) -> list[Response]:
        """Subscribes to what the held resources refer to, and unsubscribes from what they do not any more."""
        more: list[Response] = []
        for user, used in ((CLUSTER, SECRET), (CLUSTER, ENDPOINT), (LISTENER, ROUTE)):
            if user not in self.resources:
                continue
            wanted = {
                key.name for body in self.resources[user].values() for key in references(user, body) if key.type is used
            }
            subscribed = self.names.get(used, set())
            if not wanted and not subscribed:
                continue  # a first subscription without names would ask for all
            if dropped := subscribed - wanted:
                more += self.unsubscribe(used, *sorted(dropped))
                for name in dropped:
                    self.resources.get(used, {}).pop(name, None)
            if added := wanted - subscribed:
                more += self.subscribe(used, *sorted(added))
        return more

    def steps(self, responses: Iterable[Response]) -> Iterator[Response]:
        """Accepts and follows, response by response, until nothing more comes; yields each after taking it."""
        waiting = list(responses)
        while waiting:
            response = waiting.pop(0)
            waiting += self.accept([response])
            waiting += self.follow()
            yield response

    def run(self, responses: Iterable[Response]) -> list[Response]:
        return list(self.steps(responses))

    def settle_all(self) -> None:
        """Comes into sync as Envoy does: clusters and their endpoints, then listeners and their routes."""
        for type in (CLUSTER, LISTENER):
            if type not in self.names:
                self.run(self.subscribe(type))
        self.run(self.follow())

    def holds(self, snapshot: Snapshot) -> bool:
        """Whether the client has exactly the clusters and listeners of `snapshot`, and all that these refer to."""
        return all(
            {name: content_version(body) for name, body in self.resources.get(type, {}).items()}
            == {name: resource.version for name, resource in snapshot.resources(type).items()}
            for type in (CLUSTER, LISTENER)
        ) and all(
            content_version(body) == getattr(snapshot.get(type, name), "version", None)
            for type in (SECRET, ENDPOINT, ROUTE)
            for name, body in self.resources.get(type, {}).items()
        )


class SotwScript(Script):
    """A state-of-the-world client."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = SotwMachine()
        self._nonces: dict[ResourceType, str] = {}
        self._received: dict[ResourceType, str] = {}

    def subscribe(self, type: ResourceType, *names: str) -> list[Response]:
        self.names.setdefault(type, set()).update(names)
        return self._send(type)

    def unsubscribe(self, type: ResourceType, *names: str) -> list[Response]:
        self.names[type] -= set(names)
        return self._send(type)

    def subscribe_url(self, type_url: str) -> list[Response]:
        return self.machine.on_request(DiscoveryRequest(type_url=type_url), now=self.now)

    def answer(self, response: Response, *, error: str | None = None) -> list[Response]:
        request = self._request(response.type)
        request.response_nonce = self._nonces[response.type] = response.nonce
        if error is None:
            self._received[response.type] = request.version_info = response.version
        else:
            request.error_detail.code, request.error_detail.message = _INVALID, error
        return self.machine.on_request(request, now=self.now)

    def decoded(self, response: Response) -> tuple[dict[str, bytes], set[str]]:
        message = DiscoveryResponse.FromString(response.encode())
        assert message.nonce == response.nonce
        assert message.type_url == response.type.type_url
        assert {packed.type_url for packed in message.resources} <= {message.type_url}
        bodies = {resource_name(response.type, packed.value): packed.value for packed in message.resources}
        assert len(bodies) == len(message.resources), "a name came twice"
        held = self.resources.get(response.type, {})
        return bodies, set(held) - set(bodies) if response.type.full_state else set()

    def reconnect(self, old: Script) -> list[Response]:
        assert isinstance(old, SotwScript)
        self.resources = old.resources
        responses: list[Response] = []
        for type, names in old.names.items():
            self.names[type] = set(names)
            self._received[type] = old._received.get(type, "")
            responses += self._send(type)
        return responses

    def _request(self, type: ResourceType) -> DiscoveryRequest:
        return DiscoveryRequest(
            type_url=type.type_url,
            resource_names=sorted(self.names.get(type, ())),
            response_nonce=self._nonces.get(type, ""),
            version_info=self._received.get(type, ""),
        )

    def _send(self, type: ResourceType) -> list[Response]:
        return self.machine.on_request(self._request(type), now=self.now)


class DeltaScript(Script):
    """An incremental client."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = DeltaMachine()

    def subscribe(self, type: ResourceType, *names: str) -> list[Response]:
        self.names.setdefault(type, set()).update(names)
        request = DeltaDiscoveryRequest(type_url=type.type_url, resource_names_subscribe=names)
        return self.machine.on_request(request, now=self.now)

    def unsubscribe(self, type: ResourceType, *names: str) -> list[Response]:
        self.names[type] -= set(names)
        request = DeltaDiscoveryRequest(type_url=type.type_url, resource_names_unsubscribe=names)
        return self.machine.on_request(request, now=self.now)

    def subscribe_url(self, type_url: str) -> list[Response]:
        return self.machine.on_request(DeltaDiscoveryRequest(type_url=type_url), now=self.now)

    def answer(self, response: Response, *, error: str | None = None) -> list[Response]:
        request = DeltaDiscoveryRequest(type_url=response.type.type_url, response_nonce=response.nonce)
        if error is not None:
            request.error_detail.code, request.error_detail.message = _INVALID, error
        return self.machine.on_request(request, now=self.now)

    def decoded(self, response: Response) -> tuple[dict[str, bytes], set[str]]:
        message = DeltaDiscoveryResponse.FromString(response.encode())
        assert message.nonce == response.nonce
        assert message.type_url == response.type.type_url
        for resource in message.resources:
            assert resource.name == resource_name(response.type, resource.resource.value)
            assert resource.version == content_version(resource.resource.value)
        return {r.name: r.resource.value for r in message.resources}, set(message.removed_resources)

    def reconnect(self, old: Script) -> list[Response]:
        self.resources = old.resources
        responses: list[Response] = []
        for type, names in old.names.items():
            self.names[type] = set(names)
            held = {name: content_version(body) for name, body in old.resources.get(type, {}).items()}
            request = DeltaDiscoveryRequest(
                type_url=type.type_url, resource_names_subscribe=sorted(names), initial_resource_versions=held
            )
            responses += self.machine.on_request(request, now=self.now)
        return responses
