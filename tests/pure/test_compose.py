"""compose.yaml and the Containerfile, as far as they can be read without a container engine."""

from __future__ import annotations

import ipaddress
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
CONTAINERFILE = REPOSITORY / "envoy" / "Containerfile"
COMPOSE: dict[str, Any] = yaml.safe_load((REPOSITORY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_port_is_published_on_loopback_only(name: str) -> None:
    for port in SERVICES[name]["ports"]:
        host, _, _ = port.rsplit(":", 2)
        assert ipaddress.ip_address(host).is_loopback


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_watched_and_holds_no_privileges(name: str) -> None:
    service = SERVICES[name]
    assert service["healthcheck"]["test"][0] == "CMD"
    assert service["cap_drop"] == ["ALL"]
    assert service["read_only"] is True


@pytest.mark.parametrize("name", SERVICES)
def test_the_programs_of_the_health_checks_are_valid_python(name: str) -> None:
    [python, flag, program] = SERVICES[name]["healthcheck"]["test"][1:]
    assert (python, flag) == ("python", "-c")
    compile(program, name, "exec")


def test_the_gateway_asks_the_port_that_the_control_plane_serves() -> None:
    command = SERVICES["gateway"]["command"]
    host, _, port = command[command.index("--xds") + 1].rpartition(":")
    environment = SERVICES[host]["environment"]
    assert environment["APG_XDS_ADDRESS"].endswith(f":{port}")
    assert environment["APG_XDS_PLAINTEXT"] == "true"


def test_the_admin_api_does_not_leave_its_container() -> None:
    host, _, port = SERVICES["controlplane"]["environment"]["APG_ADMIN_ADDRESS"].rpartition(":")
    assert ipaddress.ip_address(host).is_loopback
    assert port in SERVICES["controlplane"]["healthcheck"]["test"][-1]


def test_state_lies_on_a_named_volume() -> None:
    [volume] = SERVICES["controlplane"]["volumes"]
    name, _, folder = volume.partition(":")
    assert name in COMPOSE["volumes"]
    assert Path(SERVICES["controlplane"]["environment"]["APG_STATE"]).parent == Path(folder)
    assert f"VOLUME {folder}" in CONTAINERFILE.read_text()


def test_the_image_holds_every_package_and_runs_as_nobody_special() -> None:
    lines = CONTAINERFILE.read_text().splitlines()
    copied = {line.split()[1] for line in lines if line.startswith("COPY ") and "--from" not in line}
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    packages = {pattern.rstrip("*") for pattern in project["tool"]["setuptools"]["packages"]["find"]["include"]}
    assert packages <= copied
    assert "USER apg" in lines
