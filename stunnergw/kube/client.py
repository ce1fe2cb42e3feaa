"""Raw requests to the API server, with every status checked.

Bodies come back as bytes, for the trimmed models to parse in one pass. What the server refuses is an
:class:`~stunnergw.errors.ApiError`, what it does not answer :class:`~stunnergw.errors.Unreachable`. Nothing is logged
of a body: it may hold a Secret.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from typing import TYPE_CHECKING, Any, final

import aiohttp
from kubernetes_asyncio.client import ApiClient
from kubernetes_asyncio.client.exceptions import ApiException

from stunnergw import __version__
from stunnergw.errors import ApiError, Unreachable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from types import TracebackType

    from stunnergw.kube.connecting import Connection

CONNECT_WITHIN = 5.0
"""Seconds for a connection to come about."""

ANSWER_WITHIN = 30.0
"""Seconds for a whole answer, unless the caller says otherwise."""

APPLY = "application/apply-patch+yaml"
MERGE_PATCH = "application/merge-patch+json"
JSON = "application/json"
PARTIAL_METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
PARTIAL_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"

MOST_OF_A_REFUSAL = 64 * 1024


@final
class KubeClient:
    """A client of one API server; an asynchronous context manager."""

    def __init__(self, connection: Connection) -> None:
        self._api = ApiClient(connection.configuration)
        self._api.user_agent = f"stunnergw/{__version__}"
        self.namespace = connection.namespace
        """Our own namespace."""

    async def __aenter__(self) -> KubeClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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
            Unreachable: there was no answer within ``within`` seconds.
        """
        timeout = aiohttp.ClientTimeout(total=within, sock_connect=CONNECT_WITHIN)
        with _network_errors(path):
            response = await self._call(method, path, query, body, content_type, accept, timeout)
            async with response:
                if response.status >= 300:
                    raise await _refusal(response)
                return await response.read()

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
        with _network_errors(path):
            response = await self._call("GET", path, query, None, JSON, accept, timeout)
            async with response:
                if response.status != 200:
                    raise await _refusal(response)
                yield _lines(response)

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
            auth_settings=["BearerToken"],
            _preload_content=False,
            _request_timeout=timeout,
        )
        return response


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


async def _refusal(response: aiohttp.ClientResponse) -> ApiError:
    """Make the error of an answer that is no success: a Status object, or whatever a proxy says."""
    text = await response.content.read(MOST_OF_A_REFUSAL)
    try:
        status = json.loads(text)
        message, reason = str(status["message"]), str(status.get("reason", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        message, reason = f"the answer was {response.status} and no Status of an API server", ""
    return ApiError(response.status, reason=reason, message=message, retry_after=_retry_after(response))


def _retry_after(response: aiohttp.ClientResponse) -> float | None:
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else None


@contextlib.contextmanager
def _network_errors(path: str) -> Any:
    """Turn what goes wrong on the way into one kind of error, the cause chained."""
    try:
        yield
    except (aiohttp.ClientError, TimeoutError, asyncio.IncompleteReadError, ssl.SSLError, OSError) as error:
        said = str(error) or type(error).__name__
        raise Unreachable(f"the API server did not answer {path}: {said}") from error
    except ApiException as error:
        raise Unreachable(f"the request of {path} could not be made: {error.reason}") from error
