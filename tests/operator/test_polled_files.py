"""A polled file beside a running operator: what becomes of it when a Gateway goes."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, NamedTuple

import aiohttp
import orjson

from stunnergw.cli.asking import Asker, Deadlines
from stunnergw.cli.keeping import KeptFile
from stunnergw.cli.polling import Poller, Seams
from stunnergw.settings import DataplaneMode
from tests.operator.stage import DEADLINE, copy_example, running, settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from stunnergw.operator import Operator


class Said:
    """What the poller says, one event after the other."""

    def __init__(self) -> None:
        self._events: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()

    def info(self, event: str, **more: Any) -> None:
        self._events.put_nowait((event, more))

    warning = info

    async def next(self) -> tuple[str, dict[str, Any]]:
        async with asyncio.timeout(DEADLINE):
            return await self._events.get()


class Scene(NamedTuple):
    manifests: Path
    file: Path
    operator: Operator
    said: Said


@contextlib.asynccontextmanager
async def polled(
    example: str, question: str, folder: Path, *, mode: DataplaneMode = DataplaneMode.MANAGED
) -> AsyncIterator[Scene]:
    """An operator over an example, and a poller whose file has its first document."""
    manifests, file, said = copy_example(example, folder), folder / "stunnerd.conf", Said()
    async with running(settings(manifests, mode=mode)) as (operator, ports), aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{ports.discovery}/config?{question}"
        ask = Asker(session, url, deadlines=Deadlines(wait=1)).ask
        task = asyncio.create_task(Poller(ask=ask, file=KeptFile(file), seams=Seams(log=said)).run())
        try:
            assert (await said.next())[0] == "document written"
            yield Scene(manifests, file, operator, said)
        finally:
            task.cancel()
            await asyncio.wait([task])


MANAGED = ("today/one-udp-gateway", "gateway=stunner/udp-gateway")


async def test_a_gateway_that_goes_leaves_the_file_as_it_is_and_that_is_said(tmp_path: Path) -> None:
    """Its stunnerd keeps its calls, as one that watches does; who wants an end of it ends stunnerd."""
    async with polled(*MANAGED, tmp_path) as scene:
        before, gateways = scene.file.read_bytes(), scene.manifests / "2-gateways.yaml"
        text = gateways.read_text()
        gateways.unlink()
        event, more = await scene.said.next()
        assert event == f"no document to be had: {scene.file} stays as it is"
        assert more["reason"].startswith("404: Config not found")
        assert scene.file.read_bytes() == before
        gateways.write_text(text)
        assert (await scene.said.next())[0] == "documents are to be had again"
        assert scene.file.read_bytes() == before


async def test_a_gateway_with_nothing_to_serve_leaves_it_too(tmp_path: Path) -> None:
    """A typing error in the protocol of its only listener ends no call."""
    async with polled(*MANAGED, tmp_path) as scene:
        gateways, operator = scene.manifests / "2-gateways.yaml", scene.operator
        text, seq = gateways.read_text(), operator.log.last
        gateways.write_text(text.replace("TURN-UDP", "TURN-UPD"))
        async with asyncio.timeout(DEADLINE):
            while (latest := operator.projector.latest) is None or latest.seq <= seq:
                await operator.log.wait(after=operator.log.last)
        gateways.write_text(text.replace("port: 3478", "port: 3479"))
        # What was written meanwhile would be said before it.
        assert (await scene.said.next())[0] == "document written"
        (only,) = orjson.loads(scene.file.read_bytes())["listeners"]
        assert only["port"] == 3479


async def test_a_class_without_gateways_writes_a_document_that_serves_nobody(tmp_path: Path) -> None:
    """Legacy mode: the class's document is always written, and the warning says what it means."""
    legacy = ("walkthrough/one-udp-gateway", "class=stunner-gatewayclass")
    async with polled(*legacy, tmp_path, mode=DataplaneMode.LEGACY) as scene:
        first = orjson.loads(scene.file.read_bytes())
        for manifest in scene.manifests.iterdir():
            kept = [text for text in manifest.read_text().split("---\n") if "kind: Gateway\n" not in text]
            manifest.write_text("---\n".join(kept))
        assert (await scene.said.next())[0] == "document written"
        assert (await scene.said.next())[0].startswith("the document has no listeners")
        last = orjson.loads(scene.file.read_bytes())
        assert (last["auth"], last.get("listeners")) == (first["auth"], None)
