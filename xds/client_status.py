"""The client status discovery service (CSDS): what each connected client has, and what it made of what it was sent.

It shows configuration to whoever may speak to it, but never a secret: of a Secret, only its name and version.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import TypeAlias

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.message import DecodeError

from protos.apg.xds.v3.discovery_pb2 import Node
from protos.apg.xds.v3.status_pb2 import (
    ACKED,
    DOES_NOT_EXIST,
    ERROR,
    NACKED,
    NOT_SENT,
    REQUESTED,
    STALE,
    SYNCED,
    ClientResourceStatus,
    ClientStatusRequest,
    ConfigStatus,
    GenericXdsConfig,
)
from xds.call import Context, refuse
from xds.errors import LimitError, RequestError, XdsError
from xds.fleet import Client, Fleet
from xds.history import Record
from xds.holdings import Standing
from xds.node_matching import check, matches
from xds.resource import Resource
from xds.wire import length_delimited, string

CSDS = "envoy.service.status.v3.ClientStatusDiscoveryService"

_SECRET = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"  # noqa: S105  a type, not a secret
_MAX_ANSWER = 64 << 20  # bytes
_AT_ONCE = 500  # resources between two looks at whether somebody else wants to run

_Statuses: TypeAlias = tuple[ConfigStatus.ValueType, ClientResourceStatus.ValueType]


class ClientStatus:
    """Answers for the clients of `fleet`."""

    def __init__(self, fleet: Fleet, *, max_answer: int = _MAX_ANSWER) -> None:
        """`max_answer`: bytes; a question whose answer would be larger is refused."""
        self._fleet = fleet
        self._max_answer = max_answer
        self._one_at_a_time = asyncio.Lock()  # an answer may be large, and ten callers' would be ten times as large

    def handler(self) -> grpc.GenericRpcHandler:
        """For a gRPC server: `Server`'s, or one of your own."""
        stream: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_stream_rpc_method_handler(self._stream)
        fetch: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(self._fetch)
        return grpc.method_handlers_generic_handler(CSDS, {"StreamClientStatus": stream, "FetchClientStatus": fetch})

    async def _fetch(self, request: bytes, context: Context) -> bytes:
        try:
            return await self.answer(_parsed(request))
        except XdsError as error:
            await refuse(context, error)

    async def _stream(self, requests: AsyncIterator[bytes], context: Context) -> None:
        try:
            async for request in requests:
                await context.write(await self.answer(_parsed(request)))
        except XdsError as error:
            await refuse(context, error)

    async def answer(self, request: ClientStatusRequest) -> bytes:
        """A ClientStatusResponse: one config for each node that is asked for, its streams together.

        Raises:
            RequestError: a matcher that makes no sense.
            UnsupportedError: a matcher of a kind that is not supported.
            LimitError: the answer would exceed `max_answer`.
        """
        check(request.node_matchers)
        contents = not request.exclude_resource_contents
        async with self._one_at_a_time:
            answer, size = [], 0
            for node, clients in self._nodes(request):
                frames = [length_delimited(1, node.SerializeToString())]
                for client in clients:
                    for number, record in enumerate(list(self._fleet.records(client))):
                        frames.append(length_delimited(3, _config(record, contents=contents).SerializeToString()))
                        size += len(frames[-1])
                        if size > self._max_answer:
                            raise LimitError(
                                f"the answer exceeds {self._max_answer} bytes: want node_matchers that fit fewer "
                                "nodes, or exclude_resource_contents"
                            )
                        if number % _AT_ONCE == 0:
                            await asyncio.sleep(0)
                await asyncio.sleep(0)
                answer.append(length_delimited(1, b"".join(frames)))
            return b"".join(answer)

    def _nodes(self, request: ClientStatusRequest) -> Iterator[tuple[Node, list[Client]]]:
        nodes: dict[tuple[str, str], tuple[Node, list[Client]]] = {}
        for client in self._fleet.clients():
            node = Node.FromString(client.node)
            if matches(node, request.node_matchers):
                nodes.setdefault((client.node_id, client.group), (node, []))[1].append(client)
        yield from nodes.values()


def _parsed(request: bytes) -> ClientStatusRequest:
    try:
        return ClientStatusRequest.FromString(request)
    except DecodeError as error:
        raise RequestError("the bytes are no envoy.service.status.v3.ClientStatusRequest: want one") from error


def _config(record: Record, *, contents: bool) -> GenericXdsConfig:
    """What the client has, with its version; of what it refused, the version, its words and when it said them."""
    holding = record.holding
    config = GenericXdsConfig(type_url=holding.type.type_url, name=holding.name)
    config.config_status, config.client_status = _statuses(record)
    if holding.held is not None:
        config.version_info = holding.held.version
        body = _with_bytes(holding.held, holding.wanted)
        if contents and body is not None:
            _pack(config.xds_config, body)
    if record.accepted_at is not None:
        config.last_updated.FromDatetime(record.accepted_at)
    if holding.standing is Standing.REFUSED and record.refused is not None and holding.wanted is not None:
        config.error_state.details = record.refused.reason
        config.error_state.version_info = holding.wanted.version
        config.error_state.last_update_attempt.FromDatetime(record.refused.at)
        if contents:
            _pack(config.error_state.failed_configuration, holding.wanted)
    return config


def _with_bytes(held: Resource, wanted: Resource | None) -> Resource | None:
    """Of what a client brought along from an earlier stream, the version alone is known, unless it is still served."""
    if held.framed:
        return held
    return wanted if wanted is not None and wanted.version == held.version else None


def _statuses(record: Record) -> _Statuses:
    """ConfigStatus, in the server's eyes, and ClientResourceStatus, in the client's."""
    has_it = ACKED if record.holding.held is not None else REQUESTED
    match record.holding.standing:
        case Standing.REFUSED:
            return ERROR, NACKED
        case Standing.UNDER_WAY:
            return STALE, has_it
        case Standing.WAITING:
            return NOT_SENT, has_it
        case Standing.HELD:
            return SYNCED, has_it
        case Standing.ABSENT:
            return SYNCED, DOES_NOT_EXIST


def _pack(packed: Any, resource: Resource) -> None:
    packed.type_url = resource.type.type_url
    packed.value = string(1, resource.name) if resource.type.type_url == _SECRET else resource.body
