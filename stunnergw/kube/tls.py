"""How we trust the API server and show who we are: the TLS context of a connection.

It is made once to find out whether the certificates can be used at all, in one line at the start rather than a
traceback, and once by the client.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509

from stunnergw.errors import UsageError

if TYPE_CHECKING:
    from kubernetes_asyncio.client import Configuration


def tls_context(configuration: Configuration) -> ssl.SSLContext:
    """Make the context of a connection.

    Raises:
        UsageError: a certificate or key is not there or cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    except (OSError, ValueError) as error:
        raise UsageError(f"the authority that the API server is trusted by is no PEM: {_reason(error)}") from None
    show_certificate(context, configuration)
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def show_certificate(context: ssl.SSLContext, configuration: Configuration) -> None:
    """Have the handshakes from now on show the client certificate, where there is one.

    Raises:
        UsageError: the certificate or its key is not there or cannot be used.
    """
    if not configuration.cert_file:
        return
    try:
        # Without a password OpenSSL would ask the terminal for one.
        context.load_cert_chain(configuration.cert_file, keyfile=configuration.key_file, password="")
    except (OSError, ValueError) as error:
        raise UsageError(
            f"the client certificate and its key are no pair of unencrypted PEM: {_reason(error)}"
        ) from None


def ended(certificate: str) -> datetime | None:
    """Return when the certificate in a file ended; None where it has not, or cannot be read."""
    try:
        chain = x509.load_pem_x509_certificates(Path(certificate).read_bytes())
    except (OSError, ValueError):
        return None
    ends = chain[0].not_valid_after_utc
    return ends if ends <= datetime.now(UTC) else None


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return error.reason or "it cannot be read"
    return getattr(error, "strerror", None) or type(error).__name__
