"""Raw requests to the API server, with every status checked.

Bodies come back as bytes, for the trimmed models to parse in one pass. What the server refuses is an
:class:`~stunnergw.errors.ApiError`, what it does not answer, or a proxy answers in its place,
:class:`~stunnergw.errors.Unreachable`. Nothing is logged of a body: it may hold a Secret.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING, Any, final

import aiohttp
from kubernetes_asyncio.client import ApiClient
from kubernetes_asyncio.client.exceptions import ApiException

from stunnergw import __version__
from stunnergw.errors import ApiError, NotFoundOut, Unreachable, UsageError
from stunnergw.kube.answers import not_from_an_api_server, refusal
from stunnergw.kube.connecting import HEADER
from stunnergw.kube.paths import JSON
from stunnergw.kube.tls import ended, show_certificate, tls_context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping
    from types import TracebackType

    from stunnergw.kube.connecting import Connection

CONNECT_WITHIN = 5.0
"""Seconds for a connection to come about."""

ANSWER_WITHIN = 30.0
"""Seconds for a whole answer, unless the caller says otherwise."""

MOST_OF_A_REFUSAL = 64 * 1024

_READ_AHEAD = 2**21


@final
class _Connector(aiohttp.TCPConnector):
    """Hangs up at once on a connection that is not used again.

    Otherwise TLS says goodbye and waits up to half a minute for the answer, past the end of the client and the loop.
    """

    def _release(self, key: Any, protocol: Any, *, should_close: bool = False) -> None:
        if should_close or protocol.should_close:
            protocol.abort()
        super()._release(key, protocol, should_close=should_close)


@final
class KubeClient:
    """A client of one API server; an asynchronous context manager."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._configuration = connection.configuration
        self._tls = tls_context(self._configuration)
        self._shown = self._configuration.cert_file
        self._api = ApiClient(self._configuration)
        self._api.user_agent = f"stunnergw/{__version__}"
        # Of the library's session only the connector is not ours to choose, so there is another session.
        self._api.rest_client.pool_manager.detach()
        self._session = aiohttp.ClientSession(
            connector=_Connector(limit=0, ssl=self._tls), trust_env=True, read_bufsize=_READ_AHEAD
        )
        self._api.rest_client.pool_manager = self._session
        self._under_way: set[asyncio.Timeout] = set()
        self._closed = False
        self.namespace = connection.namespace
        """Our own namespace."""

    async def __aenter__(self) -> KubeClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Hang up on whatever is under way, which fails; takes no time."""
        self._closed = True
        now = asyncio.get_running_loop().time()
        for scope in self._under_way:
            # aiohttp itself leaves those waiting for ever who read from what it closes.
            if not scope.expired():
                scope.reschedule(now)
        await self._api.close()

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = JSON,
        accept: str = JSON,
        within: float = ANSWER_WITHIN,
    ) -> bytes:
        """Make a request and return the whole answer.

        Raises:
            ApiError: the server refused it.
            Unreachable: there was no answer within ``within`` seconds, or none of an API server.
        """
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_WITHIN)
        # A token that has to be fetched first counts, too: whoever writes has no longer.
        async with self._attempt(path, within=within):
            header = await self._authorize()
            response = await self._call(method, path, query, body, content_type, accept, timeout)
            async with response:
                if response.status >= 300:
                    raise await self._refusal(response, path, header)
                answer = await response.read()
        if response.content_type != JSON:
            raise not_from_an_api_server(answer, path=path, wanted="JSON")
        return answer

    @contextlib.asynccontextmanager
    async def stream(
        self, path: str, *, query: Mapping[str, str], accept: str = JSON, silence: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open a watch; inside, an iterator over its lines, of whatever length.

        Raises:
            ApiError: the server refused it.
            Unreachable: it went away, or said nothing for ``silence`` seconds.
        """
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_WITHIN, sock_read=silence)
        async with self._attempt(path, silence=silence):
            header = await self._authorize()
            response = await self._call("GET", path, query, None, JSON, accept, timeout)
            async with response:
                if response.status != 200:
                    raise await self._refusal(response, path, header)
                yield _lines(response)

    @contextlib.asynccontextmanager
    async def _attempt(self, path: str, *, within: float | None = None, silence: float = 0.0) -> AsyncIterator[None]:
        """Go through with an exchange, in so many seconds or as long as the client is open."""
        with _network_errors(path, within=within or silence):
            try:
                async with asyncio.timeout(within) as scope:
                    if self._closed:
                        raise TimeoutError
                    self._under_way.add(scope)
                    try:
                        yield
                    finally:
                        self._under_way.discard(scope)
            except TimeoutError:
                if self._closed:
                    raise TimeoutError("the client was closed") from None
                raise

    async def _authorize(self) -> str:
        """See to it that the next request says who we are, and return the header that does."""
        keys, token = self._configuration.api_key, self._connection.token
        if token is not None:
            header = await token.authorization()
            if header:
                keys[HEADER] = header
            else:
                keys.pop(HEADER, None)
        if self._configuration.cert_file != self._shown:
            try:
                await asyncio.to_thread(show_certificate, self._tls, self._configuration)
            except UsageError as error:
                raise Unreachable(str(error)) from None
            self._shown = self._configuration.cert_file
        return str(keys.get(HEADER, ""))

    async def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Any,
        content_type: str,
        accept: str,
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  aiohttp's own, for parts of the exchange
    ) -> aiohttp.ClientResponse:
        response: aiohttp.ClientResponse = await self._api.call_api(
            path,
            method,
            query_params=list((query or {}).items()),
            header_params={"Accept": accept, "Content-Type": content_type},
            body=body,
            auth_settings=[HEADER],
            _preload_content=False,
            _request_timeout=timeout,
        )
        return response

    async def _refusal(self, response: aiohttp.ClientResponse, path: str, header: str) -> NotFoundOut:
        said = await response.content.read(MOST_OF_A_REFUSAL)
        error = refusal(response.status, said, path=path, headers=response.headers)
        if not isinstance(error, ApiError) or error.status != 401:
            return error
        if self._connection.token is not None:
            self._connection.token.refuse(header)
        ends = await asyncio.to_thread(ended, self._shown) if self._shown else None
        if ends is None:
            return error
        message = f"{error.message}: the client certificate that we show ended on {ends:%Y-%m-%d at %H:%M UTC}"
        return ApiError(error.status, reason=error.reason, message=message, retry_after=error.retry_after)


async def _lines(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Split a stream into lines; aiohttp's own way gives up at a length that a Secret may have."""
    rest: list[bytes] = []
    async for chunk in response.content.iter_any():
        first, *others = chunk.split(b"\n")
        rest.append(first)
        for begun in others:
            line = b"".join(rest)
            if line:
                yield line
            rest = [begun]
    # A last line without its end was cut off; what it said comes again.


@contextlib.contextmanager
def _network_errors(path: str, *, within: float) -> Iterator[None]:
    """Turn what goes wrong on the way into one kind of error, the cause chained."""
    try:
        yield
    except aiohttp.ClientConnectorCertificateError as error:
        why = getattr(error.certificate_error, "verify_message", "") or type(error.certificate_error).__name__
        raise Unreachable(
            f"the API server did not answer {path}: its certificate is not one that we trust ({why}): is the"
            f" certificate-authority of the kubeconfig that of {error.host}:{error.port}?"
        ) from error
    except TimeoutError as error:
        said = str(error) or f"nothing came within {within:g} s"
        raise Unreachable(f"the API server did not answer {path}: {said}") from error
    except (aiohttp.ClientError, asyncio.IncompleteReadError, ssl.SSLError, OSError) as error:
        said = str(error) or type(error).__name__
        raise Unreachable(f"the API server did not answer {path}: {said}") from error
    except ApiException as error:
        raise Unreachable(f"the request of {path} could not be made: {error.reason}") from error
