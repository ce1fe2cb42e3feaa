"""From text to the configuration that stunnerd would run: the half of its judgement that harms nobody.

The text (JSON or YAML, v1 or v1alpha1) has its environment variables expanded, the credentials are put back
as they were written, the fields are checked for their type, defaults are filled in and the result is
validated. The first rule that is broken raises RefusedWhenRead: stunnerd logs it and goes on with what it
had. What passes is handed on, as a Config, to stunnerd_applying. Where stunnerd was never observed, the
stricter answer is given: a test that fails too early is looked at.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from tests.support.stunnerd_endpoints import parse_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

DEFAULT_REALM = "stunner.l7mp.io"
DEFAULT_LOGLEVEL = "all:INFO"
DEFAULT_HEALTHCHECK = "http://:8086"
DEFAULT_PORT = 3478
ANY_ADDRESS = "0.0.0.0"

LONG_PROTOCOLS = frozenset({"TURN-UDP", "TURN-TCP", "TURN-TLS", "TURN-DTLS"})
SHORT_PROTOCOLS = frozenset({"UDP", "TCP", "TLS", "DTLS"})
_SECURE = frozenset({"TURN-TLS", "TURN-DTLS", "TLS", "DTLS"})
_AUTH_TYPES = {
    "static": "static",
    "plaintext": "static",
    "ephemeral": "ephemeral",
    "longterm": "ephemeral",
    "none": "none",
}
_OFFLOAD_ENGINES = {"": "None", "none": "None", "xdp": "XDP", "tc": "TC", "auto": "Auto"}

# $NAME, ${NAME} and the one-letter names of a shell; an empty or unclosed ${ is eaten.
_VARIABLE = re.compile(
    r"\$(?:\{(?P<braced>[^}]+)\}|(?P<bad>\{\}?)|(?P<special>[*#$@!?0-9-])|(?P<name>[A-Za-z_]\w*))", re.ASCII
)


class RefusedWhenRead(Exception):
    """The text is not a valid configuration: stunnerd keeps the one it has."""


@dataclass(frozen=True)
class Admin:
    """The `admin` part, defaults filled in."""

    name: str
    loglevel: str
    metrics_endpoint: str
    healthcheck_endpoint: str
    user_quota: int
    offload_engine: str
    offload_interfaces: tuple[str, ...]
    licensed: bool


@dataclass(frozen=True)
class Auth:
    """The `auth` part; `type` in v1's words, credentials as they were written."""

    type: str
    realm: str
    credentials: Mapping[str, str]


@dataclass(frozen=True)
class Listener:
    """One listener; `protocol` in capitals, `address` expanded."""

    name: str
    protocol: str
    public_address: str
    public_port: int
    address: str
    port: int
    cert: str
    key: str
    routes: tuple[str, ...]

    @property
    def is_secure(self) -> bool:
        """Whether it needs a certificate."""
        return self.protocol in _SECURE

    @property
    def transport(self) -> str:
        """`udp` or `tcp`: two listeners of one transport cannot share a port."""
        return "tcp" if self.protocol.removeprefix("TURN-") in ("TCP", "TLS") else "udp"


@dataclass(frozen=True)
class Cluster:
    """One cluster; endpoints as stunnerd writes them back."""

    name: str
    type: str
    protocol: str
    endpoints: tuple[str, ...]


@dataclass(frozen=True)
class Config:
    """A configuration that passed everything but being applied."""

    version: str
    admin: Admin
    auth: Auth
    listeners: tuple[Listener, ...]
    clusters: tuple[Cluster, ...]


def read(
    text: str | bytes,
    *,
    environ: Mapping[str, str],
    over_network: bool = False,
    short_protocols: bool = False,
) -> Config:
    """Read a document as stunnerd does, or raise RefusedWhenRead.

    over_network: one GET without `-w`, which takes v1 JSON only and expands nothing.
    short_protocols: as stunnerd 0.13 did, which knows `UDP` and not `TURN-UDP`.
    """
    plain = _decoded(text)
    written = _parsed(plain, json_only=over_network)
    expanded = written if over_network else _parsed(expand(plain, environ=environ))
    known = {"v1"} if over_network else {"v1", "v1alpha1"}
    version = written.text("version")
    if version not in known:
        raise RefusedWhenRead(f"unsupported version {version!r}")
    return _Reader(version, SHORT_PROTOCOLS if short_protocols else LONG_PROTOCOLS | SHORT_PROTOCOLS).config(
        expanded, credentials=written.part("auth").part("credentials")
    )


def expand(text: str, *, environ: Mapping[str, str]) -> str:
    """Replace `$NAME` and `${NAME}` by the environment's values, unset ones by nothing."""

    def value(match: re.Match[str]) -> str:
        name = match["braced"] or match["special"] or match["name"]
        return environ.get(name, "") if name else ""

    return _VARIABLE.sub(value, text)


def _decoded(text: str | bytes) -> str:
    try:
        plain = text.decode() if isinstance(text, bytes) else text
    except UnicodeDecodeError as error:
        raise RefusedWhenRead("not UTF-8") from error
    if not plain:
        raise RefusedWhenRead("a text of no length")
    return plain


def _parsed(text: str, *, json_only: bool = False) -> Fields:
    try:
        value = json.loads(text)
    except ValueError as error:
        if json_only:
            raise RefusedWhenRead(f"not JSON: {error}") from error
        value = _parsed_yaml(text)
    if value is None:
        value = {}
    if not isinstance(value, dict):
        raise RefusedWhenRead(f"not a document but {type(value).__name__}")
    return Fields(value, "document")


def _parsed_yaml(text: str) -> object:
    try:
        value: object = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise RefusedWhenRead(f"neither JSON nor YAML: {error}") from error
    return value


@dataclass(frozen=True)
class Fields:
    """An object of the document whose values are asked for by type; null counts as absent."""

    values: Mapping[str, object]
    where: str

    def text(self, key: str, *, default: str = "") -> str:
        """The text under `key`."""
        value = self.values.get(key)
        if value is None:
            return default
        if not isinstance(value, str):
            raise self._misfit(key, "a text")
        return value

    def number(self, key: str) -> int:
        """The whole number under `key`, 0 when absent."""
        value = self.values.get(key)
        if value is None:
            return 0
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._misfit(key, "a whole number")
        return value

    def port(self, key: str) -> int:
        """The port under `key`, 0 when absent."""
        value = self.number(key)
        if not 0 <= value <= 65535:
            raise RefusedWhenRead(f"{self.where}.{key}: invalid port {value}")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """The list of texts under `key`."""
        values = self._list(key)
        if not all(isinstance(value, str) for value in values):
            raise self._misfit(key, "a list of texts")
        return tuple(str(value) for value in values)

    def part(self, key: str) -> Fields:
        """The object under `key`, an empty one when absent."""
        return self._object(self.values.get(key), f"{self.where}.{key}")

    def parts(self, key: str) -> Iterator[Fields]:
        """The objects of the list under `key`."""
        for index, value in enumerate(self._list(key)):
            yield self._object(value, f"{self.where}.{key}[{index}]")

    def _object(self, value: object, where: str) -> Fields:
        if value is None:
            return Fields({}, where)
        if not isinstance(value, dict):
            raise RefusedWhenRead(f"{where} is not an object")
        return Fields(value, where)

    def _list(self, key: str) -> Sequence[object]:
        value = self.values.get(key)
        if value is None:
            return ()
        if not isinstance(value, list):
            raise self._misfit(key, "a list")
        return value

    def _misfit(self, key: str, wanted: str) -> RefusedWhenRead:
        return RefusedWhenRead(f"{self.where}.{key} is {self.values[key]!r}, not {wanted}")


@dataclass(frozen=True)
class _Reader:
    """The rules of one version."""

    version: str
    protocols: frozenset[str]

    def config(self, document: Fields, *, credentials: Fields) -> Config:
        return Config(
            self.version,
            self._admin(document.part("admin")),
            self._auth(document.part("auth"), credentials),
            tuple(self._listener(part) for part in document.parts("listeners")),
            tuple(self._cluster(part) for part in document.parts("clusters")),
        )

    def _admin(self, part: Fields) -> Admin:
        engine = part.text("offload_engine")
        if engine.lower() not in _OFFLOAD_ENGINES:
            raise RefusedWhenRead(f"unknown offload engine {engine!r}")
        return Admin(
            name=part.text("name"),
            loglevel=part.text("loglevel") or DEFAULT_LOGLEVEL,
            metrics_endpoint=part.text("metrics_endpoint"),
            # Absent means the default, present and empty means none.
            healthcheck_endpoint=part.text("healthcheck_endpoint", default=DEFAULT_HEALTHCHECK),
            user_quota=part.number("user_quota"),
            offload_engine=_OFFLOAD_ENGINES[engine.lower()],
            offload_interfaces=part.texts("offload_interfaces"),
            licensed=bool(part.part("license_config").values),
        )

    def _auth(self, part: Fields, credentials: Fields) -> Auth:
        # v1 has a default for the type, v1alpha1 has none.
        written = part.text("type") or ("static" if self.version == "v1" else "")
        if written not in _AUTH_TYPES:
            raise RefusedWhenRead(f"unknown authentication type {written!r}")
        kind = _AUTH_TYPES[written]
        values = {key: credentials.text(key) for key in credentials.values}
        if kind == "static" and not {"username", "password"} <= values.keys():
            raise RefusedWhenRead("static authentication without username or password")
        if kind == "ephemeral" and "secret" not in values:
            raise RefusedWhenRead("ephemeral authentication without secret")
        return Auth(kind, part.text("realm") or DEFAULT_REALM, values)

    def _listener(self, part: Fields) -> Listener:
        if not part.text("name"):
            raise RefusedWhenRead(f"{part.where} has no name")
        listener = Listener(
            name=part.text("name"),
            protocol=self._protocol(part.text("protocol")),
            public_address=part.text("public_address"),
            public_port=part.port("public_port"),
            address=part.text("address") or ANY_ADDRESS,
            port=part.port("port") or DEFAULT_PORT,
            cert=part.text("cert"),
            key=part.text("key"),
            routes=part.texts("routes"),
        )
        if listener.is_secure and not (listener.cert and listener.key):
            lacking = "key" if listener.cert else "certificate"
            raise RefusedWhenRead(f"{listener.protocol} listener {listener.name} without {lacking}")
        return listener

    def _protocol(self, text: str) -> str:
        default = "TURN-UDP" if "TURN-UDP" in self.protocols else "UDP"
        protocol = text.upper() or default
        if protocol not in self.protocols:
            raise RefusedWhenRead(f"unknown listener protocol {text!r}")
        return protocol

    def _cluster(self, part: Fields) -> Cluster:
        name, kind = part.text("name"), part.text("type").upper() or "STATIC"
        protocol = part.text("protocol").upper() or "UDP"
        if not name:
            raise RefusedWhenRead(f"{part.where} has no name")
        if kind not in ("STATIC", "STRICT_DNS"):
            raise RefusedWhenRead(f"unknown cluster type {kind!r} of {name}")
        if protocol not in ("UDP", "TCP"):
            raise RefusedWhenRead(f"unknown cluster protocol {protocol!r} of {name}")
        endpoints = part.texts("endpoints")
        return Cluster(name, kind, protocol, _static(endpoints) if kind == "STATIC" else endpoints)


def _static(endpoints: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return tuple(parse_endpoint(endpoint).normal for endpoint in endpoints)
    except ValueError as error:
        raise RefusedWhenRead(f"invalid endpoint: {error}") from error
