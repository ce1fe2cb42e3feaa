"""The two spellings of a configuration: ``v1`` and ``v1alpha1``.

Keys come in the order in which the reference operator writes them, so that documents compare as text. What is
empty is left out exactly where stunnerd's own writer leaves it out. Secrets stay Opaque until the bytes are made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from stunnergw.dataplane.configs import (
        Auth,
        ClusterConfig,
        ClusterName,
        Config,
        ListenerConfig,
        ListenerName,
        RelayPorts,
    )

Spelling = Literal["v1", "v1alpha1"]

_OLD_AUTH_TYPES = {"static": "plaintext", "ephemeral": "longterm"}


def spell(config: Config, spelling: Spelling) -> dict[str, Any]:
    """Return the document as a dict in writing order; Opaque values are still in it."""
    return _spell_v1(config) if spelling == "v1" else _spell_v1alpha1(config)


def _present(**fields: Any) -> dict[str, Any]:
    """Drop what is empty: the fields that the document omits then."""
    return {name: value for name, value in fields.items() if value}


def _spell_v1(config: Config) -> dict[str, Any]:
    admin = config.admin
    document: dict[str, Any] = {
        "version": "v1",
        "admin": {
            "name": admin.name,
            "loglevel": admin.loglevel,
            **_present(metrics_endpoint=admin.metrics_endpoint),
            # Present even when empty: the empty text is what switches health checks off.
            "healthcheck_endpoint": admin.healthcheck_endpoint,
            **_present(user_quota=admin.user_quota),
            "offload_engine": admin.offload_engine,
            **_present(offload_interfaces=list(admin.offload_interfaces)),
        },
        "auth": _auth(config.auth, config.auth.type),
    }
    return document | _present(
        listeners=[_listener_v1(listener) for listener in config.listeners],
        clusters=sorted((_cluster_v1(cluster) for cluster in config.clusters), key=_name),
    )


def _name(cluster: dict[str, Any]) -> str:
    # As text, not by its parts: stunnerd's first cluster by name is the first as text.
    return str(cluster["name"])


def _auth(auth: Auth, written_type: str) -> dict[str, Any]:
    return {"type": written_type, "realm": auth.realm, "credentials": dict(auth.credentials)}


def _listener_v1(listener: ListenerConfig) -> dict[str, Any]:
    return {
        "name": qualified_listener(listener.name),
        "protocol": listener.protocol,
        **_public(listener),
        "address": listener.address,
        "port": listener.port,
        **_present(
            cert=listener.certificate,
            key=listener.key,
            routes=sorted(qualified_cluster(route) for route in listener.routes),
        ),
    }


def _public(listener: ListenerConfig) -> dict[str, Any]:
    if not listener.public_address:
        return {}
    return {"public_address": listener.public_address, "public_port": listener.public_port}


def _cluster_v1(cluster: ClusterConfig) -> dict[str, Any]:
    return {
        "name": qualified_cluster(cluster.name),
        "type": cluster.type,
        "protocol": cluster.protocol,
        **_present(endpoints=endpoint_texts(cluster)),
    }


def _spell_v1alpha1(config: Config) -> dict[str, Any]:
    admin, auth = config.admin, config.auth
    document: dict[str, Any] = {
        "version": "v1alpha1",
        "admin": {
            "name": admin.name,
            "loglevel": admin.loglevel,
            **_present(metrics_endpoint=admin.metrics_endpoint),
        },
        "auth": _auth(auth, _OLD_AUTH_TYPES.get(auth.type, auth.type)),
    }
    return document | _present(
        listeners=[_listener_v1alpha1(listener, config.relay_ports) for listener in config.listeners],
        clusters=sorted((_cluster_v1alpha1(cluster) for cluster in config.clusters), key=_name),
    )


def _listener_v1alpha1(listener: ListenerConfig, relay: RelayPorts) -> dict[str, Any]:
    return {
        "name": listener.name.listener,
        "protocol": listener.written_protocol,
        **_public(listener),
        "address": listener.address,
        "port": listener.port,
        "min_relay_port": relay.low,
        "max_relay_port": relay.high,
        **_present(cert=listener.certificate, key=listener.key),
        **_present(routes=sorted(short_cluster(route) for route in listener.routes)),
    }


def _cluster_v1alpha1(cluster: ClusterConfig) -> dict[str, Any]:
    return {
        "name": short_cluster(cluster.name),
        "type": cluster.type,
        **_present(endpoints=endpoint_texts(cluster)),
    }


def qualified_listener(name: ListenerName) -> str:
    """Return ``namespace/gateway/listener``, as v1 names it."""
    return f"{name.namespace}/{name.gateway}/{name.listener}"


def qualified_cluster(name: ClusterName) -> str:
    """Return ``namespace/route``, with the listener behind it for a listener's own copy."""
    base = f"{name.namespace}/{name.route}"
    return f"{base}/{name.listener}" if name.listener else base


def short_cluster(name: ClusterName) -> str:
    """Return the unqualified name of v1alpha1."""
    return f"{name.route}/{name.listener}" if name.listener else name.route


def endpoint_texts(cluster: ClusterConfig) -> list[str]:
    """Return the cluster's endpoints in stunnerd's words, sorted, each once."""
    return sorted({endpoint.text for endpoint in cluster.endpoints})
