"""``stunnergw run --dry-run`` on the real API server: what a switch from the reference operator writes, and costs."""

from __future__ import annotations

import copy
import dataclasses
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from stunnergw.cli.planning import Plan, make_plan, quiet
from stunnergw.clustered import Cluster as Surroundings
from stunnergw.kube.client import KubeClient
from stunnergw.kube.connecting import connect
from stunnergw.resources.kinds import TABLE
from stunnergw.settings import ConfigVersion, ReferenceGrants, Settings
from stunnergw.sinks.changes import differences
from stunnergw.sinks.statuswriting import without_times
from tests.cluster.operating import MANAGED, run_to_its_end
from tests.cluster.replaying import apply, decisions_of
from tests.cluster.test_taking_over import cases, left_behind, start
from tests.realparts.cluster import MASTERS
from tests.realparts.processes import free_ports
from tests.reference.scenarios import scenario

if TYPE_CHECKING:
    from pathlib import Path

    from tests.realparts.api import Api
    from tests.realparts.cluster import Cluster
    from tests.reference.scenarios import Scenario

pytestmark = pytest.mark.usefixtures("recorded_crds")

PLANNER = "planner"


async def plan_of(cluster: Cluster, found: Scenario, mode: str, **deciding: Any) -> Plan:
    """Plan a start, within this process."""
    settings = quiet(Settings(decisions=dataclasses.replace(decisions_of(found, mode), dry_run=True, **deciding)))
    connection = await connect(str(cluster.kubeconfig_for(PLANNER, [MASTERS])))
    async with KubeClient(connection) as client:
        surroundings = Surroundings(settings, client=client, connection=connection)
        return await make_plan(settings, client=client, cluster=surroundings)


def marked(plan: Plan) -> dict[str, set[str]]:
    """Return the kinds of trouble by object."""
    found: dict[str, set[str]] = {}
    for step in plan.steps:
        if step.marks:
            name = f"{step.planned.kind} {step.planned.key}"
            found.setdefault(name, set()).update(mark.trouble.value for mark in step.marks)
    return found


def requests_of(plan: Plan) -> set[str]:
    """Return the requests that would carry a plan out, as the audit log tells them."""
    plurals = {kind.name: kind.plural for kind in TABLE}
    found = set()
    for planned, _ in plan.steps:
        resource = plurals[planned.kind] + ("/status" if planned.verb == "status" else "")
        found.add(f"{'delete' if planned.verb == 'delete' else 'patch'} {resource} {str(planned.key).lstrip('/')}")
    return found


@pytest.mark.parametrize(("found", "mode"), cases())
async def test_a_plan_foretells_what_a_start_does(cluster: Cluster, api: Api, found: Scenario, mode: str) -> None:
    await left_behind(api, found, mode)
    plan = await plan_of(cluster, found, mode)
    wrote = await start(cluster, found, mode)
    # Events come with statuses, and are no part of a plan.
    assert requests_of(plan) == {line.rpartition(":")[0] for line in wrote if not line.startswith("create events ")}
    kinds = {kind.name: kind for kind in TABLE}
    for planned, _ in plan.steps:
        if planned.effect.after is None or planned.verb == "create":
            continue
        kind = kinds[planned.kind]
        version = "v1alpha2" if planned.kind == "UDPRoute" else kind.versions[0]
        now = await api.get(
            {
                "apiVersion": f"{kind.group}/{version}".lstrip("/"),
                "kind": kind.kind,
                "metadata": {"name": planned.key.name, "namespace": planned.key.namespace},
            }
        )
        stands = without_times(now["status"]) if planned.verb == "status" else now
        assert [str(change) for change in differences(stands, planned.effect.after)] == []
    assert (await plan_of(cluster, found, mode)).steps == ()


async def test_pods_that_are_replaced_are_marked_and_nothing_else(cluster: Cluster, api: Api) -> None:
    found = scenario("01")
    await left_behind(api, found, "managed")
    assert marked(await plan_of(cluster, found, "managed")) == {"Deployment media/edge": {"calls"}}


async def test_a_certificate_that_would_need_a_grant_is_marked(cluster: Cluster, api: Api) -> None:
    found = scenario("51")
    await left_behind(api, found, "managed")
    plan = await plan_of(cluster, found, "managed")
    assert marked(plan)["Gateway media/edge"] == {"shut out"}
    assert marked(plan)["Service media/edge"] == {"calls"}
    said = [mark.what for step in plan.steps for mark in step.marks]
    assert any("other-namespace" in line and "ReferenceGrant" in line for line in said)
    ignoring = await plan_of(cluster, found, "managed", reference_grants=ReferenceGrants.IGNORE)
    assert "Service media/edge" not in marked(ignoring)
    said = [mark.what for step in ignoring.steps for mark in step.marks]
    assert not any("other-namespace" in line for line in said)


@pytest.mark.parametrize("mode", ["managed", "legacy"])
async def test_a_backend_that_would_need_a_grant_is_marked(cluster: Cluster, api: Api, mode: str) -> None:
    found = scenario("31")
    await left_behind(api, found, mode)
    assert marked(await plan_of(cluster, found, mode))["UDPRoute media/stranger"] == {"shut out"}
    ignoring = await plan_of(cluster, found, mode, reference_grants=ReferenceGrants.IGNORE)
    assert "UDPRoute media/stranger" not in marked(ignoring)


async def test_a_legacy_document_that_would_lose_peers_is_marked(cluster: Cluster, api: Api) -> None:
    found = scenario("31")
    await left_behind(api, found, "legacy")
    plan = await plan_of(cluster, found, "legacy")
    assert marked(plan)["ConfigMap turn-system/stunnerd-config"] == {"shut out"}


async def test_names_of_earlier_days_that_come_back_are_marked(cluster: Cluster, api: Api) -> None:
    found = scenario("56")
    await left_behind(api, found, "legacy")
    plan = await plan_of(cluster, found, "legacy", config_version=ConfigVersion.AUTO)
    verbs = {f"{step.planned.verb} {step.planned.kind} {step.planned.key}" for step in plan.steps}
    assert {"create Service media/stunner-gateway-edge-svc", "create ConfigMap turn-system/my-config"} <= verbs
    assert marked(plan)["Service media/edge"] == {"calls", "address"}
    assert marked(plan)["ConfigMap turn-system/my-config"] == {"calls"}


async def test_a_workload_of_another_kind_is_marked(cluster: Cluster, api: Api) -> None:
    found = scenario("49")
    await left_behind(api, found, "managed")
    plan = await plan_of(cluster, found, "managed")
    assert marked(plan)["Deployment media/edge"] == {"calls"}
    verbs = {(step.planned.verb, step.planned.kind) for step in plan.steps}
    assert {("create", "DaemonSet"), ("delete", "Deployment")} <= verbs


async def test_a_port_that_moved_and_a_type_that_changed_are_marked(cluster: Cluster, api: Api) -> None:
    found = scenario("01")
    await left_behind(api, found, "managed")
    gateway = copy.deepcopy(next(thing for thing in found.objects if thing["kind"] == "Gateway"))
    gateway["spec"]["listeners"][0]["port"] = 3500
    gateway["metadata"]["annotations"] = {"stunner.l7mp.io/service-type": "ClusterIP"}
    await api.apply(gateway)
    plan = await plan_of(cluster, found, "managed")
    assert marked(plan)["Service media/edge"] == {"calls", "address"}
    said = [mark.what for step in plan.steps for mark in step.marks if step.planned.kind == "Service"]
    assert said == [
        "its type changes from LoadBalancer to ClusterIP",
        "its load balancer's address 198.51.100.7 goes",
        "port UDP 3478 goes: clients that use it are cut off",
    ]


async def test_a_service_that_is_not_wanted_any_more_is_marked(cluster: Cluster, api: Api) -> None:
    found = scenario("01")
    await left_behind(api, found, "managed")
    gateway = copy.deepcopy(next(thing for thing in found.objects if thing["kind"] == "Gateway"))
    gateway["metadata"]["annotations"] = {"stunner.l7mp.io/service-type": "None"}
    await api.apply(gateway)
    plan = await plan_of(cluster, found, "managed")
    assert marked(plan)["Service media/edge"] == {"calls", "address"}
    assert marked(plan)["Gateway media/edge"] >= {"shut out"}


async def test_what_is_somebody_elses_is_told(cluster: Cluster, api: Api) -> None:
    found = scenario("60")
    labels = {"app": "somebody-elses"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": "example.org/web"}]}}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "edge", "namespace": "media"},
        "spec": {"selector": {"matchLabels": labels}, "template": pod},
    }
    (step,) = found.steps
    await apply(api, [*step, deployment])
    plan = await plan_of(cluster, found, "managed")
    assert any(line.startswith("the Service of Gateway media/edge: ") for line in plan.undecided)
    assert marked(plan)["Deployment media/edge"] == {"not written"}
    (workload,) = (step.planned for step in plan.steps if step.planned.kind == "Deployment")
    assert "is not ours and is left alone" in workload.effect.changes[0]


async def test_what_cannot_be_decided_is_told(cluster: Cluster, api: Api) -> None:
    found = scenario("15")
    await left_behind(api, found, "managed")
    plan = await plan_of(cluster, found, "managed")
    assert any(line.startswith("the document of Gateway media/edge: ") for line in plan.undecided)


async def test_the_command_prints_it_and_writes_nothing(cluster: Cluster, api: Api) -> None:
    found = scenario("01")
    await left_behind(api, found, "managed")
    kubeconfig = cluster.kubeconfig_for(PLANNER, [MASTERS])
    mark = cluster.audit_log.mark()
    command = ("run", "--dry-run", f"--kubeconfig={kubeconfig}", *MANAGED)
    text = await run_to_its_end(*command)
    assert text.code == 0, text.err
    assert "\n".join(("Deployment media/edge", "  is taken over: ")) in text.out
    assert text.out.endswith("To write: 2 changed, 5 statuses. Marked with !: 1 end or hold up calls.\n")
    plan = orjson.loads((await run_to_its_end(*command, "--format=json")).out)
    assert [(entry["verb"], entry["kind"]) for entry in plan["writes"]] == [
        ("status", "Dataplane"),
        ("apply", "Deployment"),
        ("take over", "Deployment"),
        ("status", "Gateway"),
        ("status", "GatewayClass"),
        ("status", "GatewayConfig"),
        ("apply", "Service"),
        ("take over", "Service"),
        ("status", "UDPRoute.stunner.l7mp.io"),
    ]
    assert cluster.audit_log.writes(mark, user=PLANNER) == []
    assert cluster.audit_log.since(mark, user=PLANNER), "it read as that user"


async def test_no_secret_is_printed(cluster: Cluster, api: Api) -> None:
    found = scenario("01")
    recording = copy.deepcopy(found.recording("managed"))
    container = recording["objects"]["Deployment media/edge"]["spec"]["template"]["spec"]["containers"][0]
    container["env"].append({"name": "OLD_TOKEN", "value": "hunter2-in-a-pod"})
    await left_behind(api, found, "managed", recording)
    await api.apply(
        {
            "apiVersion": "stunner.l7mp.io/v1",
            "kind": "Dataplane",
            "metadata": {"name": "default"},
            "spec": {"image": "example.org/stunnerd:1.2.0", "env": [{"name": "NEW", "value": "swordfish-in-a-pod"}]},
        }
    )
    kubeconfig = cluster.kubeconfig_for(PLANNER, [MASTERS])
    for form in ("text", "json"):
        told = await run_to_its_end("run", "--dry-run", f"--format={form}", f"--kubeconfig={kubeconfig}", *MANAGED)
        assert told.code == 0, told.err
        assert "env[OLD_TOKEN]: goes" in told.out
        assert "env[NEW]: comes" in told.out
        for secret in ("hunter2", "swordfish", "wonderland"):
            assert secret not in told.out + told.err


async def test_a_legacy_document_is_not_printed(cluster: Cluster, api: Api) -> None:
    found = scenario("01")
    await left_behind(api, found, "legacy")
    await api.apply(
        {
            "apiVersion": "stunner.l7mp.io/v1",
            "kind": "GatewayConfig",
            "metadata": {"name": "turn-config", "namespace": "turn-system"},
            "spec": {"userName": "alice", "password": "through-the-looking-glass"},
        }
    )
    kubeconfig = cluster.kubeconfig_for(PLANNER, [MASTERS])
    told = await run_to_its_end("run", "--dry-run", "--dataplane-mode=legacy", f"--kubeconfig={kubeconfig}")
    assert told.code == 0, told.err
    assert "data.stunnerd.conf: changes" in told.out
    assert "looking-glass" not in told.out + told.err
    assert "wonderland" not in told.out + told.err


async def test_an_api_server_out_of_reach_is_told(cluster: Cluster, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(cluster.kubeconfig.read_text("utf-8").replace(cluster.url, f"https://127.0.0.1:{port}"))
    told = await run_to_its_end("run", "--dry-run", f"--kubeconfig={kubeconfig}", *MANAGED)
    assert told.code == 3
    assert told.out == ""
    assert "did not answer" in told.err.splitlines()[-1]


async def test_rights_that_are_missing_are_told(cluster: Cluster) -> None:
    kubeconfig = cluster.kubeconfig_for("nobody-much")
    told = await run_to_its_end("run", "--dry-run", f"--kubeconfig={kubeconfig}", *MANAGED)
    assert told.code == 3
    assert told.out == ""
    assert "cannot be read: " in told.err.splitlines()[-1]
    assert "nobody-much" in told.err.splitlines()[-1]
