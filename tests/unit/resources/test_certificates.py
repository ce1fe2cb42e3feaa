"""Whether a certificate and a key can be served together: what people and tools write, and what cannot work.

What is taken and what is not is what Go 1.26 says of the same pairs.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from stunnergw.resources.certificates import DAMAGED, NO_CERTIFICATE, NO_KEY, NO_PAIR, UNSUPPORTED, check_pair

if TYPE_CHECKING:
    from collections.abc import Callable

ENDS = datetime(2036, 1, 2, 3, 4, 5, tzinfo=UTC)
TOLD = "2036-01-02T03:04:05Z"

PARAMETERS = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
"""What ``openssl ecparam -genkey`` writes before the key."""

Edwards = ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | dsa.DSAPrivateKey | Edwards


class Pair(NamedTuple):
    """A certificate that signs itself, and its key, as PEM."""

    certificate: bytes
    key: bytes
    made_from: Key


def certificate(key: Key, *, ends: datetime = ENDS) -> bytes:
    """A certificate that signs itself."""
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
    signed = builder.sign(key, None if isinstance(key, Edwards) else SHA256())
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


@pytest.fixture(scope="session")
def with_rsa() -> Pair:
    return made(rsa.generate_private_key(65537, 2048))


def test_a_pair_and_when_it_ends(one: Pair) -> None:
    assert check_pair(one.certificate, one.key) == ("", TOLD)


def test_keys_as_tools_write_them(one: Pair) -> None:
    traditional = written(one.made_from, how=PrivateFormat.TraditionalOpenSSL)
    for key in (traditional, PARAMETERS + traditional, one.key.replace(b"\n", b"\r\n"), b"Bag Attributes\n" + one.key):
        assert check_pair(one.certificate, key) == ("", TOLD)


@pytest.mark.parametrize("how", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize(
    "key",
    [
        *(ec.generate_private_key(curve()) for curve in (ec.SECP224R1, ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)),
        rsa.generate_private_key(65537, 2048),
        rsa.generate_private_key(3, 1024),
    ],
    ids=["P-224", "P-256", "P-384", "P-521", "RSA", "RSA, small"],
)
def test_kinds_of_keys(key: Key, how: PrivateFormat) -> None:
    assert check_pair(certificate(key), written(key, how=how)) == ("", TOLD)


def test_ed25519() -> None:
    assert check_pair(*made(ed25519.Ed25519PrivateKey.generate())[:2]) == ("", TOLD)


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP256K1()),
        ec.generate_private_key(ec.BrainpoolP256R1()),
        ec.generate_private_key(ec.SECP192R1()),
        ed448.Ed448PrivateKey.generate(),
        dsa.generate_private_key(1024),
    ],
    ids=["secp256k1", "brainpool", "P-192", "Ed448", "DSA"],
)
def test_kinds_of_keys_that_stunnerd_cannot_use(key: Key) -> None:
    assert check_pair(*made(key)[:2]) == (UNSUPPORTED, TOLD)


def pem(label: str, content: bytes) -> bytes:
    return f"-----BEGIN {label}-----\n".encode() + base64.encodebytes(content) + f"-----END {label}-----\n".encode()


def number(value: int) -> bytes:
    return field(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def field(tag: int, content: bytes) -> bytes:
    """Write a field of DER."""
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def put_together(key: Key, change: Callable[[list[int]], list[int]]) -> bytes:
    """Write an RSA key with some of its parts changed: n, e, d, p, q, d mod p-1, d mod q-1, 1/q mod p."""
    assert isinstance(key, rsa.RSAPrivateKey)
    numbers = key.private_numbers()
    public = numbers.public_numbers
    parts = [public.n, public.e, numbers.d, numbers.p, numbers.q, numbers.dmp1, numbers.dmq1, numbers.iqmp]
    content = field(0x30, b"".join(map(number, [0, *change(parts)])))
    return pem("RSA PRIVATE KEY", content)


def test_a_key_for_pss_alone_cannot_be_used(with_rsa: Pair) -> None:
    numbers = with_rsa.made_from.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    pss = field(0x06, bytes.fromhex("2a864886f70d01010a"))
    key = pem("PRIVATE KEY", field(0x30, number(0) + field(0x30, pss) + field(0x04, numbers)))
    assert check_pair(with_rsa.certificate, key) == (UNSUPPORTED, TOLD)


def swapped(parts: list[int]) -> list[int]:
    n, e, d, p, q, dp, dq, _ = parts
    return [n, e, d, q, p, dq, dp, pow(p, -1, q)]


def test_an_rsa_key_put_together(with_rsa: Pair) -> None:
    for change in (list[int], swapped):
        assert check_pair(with_rsa.certificate, put_together(with_rsa.made_from, change)) == ("", TOLD)


DAMAGES: dict[str, Callable[[list[int]], list[int]]] = {
    "d": lambda parts: [*parts[:2], parts[2] + 2, *parts[3:]],
    "p": lambda parts: [*parts[:3], parts[3] + 2, *parts[4:]],
    "p and q for each other": lambda parts: [*parts[:3], parts[4], parts[3], *parts[5:]],
    "no factors": lambda parts: [*parts[:3], parts[0], 1, *parts[5:]],
    "d mod p-1": lambda parts: [*parts[:5], parts[5] + 2, *parts[6:]],
    "1/q": lambda parts: [*parts[:7], parts[7] + 2],
    "1/q, too large": lambda parts: [*parts[:7], parts[7] + parts[3]],
    "no shortcuts": lambda parts: [*parts[:5], 0, 0, 0],
    "d, too large": lambda parts: [*parts[:2], parts[2] + (parts[3] - 1) * (parts[4] - 1), *parts[3:]],
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_an_rsa_key_whose_parts_do_not_fit(with_rsa: Pair, damage: Callable[[list[int]], list[int]]) -> None:
    assert check_pair(with_rsa.certificate, put_together(with_rsa.made_from, damage)) == (DAMAGED, TOLD)


def test_both_in_each(one: Pair) -> None:
    """As ``haproxy`` wants them: certificate and key in one file."""
    both = one.key + one.certificate
    assert check_pair(both, both) == ("", TOLD)


def test_of_a_chain_the_first_is_the_leaf(one: Pair, other: Pair) -> None:
    chain = one.certificate + other.certificate
    assert check_pair(chain, one.key) == ("", TOLD)
    assert check_pair(chain, other.key) == (NO_PAIR, TOLD)


def relabelled(text: bytes, old: str, new: str) -> bytes:
    changed = text.replace(f"{old}-----".encode(), f"{new}-----".encode())
    assert changed != text
    return changed


@pytest.mark.parametrize("label", ["X509 CERTIFICATE", "TRUSTED CERTIFICATE"])
def test_certificates_by_another_label_do_not_count(one: Pair, other: Pair, label: str) -> None:
    strange = relabelled(one.certificate, "CERTIFICATE", label)
    assert check_pair(strange, one.key) == (NO_CERTIFICATE, "")
    assert check_pair(strange + other.certificate, other.key) == ("", TOLD)
    assert check_pair(strange + other.certificate, one.key) == (NO_PAIR, TOLD)


@pytest.mark.parametrize("label", ["EC PRIVATE KEY", "RSA PRIVATE KEY", "ANY PRIVATE KEY"])
def test_what_a_keys_label_says_of_it_does_not_count(one: Pair, label: str) -> None:
    assert check_pair(one.certificate, relabelled(one.key, "PRIVATE KEY", label)) == ("", TOLD)


def test_the_first_key_counts(one: Pair, other: Pair) -> None:
    locked = written(one.made_from, locked=BestAvailableEncryption(b"passphrase"))
    assert check_pair(one.certificate, one.key + other.key) == ("", TOLD)
    assert check_pair(one.certificate, other.key + one.key) == (NO_PAIR, TOLD)
    assert check_pair(one.certificate, locked + one.key) == (NO_KEY, TOLD)


BROKEN = pem("CERTIFICATE", b"no certificate")
NOT_CLOSED = b"-----BEGIN CERTIFICATE-----\nAAAA\n"


def test_after_the_leaf_nothing_is_looked_at(one: Pair) -> None:
    for rest in (BROKEN, NOT_CLOSED, b"hello\n"):
        assert check_pair(one.certificate + rest, one.key) == ("", TOLD)
    assert check_pair(BROKEN + one.certificate, one.key) == (NO_CERTIFICATE, "")


def test_what_is_no_block_is_passed_over(one: Pair) -> None:
    no_base64 = b"-----BEGIN CERTIFICATE-----\nA*A\n-----END CERTIFICATE-----\n"
    for before in (b"Bag Attributes\n", NOT_CLOSED, no_base64, pem("X509 CRL", b"?")):
        assert check_pair(before + one.certificate, one.key) == ("", TOLD)
    with_headers = one.certificate.replace(b"-----\n", b"-----\nName: value\n\n", 1)
    assert check_pair(with_headers, one.key) == ("", TOLD)


def test_how_a_block_is_laid_out(one: Pair) -> None:
    first, *body, last = one.certificate.splitlines()
    in_one_line = b"\n".join((first, b"".join(body), last))
    assert check_pair(in_one_line, one.key.strip()) == ("", TOLD)
    spoilt = {
        "indented": b"\n".join(b"  " + line for line in one.certificate.splitlines()),
        "a byte order mark": b"\xef\xbb\xbf" + one.certificate,
        "spaces for newlines": one.certificate.replace(b"\n", b" "),
        "carriage returns alone": one.certificate.replace(b"\n", b"\r"),
    }
    for how, text in spoilt.items():
        assert check_pair(text, one.key) == (NO_CERTIFICATE, ""), how


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
def test_a_serial_number_below_zero(one: Pair) -> None:
    parsed = x509.load_pem_x509_certificate(one.certificate).public_bytes(Encoding.DER)
    below = parsed.replace(b"\x02\x01\x07", b"\x02\x01\x87", 1)
    assert check_pair(pem("CERTIFICATE", below), one.key) == (NO_CERTIFICATE, "")


@pytest.mark.parametrize("text", [b"", b"no PEM", b"\xff\x00", NOT_CLOSED])
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
