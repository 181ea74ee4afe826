"""Where settings come from, which win, and which are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from controlplane.config import Config, load
from controlplane.errors import ConfigError


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without an apg.toml of somebody's."""
    monkeypatch.chdir(tmp_path)


def test_flags_win_over_the_environment_over_the_file_over_defaults(tmp_path: Path) -> None:
    (tmp_path / "apg.toml").write_text(
        'log_level = "debug"\nxds_address = "127.0.0.1:1"\nadmin_address = "127.0.0.1:2"\n'
    )
    config = load(
        environment={"APG_XDS_ADDRESS": "127.0.0.1:3", "APG_ADMIN_ADDRESS": "127.0.0.1:4", "PATH": "/bin"},
        flags={"admin_address": "127.0.0.1:5", "state": None},
    )
    assert (config.log_level, config.xds_address, config.admin_address) == ("debug", "127.0.0.1:3", "127.0.0.1:5")
    assert config.state == Config().state


def test_the_environment_is_read_as_the_types_that_settings_have() -> None:
    config = load(environment={"APG_DEBOUNCE_MS": "7", "APG_OLLAMA_TIMEOUT": "2.5", "APG_XDS_PLAINTEXT": "true"})
    assert (config.debounce_ms, config.ollama_timeout, config.xds_plaintext) == (7, 2.5, True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('xds_adress = "127.0.0.1:1"', "xds_adress: no such setting: want one of .*; did you mean xds_address"),
        ("log_level = 3", "log_level: got 3, want a text"),
        ('debounce_ms = "5"', "debounce_ms: got '5', want a whole number"),
        ('log_level = "loud"', "log_level: got 'loud', want one of debug, info"),
        ("debounce_ms = 500", "debounce_ms: got 500 with debounce_ceiling_ms 100"),
        ("ollama_timeout = 0", "ollama_timeout: got 0, want seconds"),
        ("replicas = 0", "replicas: got 0, want the number of control planes, 1 to 100"),
        ("not toml", "apg.toml: .* want TOML"),
        ('xds_address = "localhost"', "xds_address: got 'localhost', want HOST:PORT"),
        ('xds_address = "127.0.0.1:99999"', "want HOST:PORT"),
        ('admin_address = "0.0.0.0:1"', "which others can reach; want admin_token_file, admin_tls_cert"),
        ('admin_address = "db.example:1"', "which others can reach"),
        ('xds_address = "0.0.0.0:1"', "which others can reach; want xds_tls_cert"),
        ('console_address = "0.0.0.0:1"', "the console knows no users yet"),
        ('xds_tls_cert = "a.pem"', "xds_tls_cert: got it without xds_tls_key, want both or neither"),
        ('xds_client_ca = "a.pem"', "xds_client_ca: got one without xds_tls_cert"),
        ('xds_groups = "some"', "xds_groups: got 'some', want own or any"),
        ('admin_token_file = "missing"', "admin_token_file: missing"),
    ],
)
def test_a_bad_setting_is_refused_in_words(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "apg.toml").write_text(text)
    with pytest.raises(ConfigError, match=words):
        load(environment={})


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.8.8.8:1", "[::1]:1", "localhost:1"])
def test_loopback_needs_no_token(address: str) -> None:
    assert load(environment={}, flags={"admin_address": address}).admin_address == address


def test_xds_without_tls_outside_loopback_has_to_be_asked_for() -> None:
    assert load(environment={}, flags={"xds_address": "0.0.0.0:1", "xds_plaintext": True}).xds_plaintext


@pytest.mark.parametrize(
    ("token", "mode", "words"),
    [
        ("correct-horse-battery", 0o644, "can be read by others"),
        ("short", 0o600, "want 16 or more"),
        ("with spaces in the middle", 0o600, "without spaces"),
    ],
)
def test_a_weak_token_is_refused(tmp_path: Path, token: str, mode: int, words: str) -> None:
    path = tmp_path / "token"
    path.write_text(token)
    path.chmod(mode)
    with pytest.raises(ConfigError, match=words):
        load(environment={}, flags={"admin_token_file": path})


def test_the_token_is_never_shown(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("correct-horse-battery\n")
    path.chmod(0o600)
    config = load(environment={}, flags={"admin_token_file": path})
    assert config.admin_token == "correct-horse-battery"
    assert "correct" not in repr(config)
