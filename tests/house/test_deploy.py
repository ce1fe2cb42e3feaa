"""What stands in deploy/ fits the program: names, flags, ports, rights, and the documents about them.

How a real API server takes it is for tests/cluster/test_deploy.py.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from stunnergw.cli import running
from stunnergw.cli.commands import run_command
from stunnergw.cli.runflags import settings_of
from stunnergw.kube.lease import DEFAULT_NAME
from stunnergw.resources.metadata import GATEWAY_GROUP
from stunnergw.settings import DISCOVERY_SERVICE, DataplaneMode, Settings
from tests.house import permissions
from tests.house.fences import blocks

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
FILES = sorted(path for path in DEPLOY.rglob("*.yaml") if path.parent != DEPLOY / "local")
KUSTOMIZATION = "kustomization.yaml"
APPLIED = ("crds", "dataplane-policy", "default", "legacy", "managed")
"""The folders that people apply; the others are parts of these."""


def documents(file: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(file.read_text("utf-8")))


def objects() -> list[dict[str, Any]]:
    return [document for file in FILES if file.name != KUSTOMIZATION for document in documents(file)]


def one(kind: str, name: str) -> dict[str, Any]:
    (found,) = [thing for thing in objects() if (thing["kind"], thing["metadata"]["name"]) == (kind, name)]
    return found


@pytest.fixture
def operator() -> dict[str, Any]:
    return one("Deployment", "stunner-gateway-operator-controller-manager")


@pytest.fixture
def manager(operator: dict[str, Any]) -> dict[str, Any]:
    (container,) = operator["spec"]["template"]["spec"]["containers"]
    assert isinstance(container, dict)
    return container


# Files ------------------------------------------------------------------------------------------------


def reached(folder: Path) -> set[Path]:
    """Return the files that a kustomization takes in."""
    found = {folder / KUSTOMIZATION}
    (kustomization,) = documents(folder / KUSTOMIZATION)
    for resource in kustomization["resources"]:
        path = (folder / resource).resolve()
        found |= reached(path) if path.is_dir() else {path}
    return found


def test_every_file_is_applied_by_something() -> None:
    assert set(FILES) == set().union(*(reached(DEPLOY / name) for name in APPLIED))


def test_no_gateway_api_crd_is_among_them() -> None:
    groups = {thing["spec"]["group"] for thing in objects() if thing["kind"] == "CustomResourceDefinition"}
    assert groups
    assert GATEWAY_GROUP not in groups


def test_no_namespace_of_others_goes_when_a_folder_is_deleted() -> None:
    # `kubectl delete -k` deletes what stands there: a namespace with all in it, the user's Gateways included.
    assert [thing["metadata"]["name"] for thing in objects() if thing["kind"] == "Namespace"] == [
        DISCOVERY_SERVICE.partition(":")[0].partition(".")[2]
    ]


# Names ------------------------------------------------------------------------------------------------


def test_data_planes_find_the_service_that_they_are_told_of() -> None:
    name, namespace, port = re.split(r"[.:]", DISCOVERY_SERVICE)
    service = one("Service", name)
    assert [(each["name"], each["port"]) for each in service["spec"]["ports"]] == [("cds", int(port))]
    for folder in ("base", "managed", "legacy/operator"):
        (kustomization,) = documents(DEPLOY / folder / KUSTOMIZATION)
        assert kustomization["namespace"] == namespace, folder


def test_pods_bear_the_labels_that_others_look_for(operator: dict[str, Any]) -> None:
    labels = operator["spec"]["template"]["metadata"]["labels"]
    assert labels["control-plane"] == "stunner-gateway-operator-controller-manager"
    assert labels["stunner.l7mp.io/config-discovery-service"] == "enabled"
    selecting = [
        operator["spec"]["selector"]["matchLabels"],
        one("Service", "stunner-config-discovery")["spec"]["selector"],
    ]
    selecting += [
        one(kind, name)["spec"]["podSelector" if kind == "NetworkPolicy" else "selector"]["matchLabels"]
        for kind, name in (
            ("NetworkPolicy", "stunner-config-discovery"),
            ("PodDisruptionBudget", operator["metadata"]["name"]),
        )
    ]
    assert selecting == [{"control-plane": labels["control-plane"]}] * 4
    assert operator["spec"]["template"]["spec"]["serviceAccountName"] == "stunner-gateway-operator-controller-manager"


def test_the_lease_is_the_one_that_is_asked_for() -> None:
    role = one("Role", "stunner-gateway-operator-leader-election-role")
    assert role["rules"][0]["resourceNames"] == [DEFAULT_NAME]


# The program ------------------------------------------------------------------------------------------


def started(monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> tuple[Settings, bool]:
    """Return the settings that arguments come to, and whether they ask for an election."""
    seen: list[tuple[Settings, bool]] = []

    def catch(flags: Any, *, deciding: Any, logging: Any) -> int:
        seen.append((settings_of(flags, deciding=deciding), flags.leader_elect))
        return 0

    monkeypatch.setattr(running, "run_operator", catch)
    assert run_command(arguments) == 0
    return seen[0]


def test_the_arguments_start_the_program(monkeypatch: pytest.MonkeyPatch, manager: dict[str, Any]) -> None:
    settings, electing = started(monkeypatch, manager["args"])
    assert electing
    assert "command" not in manager  # the image's entry point
    listening = {"cds": settings.config_discovery_address, "health": settings.health_probe_bind_address}
    listening["metrics"] = settings.metrics_bind_address
    assert {port["name"]: port["containerPort"] for port in manager["ports"]} == {
        name: address and address.port for name, address in listening.items()
    }
    inspection = settings.inspection_address
    assert inspection
    assert inspection.host == "127.0.0.1"


def test_legacy_mode_is_asked_for(monkeypatch: pytest.MonkeyPatch, manager: dict[str, Any]) -> None:
    (kustomization,) = documents(DEPLOY / "legacy" / "operator" / KUSTOMIZATION)
    (patch,) = kustomization["patches"]
    (operation,) = yaml.safe_load(patch["patch"])
    settings, _ = started(monkeypatch, [*manager["args"], operation["value"]])
    assert settings.decisions.dataplane_mode is DataplaneMode.LEGACY


def test_the_image_is_the_one_that_make_builds(operator: dict[str, Any], manager: dict[str, Any]) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert f"IMG ?= {manager['image']}\n" in makefile
    user = operator["spec"]["template"]["spec"]["securityContext"]["runAsUser"]
    assert f"\nUSER {user}:{user}\n" in (ROOT / "Dockerfile").read_text("utf-8")
    assert "ln -s /venv/bin/stunnergw /manager" in (ROOT / "Dockerfile").read_text("utf-8")


def test_only_tmp_can_be_written(operator: dict[str, Any], manager: dict[str, Any]) -> None:
    assert manager["securityContext"]["readOnlyRootFilesystem"] is True
    assert [mount["mountPath"] for mount in manager["volumeMounts"]] == ["/tmp"]
    assert [set(volume) for volume in operator["spec"]["template"]["spec"]["volumes"]] == [{"name", "emptyDir"}]


def test_a_pod_that_waits_for_the_api_server_is_left_alone(manager: dict[str, Any]) -> None:
    paths = {name: manager[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "liveness", "readiness")}
    assert paths == {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"}


PODMAN = """#!/bin/sh
echo "$@" >> "$(dirname "$0")/asked"
"""


def test_make_builds_and_pushes_the_image_as_the_document_says(tmp_path: Path) -> None:
    podman = tmp_path / "podman"
    podman.write_text(PODMAN, "utf-8")
    podman.chmod(0o755)
    (block,) = [each for each in blocks(ROOT / "docs" / "install.md") if each.marker == ("runs", "container")]
    environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run(["bash", "-euc", block.text], cwd=ROOT, env=environment, check=True, capture_output=True)
    image = "registry.example.org/stunnergw:1"
    assert (tmp_path / "asked").read_text("utf-8").splitlines() == [f"build --tag {image} .", f"push {image}"]


WRITES_TOLD = """
import os, sys

def note(event, arguments):
    if event == "open":
        path, _, flags = arguments
        if isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            path == os.environ["WRITES"] or os.write(log, f"{path}\\n".encode())
    elif event in ("os.mkdir", "os.rename", "os.remove", "os.symlink", "sqlite3.connect"):
        os.write(log, f"{event} {arguments[0]}\\n".encode())

log = os.open(os.environ["WRITES"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
sys.addaudithook(note)
open(os.environ["WRITES"], "a").write("begun\\n")
"""


def test_a_run_writes_nothing_that_a_read_only_root_would_refuse(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WRITES_TOLD, "utf-8")
    told, temporary = tmp_path / "writes", tmp_path / "tmp"
    temporary.mkdir()
    environment = {
        **os.environ,
        "PYTHONPATH": str(tmp_path),
        "WRITES": str(told),
        "TMPDIR": str(temporary),
        # The image has its bytecode; where it cannot be written, Python goes on without.
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    addresses = [f"--{name}-address=127.0.0.1:0" for name in ("config-discovery", "inspection")]
    addresses += [f"--{name}-bind-address=127.0.0.1:0" for name in ("health-probe", "metrics")]
    manifests = ROOT / "stunnergw" / "examples" / "media-server"
    process = subprocess.Popen(
        [sys.executable, "-m", "stunnergw", "run", "--manifests", str(manifests), *addresses],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("stunnergw is ready")
        finally:
            process.terminate()
    written = told.read_text("utf-8").splitlines()
    assert written.pop(0) == "begun"
    assert [path for path in written if not path.startswith((f"{temporary}/", "/dev/null"))] == []


# Rights -----------------------------------------------------------------------------------------------


def test_the_permissions_are_told_and_told_rightly() -> None:
    found = permissions.DOCUMENT.read_text("utf-8")
    assert found == permissions.render(), "docs/permissions.md is out of date: python -m tests.house.permissions"


def test_a_right_without_a_reason_is_an_error(tmp_path: Path) -> None:
    for part in permissions.PARTS:
        file = tmp_path / part.file
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(
            (ROOT / part.file).read_text("utf-8").replace("[get, update]", "[get, update, delete]"), "utf-8"
        )
    with pytest.raises(LookupError, match=r"without a reason: \[\('delete', 'leases.coordination.k8s.io'\)\]"):
        permissions.render(tmp_path)


def test_every_role_is_told_of() -> None:
    files = {file for file in FILES for document in documents(file) if document["kind"] in ("Role", "ClusterRole")}
    assert files == {ROOT / part.file for part in permissions.PARTS}


def test_rights_name_verbs_and_kinds_one_by_one() -> None:
    rules = [rule for thing in objects() for rule in thing.get("rules", ())]
    assert rules
    assert not [grant for grant in permissions.grants(rules) if "*" in (grant.verb, grant.resource, grant.group)]
