"""What an API server says it serves, and what is no word of an API server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import orjson
import pytest

from stunnergw.errors import ApiError, NotFoundOut, Unreachable
from stunnergw.kube.discovery import discover
from stunnergw.kube.paths import group_path
from stunnergw.resources.kinds import GATEWAY, SERVICE, UDP_ROUTE

if TYPE_CHECKING:
    from stunnergw.kube.client import KubeClient
    from stunnergw.kube.discovery import Served

KINDS = (GATEWAY, UDP_ROUTE, SERVICE)
CORE = group_path("", "v1")
GATEWAY_V1 = group_path(GATEWAY.group, "v1")


def resources(*names: str) -> bytes:
    return orjson.dumps({"kind": "APIResourceList", "resources": [{"name": name} for name in names]})


class Server:
    """Answers by path: bytes, an error, or nothing at all (None)."""

    def __init__(self, answers: dict[str, bytes | Exception | None]) -> None:
        self.answers = answers
        self.under_way = 0
        self.begun = 0
        self.asked = asyncio.Event()

    async def request(self, method: str, path: str, **_: Any) -> bytes:
        self.under_way += 1
        self.begun += 1
        self.asked.set()
        try:
            # Every request is on its way before the first is answered.
            await asyncio.sleep(0.01)
            answer = self.answers.get(path, ApiError(404, reason="NotFound", message="no such path"))
            if answer is None:
                await asyncio.Event().wait()
            if isinstance(answer, Exception):
                raise answer
            assert isinstance(answer, bytes)
            return answer
        finally:
            self.under_way -= 1


async def asked(server: Server) -> Served:
    async with asyncio.timeout(5):
        return await discover(cast("KubeClient", server), KINDS)


async def test_versions_and_statuses_are_found() -> None:
    served = await asked(Server({CORE: resources("services"), GATEWAY_V1: resources("gateways", "gateways/status")}))
    assert served.version(GATEWAY) == "v1"
    assert served.version(UDP_ROUTE) is None
    assert served.version(SERVICE) == "v1"
    assert served.with_status == {(GATEWAY, "v1")}


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (b"<html><body>Welcome</body></html>", "a web page"),
        (b"{}", "an object without a kind"),
        (b'{"kind": "Status", "status": "Success"}', "an object of kind Status"),
        (b'{"kind": "Status", "resources": []}', "an object of kind Status"),
        (b'{"kind": "APIResourceList"}', "one that is not whole"),
        (b'{"kind": "APIGroupList", "groups": []}', "an object of kind APIGroupList"),
        (b'{"resources": []}', "an object without a kind"),
        (b"[]", "JSON that is no object"),
    ],
)
async def test_what_is_no_list_of_resources_does_not_mean_that_nothing_is_served(answer: bytes, what: str) -> None:
    with pytest.raises(Unreachable) as error:
        await asked(Server({CORE: resources("services"), GATEWAY_V1: answer}))
    assert str(error.value).startswith(f"the answer to {GATEWAY_V1} is no APIResourceList but {what}")


async def test_a_group_may_serve_nothing() -> None:
    served = await asked(Server({CORE: resources("services"), GATEWAY_V1: resources()}))
    assert served.version(GATEWAY) is None


async def test_one_refusal_ends_the_other_requests_and_is_the_error() -> None:
    server = Server({CORE: None, GATEWAY_V1: ApiError(429, reason="TooManyRequests", message="wait", retry_after=3.0)})
    with pytest.raises(ApiError) as error:
        await asked(server)
    assert (error.value.status, error.value.retry_after) == (429, 3.0)
    assert server.begun > 1
    assert server.under_way == 0


async def test_of_several_failures_one_is_told() -> None:
    with pytest.raises(NotFoundOut):
        await asked(Server(dict.fromkeys((CORE, GATEWAY_V1), Unreachable("no answer"))))


async def test_an_error_that_nobody_foresaw_is_not_taken_for_a_failure_of_the_server() -> None:
    with pytest.raises(ExceptionGroup) as error:
        await asked(Server({CORE: RuntimeError("ours"), GATEWAY_V1: Unreachable("no answer")}))
    assert error.group_contains(RuntimeError)


async def test_cancelling_ends_every_request() -> None:
    server = Server({CORE: None})
    task = asyncio.create_task(asked(server))
    await server.asked.wait()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert server.under_way == 0
