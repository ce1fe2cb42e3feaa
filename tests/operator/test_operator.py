"""The operator as its clients meet it: manifests in, documents out, live."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import orjson
import pytest

from stunnergw.errors import ManifestError, UsageError
from stunnergw.operator import Operator
from stunnergw.settings import Address, DataplaneMode
from tests.operator.stage import DEADLINE, copy_example, running, settings
from tests.support.strict_client import StrictClient, fetch

if TYPE_CHECKING:
    from pathlib import Path

UDP = "stunner/udp-gateway"


async def test_a_data_plane_gets_its_document_and_each_change(tmp_path: Path) -> None:
    manifests = copy_example("today/one-udp-gateway", tmp_path)
    async with running(settings(manifests)) as (_, ports), StrictClient(ports.discovery, UDP) as client:
        first = await client.document()
        assert first["clusters"][0]["endpoints"] == ["10.120.0.28", "10.244.1.10", "10.244.2.20"]
        slices = manifests / "5-endpoints.yaml"
        slices.write_text(slices.read_text().replace("10.244.2.20", "10.244.2.21"))
        second = await client.document(after=1)
        assert second["clusters"][0]["endpoints"] == ["10.120.0.28", "10.244.1.10", "10.244.2.21"]
        assert second["listeners"] == first["listeners"]


async def test_a_gateway_that_comes_later_is_served_to_who_waited(tmp_path: Path) -> None:
    manifests = copy_example("today/one-udp-gateway", tmp_path)
    later = copy_example("today/udp-and-tcp-gateways", tmp_path / "later")
    async with running(settings(manifests)) as (_, ports):
        async with StrictClient(ports.discovery, "stunner/tcp-gateway") as client:
            await client.connected()
            assert client.documents == []
            for file in later.iterdir():
                (manifests / file.name).write_text(file.read_text())
            document = await client.document()
        assert document["listeners"][0]["protocol"] == "TURN-TCP"


async def test_a_deleted_gateway_ends_with_the_zero_document(tmp_path: Path) -> None:
    manifests = copy_example("today/one-udp-gateway", tmp_path)
    async with running(settings(manifests)) as (_, ports), StrictClient(ports.discovery, UDP) as client:
        await client.next_message()
        (manifests / "2-gateways.yaml").unlink()
        last = orjson.loads(await client.next_message())
        assert last["auth"]["credentials"]["username"] == "dummy-username"
        # A stunnerd knows that as a deletion, and goes on with what it has.
        assert len(client.documents) == 1
        response = await fetch(ports.discovery, f"/api/v1/configs/{UDP}")
        assert response.status == 404


async def test_a_broken_file_leaves_what_runs_alone(tmp_path: Path) -> None:
    manifests = copy_example("today/one-udp-gateway", tmp_path)
    async with running(settings(manifests)) as (operator, ports), StrictClient(ports.discovery, UDP) as client:
        await client.document()
        config = manifests / "1-class.yaml"
        good = config.read_text()
        config.write_text(good + "\n---\n]this is no YAML[")
        route = manifests / "3-route.yaml"
        route.write_text(route.read_text().replace("name: media\n  namespace", "name: other\n  namespace"))
        document = await client.document(after=1)
        assert document["listeners"][0]["routes"] == ["stunner/other"]
        assert operator.projector.latest is not None
        assert not operator.projector.latest.held


async def test_a_class_that_breaks_is_served_on_and_said(tmp_path: Path) -> None:
    manifests = copy_example("today/one-udp-gateway", tmp_path)
    async with running(settings(manifests)) as (operator, ports), StrictClient(ports.discovery, UDP) as client:
        before = await client.document()
        config = manifests / "1-class.yaml"
        config.write_text(config.read_text().replace("  password: pass-1\n", ""))
        slices = manifests / "5-endpoints.yaml"
        async with asyncio.timeout(DEADLINE):
            while "stunner" not in (operator.projector.latest or pytest.fail("not projected")).held:
                await operator.log.wait(after=operator.log.last)
        slices.write_text(slices.read_text().replace("10.244.2.20", "10.244.2.21"))
        after = await client.document(after=1)
        # What was accepted last holds, and pods may roll meanwhile.
        assert after["auth"] == before["auth"]
        assert "10.244.2.21" in after["clusters"][0]["endpoints"]
        status = orjson.loads((await fetch(ports.inspection, "/status")).body)
        assert "spec.password" in status["held"]["stunner"]
        assert "pass-1" not in str(status)


async def test_legacy_documents_are_polled_by_class(tmp_path: Path) -> None:
    manifests = copy_example("walkthrough/one-udp-gateway", tmp_path)
    async with running(settings(manifests, mode=DataplaneMode.LEGACY)) as (_, ports):
        response = await fetch(ports.discovery, "/config?class=stunner-gatewayclass")
        assert response.status == 200
        assert orjson.loads(response.body)["version"] == "v1alpha1"
        listed = await fetch(ports.discovery, "/api/v1/configs")
        assert orjson.loads(listed.body)["items"] == []


async def test_it_stops_within_a_second_though_a_client_never_reads(tmp_path: Path) -> None:
    manifests = copy_example("today/one-udp-gateway", tmp_path)
    async with (
        running(settings(manifests)) as (operator, ports),
        StrictClient(ports.discovery, UDP, never_reads=True) as deaf,
        StrictClient(ports.discovery, UDP) as client,
    ):
        await deaf.connected()
        await client.document()
        began = time.monotonic()
        operator.stop()
        await client.until(lambda seen: bool(seen.closes), timeout=5)
        assert client.closes[0] == 1001
        assert time.monotonic() - began < 1


async def test_ready_says_what_is_missing(tmp_path: Path) -> None:
    manifests = copy_example("today/one-udp-gateway", tmp_path)
    async with running(settings(manifests)) as (_, ports):
        for path in ("/healthz", "/readyz"):
            assert (await fetch(ports.health, path)).status == 200
        verbose = (await fetch(ports.health, "/readyz?verbose")).body.decode()
        assert "[+]listed ok" in verbose


async def test_a_file_that_is_no_yaml_ends_the_start(tmp_path: Path) -> None:
    manifests = copy_example("today/one-udp-gateway", tmp_path)
    (manifests / "broken.yaml").write_text("]")
    with pytest.raises(ManifestError, match=r"broken\.yaml"):
        await Operator(settings(manifests)).run()


async def test_a_port_that_is_taken_ends_the_start(tmp_path: Path) -> None:
    manifests = copy_example("today/one-udp-gateway", tmp_path)
    async with running(settings(manifests)) as (_, ports):
        taken = settings(manifests)
        object.__setattr__(taken, "health_probe_bind_address", Address("127.0.0.1", ports.health))
        with pytest.raises(UsageError, match="--health-probe-bind-address"):
            await Operator(taken).run()


async def test_an_error_in_a_loop_ends_the_operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dead task in a live process is the worst state there is."""
    manifests = copy_example("today/one-udp-gateway", tmp_path)
    operator = Operator(settings(manifests))
    monkeypatch.setattr(operator.store, "fold", lambda _events: 1 / 0)
    with pytest.raises(BaseExceptionGroup) as caught:
        async with asyncio.timeout(DEADLINE):
            await operator.run()
    assert caught.value.subgroup(ZeroDivisionError)
