"""What our CRDs say of each field: its purpose, its limits, its default in the cluster.

One table for each kind, by path. A default stands only where an absent field and the default mean the same to
every reader; the five fields of v1alpha1 have none, since their presence alone chooses the older documents.
Limits are those that no working object breaks: what only looks odd is for a status to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stunnergw.resources.schemas import Rule, under

if TYPE_CHECKING:
    from collections.abc import Mapping

_UNREAD = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_UNREAD_LIST = {"type": "array", "x-kubernetes-list-type": "atomic", "items": _UNREAD}

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DNS_LABEL = {"minLength": 1, "maxLength": 63, "pattern": f"^{_LABEL}$"}
_SUBDOMAIN = {"minLength": 1, "maxLength": 253, "pattern": rf"^{_LABEL}(\.{_LABEL})*$"}
_GROUP = {"maxLength": 253, "pattern": rf"^$|^{_LABEL}(\.{_LABEL})*$"}
_KIND = {"minLength": 1, "maxLength": 63, "pattern": "^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$"}
_NAME = {"minLength": 1, "maxLength": 253}
_PORT = {"format": "int32", "minimum": 1, "maximum": 65535}
_COUNT = {"format": "int32", "minimum": 0}
_CREDENTIAL = {"pattern": r"^[A-Za-z0-9!#$%&'*+\-.^_`|~]+$"}


def _choice(*words: str, **schema: Any) -> dict[str, Any]:
    return {"enum": list(words), **schema}


def _older(says: str, schema: Mapping[str, Any] | None = None) -> Rule:
    return Rule(f"{says} Deprecated: a field of v1alpha1, kept so that no version loses it.", schema or {})


_CONDITION: dict[str, Rule] = {
    "type": Rule(
        "What the condition is about, such as Accepted.",
        {
            "maxLength": 316,
            "pattern": rf"^({_LABEL}(\.{_LABEL})*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
        },
    ),
    "status": Rule("Whether it holds.", _choice("True", "False", "Unknown")),
    "reason": Rule(
        "One word for programs: why it does or does not hold.",
        {"minLength": 1, "maxLength": 1024, "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"},
        required=True,
    ),
    "message": Rule("The same for people, with what to do.", {"maxLength": 32768}, required=True),
    "observedGeneration": Rule(
        "The metadata.generation that this was decided for; an older one means that it may be out of date.",
        {"format": "int64", "minimum": 0},
    ),
    "lastTransitionTime": Rule(
        "When the status last changed from one value to another.", {"format": "date-time"}, required=True
    ),
}

_BY_TYPE = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"], "maxItems": 8}

CONDITIONED_STATUS: dict[str, Rule] = {
    "status": Rule("What has become of the object; written by the operator."),
    "status.conditions": Rule("What is well with the object and what is not.", _BY_TYPE),
    **under("status.conditions[]", _CONDITION),
}
"""Rules of a status that consists of conditions."""

PARAMETER_STATUS: dict[str, Rule] = {
    **CONDITIONED_STATUS,
    "status.classes": Rule("The GatewayClasses that use the object, sorted."),
}
"""Rules of the status of what classes are given their parameters by."""

GATEWAY_CONFIG: dict[str, Rule] = {
    "spec": Rule("What the Gateways of a class have in common."),
    "spec.dataplane": Rule(
        "The Dataplane that says how the TURN servers are run, where the operator runs them.", default=True
    ),
    "spec.realm": Rule(
        "The TURN realm. It is part of what clients sign, so all that make credentials have to know it.",
        {"pattern": rf"^{_LABEL}(\.{_LABEL})*$"},
        default=True,
    ),
    "spec.authType": Rule(
        "How clients prove who they are, unless authRef is set. static, or plaintext: one username and"
        " password for all. ephemeral, or longterm or timewindowed: credentials that expire, made from"
        " sharedSecret.",
        _choice("static", "plaintext", "ephemeral", "longterm", "timewindowed", default="plaintext"),
    ),
    "spec.userName": Rule("The username of static authentication.", _CREDENTIAL),
    "spec.password": Rule("The password of static authentication.", _CREDENTIAL),
    "spec.sharedSecret": Rule("What ephemeral credentials are made from."),
    "spec.authLifetime": Rule("How many seconds ephemeral credentials are meant to last."),
    "spec.authRef": Rule(
        "The Secret that holds the credentials. When it is set, it alone decides: authType, userName,"
        " password and sharedSecret are not looked at."
    ),
    "spec.authRef.group": Rule("The group of the Secret: empty.", _GROUP, default=True),
    "spec.authRef.kind": Rule("Secret.", _KIND, default=True),
    "spec.authRef.name": Rule("The name of the Secret.", _NAME),
    "spec.authRef.namespace": Rule("The namespace of the Secret; the GatewayConfig's, if unset.", _DNS_LABEL),
    "spec.loadBalancerServiceAnnotations": Rule(
        "Annotations for the Services that expose the Gateways; a Gateway's own annotations go first."
    ),
    "spec.logLevel": Rule(
        "How much the TURN servers log, as scope:LEVEL, several parted by commas; all:INFO, if unset."
    ),
    "spec.userQuota": Rule("How many allocations one username may hold at a time; 0 is no limit."),
    "spec.stunMode": Rule("Serve STUN alone: no credentials are needed, and nothing is relayed."),
    "spec.stunnerConfig": _older("The ConfigMap that the configuration is written to.", {"maxLength": 253}),
    "spec.metricsEndpoint": _older("The URL at which the TURN servers serve metrics."),
    "spec.healthCheckEndpoint": _older("The URL at which the TURN servers answer health checks."),
    "spec.minPort": _older("The lowest port of relay addresses.", _PORT),
    "spec.maxPort": _older("The highest port of relay addresses.", _PORT),
    **PARAMETER_STATUS,
}

DATAPLANE: dict[str, Rule] = {
    "spec": Rule("The workload that is made for each Gateway."),
    "spec.image": Rule("The image of stunnerd; its newest release, if unset."),
    "spec.imagePullPolicy": Rule(
        "When to pull the image: if unset, each time for the tags latest and dev, else when it is missing.",
        _choice("Always", "IfNotPresent", "Never"),
    ),
    "spec.imagePullSecrets": Rule("Secrets of the registry, as in a PodSpec.", _UNREAD_LIST),
    "spec.dataplaneResource": Rule("The kind of the workload.", _choice("Deployment", "DaemonSet"), default=True),
    "spec.labels": Rule("Labels of the pods; the operator's own go before them."),
    "spec.annotations": Rule("Annotations of the pods; the operator's own go before them."),
    "spec.command": Rule("The command of the container; stunnerd, if unset."),
    "spec.args": Rule("The arguments of the command."),
    "spec.env": Rule("Environment variables beside those that the operator sets; of one name the last counts."),
    "spec.env[].name": Rule("The name of the variable.", {"minLength": 1}),
    "spec.env[].value": Rule("Its value."),
    "spec.env[].valueFrom": Rule("Where its value comes from instead, as in a PodSpec.", _UNREAD),
    "spec.envFrom": Rule("Sources of further environment variables, as in a PodSpec.", _UNREAD_LIST),
    "spec.containerSecurityContext": Rule("The security context of the container, as in a PodSpec.", _UNREAD),
    "spec.replicas": Rule("How many pods a Deployment has. Unset or 1 leaves it to an autoscaler.", _COUNT),
    "spec.resources": Rule("Resources that the container asks for, as in a PodSpec.", _UNREAD),
    "spec.terminationGracePeriodSeconds": Rule(
        "How many seconds running calls are given to end; 3600, if unset.", {"format": "int64", "minimum": 0}
    ),
    "spec.hostNetwork": Rule("Use the network of the node; listeners then take its ports."),
    "spec.affinity": Rule("Which nodes to prefer, as in a PodSpec.", _UNREAD),
    "spec.securityContext": Rule("The security context of the pod, as in a PodSpec.", _UNREAD),
    "spec.tolerations": Rule("Taints of nodes that the pods bear, as in a PodSpec.", _UNREAD_LIST),
    "spec.topologySpreadConstraints": Rule("How pods are spread over nodes, as in a PodSpec.", _UNREAD_LIST),
    "spec.disableHealthCheck": Rule("Leave out liveness and readiness probes."),
    "spec.enableMetricsEndpoint": Rule("Serve Prometheus metrics on port 8080."),
    "spec.offloadEngine": Rule(
        "Relay in the kernel: by XDP, by TC, or by whichever works.", _choice("None", "XDP", "TC", "Auto")
    ),
    "spec.offloadInterfaces": Rule("The network interfaces to relay on in the kernel; all, if empty."),
    **PARAMETER_STATUS,
}

_PARENT: dict[str, Rule] = {
    "group": Rule("The group of the parent.", _GROUP, default=True),
    "kind": Rule("The kind of the parent.", _KIND, default=True),
    "namespace": Rule("The namespace of the parent; the route's, if unset.", _DNS_LABEL),
    "name": Rule("The name of the parent.", _NAME),
    "sectionName": Rule("One listener of the parent; all, if unset.", _SUBDOMAIN),
    "port": Rule("Only listeners on this port.", _PORT),
}

UDP_ROUTE: dict[str, Rule] = {
    "spec": Rule("Which peers may be reached, and through which Gateways."),
    "spec.parentRefs": Rule("The Gateways, or listeners of Gateways, to attach to.", {"maxItems": 32}),
    **under("spec.parentRefs[]", _PARENT),
    "spec.rules": Rule(
        "What may be reached: the backends of all rules.", {"minItems": 1, "maxItems": 16}, required=True
    ),
    "spec.rules[].backendRefs": Rule("Where the peers are.", {"minItems": 1, "maxItems": 16}),
    **under(
        "spec.rules[].backendRefs[]",
        {
            "group": Rule("The group of the backend: empty for a Service.", _GROUP, default=True),
            "kind": Rule("The kind of the backend: Service or StaticService.", _KIND, default=True),
            "namespace": Rule("The namespace of the backend; the route's, if unset.", _DNS_LABEL),
            "name": Rule("The name of the backend.", _NAME),
            "port": Rule("The port that may be reached; the lowest one, with endPort. All, if unset.", _PORT),
            "endPort": Rule("The highest port that may be reached, from port on, else from 1.", _PORT),
        },
    ),
    "status": Rule("What has become of the route; written by the controllers of its parents."),
    "status.parents": Rule("One entry for each parent and controller.", {"maxItems": 32}),
    "status.parents[].parentRef": Rule("The parent, as spec.parentRefs names it."),
    **under("status.parents[].parentRef", _PARENT),
    "status.parents[].controllerName": Rule(
        "The controller that wrote the entry.",
        {
            "minLength": 1,
            "maxLength": 253,
            "pattern": rf"^{_LABEL}(\.{_LABEL})*/[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$",
        },
    ),
    "status.parents[].conditions": Rule(
        "What the controller says of the route.", {**_BY_TYPE, "minItems": 1}, required=True
    ),
    **under("status.parents[].conditions[]", _CONDITION),
}

STATIC_SERVICE: dict[str, Rule] = {
    "spec": Rule("The addresses."),
    "spec.prefixes": Rule(
        "IP addresses such as 10.0.0.1 and prefixes such as 10.0.0.0/8 or 2001:db8::/64.",
        {"x-kubernetes-list-type": "atomic"},
    ),
    **CONDITIONED_STATUS,
}
