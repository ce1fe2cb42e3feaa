"""Whether a certificate and a private key can be served together.

stunnerd takes a pair that does not parse or match into its document, and then takes the listener down when it applies
it: so it is checked when the Secret enters. The check skips the arithmetic validation of RSA keys, which takes a third
of a second for 4,096 bits and proves nothing that a handshake does not.
"""

from __future__ import annotations


def check_pair(certificate: bytes, private: bytes) -> tuple[str, str]:
    """Return what is wrong with a PEM pair (empty: nothing) and when the certificate ends, RFC 3339.

    Of a chain the first certificate counts, the leaf.
    """
    # Only when there is a pair to check: most programs that import the models never see one.
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    try:
        chain = x509.load_pem_x509_certificates(certificate)
        public = chain[0].public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return "the certificate is not PEM that can be read", ""
    ends = chain[0].not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ")
    try:
        key = load_pem_private_key(private, password=None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return "the private key is not unencrypted PEM that can be read", ends
    ours, theirs = (
        part.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) for part in (key.public_key(), public)
    )
    return ("", ends) if ours == theirs else ("the private key does not belong to the certificate", ends)
