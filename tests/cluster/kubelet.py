"""A kubelet for tests: it makes a process of the pod template that is in the API server, as it stands there.

Three things of a pod are not to be had here. There is no image: its program is replaced by a data plane of the tests.
There is no network of the pod's own: the pod's address is loopback, and its health port, which another test may have,
is mapped to a free one. And there is no DNS for Services: the address that the origin of documents names is looked up
in a table, as kube-proxy would lead it to the operator's pod.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.support.turn_servers import free_health_port, process, until_ready

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from tests.realparts.manifests import Object
    from tests.support.turn_servers import DataPlane

POD_IP = "127.0.0.1"
NODE = "node-1"
_REFERENCE = re.compile(r"\$(\$|\(([^)]*)\))")


class Container:
    """The one container of a workload's pods, with what a kubelet makes of it."""

    def __init__(self, workload: Object) -> None:
        self.template: dict[str, Any] = workload["spec"]["template"]
        (self.spec,) = self.template["spec"]["containers"]
        namespace = workload["metadata"]["namespace"]
        self._fields = {"status.podIP": POD_IP, "spec.nodeName": NODE, "metadata.namespace": namespace}

    @property
    def environ(self) -> dict[str, str]:
        """The variables, each expanded by those before it."""
        found: dict[str, str] = {}
        for entry in self.spec.get("env", ()):
            field = entry.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
            found[entry["name"]] = self._fields[field] if field else expanded(entry.get("value", ""), found)
        return found

    @property
    def arguments(self) -> list[str]:
        """Command and arguments."""
        return [expanded(word, self.environ) for word in (*self.spec["command"], *self.spec["args"])]

    def probe(self, name: str) -> tuple[int, str]:
        """Return the port and the path of a probe."""
        asked = self.spec[name]["httpGet"]
        return int(asked["port"]), str(asked["path"])


def expanded(text: str, variables: Mapping[str, str]) -> str:
    """Put variables in for ``$(NAME)``; what names none stays, and ``$$`` is a dollar."""

    def value(found: re.Match[str]) -> str:
        return "$" if found[1] == "$" else variables.get(found[2], found[0])

    return _REFERENCE.sub(value, text)


@contextlib.asynccontextmanager
async def running_pod(
    workload: Object, plane: DataPlane, *, services: Mapping[str, str], log: Path
) -> AsyncIterator[Container]:
    """Run a pod of a workload until the block ends; ready, by its own probe, when it begins.

    ``services`` leads from ``host:port`` of a Service to where it is.
    """
    container = Container(workload)
    program, *arguments = container.arguments
    assert program == "stunnerd"
    environ = container.environ
    origin = urlsplit(environ["STUNNER_CONFIG_ORIGIN"])
    environ["STUNNER_CONFIG_ORIGIN"] = f"{origin.scheme}://{services[origin.netloc]}{origin.path}"
    port, path = container.probe("readinessProbe")
    if not plane.health:
        port = free_health_port()
        environ["HEALTH_ADDRESS"] = f"{POD_IP}:{port}"
    async with process(str(plane.program), *arguments, log=log, environ=environ) as running:
        await until_ready(running, port, log, path=path)
        yield container
