"""What ``run`` says once it is ready."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stunnergw.cli.announcing import announce, rows
from stunnergw.settings import Address, DataplaneMode
from tests.operator.stage import copy_example, running, settings

if TYPE_CHECKING:
    from pathlib import Path


async def announced(manifests: Path, capsys: pytest.CaptureFixture[str], *, legacy: bool = False) -> list[str]:
    mode = DataplaneMode.LEGACY if legacy else DataplaneMode.MANAGED
    async with running(settings(manifests, mode=mode)) as (operator, _):
        capsys.readouterr()
        announce(operator)
        return capsys.readouterr().out.splitlines()


async def test_each_gateway_has_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifests = copy_example("today/udp-and-tcp-gateways", tmp_path)
    ready, head, tcp, udp = await announced(manifests, capsys)
    assert ready.startswith("stunnergw is ready: config-discovery-address=127.0.0.1:")
    assert head.split("  ")[0] == "Gateway"
    port = ready.split("config-discovery-address=127.0.0.1:")[1].split()[0]
    url = f"http://127.0.0.1:{port}/config?gateway="
    assert tcp.split() == ["stunner/tcp-gateway", "Programmed", "34.116.220.191:3478/tcp", f"{url}stunner/tcp-gateway"]
    assert udp.split() == ["stunner/udp-gateway", "Programmed", "34.116.220.190:3478/udp", f"{url}stunner/udp-gateway"]


async def test_what_stands_in_the_way_is_said_in_short(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifests = copy_example("today/udp-and-tcp-gateways", tmp_path)
    (manifests / "4-service.yaml").unlink()
    gateways = manifests / "2-gateways.yaml"
    text = gateways.read_text()
    gateways.write_text(text.replace("TURN-TCP", "SCTP") + "---\n" + text.replace("gatewayClassName: stunner", "")
                        .replace("name: udp-gateway", "name: lost\n  labels: {}")
                        .replace("  listeners", "  gatewayClassName: other\n  listeners").split("---")[0])  # fmt: skip
    lines = await announced(manifests, capsys)
    states = {line.split()[0]: line for line in lines[2:]}
    assert "not Programmed: AddressNotAssigned" in states["stunner/udp-gateway"]
    assert "not Programmed: Invalid, no config yet" in states["stunner/tcp-gateway"]
    assert "undecided, no config yet" in states["stunner/lost"]


async def test_in_legacy_mode_each_class_has_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifests = copy_example("walkthrough/udp-and-tcp-gateways", tmp_path)
    lines = await announced(manifests, capsys, legacy=True)
    assert lines[1].startswith("GatewayClass")
    assert lines[2].split()[:2] == ["stunner-gatewayclass", "Accepted"]
    assert "/config?class=stunner-gatewayclass" in lines[2]
    # The second of two addresses stands below the first.
    assert len(lines) == 4
    assert lines[3].strip().endswith(("/tcp", "/udp"))


async def test_no_gateway(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (await announced(tmp_path, capsys))[1:] == ["No Gateway of ours is in the manifests."]


@pytest.mark.parametrize(
    ("address", "url"),
    [
        (Address("", 1), "http://127.0.0.1:1/config?gateway=stunner/udp-gateway"),
        (Address("::1", 1), "http://[::1]:1/config?gateway=stunner/udp-gateway"),
        (None, ""),
    ],
)
async def test_urls(tmp_path: Path, address: Address | None, url: str) -> None:
    async with running(settings(copy_example("today/one-udp-gateway", tmp_path))) as (operator, _):
        assert operator.projector.latest is not None
        (row,) = rows(operator.projector.latest, legacy=False, address=address)
        assert row.url == url
