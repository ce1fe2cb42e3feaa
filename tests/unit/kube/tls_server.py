"""A TLS server that answers as far as it is told to and then listens in silence: it never says goodbye.

It reads the bytes of the connection itself, so that it can tell a client that hangs up from one that waits for an
answer to its goodbye.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from typing import TYPE_CHECKING

import trustme
from kubernetes_asyncio.client import Configuration

from stunnergw.kube.client import KubeClient
from stunnergw.kube.connecting import Connection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE = 10.0

HEADERS = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
LINE = b'9\r\n{"a": 1}\n\r\n'


class TlsServer:
    """Serves one connection in a thread; ``answer`` is all that it ever says."""

    def __init__(self, context: ssl.SSLContext, answer: bytes) -> None:
        self._context = context
        self._answer = answer
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(PATIENCE)
        self.port: int = self._listening.getsockname()[1]
        self.asked = threading.Event()
        """The request has come."""
        self.hung_up = threading.Event()
        """The connection is gone."""
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._thread.join()
        self._listening.close()

    def _serve(self) -> None:
        with contextlib.suppress(TimeoutError, ssl.SSLError):
            raw, _ = self._listening.accept()
            raw.settimeout(PATIENCE)
            tls = self._context.wrap_socket(raw, server_side=True)
            self._read_request(tls)
            if self._answer:
                tls.sendall(self._answer)
            self.asked.set()
            with socket.socket(fileno=tls.detach()) as bare:
                bare.settimeout(PATIENCE)
                with contextlib.suppress(ConnectionResetError):
                    while bare.recv(4096):
                        pass
                self.hung_up.set()

    def _read_request(self, tls: ssl.SSLSocket) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            request += tls.recv(4096)


@contextlib.contextmanager
def serving(folder: Path, *, answer: bytes, trusted: bool = True) -> Iterator[tuple[TlsServer, Configuration]]:
    """Run a server, and return it with the settings of a client, which trusts another authority unless ``trusted``."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    (authority if trusted else trustme.CA()).cert_pem.write_to_path(str(folder / "ca.crt"))
    server = TlsServer(context, answer)
    configuration = Configuration()
    configuration.host = f"https://127.0.0.1:{server.port}"
    configuration.ssl_ca_cert = str(folder / "ca.crt")
    try:
        yield server, configuration
    finally:
        server.close()


def client_of(configuration: Configuration) -> KubeClient:
    return KubeClient(Connection(configuration, "default", None))
