"""The peers' programs: where each comes from, in which version, and where it is once it is built.

Built by Go, from the sources that its module proxy has, and kept outside the working tree, in $APG_TOOLS or
~/.cache/apg-mesh-tools; each is built once, which takes minutes.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks import tools
from benchmarks.fanout import peer

_ISTIO = "istio.io/istio"
_KUBERNETES = "k8s.io/kubernetes"
_STAGED = re.compile(r"^\s*(?:replace )?(k8s\.io/\S+) => \./staging/", re.MULTILINE)
_CRDS = "manifests/charts/base/files/crd-all.gen.yaml"

ENVOY_GATEWAY_VERSION = "v1.9.1"
ISTIO_VERSION = "v0.0.0-20260827124520-eed52ebb66ad"  # Istio tags its releases in a form that Go's proxy cannot name
KUBERNETES_VERSION = "v1.32.3"


class MissingError(Exception):
    """A peer cannot be run here; the words say why, and how to get what is missing."""


@dataclass(frozen=True, slots=True)
class Built:
    """One file in the cache. `make` writes it to the path that it is given."""

    name: str
    make: Callable[[Path], Awaitable[None]]

    @property
    def path(self) -> Path:
        return tools.folder() / self.name

    @property
    def exists(self) -> bool:
        return self.path.exists()

    async def get(self) -> Path:
        """The file, which is built first where it is missing.

        Raises:
            MissingError: it is not there and cannot be built.
        """
        if not self.exists:
            if shutil.which("go") is None:
                raise MissingError(f"{self.name} is not built, and no `go` is on PATH: install Go, https://go.dev/dl")
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self.path.parent) as folder:  # on the same disk, to be moved whole
                fresh = Path(folder) / "fresh"
                await self.make(fresh)
                fresh.rename(self.path)
        return self.path


def etcd() -> Path:
    """etcd, which Go's proxy does not have in one piece.

    Raises:
        MissingError: it is not on PATH.
    """
    found = shutil.which("etcd")
    if found is None:
        raise MissingError("no `etcd` on PATH: `apt-get install etcd-server`")
    return Path(found)


async def _go(*arguments: str, folder: Path | None = None, variables: Mapping[str, str] | None = None) -> None:
    """Raises MissingError, in the words of `go`, where it failed."""
    failure = await tools.go(*arguments, cwd=folder, environment=variables)
    if failure is not None:
        raise MissingError(failure)


async def _module(name: str, version: str) -> Mapping[str, str]:
    """Where Go keeps a module: its go.mod is at GoMod, its files are in Dir."""
    await _go("mod", "download", f"{name}@{version}")
    process = await asyncio.create_subprocess_exec(
        *("go", "mod", "download", "-json", f"{name}@{version}"), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    found: Mapping[str, str] = json.loads(output)
    return found


def _installed(package: str, version: str) -> Callable[[Path], Awaitable[None]]:
    async def make(path: Path) -> None:
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            await _go("install", f"{package}@{version}", variables={"GOBIN": folder})
            (Path(folder) / package.rpartition("/")[2]).rename(path)

    return make


async def _crds(path: Path) -> None:
    module = await _module(_ISTIO, ISTIO_VERSION)
    shutil.copyfile(f"{module['Dir']}/{_CRDS}", path)


async def _kube_apiserver(path: Path) -> None:
    module = await _module(_KUBERNETES, KUBERNETES_VERSION)
    with tempfile.TemporaryDirectory() as name:
        folder = _lay_out(Path(name), Path(module["GoMod"]))
        await _go("mod", "tidy", folder=folder)
        await _go("build", "-o", str(path), ".", folder=folder)


def _lay_out(folder: Path, kubernetes: Path) -> Path:
    (folder / "go.mod").write_text(go_mod(kubernetes.read_text(encoding="utf-8"), KUBERNETES_VERSION))
    shutil.copy(Path(__file__).parent / "kube-apiserver" / "main.go", folder)
    return folder


def go_mod(kubernetes: str, version: str) -> str:
    """A go.mod that requires Kubernetes in `version`, "v1.N.P". `kubernetes`: that module's own go.mod. The parts that
    it replaces by folders beside itself are published as modules of version v0.N.P."""
    staged = sorted(set(_STAGED.findall(kubernetes)))
    part = re.sub(r"^v1\.", "v0.", version)
    replaced = "".join(f"\t{name} => {name} {part}\n" for name in staged)
    return f"module kube-apiserver\n\ngo 1.23\n\nrequire {_KUBERNETES} {version}\n\nreplace (\n{replaced})\n"


async def _go_control_plane(path: Path) -> None:
    await _go("build", "-o", str(path), ".", folder=peer.SOURCE)


GO_CONTROL_PLANE = Built(f"go-control-plane-{peer.digest()}", _go_control_plane)  # the fan-out's, too
ENVOY_GATEWAY = Built(
    f"envoy-gateway-{ENVOY_GATEWAY_VERSION}",
    _installed("github.com/envoyproxy/gateway/cmd/envoy-gateway", ENVOY_GATEWAY_VERSION),
)
ISTIOD = Built(f"pilot-discovery-{ISTIO_VERSION}", _installed(f"{_ISTIO}/pilot/cmd/pilot-discovery", ISTIO_VERSION))
ISTIO_CRDS = Built(f"istio-crds-{ISTIO_VERSION}.yaml", _crds)
KUBE_APISERVER = Built(f"kube-apiserver-{KUBERNETES_VERSION}", _kube_apiserver)
