"""Completion of names that only the control plane knows. Silent, and quick to give up, when it does not answer."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

_PATIENCE = 0.5  # seconds


def kinds(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    from policy.schema import kind_names

    known = (*kind_names(), "Service")
    return [CompletionItem(kind) for kind in known if kind.lower().startswith(typed.lower())]


def names(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """The names of the kind that was typed before."""
    import grpc

    from controlplane.cli.client import Connection
    from protos.apg.admin.v1 import admin_pb2 as pb

    root = context.find_root().params
    connection = Connection(root.get("admin") or "127.0.0.1:18001", root.get("token_file"), root.get("ca_file"))
    try:
        with connection.stub() as api:
            found = api.List(pb.ListRequest(kind=context.params.get("kind", "")), timeout=_PATIENCE)
    except grpc.RpcError:
        return []
    known = [item.name for item in found.documents] + [item.service.name for item in found.services]
    return [CompletionItem(name) for name in sorted(set(known)) if name.startswith(typed)]
