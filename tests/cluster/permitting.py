"""Users whose rights a test gives and takes: of Secrets the operator may list all, and read those that it is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.realparts.api import Api
    from tests.realparts.manifests import Object

RBAC = "rbac.authorization.k8s.io/v1"

EVERYTHING = (
    ("", "configmaps", "endpoints", "events", "namespaces", "nodes", "services"),
    ("apps", "*"),
    ("apiextensions.k8s.io", "customresourcedefinitions"),
    ("coordination.k8s.io", "leases"),
    ("discovery.k8s.io", "*"),
    ("gateway.networking.k8s.io", "*"),
    ("stunner.l7mp.io", "*"),
)
"""All that an operator has to do with but Secrets: a group, and its resources."""


async def permit(api: Api, user: str) -> None:
    """Let a user do all that an operator does, but read the data of a Secret."""
    rules = [{"apiGroups": [group], "resources": [*resources], "verbs": ["*"]} for group, *resources in EVERYTHING]
    rules.append({"apiGroups": [""], "resources": ["secrets"], "verbs": ["list", "watch"]})
    await api.apply([_role("ClusterRole", f"test-{user}", rules), _binding("ClusterRole", f"test-{user}", user)])


async def permit_secret(api: Api, user: str, *, namespace: str, name: str) -> Object:
    """Let a user read one Secret; what is returned can be deleted to forbid it again."""
    rule = {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [name], "verbs": ["get"]}
    called = f"test-{user}-{name}"
    await api.apply(_role("Role", called, [rule]), namespace=namespace)
    (binding,) = await api.apply(_binding("Role", called, user), namespace=namespace)
    return binding


def _role(kind: str, name: str, rules: list[dict[str, list[str]]]) -> Object:
    return {"apiVersion": RBAC, "kind": kind, "metadata": {"name": name}, "rules": rules}


def _binding(kind: str, name: str, user: str) -> Object:
    return {
        "apiVersion": RBAC,
        "kind": f"{kind}Binding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    }
