"""A restart in the worst hour: the class broken or missing, a Secret unreadable. Nothing is deleted, nothing emptied.

Before it what ran runs on. After it the operator knows nothing of how things were: it says "not yet" to whoever asks,
and leaves alone what is there. Once all is well again everything is as it was.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import orjson
import pytest
import trustme

from tests.cluster.askers import NOT_YET, Asker
from tests.cluster.operating import MANAGED, operating, settled, writes
from tests.cluster.permitting import permit, permit_secret
from tests.cluster.stage import INSTALLATION, install, named, prepare
from tests.realparts.audit import described
from tests.realparts.manifests import Ref
from tests.realparts.processes import free_ports

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.realparts.api import Api
    from tests.realparts.cluster import Cluster
    from tests.realparts.manifests import Object

READER = "reader"
"""An operator that may read those Secrets alone that the test lets it read."""

SECRETS = ("credentials", "certificate")

LIVE = INSTALLATION.replace("{userName: alice, password: wonderland}", "{authRef: {name: credentials}}").replace(
    "listeners: [{name: udp, protocol: TURN-UDP, port: 3478}]",
    """listeners:
  - {name: udp, protocol: TURN-UDP, port: 3478}
  - {name: tls, protocol: TURN-TLS, port: 5349, tls: {certificateRefs: [{name: certificate}]}}""",
)

CONFIG = "stunner.l7mp.io/v1"


class Stage(NamedTuple):
    """What may be broken."""

    api: Api
    namespace: str
    readable: dict[str, Object]
    """What lets the operator read each Secret."""

    async def set_up(self) -> None:
        """Apply all, and so mend it."""
        for name in SECRETS:
            self.readable[name] = await permit_secret(self.api, READER, namespace=self.namespace, name=name)
        await install(self.api, self.namespace, text=LIVE)


async def delete_config(stage: Stage) -> None:
    await stage.api.delete(Ref(CONFIG, "GatewayConfig", "turn", stage.namespace))


async def spoil_config(stage: Stage) -> None:
    spoiled = {"apiVersion": CONFIG, "kind": "GatewayConfig", "metadata": {"name": "turn"}, "spec": {"userName": "x"}}
    await stage.api.apply(spoiled, namespace=stage.namespace)


async def delete_dataplane(stage: Stage) -> None:
    await stage.api.delete(Ref(CONFIG, "Dataplane", "default"))


async def delete_class(stage: Stage) -> None:
    await stage.api.delete(Ref("gateway.networking.k8s.io/v1", "GatewayClass", "turn"))


async def hide_credentials(stage: Stage) -> None:
    await stage.api.delete(stage.readable["credentials"])


async def hide_certificate(stage: Stage) -> None:
    await stage.api.delete(stage.readable["certificate"])


NOTICED_AT_ONCE = (delete_config, spoil_config, delete_dataplane, delete_class)
"""These an operator learns of while it runs; of its rights only when it asks, which is after a restart."""


@pytest.mark.parametrize("harm", [*NOTICED_AT_ONCE, hide_credentials, hide_certificate])
async def test_nothing_is_emptied(
    cluster: Cluster, api: Api, namespace: str, tmp_path: Path, harm: Callable[[Stage], Awaitable[None]]
) -> None:
    await prepare(api)
    await permit(api, READER)
    await api.apply(secrets(), namespace=namespace)
    stage = Stage(api, namespace, {})
    await stage.set_up()
    (port,) = free_ports(1)
    flags = (*MANAGED, f"--config-discovery-address=127.0.0.1:{port}")
    run = partial(operating, cluster, tmp_path, *flags, user=READER, groups=())
    async with (
        run() as operator,
        Asker(port, namespace, "edge").asking() as asker,
    ):
        await settled(cluster, operator, user=READER)
        asker.begin()
        await asker.answered()
        objects, documents = await owned(api, namespace), asker.documents()
        assert all(len(bodies) == 1 for bodies in documents.values())
        mark = cluster.audit_log.mark()
        await harm(stage)
        await settled(cluster, operator, user=READER)
        asker.begin()
        await asker.answered()
        assert asker.statuses() == {200}
        assert asker.documents() == documents
        assert await operator.stop() == 0
        asker.begin()
        restarted = cluster.audit_log.mark()
        async with run() as again:
            await settled(cluster, again, user=READER)
            await asker.watched_again()
            await asker.told_to_wait()
            assert asker.statuses() <= {200, NOT_YET}
            told = asker.documents()
            assert told["one"] == told["poll"] == set()
            assert all(is_empty_list(body) for body in told["list"])  # it names what can be told now; nobody goes by it
            assert told["watch"] == documents["watch"]  # from before; since then it was silent
            said = [described(event) for event in writes(cluster, restarted, user=READER)]
            assert [write for write in said if "/status " not in write or harm in NOTICED_AT_ONCE] == []
            assert await owned(api, namespace) == objects
            await stage.set_up()
            asker.begin()
            await asker.answered()
            await settled(cluster, again, user=READER)
            now = asker.documents()
            now["list"] = {body for body in now["list"] if not is_empty_list(body)}
            assert now == documents
            assert await owned(api, namespace) == objects
            assert {
                described(event) for event in writes(cluster, mark, user=READER) if event["verb"] == "delete"
            } == set()
            assert await again.stop() == 0


def secrets() -> list[Object]:
    """Return the Secrets that the installation rests on."""
    issued = trustme.CA().issue_cert("turn.example.org")
    certificate = {
        "tls.crt": issued.cert_chain_pems[0].bytes().decode(),
        "tls.key": issued.private_key_pem.bytes().decode(),
    }
    return [
        secret("credentials", {"type": "static", "username": "alice", "password": "wonderland"}),
        {**secret("certificate", certificate), "type": "kubernetes.io/tls"},
    ]


def secret(name: str, data: dict[str, str]) -> Object:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}


def is_empty_list(body: bytes) -> bool:
    return bool(orjson.loads(body)["items"] == [])


async def owned(api: Api, namespace: str) -> list[Object]:
    """Return what the Gateway owns, to the resourceVersion."""
    return [await api.get(named(kind, namespace, "edge")) for kind in ("Service", "Deployment")]
