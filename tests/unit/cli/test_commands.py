"""The commands as they are called, each in a process's own terms: arguments in, text and an exit code out."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
import yaml
from rich.console import Console

from stunnergw import __version__
from stunnergw.cli.commands import app, run_command
from stunnergw.examples import example

ROOT = Path(__file__).parents[3]
RUNNING = (ROOT / "docs" / "running.md").read_text("utf-8")

CONF = (
    '{"version":"v1alpha1","admin":{"name":"stunner-daemon","loglevel":"all:INFO"},'
    '"auth":{"type":"plaintext","realm":"stunner.l7mp.io","credentials":{"password":"pass-1","username":"user-1"}},'
    '"listeners":[{"name":"udp-listener","protocol":"UDP","public_address":"34.116.220.190","public_port":3478,'
    '"address":"$STUNNER_ADDR","port":3478,"min_relay_port":32768,"max_relay_port":65535,"routes":["udp-echo"]}],'
    '"clusters":[{"name":"udp-echo","type":"STRICT_DNS","endpoints":["udp-echo.stunner.svc.cluster.local"]}]}'
)
"""The configuration file that the first example of STUNner's gateway operator gave, to the letter."""


def render(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run_command(["render", *arguments]) == 0
    return capsys.readouterr().out


def test_the_first_example_gives_its_configuration_file(capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(example("walkthrough/one-udp-gateway"))
    legacy = ("-f", folder, "--dataplane-mode=legacy", "--format=json")
    (document,) = orjson.loads(render(capsys, *legacy, "--output=configs"))
    assert orjson.dumps(document).decode() == CONF
    objects = orjson.loads(render(capsys, *legacy, "--output=objects"))
    config_map = next(body for body in objects if body["kind"] == "ConfigMap")
    assert config_map["metadata"]["name"] == "stunnerd-configmap"
    assert config_map["metadata"]["namespace"] == "stunner"
    assert config_map["data"] == {"stunnerd.conf": CONF}
    names = [body["metadata"]["name"] for body in objects if body["kind"] == "Service"]
    assert names == ["stunner-gateway-udp-gateway-svc"]


def test_its_second_part_adds_a_tcp_gateway(capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(example("walkthrough/udp-and-tcp-gateways"))
    legacy = ("-f", folder, "--dataplane-mode=legacy", "--format=json")
    (document,) = orjson.loads(render(capsys, *legacy, "--output=configs"))
    listeners = {(listener["name"], listener["protocol"]): listener["routes"] for listener in document["listeners"]}
    assert listeners == {("tcp-listener", "TCP"): ["udp-echo"], ("udp-listener", "UDP"): ["udp-echo"]}


def test_all_is_a_mapping_of_the_three(capsys: pytest.CaptureFixture[str]) -> None:
    printed = yaml.safe_load(render(capsys, "-f", str(example("today/one-udp-gateway"))))
    assert list(printed) == ["configs", "objects", "statuses"]
    assert [document["admin"]["name"] for document in printed["configs"]] == ["stunner/udp-gateway"]
    assert all(set(entry) == {"apiVersion", "kind", "metadata", "status"} for entry in printed["statuses"])


def test_problems_go_to_standard_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.yaml").write_text(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: edge, namespace: media}\n"
        "spec: {gatewayClassName: x, listeners: [{name: udp, protocol: UDP, port: many}]}\n"
    )
    assert run_command(["render", "-f", str(tmp_path), "--output=configs"]) == 0
    told = capsys.readouterr()
    assert yaml.safe_load(told.out) == []
    assert "bad.yaml:1: Gateway media/edge: spec.listeners[0].port" in told.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run"], "--manifests"),
        (["run", "--manifests", "/does/not/exist"], "/does/not/exist"),
        (["render", "-f", "/does/not/exist"], "/does/not/exist"),
        (["run", "--manifests", ".", "--metrics-bind-address", "nonsense"], "--metrics-bind-address"),
        (["run", "--manifests", ".", "--throttle-timeout", "5"], "throttle-timeout"),
        (["render", "-f", ".", "--dataplane-mode", "magic"], "dataplane-mode"),
        (["run", "--no-such-flag"], "--no-such-flag"),
        (["run", "--manifests", ".", "--config-discovery-service", "nonsense"], "--config-discovery-service"),
        (["render", "-f", ".", "--cluster-domain", "no domain"], "--cluster-domain"),
        (["render", "-f", ".", "--public-address", "1.2.3"], "--public-address"),
        (["render", "-f", ".", "--public-address", "192.0.2.1:3478"], "--public-address"),
        (["render", "-f", ".", "--reference-grants", "some"], "reference-grants"),
        (["render", "-f", ".", "--udproute-ports", "some"], "udproute-ports"),
        (["validate"], "--filename"),
        (["validate", "-f", "/does/not/exist"], "/does/not/exist"),
        (["poll"], "URL"),
        (["poll", "http://localhost/config"], "output"),
        (["poll", "http://localhost/config", "-o", "/does/not/exist/file"], "/does/not/exist"),
        (["dance"], "dance"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(arguments) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert told[0].startswith("stunnergw: ")
    assert said in told[0]


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["version"]) == 0
    assert capsys.readouterr().out.strip() == __version__


def test_crds_are_yaml(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["crds"]) == 0
    documents = [document for document in yaml.safe_load_all(capsys.readouterr().out) if document]
    assert {document["kind"] for document in documents} == {"CustomResourceDefinition"}


def test_the_demo_shows_a_change(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["demo"]) == 0
    told = capsys.readouterr().out
    assert "10.244.1.10" in told
    assert "Programmed=True" in told


COMMANDS = ("run", "render", "validate", "poll", "demo", "crds", "version")


def test_every_command_and_flag_is_in_the_documents(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Wide enough that no name is broken.
    monkeypatch.setattr(app, "console", Console(width=400))
    documented = set(re.findall(r"--[a-z][a-z-]+", RUNNING))
    for command in COMMANDS:
        assert f"stunnergw {command}" in RUNNING
        assert run_command([command, "--help"]) == 0
        flags = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", capsys.readouterr().out))
        missing = {flag for flag in flags - documented if flag.replace("--no-", "--") not in documented}
        assert missing <= {"--help", "--version"}, command
    assert run_command(["--help"]) == 0
    listed = re.findall(r"^│ ([a-z]+) ", capsys.readouterr().out, flags=re.MULTILINE)
    assert set(COMMANDS) == set(listed)


def test_programs_that_read_our_output_may_leave() -> None:
    code = "import sys; from stunnergw.cli import main; main(sys.argv[1:])"
    folder = str(example("today/one-udp-gateway"))
    shown = subprocess.run(
        ["bash", "-c", f'"$0" -c "$1" render -f "{folder}" | head -n 1', sys.executable, code],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout == "configs:\n"
    assert "Traceback" not in shown.stderr
