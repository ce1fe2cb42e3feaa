"""Our judge of documents against recordings of the real stunnerd: it must decide each as stunnerd did."""

from __future__ import annotations

import base64
import datetime
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.support.stunnerd_documents import Outcome, Verdict, is_zero_document, judge, zero_document

_ROWS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "data" / "stunnerd" / "documents.json").read_text(encoding="utf-8")
)["rows"]

_OUTCOMES = {
    "applied": Outcome.APPLIED,
    "applied (no health server, so no readiness to ask)": Outcome.APPLIED,
    "refused (exit 1)": Outcome.REFUSED_WHEN_READ,
    "refused when applied (stays up, not ready)": Outcome.REFUSED_WHEN_APPLIED,
    "crashes (exit 2, panic)": Outcome.PANIC,
}
_ENVIRON = {"STUNNER_ADDR": "127.0.0.1", "HOME": "/somewhere"}


def _self_signed() -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "turn.test")])
    begin = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(begin).not_valid_after(begin.replace(year=2044))
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    return certificate, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@cache
def _fillings() -> dict[str, str]:
    certificate, key = _self_signed()
    _, other = _self_signed()
    return {
        "{{certificate}}": base64.b64encode(certificate).decode(),
        "{{key}}": base64.b64encode(key).decode(),
        "{{other key}}": base64.b64encode(other).decode(),
        "{{PEM text}}": certificate.decode().replace("\n", "\\n"),
    }


def _text(row: dict[str, Any]) -> str:
    text: str = row["text"] if "text" in row else json.dumps(row["document"])
    for placeholder, filling in _fillings().items():
        text = text.replace(placeholder, filling)
    return text


def _became(verdict: Verdict) -> dict[str, object]:
    assert verdict.config is not None
    config = verdict.config
    realm = config.auth.realm.replace(_ENVIRON["HOME"], "(the value of $HOME)")
    return {
        "admin.name": config.admin.name,
        "auth": {"type": config.auth.type, "realm": realm, "credentials": dict(config.auth.credentials)},
        "address": config.listeners[0].address,
        "endpoints": list(config.clusters[0].endpoints),
    }


@pytest.mark.parametrize("row", _ROWS, ids=[row["case"] for row in _ROWS])
def test_judges_as_stunnerd_did(row: dict[str, Any]) -> None:
    verdict = judge(_text(row), environ=_ENVIRON)
    assert verdict.outcome is _OUTCOMES[row["outcome"]], verdict.reason
    assert bool(verdict.reason) is not verdict.applied
    if "became" in row:
        assert _became(verdict) == row["became"]


def test_recordings_are_whole() -> None:
    assert len(_ROWS) == 120
    assert len({row["case"] for row in _ROWS}) == 120


def _v1(**changes: object) -> dict[str, Any]:
    row = next(row for row in _ROWS if row["case"] == "v1 protocol 'TURN-UDP'")
    return {**row["document"], **changes}


def _listener(port: int, protocol: str, **changes: object) -> dict[str, object]:
    name = f"ns/gw/{protocol}-{port}"
    return {"name": name, "protocol": protocol, "address": "127.0.0.1", "port": port, **changes}


def _judged(document: object, **options: bool) -> Verdict:
    return judge(json.dumps(document), environ=_ENVIRON, **options)


def test_over_the_network_only_v1_json_is_taken_and_nothing_expanded() -> None:
    named = _v1(admin={"name": "$HOME"})
    verdict = _judged(named, over_network=True)
    assert verdict.config is not None
    assert verdict.config.admin.name == "$HOME"
    yaml_text = next(row["text"] for row in _ROWS if row["case"] == "yaml v1")
    assert judge(yaml_text, environ=_ENVIRON, over_network=True).outcome is Outcome.REFUSED_WHEN_READ
    assert _judged(_v1(version="v1alpha1"), over_network=True).outcome is Outcome.REFUSED_WHEN_READ
    unexpanded = _v1(listeners=[_listener(3478, "TURN-UDP", address="$STUNNER_ADDR")])
    assert _judged(unexpanded, over_network=True).outcome is Outcome.REFUSED_WHEN_APPLIED


def test_stunnerd_0_13_knows_the_short_names_only() -> None:
    short, long = _v1(listeners=[_listener(1, "UDP")]), _v1(listeners=[_listener(1, "TURN-UDP")])
    assert _judged(short, short_protocols=True).applied
    assert _judged(long, short_protocols=True).outcome is Outcome.REFUSED_WHEN_READ


@pytest.mark.parametrize(
    ("port", "protocol", "outcome"),
    [
        (8086, "TURN-TCP", Outcome.REFUSED_WHEN_APPLIED),
        (8086, "TURN-UDP", Outcome.APPLIED),
        (8080, "TURN-TCP", Outcome.REFUSED_WHEN_APPLIED),
        (8081, "TURN-TCP", Outcome.APPLIED),
    ],
)
def test_its_own_servers_take_ports_too(port: int, protocol: str, outcome: Outcome) -> None:
    admin = {"name": "ns/gw", "metrics_endpoint": "http://:8080/metrics"}
    assert _judged(_v1(admin=admin, listeners=[_listener(port, protocol)])).outcome is outcome


@pytest.mark.parametrize("endpoint", ["http://192.0.2.77:8086", "http://:99999", "rubbish", "ftp://:8086"])
def test_a_health_endpoint_that_cannot_be_bound_is_refused(endpoint: str) -> None:
    admin = {"name": "ns/gw", "healthcheck_endpoint": endpoint}
    assert _judged(_v1(admin=admin)).outcome is Outcome.REFUSED_WHEN_APPLIED


def test_the_default_health_port_in_other_words_is_doubtful() -> None:
    assert _judged(_v1(admin={"healthcheck_endpoint": "http://127.0.0.1:8086"})).doubts
    for sound in ("http://:8086", "http://127.0.0.1:9000", ""):
        assert _judged(_v1(admin={"healthcheck_endpoint": sound})).doubts == ()


@pytest.mark.parametrize("endpoint", ["fe80::1%eth0", "10.0.0.0/255.0.0.0", "10.0.0.1:<a-b>", "١٠.0.0.1", "10.0.0.1\n"])
def test_endpoints_that_only_python_would_take_are_refused(endpoint: str) -> None:
    cluster = {"name": "ns/echo", "type": "STATIC", "endpoints": [endpoint]}
    assert _judged(_v1(clusters=[cluster])).outcome is Outcome.REFUSED_WHEN_READ


def test_bytes_that_are_not_utf8_are_refused() -> None:
    assert judge(b"\xff\xfe{}", environ={}).outcome is Outcome.REFUSED_WHEN_READ


def test_the_zero_document_is_told_whatever_its_name() -> None:
    assert zero_document("ns/gw") == (
        b'{"version":"v1","admin":{"name":"ns/gw"},"auth":{"type":"static","realm":"stunner.l7mp.io",'
        b'"credentials":{"username":"dummy-username","password":"dummy-password"}}}'
    )
    assert is_zero_document(zero_document("ns/gw"))
    assert is_zero_document(zero_document("other/é"))


def test_the_zero_document_is_told_with_its_defaults_written_out() -> None:
    zero = json.loads(zero_document("ns/gw"))
    zero["admin"] |= {
        "loglevel": "all:INFO",
        "healthcheck_endpoint": "http://:8086",
        "offload_engine": "None",
    }
    assert is_zero_document(json.dumps(zero | {"listeners": [], "clusters": None}))
    assert not is_zero_document(json.dumps(zero | {"listeners": [_listener(1, "TURN-UDP")]}))
    assert not is_zero_document(json.dumps(zero | {"auth": {"credentials": {"username": "u", "password": "p"}}}))
    assert not is_zero_document("{}")
