"""Whether a certificate and a private key can be served together.

stunnerd takes a pair that does not parse or match into its document, and then takes the listener down when it applies
it: so it is checked when the Secret enters, and as stunnerd will check it. That is ``tls.X509KeyPair`` of Go: the first
block named CERTIFICATE and the first block of a private key count, and what stands beside them is not looked at; keys
are RSA, ECDSA on a NIST curve, or Ed25519. Other programs read more (secp256k1, DSA, ``X509 CERTIFICATE``).

An RSA key's parts are compared with each other, which takes no time; that its primes are prime takes a third of a
second for 4,096 bits, and Go does not ask either.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

NO_CERTIFICATE = "the certificate is not PEM that can be read"
NO_KEY = "the private key is not unencrypted PEM that can be read"
UNSUPPORTED = "stunnerd cannot use a key of this kind: take RSA, ECDSA on P-256, P-384 or P-521, or Ed25519"
DAMAGED = "the private key is damaged: its parts do not fit each other"
NO_PAIR = "the private key does not belong to the certificate"

CURVES = ("secp224r1", "secp256r1", "secp384r1", "secp521r1")

_BLOCK = re.compile(
    rb"^-----BEGIN (?P<label>[^\n]*)-----[ \t\r]*\n"
    # A block that is not closed ends where the next one begins, and is none.
    rb"(?P<body>(?:(?!-----)[^\n]*\n)*)"
    rb"-----END (?P=label)-----[ \t\r]*$",
    re.MULTILINE,
)
_PSS = bytes.fromhex("06092a864886f70d01010a")
"""The name of an RSA key that may sign with PSS alone, as PKCS #8 spells it, in its first bytes."""


def check_pair(certificate: bytes, private: bytes) -> tuple[str, str]:
    """Return what is wrong with a PEM pair (empty: nothing) and when the certificate ends, RFC 3339.

    Of a chain the first certificate counts, the leaf.
    """
    # Only when there is a pair to check: most programs that import the models never see one.
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key

    try:
        leaf = x509.load_der_x509_certificate(_first_certificate(certificate))
        if leaf.serial_number < 0:
            return NO_CERTIFICATE, ""
        public = leaf.public_key()
    except UnsupportedAlgorithm:
        return UNSUPPORTED, ""
    except (ValueError, TypeError):
        return NO_CERTIFICATE, ""
    ends = leaf.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ")
    encoded = _first_key(private)
    try:
        key = load_der_private_key(encoded, password=None, unsafe_skip_rsa_key_validation=True)
    except UnsupportedAlgorithm:
        return UNSUPPORTED, ends
    except (ValueError, TypeError):
        return NO_KEY, ends
    problem = UNSUPPORTED if _PSS in encoded[:64] else _problem_of(key)
    if problem:
        return problem, ends
    ours, theirs = (
        part.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) for part in (key.public_key(), public)
    )
    return ("", ends) if ours == theirs else (NO_PAIR, ends)


def _first_certificate(text: bytes) -> bytes:
    return next((body for label, body in _blocks(text) if label == b"CERTIFICATE"), b"")


def _first_key(text: bytes) -> bytes:
    """Return the first private key, whatever its label says of what is in it."""
    return next((body for label, body in _blocks(text) if f" {label.decode('latin-1')}".endswith(" PRIVATE KEY")), b"")


def _blocks(text: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the label and content of each PEM block; what is none is passed over."""
    for found in _BLOCK.finditer(text):
        lines = found["body"].split(b"\n")
        # Headers, as encrypted keys have them, come first and have a colon.
        while lines and b":" in lines[0]:
            del lines[0]
        try:
            yield found["label"], base64.b64decode(b"".join(b"".join(lines).split()), validate=True)
        except binascii.Error:
            continue


def _problem_of(key: PrivateKeyTypes) -> str:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    match key:
        case RSAPrivateKey():
            return "" if _is_whole(key) else DAMAGED
        case EllipticCurvePrivateKey():
            return "" if key.curve.name in CURVES else UNSUPPORTED
        case Ed25519PrivateKey():
            return ""
        case _:
            return UNSUPPORTED


def _is_whole(key: RSAPrivateKey) -> bool:
    """Say whether the parts of an RSA key fit each other: Go refuses one whose shortcuts are wrong or left out."""
    numbers = key.private_numbers()
    p, q, d = numbers.p, numbers.q, numbers.d
    modulus, exponent = numbers.public_numbers.n, numbers.public_numbers.e
    if min(p, q) < 2 or p * q != modulus or not 0 < d < modulus:
        return False
    fits = exponent * d % (p - 1) == 1 == exponent * d % (q - 1)
    shortcuts = (numbers.dmp1, numbers.dmq1, numbers.iqmp)
    return fits and shortcuts[:2] == (d % (p - 1), d % (q - 1)) and 0 < shortcuts[2] < p and q * shortcuts[2] % p == 1
