"""Whether a certificate and a key can be served together: what people and tools write, and what cannot work."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from stunnergw.resources.certificates import check_pair

ENDS = datetime(2036, 1, 2, 3, 4, 5, tzinfo=UTC)
TOLD = "2036-01-02T03:04:05Z"
NO_CERTIFICATE = "the certificate is not PEM that can be read"
NO_KEY = "the private key is not unencrypted PEM that can be read"
NO_PAIR = "the private key does not belong to the certificate"

PARAMETERS = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
"""What ``openssl ecparam -genkey`` writes before the key."""

Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


class Pair(NamedTuple):
    """A certificate that signs itself, and its key, as PEM."""

    certificate: bytes
    key: bytes
    made_from: Key


def certificate(key: Key, *, ends: datetime = ENDS) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "turn.example.org")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(ends)
    )
    signed = builder.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else SHA256())
    return signed.public_bytes(Encoding.PEM)


def written(
    key: Key, *, how: PrivateFormat = PrivateFormat.PKCS8, locked: KeySerializationEncryption | None = None
) -> bytes:
    return key.private_bytes(Encoding.PEM, how, locked or NoEncryption())


def made(key: Key) -> Pair:
    return Pair(certificate(key), written(key), key)


@pytest.fixture(scope="session")
def one() -> Pair:
    return made(ec.generate_private_key(ec.SECP256R1()))


@pytest.fixture(scope="session")
def other() -> Pair:
    return made(ec.generate_private_key(ec.SECP256R1()))


def test_a_pair_and_when_it_ends(one: Pair) -> None:
    assert check_pair(one.certificate, one.key) == ("", TOLD)


def test_keys_as_tools_write_them(one: Pair) -> None:
    traditional = written(one.made_from, how=PrivateFormat.TraditionalOpenSSL)
    for key in (traditional, PARAMETERS + traditional, one.key.replace(b"\n", b"\r\n"), b"Bag Attributes\n" + one.key):
        assert check_pair(one.certificate, key) == ("", TOLD)


def test_other_kinds_of_keys() -> None:
    for key in (ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate()):
        assert check_pair(*made(key)[:2]) == ("", TOLD)


def test_both_in_each(one: Pair) -> None:
    """As ``haproxy`` wants them: certificate and key in one file."""
    both = one.key + one.certificate
    assert check_pair(both, both) == ("", TOLD)


def test_of_a_chain_the_first_is_the_leaf(one: Pair, other: Pair) -> None:
    chain = one.certificate + other.certificate
    assert check_pair(chain, one.key) == ("", TOLD)
    assert check_pair(chain, other.key) == (NO_PAIR, TOLD)


@pytest.mark.parametrize("text", [b"", b"no PEM", b"\xff\x00", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_no_certificate(one: Pair, text: bytes) -> None:
    assert check_pair(text, one.key) == (NO_CERTIFICATE, "")


@pytest.mark.parametrize("text", [b"", b"no PEM", b"\xff\x00", b"-----BEGIN PRIVATE KEY-----\nAAAA\n"])
def test_no_key(one: Pair, text: bytes) -> None:
    assert check_pair(one.certificate, text) == (NO_KEY, TOLD)


def test_the_one_is_not_the_other(one: Pair) -> None:
    assert check_pair(one.key, one.key) == (NO_CERTIFICATE, "")
    assert check_pair(one.certificate, one.certificate) == (NO_KEY, TOLD)


def test_a_locked_key_cannot_be_read(one: Pair) -> None:
    locked = written(one.made_from, locked=BestAvailableEncryption(b"passphrase"))
    assert check_pair(one.certificate, locked) == (NO_KEY, TOLD)


def test_another_ones_key(one: Pair, other: Pair) -> None:
    assert check_pair(one.certificate, other.key) == (NO_PAIR, TOLD)


def test_a_certificate_that_has_ended_is_a_pair_all_the_same(one: Pair) -> None:
    """Nothing here has a clock: when it ends is told, and decides nothing."""
    ended = certificate(one.made_from, ends=datetime(2021, 1, 1, tzinfo=UTC))
    assert check_pair(ended, one.key) == ("", "2021-01-01T00:00:00Z")
