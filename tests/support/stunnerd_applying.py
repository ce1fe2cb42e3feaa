"""What fails only when stunnerd applies a valid configuration: the half of its judgement that costs calls.

A document refused here may have stopped listeners already and may stay half applied, so nothing of ours may
ever get this far and fail. Names and ports must be free, addresses must be addresses, certificates must be
pairs, and the health and metrics servers must be able to bind. Whether a socket really is free nobody can
tell from a document; that is judged on what the document itself says.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from tests.support.stunnerd_reading import DEFAULT_HEALTHCHECK, LONG_PROTOCOLS, Config, Listener

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_HEALTH_PORT = 8086
_METRICS_PORT = 8080
_PRIVATE_KEY = re.compile(
    rb"-----BEGIN (?P<label>(?:[A-Z0-9 ]+ )?PRIVATE KEY)-----.*?-----END (?P=label)-----", re.DOTALL
)


class RefusedWhenApplied(Exception):
    """A step of applying the configuration fails."""


class Panics(Exception):
    """stunnerd ends with a stack trace."""


def apply(config: Config, *, environ: Mapping[str, str], short_protocols: bool = False) -> tuple[str, ...]:
    """Apply a configuration as stunnerd does, or raise; answers with what may go wrong by bad luck."""
    if config.admin.metrics_endpoint and "://" not in config.admin.metrics_endpoint:
        raise Panics(f"metrics endpoint {config.admin.metrics_endpoint!r} has no scheme")
    _refuse_twins("cluster", (cluster.name for cluster in config.clusters))
    _refuse_twins("listener", (listener.name for listener in config.listeners))
    for listener in config.listeners:
        _check_listener(listener, short_protocols=short_protocols)
    _check_ports(config, own=_own_ports(config, environ=environ))
    return _doubts(config)


def _refuse_twins(kind: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise RefusedWhenApplied(f"two {kind}s named {name}")
        seen.add(name)


def _check_listener(listener: Listener, *, short_protocols: bool) -> None:
    if listener.protocol not in LONG_PROTOCOLS and not short_protocols:
        raise RefusedWhenApplied(f"listener {listener.name}: unknown protocol {listener.protocol!r}")
    if listener.address != "localhost" and not _is_address(listener.address):
        raise RefusedWhenApplied(f"listener {listener.name}: invalid address {listener.address!r}")
    if listener.is_secure:
        try:
            check_pair(listener.cert, key=listener.key)
        except ValueError as error:
            raise RefusedWhenApplied(f"listener {listener.name}: {error}") from error


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def check_pair(cert: str, *, key: str) -> None:
    """Raise ValueError unless both are base64 of PEM and the key belongs to the first certificate."""
    certificate, private = _from_base64(cert, "certificate"), _from_base64(key, "key")
    block = _PRIVATE_KEY.search(private)
    if block is None:
        raise ValueError("no PEM of a private key in the key")
    try:
        leaf = x509.load_pem_x509_certificates(certificate)[0].public_key()
        own = load_pem_private_key(block[0], password=None).public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ValueError(f"certificate or key cannot be used: {error}") from error
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if leaf.public_bytes(*form) != own.public_bytes(*form):
        raise ValueError("the private key does not match the certificate")


def _from_base64(text: str, what: str) -> bytes:
    try:
        # Line breaks inside are allowed, nothing else is.
        return base64.b64decode(text.replace("\r", "").replace("\n", ""), validate=True)
    except binascii.Error as error:
        raise ValueError(f"the {what} is not base64: {error}") from error


def _own_ports(config: Config, *, environ: Mapping[str, str]) -> dict[int, str]:
    """The TCP ports of stunnerd's own health and metrics servers."""
    own: dict[int, str] = {}
    endpoints = (
        ("health check", config.admin.healthcheck_endpoint, _HEALTH_PORT),
        ("metrics", config.admin.metrics_endpoint, _METRICS_PORT),
    )
    for what, endpoint, default in endpoints:
        if not endpoint:
            continue
        port = _bindable_port(what, endpoint, default=default, environ=environ)
        if port in own:
            raise RefusedWhenApplied(f"{what} endpoint {endpoint}: port {port} is the {own[port]} server's")
        own[port] = what
    return own


def _bindable_port(what: str, endpoint: str, *, default: int, environ: Mapping[str, str]) -> int:
    try:
        url = urlsplit(endpoint)
        port = default if url.port is None else url.port
    except ValueError as error:
        raise RefusedWhenApplied(f"{what} endpoint {endpoint!r}: {error}") from error
    if url.scheme not in ("http", "https") or not _is_here(url.hostname or "", environ=environ):
        raise RefusedWhenApplied(f"{what} endpoint {endpoint!r} cannot be bound")
    return port


def _is_here(host: str, *, environ: Mapping[str, str]) -> bool:
    if host in ("", "localhost", environ.get("STUNNER_ADDR")):
        return True
    if not _is_address(host):
        return False
    address = ipaddress.ip_address(host)
    return address.is_loopback or address.is_unspecified


def _check_ports(config: Config, *, own: Mapping[int, str]) -> None:
    taken = {("tcp", port): f"the {what} server" for port, what in own.items()}
    for listener in config.listeners:
        socket = (listener.transport, listener.port)
        if socket in taken:
            port = f"{listener.transport} port {listener.port}"
            raise RefusedWhenApplied(f"listener {listener.name}: {port} is in use by {taken[socket]}")
        taken[socket] = f"listener {listener.name}"


def _doubts(config: Config) -> tuple[str, ...]:
    health = config.admin.healthcheck_endpoint
    if not health or health == DEFAULT_HEALTHCHECK or urlsplit(health).port not in (None, _HEALTH_PORT):
        return ()
    # stunnerd starts with a health server of its own there, and the old socket is at times still open.
    return (f"health check endpoint {health!r}: the default port in other words, at times refused at start",)
