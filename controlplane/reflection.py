"""What the admin API's port says of itself by gRPC reflection, so that tools such as grpcurl need no .proto files."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool

from protos.apg.xds.v3 import status_pb2
from xds.client_status import CSDS


def pool(files: Iterable[Any]) -> DescriptorPool:
    """The descriptors of `files` (the `DESCRIPTOR`s of generated modules), and of the client status service.

    That service has Envoy's name, and messages of ours that are the same on the wire. It is declared in this pool
    alone: in protobuf's own it would collide with Envoy's classes, where somebody uses those in the same process.
    """
    described = DescriptorPool()
    for file in (*files, status_pb2.DESCRIPTOR):
        _add(described, file)
    described.Add(_client_status())
    return described


def _add(described: DescriptorPool, file: Any) -> None:  # noqa: ANN401  the stubs know two types of file
    for dependency in file.dependencies:
        _add(described, dependency)
    proto = FileDescriptorProto()
    file.CopyToProto(proto)
    described.Add(proto)  # adding the same file again is harmless


def _client_status() -> FileDescriptorProto:
    package, _, name = CSDS.rpartition(".")
    file = FileDescriptorProto(
        name="apg/reflection/client_status.proto",
        package=package,
        syntax="proto3",
        dependency=[status_pb2.DESCRIPTOR.name],
    )
    service = file.service.add(name=name)
    for method, streams in (("FetchClientStatus", False), ("StreamClientStatus", True)):
        service.method.add(
            name=method,
            input_type=f".{status_pb2.ClientStatusRequest.DESCRIPTOR.full_name}",
            output_type=f".{status_pb2.ClientStatusResponse.DESCRIPTOR.full_name}",
            client_streaming=streams,
            server_streaming=streams,
        )
    return file
