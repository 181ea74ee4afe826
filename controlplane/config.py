"""The configuration: defaults, then a TOML file, then the environment, then flags; one frozen value, checked once."""

from __future__ import annotations

import dataclasses
import ipaddress
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from controlplane.admission.refusal import Check
from controlplane.errors import ConfigError

FILE = Path("apg.toml")
PREFIX = "APG_"

_LEVELS = ("debug", "info", "warning", "error")
_CHECKS = tuple(check.value for check in Check)
_PARSERS = ("auto", "embedded", "ollama")
_MIN_TOKEN = 16  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """How a control plane runs. Addresses are "HOST:PORT"; port 0 takes a free one.

    xds_plaintext: says in so many words that xDS may leave loopback without TLS.
    xds_groups: of which groups a proxy may be: "own", those that its client certificate names; "any", what it says.
    xds_transport: what carries xDS: "http2", or "grpcio" for the reference at three times the CPU time.
    xds_max_age: after about so many seconds a proxy is sent elsewhere, so that replicas even out; 0 for never.
    xds_max_streams, xds_max_streams_per_node: how many streams there may be.
    xds_status: whether the xDS port answers what each client has (CSDS); the admin API always does.
    certificates: a folder of certificates for listeners and services, NAMESPACE/NAME/{tls.crt, tls.key, ca.crt}.
    address_lists: a folder of lists of addresses that AuthorizationPolicies name, as threat feeds are delivered.
    metrics_address: where Prometheus asks for the process's own metrics; None for nowhere.
    metrics_token_file: whoever asks must know the token in it.
    console_address: where the web page is; None for none.
    ollama_host: where a language model answers; None leaves sentences to the embedded parser.
    ollama_model, ollama_policy_model, ollama_embedding_model: for sentences, for long texts, and to choose names.
    parser: who is asked first: "auto" (the embedded one, the model for what it does not understand), "ollama" (the
        other way round), "embedded" (no model at all).
    load_report_interval: how often proxies report the load of their endpoints, in seconds.
    replicas: how many control planes serve these proxies: each deals out its part of a fleet's rate limits.
    check: who has to take a change before it is committed: "none" (we alone), or "envoy" (a real one, too).
    envoy_patches: whether EnvoyPatch documents are taken, and have an effect.
    debounce_ms, debounce_ceiling_ms: how long a flood of changes is gathered; a single change goes at once.
    """

    xds_address: str = "127.0.0.1:18000"
    xds_tls_cert: Path | None = None
    xds_tls_key: Path | None = None
    xds_client_ca: Path | None = None
    xds_plaintext: bool = False
    xds_groups: str = "own"
    xds_status: bool = True
    xds_transport: str = "http2"
    xds_max_age: float = 1800.0
    xds_max_streams: int = 10_000
    xds_max_streams_per_node: int = 256
    admin_address: str = "127.0.0.1:18001"
    admin_token_file: Path | None = None
    admin_tls_cert: Path | None = None
    admin_tls_key: Path | None = None
    console_address: str | None = None
    metrics_address: str | None = None
    metrics_token_file: Path | None = None
    state: Path = Path(".apg/mesh.db")
    certificates: Path | None = None
    address_lists: Path | None = None
    ollama_host: str | None = None
    ollama_model: str = "llama3.2:3b"
    ollama_policy_model: str = "codellama:7b"
    ollama_embedding_model: str = "nomic-embed-text"
    parser: str = "auto"
    ollama_timeout: float = 30.0
    load_report_interval: float = 10.0
    replicas: int = 1
    check: str = "none"
    envoy_patches: bool = False
    debounce_ms: int = 5
    debounce_ceiling_ms: int = 100
    log_level: str = "info"
    admin_token: str | None = field(default=None, repr=False, init=False)
    metrics_token: str | None = field(default=None, repr=False, init=False)

    def __post_init__(self) -> None:
        """Raises ConfigError."""
        for name in ("xds_address", "admin_address", "console_address", "metrics_address"):
            if (address := getattr(self, name)) is not None:
                _address(name, address)
        _pair("xds_tls_cert", self.xds_tls_cert, "xds_tls_key", self.xds_tls_key)
        _pair("admin_tls_cert", self.admin_tls_cert, "admin_tls_key", self.admin_tls_key)
        if self.xds_client_ca is not None and self.xds_tls_cert is None:
            raise ConfigError("xds_client_ca: got one without xds_tls_cert, want both: clients are checked over TLS")
        for name in ("certificates", "address_lists"):
            if (folder := getattr(self, name)) is not None and not folder.is_dir():
                raise ConfigError(f"{name}: got {folder}, want a folder that exists")
        if self.log_level not in _LEVELS:
            raise ConfigError(f"log_level: got {self.log_level!r}, want one of {', '.join(_LEVELS)}")
        if self.check not in _CHECKS:
            raise ConfigError(f"check: got {self.check!r}, want one of {', '.join(_CHECKS)}")
        if not 0 <= self.debounce_ms <= self.debounce_ceiling_ms <= 10_000:
            raise ConfigError(
                f"debounce_ms: got {self.debounce_ms} with debounce_ceiling_ms {self.debounce_ceiling_ms}, "
                "want 0 or more, a ceiling that is not lower, and 10000 at most"
            )
        if self.parser not in _PARSERS:
            raise ConfigError(f"parser: got {self.parser!r}, want one of {', '.join(_PARSERS)}")
        if self.parser == "ollama" and self.ollama_host is None:
            raise ConfigError(
                'parser: got "ollama" without ollama_host, want an address such as http://127.0.0.1:11434'
            )
        if not 0 < self.ollama_timeout <= 600:
            raise ConfigError(f"ollama_timeout: got {self.ollama_timeout:g}, want seconds, 600 at most")
        if self.xds_groups not in ("own", "any"):
            raise ConfigError(f"xds_groups: got {self.xds_groups!r}, want own or any")
        if self.xds_transport not in ("http2", "grpcio"):
            raise ConfigError(f"xds_transport: got {self.xds_transport!r}, want http2 or grpcio")
        if self.xds_max_age < 0 or 0 < self.xds_max_age < 1:
            raise ConfigError(f"xds_max_age: got {self.xds_max_age:g}, want seconds, 1 or more, or 0 for never")
        for name in ("xds_max_streams", "xds_max_streams_per_node"):
            if (count := getattr(self, name)) < 1:
                raise ConfigError(f"{name}: got {count}, want 1 or more")
        if not 1 <= self.replicas <= 100:
            raise ConfigError(f"replicas: got {self.replicas}, want the number of control planes, 1 to 100")
        if not 0.1 <= self.load_report_interval <= 3600:
            raise ConfigError(
                f"load_report_interval: got {self.load_report_interval:g}, want seconds, 0.1 or more and 3600 at most"
            )
        if self.admin_token_file is not None:
            object.__setattr__(self, "admin_token", _token("admin_token_file", self.admin_token_file))
        if self.metrics_token_file is not None:
            object.__setattr__(self, "metrics_token", _token("metrics_token_file", self.metrics_token_file))
        self._refuse_open_doors()

    def _refuse_open_doors(self) -> None:
        """Whatever changes the mesh is authenticated outside loopback, and encrypted; xDS is encrypted, or said not to
        be."""
        if not _is_loopback(self.admin_address) and (self.admin_token is None or self.admin_tls_cert is None):
            raise ConfigError(
                f"admin_address: got {self.admin_address}, which others can reach; "
                "want admin_token_file, admin_tls_cert and admin_tls_key with it, or a loopback address"
            )
        if self.console_address is not None and not _is_loopback(self.console_address):
            raise ConfigError(
                f"console_address: got {self.console_address}, which others can reach; "
                "want a loopback address: the console knows no users yet"
            )
        if self.metrics_address is not None and not _is_loopback(self.metrics_address) and self.metrics_token is None:
            raise ConfigError(
                f"metrics_address: got {self.metrics_address}, which others can reach; "
                "want metrics_token_file with it, or a loopback address"
            )
        if not _is_loopback(self.xds_address) and self.xds_tls_cert is None and not self.xds_plaintext:
            raise ConfigError(
                f"xds_address: got {self.xds_address}, which others can reach; want xds_tls_cert and xds_tls_key with "
                "it (and xds_client_ca), or xds_plaintext = true where the network is trusted, or a loopback address"
            )
        is_open = not _is_loopback(self.xds_address) and self.xds_client_ca is None
        if is_open and self.certificates is not None and self.xds_groups == "own":
            raise ConfigError(
                f"certificates: got a folder with xds_address {self.xds_address}, open to others: they would be "
                'sent its keys; want xds_client_ca, or xds_groups = "any" where the network is trusted'
            )


def load(
    *, file: Path | None = None, environment: Mapping[str, str] | None = None, flags: Mapping[str, Any] | None = None
) -> Config:
    """The configuration from all its sources. `file` must exist if it is named; ./apg.toml need not.

    Raises:
        ConfigError: with the source, the setting, what it is and what it should be.
    """
    values: dict[str, Any] = {}
    values |= _from_file(file)
    values |= _from_environment(os.environ if environment is None else environment)
    values |= {name: value for name, value in (flags or {}).items() if value is not None}
    return Config(**values)


def _from_file(file: Path | None) -> dict[str, Any]:
    path = file or FILE
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if file is None:
            return {}
        raise ConfigError(f"{path}: no such file: want a TOML file, or no --config") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}: want a readable TOML file") from error
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {error}: want TOML") from error
    return {name: _typed(f"{path}: {name}", name, value) for name, value in table.items()}


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    values = {}
    for name in _settings():
        variable = PREFIX + name.upper()
        if (text := environment.get(variable)) is not None:
            values[name] = _typed(f"${variable}", name, _parsed(text, _settings()[name]))
    return values


def _settings() -> dict[str, str]:
    """The settings, and their types as written in `Config`."""
    return {item.name: str(item.type) for item in dataclasses.fields(Config) if item.init}


def _parsed(text: str, type: str) -> object:
    """A variable's text as the type that it is to have, if it can be."""
    if type == "bool":
        return {"true": True, "1": True, "false": False, "0": False}.get(text.lower(), text)
    if type in ("int", "float"):
        try:
            return int(text) if type == "int" else float(text)
        except ValueError:
            return text
    return text


def _typed(where: str, name: str, value: object) -> object:
    """`value` as the setting's type. Raises ConfigError."""
    type = _settings().get(name)
    if type is None:
        from difflib import get_close_matches

        close = get_close_matches(name, _settings(), n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise ConfigError(f"{where}: no such setting: want one of {', '.join(_settings())}{hint}")
    wanted = type.removesuffix(" | None")
    fits = {
        "bool": isinstance(value, bool),
        "int": isinstance(value, int) and not isinstance(value, bool),
        "float": isinstance(value, int | float) and not isinstance(value, bool),
        "str": isinstance(value, str),
        "Path": isinstance(value, str),
    }
    if not fits[wanted]:
        words = {
            "bool": "true or false",
            "int": "a whole number",
            "float": "a number",
            "str": "a text",
            "Path": "a path",
        }
        raise ConfigError(f"{where}: got {value!r}, want {words[wanted]}")
    return Path(str(value)) if wanted == "Path" else value


def _address(name: str, address: str) -> None:
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 <= int(port) <= 65535:
        raise ConfigError(f"{name}: got {address!r}, want HOST:PORT, such as 127.0.0.1:18000")


def _is_loopback(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False  # a name: who knows where it leads


def _pair(one_name: str, one: object, other_name: str, other: object) -> None:
    if (one is None) != (other is None):
        given, lacking = (one_name, other_name) if other is None else (other_name, one_name)
        raise ConfigError(f"{given}: got it without {lacking}, want both or neither")


def _token(name: str, path: Path) -> str:
    try:
        mode, token = path.stat().st_mode, path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{name}: {path}: {error}: want a readable text file") from error
    if mode & 0o077:
        raise ConfigError(f"{name}: {path} can be read by others (mode {mode & 0o777:o}): want mode 600")
    if len(token) < _MIN_TOKEN or not token.isascii() or any(character.isspace() for character in token):
        raise ConfigError(f"{name}: {path}: want {_MIN_TOKEN} or more ASCII characters without spaces")
    return token
