"""The demo: a small mesh with a real Envoy, changed by a sentence while traffic flows, and measured.

Everything is the real thing and a process of its own: the control plane (`apg up`), Envoy, the backends' sockets.
Nothing but the admin API is used to change the mesh.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from string import Template

import grpc
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from controlplane.bootstrap import BootstrapOptions, Variant
from controlplane.child import end, spawn
from controlplane.cli.diff import diff_lines
from controlplane.cli.exits import violations
from controlplane.demo.backends import start_backend, start_frontend
from controlplane.demo.proportion import wilson
from controlplane.demo.traffic import Traffic
from controlplane.errors import ControlPlaneError
from controlplane.ports import free_port
from controlplane.proxy import EnvoyProcess
from protos.apg.admin.v1 import admin_pb2 as pb
from protos.apg.admin.v1.admin_pb2_grpc import AdminServiceStub

SENTENCE = "route 20% of payment traffic to v2"
MEASURED = 2_000
_ASKED = 0.20
_DOUBT = 4.5  # standard deviations: once in 150,000 runs, chance alone looks like a wrong split
_HERE = Path(__file__).parent
_BY = pb.Attribution(author="demo")
_DEADLINE = 30.0  # seconds, for each wait on another process


class DemoError(ControlPlaneError):
    """The demo did not show what it promises."""


async def run(*, console: Console, keep: bool = False) -> None:
    """Plays the demo to its end. With `keep`, it then leaves everything running until it is interrupted.

    Raises:
        DemoError: something was not as it should be: a request failed, a split is off, a broken document was taken.
        ControlPlaneError: a part could not be started.
    """
    async with AsyncExitStack() as parts:
        story = _Story(console, parts)
        await story.set_the_stage()
        before = await story.first_revision()
        await story.say_the_sentence()
        await story.measure()
        await story.offer_a_broken_document()
        await story.roll_back(before)
        await story.count()
        if keep:
            story.explain_how_to_go_on()
            await asyncio.Event().wait()
        story.tell_what_to_try_next()


class _Story:
    def __init__(self, console: Console, parts: AsyncExitStack) -> None:
        self._console = console
        self._parts = parts
        self._chapter = 0

    async def set_the_stage(self) -> None:
        self._head("A mesh: two versions of payment, a frontend, and one Envoy in front of them")
        folder = Path(self._parts.enter_context(tempfile.TemporaryDirectory(prefix="apg-demo-")))
        with self._progress() as progress:
            task = progress.add_task("control plane", total=4)
            self.xds, self.admin = await self._parts.enter_async_context(_control_plane(folder))
            channel = await self._parts.enter_async_context(grpc.aio.insecure_channel(self.admin))
            self._api = AdminServiceStub(channel)
            port = free_port()
            self.gateway = f"http://127.0.0.1:{port}"

            progress.update(task, advance=1, description="backends")
            for service, version in (("payment", "v1"), ("payment", "v2"), ("frontend", "v1")):
                if service == "frontend":
                    backend = await start_frontend("frontend", version, payment_url=f"{self.gateway}/pay")
                else:
                    backend = await start_backend(service, version)
                self._parts.push_async_callback(backend.stop)
                await self._register(service, version, backend.port)

            progress.update(task, advance=1, description="documents")
            documents = Template((_HERE / "mesh.yaml").read_text()).substitute(port=port)
            await self._api.Apply(
                pb.ApplyRequest(documents=documents.encode(), source="mesh.yaml", attribution=_BY), timeout=_DEADLINE
            )

            progress.update(task, advance=1, description="Envoy")
            host, _, xds_port = self.xds.rpartition(":")
            options = BootstrapOptions(
                node_id="demo-edge", group="default/edge", xds_host=host, xds_port=int(xds_port), variant=Variant.DELTA
            )
            self.envoy = await EnvoyProcess.start(options, log_path=folder / "envoy.log")
            self._parts.push_async_callback(self.envoy.stop)
            await self.envoy.ready()
            await self._in_sync()
            progress.update(task, advance=1, description="ready")
        self._traffic = Traffic(self.gateway)
        self._parts.push_async_callback(self._traffic.stop)
        self._traffic.start()
        self._note(f"Envoy serves {self.gateway}, steered over xDS from {self.xds}. Traffic flows from here on.")

    async def first_revision(self) -> int:
        response = await self._api.ListRevisions(pb.ListRevisionsRequest(limit=1), timeout=_DEADLINE)
        return int(response.revisions[0].number)

    async def say_the_sentence(self) -> None:
        self._head(f'Somebody says: "{SENTENCE}"')
        proposal = await self._api.Propose(pb.ProposeRequest(sentence=SENTENCE), timeout=_DEADLINE)
        for words in proposal.understood:
            self._note(f"understood ({proposal.parser}, {proposal.confidence:.0%} sure): {words}")
        for diff in proposal.plan.documents:
            self._show_diff(f"{diff.key.kind} {diff.key.namespace}/{diff.key.name}", diff.before_yaml, diff.after_yaml)
        touched = Counter(diff.group for diff in proposal.plan.resources)
        for group, count in touched.items():
            self._note(f"changes {count} Envoy resource{'s' * (count != 1)} of the proxies of {group}")
        await self._api.Confirm(pb.ConfirmRequest(proposal_id=proposal.proposal_id, attribution=_BY), timeout=_DEADLINE)
        await self._in_sync()
        self._note("confirmed; Envoy has ACKed it")

    async def measure(self) -> None:
        self._head(f"{MEASURED:,} requests through Envoy")
        versions = await self._burst(MEASURED)
        total = versions.total()
        table = Table("version", "asked", "answered", "share", "95% interval")
        for version, asked in (("payment v1", 1 - _ASKED), ("payment v2", _ASKED)):
            hits = versions[version]
            interval = wilson(hits, total)
            table.add_row(
                version,
                f"{asked:.0%}",
                f"{hits:,}",
                f"{hits / total:.1%}",
                f"{interval.low:.1%} to {interval.high:.1%}",
            )
        self._console.print(table)
        if _ASKED not in wilson(versions["payment v2"], total, z=_DOUBT):
            raise DemoError(f"v2 answered {versions['payment v2']} of {total} requests, want about {_ASKED:.0%}")

    async def offer_a_broken_document(self) -> None:
        self._head("A broken document is offered")
        broken = (_HERE / "broken.yaml").read_bytes()
        try:
            await self._api.Apply(
                pb.ApplyRequest(documents=broken, source="broken.yaml", attribution=_BY), timeout=_DEADLINE
            )
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.INVALID_ARGUMENT:
                raise DemoError(f"the broken document met {error.code().name}: {error.details()}") from error
            for violation in violations(error):
                self._console.print(f"  [red]refused[/] {escape(violation)}", highlight=False)
        else:
            raise DemoError("the broken document was accepted")
        self._note("nothing was applied, and traffic goes on")

    async def roll_back(self, revision: int) -> None:
        self._head(f"Back to revision {revision}")
        await self._api.Rollback(pb.RollbackRequest(revision=revision, attribution=_BY), timeout=_DEADLINE)
        await self._in_sync()
        versions = await self._burst(MEASURED // 10)
        if versions["payment v2"]:
            raise DemoError(f"v2 still answered {versions['payment v2']} requests after the rollback, want none")
        self._note(f"all of {versions.total()} requests went to payment v1 again")

    async def count(self) -> None:
        await self._traffic.stop()
        tally = self._traffic.tally
        if tally.failed:
            worst = "; ".join(f"{count} × {words}" for words, count in tally.failures.most_common(3))
            raise DemoError(f"{tally.failed} of {tally.requests:,} requests failed: {worst}")
        self._console.print(
            f"\n[bold green]0 failed[/] of {tally.requests:,} requests, over the whole run", highlight=False
        )

    def explain_how_to_go_on(self) -> None:
        commands = "\n".join(
            (
                f"export APG_ADMIN={self.admin}",
                "apg status",
                'apg ask "split payment 50/50 between v1 and v2"',
                f"curl {self.gateway}/pay",
                f"curl http://{self.envoy.admin_address}/config_dump",
            )
        )
        self._console.print(Panel(commands, title="running until Ctrl-C; in another terminal", expand=False))

    def tell_what_to_try_next(self) -> None:
        commands = "\n".join(
            (
                "apg demo --keep       leave it running, and talk to it",
                "apg up                a control plane of your own",
                "apg proxy --help      an Envoy for it",
                "README.md             the first five minutes, step by step",
            )
        )
        self._console.print(Panel(commands, title="what to try next (commands are in .venv/bin)", expand=False))

    # --- inside ---

    async def _register(self, service: str, version: str, port: int) -> None:
        await self._api.RegisterService(
            pb.RegisterServiceRequest(service=pb.Service(name=service), attribution=_BY), timeout=_DEADLINE
        )
        endpoint = pb.Endpoint(service=service, address="127.0.0.1", port=port, labels={"version": version})
        await self._api.RegisterEndpoint(
            pb.RegisterEndpointRequest(endpoint=endpoint, attribution=_BY), timeout=_DEADLINE
        )

    async def _in_sync(self) -> None:
        """Returns once the newest revision has been published and every proxy has ACKed it."""

        async def synced() -> bool:
            status = await self._api.GetFleetStatus(pb.GetFleetStatusRequest(), timeout=_DEADLINE)
            return (
                status.published_revision == status.revision
                and len(status.proxies) > 0
                and all(proxy.in_sync for proxy in status.proxies)
            )

        await _until(synced, "the proxy to ACK the newest revision")

    async def _burst(self, requests: int) -> Counter[str]:
        with self._progress() as progress:
            task = progress.add_task("requests", total=requests)
            return await self._traffic.burst("/pay", requests, progress=lambda count: progress.advance(task, count))

    def _head(self, text: str) -> None:
        self._chapter += 1
        self._console.print(f"\n[bold cyan]{self._chapter}.[/] [bold]{text}[/]", highlight=False)

    def _note(self, text: str) -> None:
        self._console.print(f"  {text}", highlight=False)

    def _show_diff(self, title: str, before: str, after: str) -> None:
        self._console.print(f"  [bold]{title}[/]", highlight=False)
        for line in diff_lines(before, after):
            self._console.print(f"    {line}", highlight=False)

    def _progress(self) -> Progress:
        return Progress(
            SpinnerColumn(),
            TextColumn("{task.description:<14}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=self._console.record,  # a picture shows the end of things
        )


@asynccontextmanager
async def _control_plane(folder: Path) -> AsyncIterator[tuple[str, str]]:
    """`apg up` as a process of its own; its xDS and admin addresses."""
    command = [sys.executable, "-m", "controlplane.cli.main", "--output", "json", "up"]
    command += ["--xds-address", "127.0.0.1:0", "--admin-address", "127.0.0.1:0", "--state", str(folder / "mesh.db")]
    with (folder / "control-plane.log").open("wb") as log:
        process = await spawn(command, output=asyncio.subprocess.PIPE, errors=log.fileno())
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), _DEADLINE)
        if not line:
            words = (folder / "control-plane.log").read_text().strip().splitlines()
            raise DemoError(f"the control plane did not start: {words[-1] if words else 'it said nothing'}")
        addresses = json.loads(line)
        yield addresses["xds"], addresses["admin"]
    finally:
        await end(process)


async def _until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    try:
        async with asyncio.timeout(_DEADLINE):
            while not await condition():
                await asyncio.sleep(0.02)
    except TimeoutError as error:
        raise DemoError(f"waited {_DEADLINE:g} s for {what}") from error
