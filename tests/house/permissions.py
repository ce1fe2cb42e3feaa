"""docs/permissions.md: every right that the operator has in a cluster, and why.

The rights stand in deploy/, the reasons here; a right without a reason is an error, and a reason without a right, too.
That each right is used, and none lacks, is for tests/cluster/test_rights.py. ``python -m tests.house.permissions``
writes the document anew.
"""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "permissions.md"


class Part(NamedTuple):
    """The rights of one file of deploy/."""

    file: str
    title: str
    says: str


PARTS = (
    Part("deploy/base/reading.yaml", "In either mode", "In the whole cluster."),
    Part("deploy/managed/writing.yaml", "In managed mode, beside these", "In the whole cluster."),
    Part("deploy/legacy/operator/writing.yaml", "In legacy mode, beside these", "In the whole cluster."),
    Part("deploy/base/leading.yaml", "In its own namespace", "A Role, with the lease's name where one can be given."),
)


class Grant(NamedTuple):
    """One right: ``Grant("patch", "gateways/status", "gateway.networking.k8s.io")``."""

    verb: str
    resource: str
    group: str = ""
    names: tuple[str, ...] = ()

    @property
    def qualified(self) -> str:
        """The resource as ``kubectl auth can-i`` takes it: ``gateways.gateway.networking.k8s.io/status``."""
        plural, slash, subresource = self.resource.partition("/")
        return f"{plural}.{self.group}{slash}{subresource}" if self.group else self.resource


_CONFLICT = "to look again when somebody else was quicker to write its status"
_BEFORE_DELETING = f"to look again before something of a Gateway is deleted, never by an old view; {_CONFLICT}"
_CONDITIONS = "to say in its status what was decided, and why"

REASONS = MappingProxyType(
    {
        "deploy/base/reading.yaml": {
            "gatewayclasses.gateway.networking.k8s.io": {
                "list watch": "to know which classes are ours, and with which parameters",
                "get": _BEFORE_DELETING,
            },
            "gateways.gateway.networking.k8s.io": {
                "list watch": "to know where data planes are to listen",
                "get": _BEFORE_DELETING,
            },
            "udproutes.gateway.networking.k8s.io": {
                "list watch": "to know which backends clients may reach",
                "get": _CONFLICT,
            },
            "udproutes.stunner.l7mp.io": {
                "list watch": "to know which backends clients may reach",
                "get": _CONFLICT,
            },
            "gatewayclasses.gateway.networking.k8s.io/status": {"patch": _CONDITIONS},
            "gateways.gateway.networking.k8s.io/status": {"patch": f"{_CONDITIONS}; and its addresses"},
            "udproutes.gateway.networking.k8s.io/status": {"patch": _CONDITIONS},
            "udproutes.stunner.l7mp.io/status": {"patch": _CONDITIONS},
            "referencegrants.gateway.networking.k8s.io": {
                "list watch": "to know what may refer to something in another namespace"
            },
            "gatewayconfigs.stunner.l7mp.io": {
                "list watch": "for a class's credentials, realm and the like",
                "get": _CONFLICT,
            },
            "dataplanes.stunner.l7mp.io": {
                "list watch": "to know how data planes are to be run",
                "get": _CONFLICT,
            },
            "staticservices.stunner.l7mp.io": {
                "list watch": "for backends that are lists of addresses",
                "get": _CONFLICT,
            },
            "gatewayconfigs.stunner.l7mp.io/status": {"patch": _CONDITIONS},
            "dataplanes.stunner.l7mp.io/status": {"patch": _CONDITIONS},
            "staticservices.stunner.l7mp.io/status": {"patch": _CONDITIONS},
            "secrets": {
                "list watch": "to learn when one that is named appears or changes. Names and versions alone are asked "
                "for, of all Secrets; RBAC knows no such difference: who may list them may read them",
                "get": "for credentials and certificates: of those alone that a GatewayConfig or a Gateway names",
            },
            "services": {
                "list watch": "for the cluster IPs of backends, and the public addresses of Gateways",
                "get": "to see, before the first write, whose a Service of the wanted name is",
                "create": "to expose a Gateway",
                "patch": "to keep it as it is wanted: only the fields that are ours, by server-side apply",
                "delete": "when a Gateway wants none any more, or one of another name",
            },
            "events": {
                "create": "for `kubectl describe`: which condition a write of a status turned. Nothing rests on it"
            },
            "endpointslices.discovery.k8s.io": {"list watch": "for the addresses behind Services"},
            "endpoints": {
                "list watch": "for the same where there are no EndpointSlices, or with "
                "`--disable-endpontslice-controller`"
            },
            "namespaces": {"list watch": "for their labels, by which a listener may select whose routes it takes"},
            "nodes": {"list watch": "for their external addresses, where a Service has node ports alone"},
            "configmaps": {"list watch": "to see what was written: only those with the label `owned-by: stunner`"},
            "deployments.apps": {"list watch": "to see what was written: only those with the label"},
            "daemonsets.apps": {"list watch": "to see what was written: only those with the label"},
            "customresourcedefinitions.apiextensions.k8s.io": {
                "list watch": "to learn of kinds that appear later, and which Gateway API is installed: metadata "
                "alone. The one right that can be taken away: a class's SupportedVersion is then not known"
            },
        },
        "deploy/managed/writing.yaml": {
            f"{kind}.apps": {
                "get": f"to see, before the first write, whose a {word} of the wanted name is",
                "create": "to run a Gateway's data plane",
                "patch": "to keep it as it is wanted: only the fields that are ours, by server-side apply",
                "delete": "when the Dataplane asks for the other kind, or the Gateway for none",
            }
            for kind, word in (("deployments", "Deployment"), ("daemonsets", "DaemonSet"))
        },
        "deploy/legacy/operator/writing.yaml": {
            "configmaps": {
                "get": "to see, before the first write, whose a ConfigMap of the wanted name is",
                "create": "to write a class's configuration",
                "patch": "to keep it up to date: its key `stunnerd.conf` and no other",
            }
        },
        "deploy/base/leading.yaml": {
            "leases.coordination.k8s.io": {
                "get update": "to be, for as long as it is renewed, the one replica that writes: "
                "`92062b70.l7mp.io` alone",
                "create": "to make it when it is not there; what is to be created has no name yet for a rule to name",
            }
        },
    }
)
"""By file, resource and verbs; verbs with one reason together."""

_HEAD = (
    "# Permissions",
    "<!-- Made by tests/house/permissions.py from deploy/ and the reasons there. -->",
    "What the operator may do in a cluster, and why: all that stands in the roles of `deploy/`, and it does use all "
    "of it. It asks as the service account `stunner-gateway-operator-controller-manager` of the namespace "
    "`stunner-gateway-operator-system`; `kubectl auth can-i --list --as=system:serviceaccount:NAMESPACE:NAME` shows "
    "the same.",
    "It has no right to pods (no `exec`, no logs), to write Secrets, to write GatewayConfigs, Gateways or routes "
    "(their status apart), or to anything of RBAC. Objects are deleted one by one, never as a collection.",
    "Two rights weigh more than they look. **Secrets**: a Gateway or GatewayConfig may name one in any namespace, so "
    "all can be read; the data of those that are named is read, and no other. **Deployments and DaemonSets**, in "
    "managed mode: a data plane runs beside its Gateway, so they can be written in any namespace; whoever writes "
    "Dataplanes decides what runs there.",
)

_TAIL = (
    "## Without them",
    "A right that is taken away is missed aloud: the log names the verb and the kind. What is known stays, and what "
    "runs is left as it is; but a replica that starts without the right to list a kind does not become ready, and "
    "`/readyz?verbose` says why.",
    "Owner references are set without `blockOwnerDeletion`, so clusters that enforce the permissions of owner "
    "references (OpenShift does) ask for no right to `finalizers`. They do ask for the right to delete an existing "
    "object whose owner changes: in legacy mode that concerns a ConfigMap that was there before. Delete it once; data "
    "planes keep what they have until it is back.",
)


def grants(rules: Iterable[dict[str, Any]]) -> Iterator[Grant]:
    """Yield the rights that rules of a Role or ClusterRole give, one at a time."""
    for rule in rules:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                for verb in rule["verbs"]:
                    yield Grant(verb, resource, group, tuple(rule.get("resourceNames", ())))


def render(root: Path = ROOT) -> str:
    """Return the document. Raises ``LookupError`` where rights and reasons differ."""
    return "\n\n".join([*_HEAD, *(_section(part, root) for part in PARTS), *_TAIL]) + "\n"


def _section(part: Part, root: Path) -> str:
    documents = list(yaml.safe_load_all((root / part.file).read_text("utf-8")))
    granted = [grant for role in documents for grant in grants(role.get("rules", ()))]
    reasons = REASONS[part.file]
    _compare(part.file, granted, reasons)
    rows = [
        f"| {', '.join(f'`{verb}`' for verb in verbs.split())} | `{resource}` | {why} |"
        for resource, by_verbs in reasons.items()
        for verbs, why in by_verbs.items()
    ]
    head = [f"## {part.title}", "", f"{part.says} `{part.file}`:", "", "| Verb | Kind | Why |", "|---|---|---|"]
    return "\n".join([*head, *rows])


def _compare(file: str, granted: Iterable[Grant], reasons: dict[str, dict[str, str]]) -> None:
    given = {(grant.verb, grant.qualified) for grant in granted}
    told = {(verb, resource) for resource, by_verbs in reasons.items() for verbs in by_verbs for verb in verbs.split()}
    if given != told:
        raise LookupError(
            f"{file}: without a reason: {sorted(given - told)}; reasons for nothing: {sorted(told - given)}"
        )


if __name__ == "__main__":
    DOCUMENT.write_text(render(), "utf-8")
