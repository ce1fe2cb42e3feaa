"""docs/status.md: every condition that we write, with each reason it can have, what that means and what to do.

The reasons stand in :mod:`stunnergw.projection.reasons`, the words here. A reason without a row is an error; so is a
row that no scenario and no test shows, and a condition in a scenario that has no row (tests/house/test_statuses.py).
``python -m tests.house.statuses`` writes the document anew.
"""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from stunnergw.projection.oldernames import OLDER_NAMES
from stunnergw.projection.reasons import Reason
from stunnergw.settings import CONTROLLER_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "status.md"
SCENARIOS = ROOT / "tests" / "scenarios"


class Row(NamedTuple):
    """A condition as it can be: ``Row("Gateway", "Accepted", "True", "Accepted")``."""

    place: str
    """GatewayClass, Gateway, Listener, Route, GatewayConfig, Dataplane or StaticService."""
    type: str
    status: str
    reason: str


class Words(NamedTuple):
    """What a row means, and what to do."""

    means: str
    do: str = "nothing"


def _rows(place: str, rows: dict[tuple[str, str, Reason], Words]) -> dict[Row, Words]:
    return {Row(place, *row): words for row, words in rows.items()}


_SAME_CLASS = "what its Accepted says"

CLASS = _rows(
    "GatewayClass",
    {
        ("Accepted", "True", Reason.ACCEPTED): Words(
            "the class is served; the message names its GatewayConfig and what of it has no effect"
        ),
        ("Accepted", "False", Reason.INVALID_PARAMETERS): Words(
            "its GatewayConfig, the credentials there, or its Dataplane is missing or cannot be used, or an older "
            "class writes the same ConfigMap. What runs keeps running, with the last parameters that were in order",
            "what the message says: it names the object and the field",
        ),
        ("SupportedVersion", "True", Reason.SUPPORTED_VERSION): Words("the installed Gateway API is one that is known"),
        ("SupportedVersion", "False", Reason.UNSUPPORTED_VERSION): Words(
            "some definition of the Gateway API is of a bundle that is not known, or says of none. All is served as "
            "well as can be",
            "if something is odd, install a bundle that is known, all definitions of one, or a newer stunnergw",
        ),
        ("SupportedVersion", "Unknown", Reason.PENDING): Words(
            "the definitions cannot be read",
            "grant `list` and `watch` on `customresourcedefinitions`, or leave it: nothing else needs them",
        ),
    },
)

GATEWAY = _rows(
    "Gateway",
    {
        ("Accepted", "True", Reason.ACCEPTED): Words("the Gateway and all its listeners are valid"),
        ("Accepted", "True", Reason.LISTENERS_NOT_VALID): Words(
            "some listeners are valid and some are not; the message says which", "mend those that it names"
        ),
        ("Accepted", "False", Reason.LISTENERS_NOT_VALID): Words(
            "no listener is valid. Data planes keep what they have", "mend a listener: each says what is wrong with it"
        ),
        ("Accepted", "False", Reason.INVALID_PARAMETERS): Words(
            "its GatewayClass is not accepted; or `spec.infrastructure.parametersRef` is set, which is not "
            "supported. Data planes keep what they have",
            "mend the class: its own status says what lacks; or take the parametersRef out",
        ),
        ("Accepted", "False", Reason.UNSUPPORTED_ADDRESS): Words(
            "`spec.addresses` has an address of a type that is not supported. Data planes keep what they have",
            "use `IPAddress` or `Hostname`",
        ),
        ("Programmed", "True", Reason.PROGRAMMED): Words(
            "data planes get their configuration, and each listener in it has an address; the message says which, "
            "and whence. Listeners that are not served are named there"
        ),
        ("Programmed", "False", Reason.INVALID): Words(
            "the Gateway is not accepted, or none of its listeners can be served",
            _SAME_CLASS + ", or its listeners say",
        ),
        ("Programmed", "False", Reason.PENDING): Words(
            "an object of the Gateway was not taken by the API server as it is wanted, and an earlier one stays; or "
            "the configuration waits for a certificate whose Secret cannot be read",
            "what the message says: it has the API server's own words",
        ),
        ("Programmed", "False", Reason.NO_RESOURCES): Words(
            "the API server does not take the Gateway's Deployment or DaemonSet, and there is none of before",
            "what the message says: the Dataplane, a quota, or a permission",
        ),
        ("Programmed", "False", Reason.ADDRESS_NOT_ASSIGNED): Words(
            "a listener has no public address yet, because its Service has none or could not be written; or an "
            "address without value is asked for that nobody gives",
            "wait for the load balancer, or mend what the message names; `spec.addresses` with a value needs neither",
        ),
        ("Programmed", "False", Reason.ADDRESS_NOT_USABLE): Words(
            "`spec.addresses` asks for more than one address by value, which a Service cannot have, or for an "
            "IPAddress that is none; the first is what clients use",
            "take the others out, or correct the first",
        ),
        ("ResolvedRefs", "True", Reason.RESOLVED_REFS): Words("the references of all its listeners resolve"),
        ("ResolvedRefs", "False", Reason.LISTENERS_NOT_RESOLVED): Words(
            "a reference of some listener does not resolve. It is a summary: whether anything is served for it, "
            "Programmed says",
            "mend what the message names",
        ),
        ("ResolvedRefs", "Unknown", Reason.PENDING): Words(
            "the Secret of some listener is there and cannot be read", "see ResolvedRefs of the listener"
        ),
    },
)

LISTENER = _rows(
    "Listener",
    {
        ("Accepted", "True", Reason.ACCEPTED): Words("the listener is valid"),
        ("Accepted", "False", Reason.UNSUPPORTED_PROTOCOL): Words(
            "its protocol is none of TURN's", "use UDP, TCP, TLS or DTLS, or the same with `TURN-` before it"
        ),
        ("Accepted", "False", Reason.PORT_UNAVAILABLE): Words(
            "another listener has the port, on the same transport: UDP and DTLS are one, TCP and TLS the other. "
            "Within a Gateway nobody wins; in legacy mode the older Gateway does. Or stunnerd itself listens there: "
            "TCP 8086 and, with metrics, 8080",
            "give one of them another port",
        ),
        ("Accepted", "False", Reason.UNSUPPORTED_VALUE): Words(
            "a field has a value that is not known, such as `allowedRoutes.namespaces.from`; or the document is "
            "`v1alpha1`, and an older Gateway has a listener of the same name",
            "correct the field, or rename one listener",
        ),
        ("Programmed", "True", Reason.PROGRAMMED): Words(
            "the listener is served, and the message says where clients reach it and what of it is ignored"
        ),
        ("Programmed", "False", Reason.INVALID): Words(
            "the listener or its Gateway is not accepted, its certificate cannot be used, or it selects namespaces "
            "without a selector that can be read. A TLS listener that was served goes on with its last good "
            "certificate",
            "what the message says",
        ),
        ("Programmed", "False", Reason.PENDING): Words(
            "it has no public address yet; the class is not accepted; something of the Gateway could not be written; "
            "its Secret cannot be read; or the Service has the ports of the other transport",
            "what the message says; for UDP and TCP on one Service, annotate the Gateway",
        ),
        ("Programmed", "False", Reason.INVALID_TLS_CONFIG): Words(
            "a TLS or DTLS listener without `tls.certificateRefs`, or with a mode other than Terminate",
            "name a Secret with a certificate",
        ),
        ("ResolvedRefs", "True", Reason.RESOLVED_REFS): Words("its references resolve, or it has none"),
        ("ResolvedRefs", "False", Reason.INVALID_ROUTE_KINDS): Words(
            "`allowedRoutes.kinds` names a kind that cannot be served; the others are",
            "name UDPRoute, of gateway.networking.k8s.io or stunner.l7mp.io",
        ),
        ("ResolvedRefs", "False", Reason.INVALID_CERTIFICATE_REF): Words(
            "a Secret is missing, lacks certificate or key, or the two cannot be read or do not fit",
            "create it, or replace both; the message says which Secret",
        ),
        ("ResolvedRefs", "False", Reason.REF_NOT_PERMITTED): Words(
            "a Secret in another namespace, and no ReferenceGrant there allows it; whether it exists is not said",
            "add the grant in the Secret's namespace: the message has all its fields. A grant that was taken away "
            "takes the certificate out of service",
        ),
        ("ResolvedRefs", "Unknown", Reason.PENDING): Words(
            "the Secret is there and cannot be read", "grant `get` on `secrets`: the log names the refusal"
        ),
        ("Conflicted", "True", Reason.PROTOCOL_CONFLICT): Words(
            "the port is that of another listener; see Accepted", "give one of them another port"
        ),
    },
)

ROUTE = _rows(
    "Route",
    {
        ("Accepted", "True", Reason.ACCEPTED): Words("a listener takes the route; the message says which"),
        ("Accepted", "False", Reason.NO_MATCHING_PARENT): Words(
            "the Gateway has no listener of that `sectionName` and `port`", "correct the parentRef, or add the listener"
        ),
        ("Accepted", "False", Reason.NOT_ALLOWED_BY_LISTENERS): Words(
            "there are such listeners, and none takes the route; the message has each one's objection",
            "change `allowedRoutes` of the listener, or the parentRef",
        ),
        ("Accepted", "False", Reason.PENDING): Words(
            "a stunner.l7mp.io UDPRoute has the same name, and is served in its place",
            "delete or rename one of the two",
        ),
        ("Accepted", "False", Reason.UNSUPPORTED_VALUE): Words(
            "the document is `v1alpha1`, and an older route in another namespace has the same name", "rename one"
        ),
        ("ResolvedRefs", "True", Reason.RESOLVED_REFS): Words(
            "all backends resolve; the message says what is left out by wish or for good reason"
        ),
        ("ResolvedRefs", "False", Reason.REF_NOT_PERMITTED): Words(
            "a backend in another namespace, and no ReferenceGrant there allows it; whether it exists is not said",
            "add the grant in the backend's namespace: the message has all its fields. Taking a grant away takes the "
            "addresses away, and packets to them are dropped from then on",
        ),
        ("ResolvedRefs", "False", Reason.INVALID_KIND): Words(
            "a backend is neither a Service nor a StaticService, or is an ExternalName Service",
            "use a Service or a StaticService",
        ),
        ("ResolvedRefs", "False", Reason.BACKEND_NOT_FOUND): Words(
            "a backend does not exist, or lacks the port where ports are enforced. One without endpoints is no fault",
            "create it, or correct name, namespace or port",
        ),
        ("ResolvedRefs", "False", Reason.UNSUPPORTED_VALUE): Words(
            "a StaticService has a prefix that is none, or addresses and domain names are mixed in one route; the "
            "rest is served",
            "correct the prefix, or give the backend a route of its own",
        ),
        ("PartiallyInvalid", "True", Reason.INVALID_KIND): Words(
            "of several rules some can never be served as they are written, and are dropped whole; the others are "
            "served",
            "mend or remove the rules that the message names",
        ),
        ("PartiallyInvalid", "True", Reason.UNSUPPORTED_VALUE): Words(
            "the same, for a backend with a value that cannot be served", "the same"
        ),
    },
)

CONFIG = _rows(
    "GatewayConfig",
    {
        ("Accepted", "True", Reason.ACCEPTED): Words(
            "it is in order; the message says which classes use it, or that none does, and what of it has no effect"
        ),
        ("Accepted", "False", Reason.INVALID_PARAMETERS): Words(
            "credentials, their Secret or the Dataplane are missing or cannot be used, and the classes that use it "
            "are not accepted for that. Of one that no class uses the credentials alone are judged",
            "what the message says: it names the object and the field",
        ),
    },
)

DATAPLANE = _rows(
    "Dataplane",
    {
        ("Accepted", "True", Reason.ACCEPTED): Words(
            "the message says which classes use it, or that none does, and what of it is left out; in legacy mode "
            "that it has no effect. What the API server refuses of it, the Gateways tell (`Programmed`)"
        )
    },
)

STATIC_SERVICE = _rows(
    "StaticService",
    {
        ("Accepted", "True", Reason.ACCEPTED): Words("all its prefixes parse, or it has none"),
        ("Accepted", "False", Reason.UNSUPPORTED_VALUE): Words(
            "a prefix is no IP address or prefix, and is left out; the others are served",
            "correct those that the message names by their place",
        ),
    },
)

_V0_4 = "where Gateway API v0.4 is installed, beside today's name:"

OLDER = _rows(
    "Gateway",
    {
        ("Scheduled", "True", Reason.SCHEDULED): Words(f"{_V0_4} what Accepted=True says. False has Accepted's reason"),
        ("Ready", "True", Reason.READY): Words(
            f"{_V0_4} what Programmed=True says. False has Programmed's reason, or `ListenersNotValid` where no "
            "listener is valid"
        ),
        ("Ready", "False", Reason.LISTENERS_NOT_READY): Words(
            f"{_V0_4} what Programmed=False/Pending says", "what Programmed asks for"
        ),
    },
) | _rows(
    "Listener",
    {
        ("Detached", "False", Reason.ATTACHED): Words(
            f"{_V0_4} what Accepted=True says. True has the reason of Accepted=False"
        ),
        ("Ready", "True", Reason.READY): Words(f"{_V0_4} what Programmed=True says. False has Programmed's reason"),
    },
)
"""Of the older names those that have a reason of their own: else they say what is told of the others."""

ROWS = MappingProxyType(CLASS | GATEWAY | LISTENER | OLDER | ROUTE | CONFIG | DATAPLANE | STATIC_SERVICE)
"""Every condition that we write, in every state it can be in."""

_ANSWERS = "tests/unit/projection/test_answers.py::test_"
_CERTIFICATES = "tests/unit/projection/test_certificates.py::test_"
_UNREAD = _CERTIFICATES + "of_an_unread_secret_nobody_says_that_it_resolves"

ELSEWHERE = MappingProxyType(
    {
        Row("Gateway", "Programmed", "False", "Pending"): _ANSWERS
        + "an_update_that_is_refused_leaves_the_last_one_and_its_addresses",
        Row("Gateway", "Programmed", "False", "NoResources"): _ANSWERS + "a_workload_that_is_refused",
        Row("Gateway", "Ready", "False", "ListenersNotReady"): "tests/unit/projection/test_older_names.py::test_"
        + "a_refused_service_is_pending_and_so_not_ready",
        Row("Gateway", "ResolvedRefs", "Unknown", "Pending"): _UNREAD,
        Row("Listener", "ResolvedRefs", "Unknown", "Pending"): _UNREAD,
    }
)
"""Rows that no manifests bring about, for an API server must refuse something first; and the test that shows each."""


# -- what scenarios show -------------------------------------------------------------------------------------------


def shown() -> dict[Row, set[str]]:
    """Return the rows that scenarios show, with the folders that do."""
    found: dict[Row, set[str]] = {}
    for out in sorted(SCENARIOS.glob("*/out.yaml")):
        for row, _ in messages(out):
            found.setdefault(row, set()).add(out.parent.name)
    return found


def messages(out: Path) -> Iterator[tuple[Row, str]]:
    """Yield the row and the message of each condition of ours in a scenario."""
    for thing in yaml.load(out.read_text("utf-8"), Loader=yaml.CSafeLoader)["statuses"]:
        yield from _told(thing["kind"], thing["status"])


def rows_of(kind: str, status: dict[str, Any]) -> Iterator[Row]:
    """Yield the row of each condition of ours in a status."""
    for row, _ in _told(kind, status):
        yield row


def _told(kind: str, status: dict[str, Any]) -> Iterator[tuple[Row, str]]:
    place = "Route" if kind == "UDPRoute" else kind
    parts = [(place, status)]
    parts += [("Listener", listener) for listener in status.get("listeners", ())]
    parts += [(place, entry) for entry in status.get("parents", ()) if entry["controllerName"] == CONTROLLER_NAME]
    for where, part in parts:
        for condition in part.get("conditions", ()):
            row = Row(where, condition["type"], condition["status"], condition["reason"])
            # Others' types have a domain; and an older name says once more what is told already.
            if "/" not in row.type and (row.type not in OLDER_NAMES or row in OLDER):
                yield row, condition["message"]


# -- the document --------------------------------------------------------------------------------------------------

_HEAD = (
    "# What a status says",
    "<!-- Made by tests/house/statuses.py from the reasons of the code and the words there. -->",
    "Every GatewayClass, Gateway and route of ours, and every GatewayConfig, Dataplane and StaticService, says in its "
    "`status` whether it is in order, what is wrong, and what to do about it: `kubectl describe gateway NAME` shows "
    "it, and `/status` of the operator shows all at once "
    "([running.md](running.md)). Without a cluster, `stunnergw render --output statuses PATH` says the same of files.",
    "A condition is True, False or Unknown, for a `reason` that tools can read and a `message` for you, which names "
    "the object, the field and the remedy. `observedGeneration` says which generation of the object it is about: if "
    "that is smaller than `metadata.generation`, it is not up to date yet. Conditions that tell of trouble "
    "(Conflicted, PartiallyInvalid) are there only while they are True.",
    "Objects of other controllers' classes are not touched, and entries and conditions of others are left as they "
    "are. A Gateway whose class does not exist keeps the status that it has. So do a route's entries for a Gateway "
    "of a class that is missing or not accepted.",
)

_TITLES = MappingProxyType(
    {
        "GatewayClass": ("GatewayClass", ""),
        "Gateway": ("Gateway", ""),
        "Listener": (
            "Listeners, in `status.listeners` of the Gateway",
            "`supportedKinds` are the kinds of routes that a listener takes, `attachedRoutes` how many it has, "
            "whether it can be served or not.",
        ),
        "Route": (
            "UDPRoutes, in `status.parents`",
            "Both groups alike: one entry for each parentRef that leads to a Gateway of ours, and none for those "
            "that lead elsewhere or nowhere. `ResolvedRefs` is about the backends, whether a listener takes the "
            "route or not. No entry of ours at all means: no parentRef names a Gateway of ours that exists.",
        ),
        "GatewayConfig": (
            "GatewayConfig",
            "`classes` are the GatewayClasses that use it, also a column of `kubectl get`. Where classes of several "
            "controllers do, the controller of the oldest writes the status; so it is with Dataplanes. The three "
            "kinds from here on have a status where our CRDs are installed (`stunnergw crds`), and without it all "
            "works as well.",
        ),
        "Dataplane": ("Dataplane", "`classes` are the GatewayClasses whose GatewayConfigs name it."),
        "StaticService": ("StaticService", ""),
    }
)

_TAIL = (
    "## What a change costs",
    "Calls that run are ended by some changes and not by others. stunnerd restarts a listener by itself when what it "
    "stands on changes: its clients are not told, and notice when their next refresh fails.",
    "\n".join(
        (
            "| Change | What becomes of running calls |",
            "|---|---|",
            "| `spec.realm` of the GatewayConfig | **all listeners of all its Gateways restart: all calls end** |",
            "| user name, password or shared secret, or another type of credentials | flow on, but no refresh and no "
            "new permission is granted: **each call ends within 5 to 10 minutes** |",
            "| from or to `stunMode` | nobody can allocate until the listener restarts |",
            "| a new certificate or key | **that listener restarts: its calls end.** Renew it when few are on the "
            "line; a DTLS listener may stay down where stunnerd logs `address already in use`, until that stunnerd "
            "is restarted |",
            "| name, port or target port of a listener, relay address discovery | **that listener restarts** |",
            "| a listener removed | its calls end, those of others go on |",
            "| a route, a backend or an endpoint removed, a ReferenceGrant taken away | packets to those peers are "
            "dropped from then on; the calls of other peers go on. They flow again as soon as it is back |",
            "| `spec.infrastructure` of the Gateway, most fields of the Dataplane (managed mode) | its pods are "
            "rolled; each has `terminationGracePeriodSeconds` to drain |",
            "| a listener, route, backend or endpoint added; public addresses; log level; labels and annotations of "
            "the Gateway that steer nothing; routes renamed; the operator restarted or away | nothing |",
        )
    ),
    "## Limits",
    "A status holds 16 addresses, 32 entries of a route and 8 conditions, or the API server refuses it whole. What "
    "others wrote stays; of ours only as much is written as there is room for, and of addresses the message says how "
    "many there are.",
)


def render(rows: MappingProxyType[Row, Words] = ROWS) -> str:
    """Return the document. Raises ``LookupError`` where a reason has no row."""
    told = {row.reason for row in rows}
    untold = sorted(reason for reason in Reason if reason not in told)
    if untold:
        raise LookupError(f"reasons without a row: {', '.join(untold)}")
    sections = [_section(place, title, says, rows) for place, (title, says) in _TITLES.items()]
    return "\n\n".join([*_HEAD, *sections, *_TAIL]) + "\n"


def _section(place: str, title: str, says: str, rows: MappingProxyType[Row, Words]) -> str:
    lines = ["| Condition | Reason | What it means | What to do |", "|---|---|---|---|"]
    lines += [
        f"| {row.type}={row.status} | `{row.reason}` | {words.means} | {words.do} |"
        for row, words in rows.items()
        if row.place == place
    ]
    return "\n\n".join(part for part in (f"## {title}", says, "\n".join(lines)) if part)


if __name__ == "__main__":
    DOCUMENT.write_text(render(), "utf-8")
