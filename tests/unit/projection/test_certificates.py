"""Certificates of TLS and DTLS listeners: which is taken, what is said where none is, what is held."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
import trustme

from stunnergw.projection.outputs import Want
from stunnergw.projection.snapshots import OwnedSlot
from stunnergw.resources import kinds
from stunnergw.resources.metadata import GATEWAY_GROUP, Key
from stunnergw.settings import Decisions, ReferenceGrants
from tests.support.bench import LEGACY, Bench, bench, undecided
from tests.support.objects import (
    CORE,
    EDGE,
    applied,
    deleted,
    exposing,
    gateway,
    gateway_config,
    healthy,
    listed,
    listener,
    port,
    route,
    service,
)

AWAY = "certs"
AUTHORITY = trustme.CA()
FINE = {"ResolvedRefs": "True/ResolvedRefs", "Programmed": "True/Programmed"}
BAD = {"ResolvedRefs": "False/InvalidCertificateRef", "Programmed": "False/Invalid"}
DENIED = {"ResolvedRefs": "False/RefNotPermitted", "Programmed": "False/Invalid"}


def pem() -> tuple[bytes, bytes]:
    made = AUTHORITY.issue_cert("turn.example.org")
    return made.cert_chain_pems[0].bytes(), made.private_key_pem.bytes()


ONE, TWO = pem(), pem()


def text(value: bytes) -> str:
    return b64encode(value).decode()


def secret(
    certificate: bytes = ONE[0],
    key: bytes = ONE[1],
    *,
    name: str = "cert",
    namespace: str = "media",
    names: tuple[str, str] = ("tls.crt", "tls.key"),
    kind: str = "kubernetes.io/tls",
) -> Any:
    data = {names[0]: text(certificate), names[1]: text(key)}
    return applied(kinds.SECRET, name, namespace=namespace, type=kind, data=data)


def bare(**parts: Any) -> Any:
    return applied(kinds.SECRET, "cert", **parts)


def secured(*refs: dict[str, str], protocol: str = "TURN-TLS", **tls: Any) -> Any:
    return listener("tls", 443, protocol, tls={"certificateRefs": list(refs or ({"name": "cert"},)), **tls})


def of(*facts: Any, tls: Any = None) -> Bench:
    owner = gateway("edge", tls or secured())
    cloud = exposing(owner, port(443, "TCP"), ingress=[{"ip": "198.51.100.1"}])
    return bench(*healthy(), owner, cloud, *facts)


def told(found: Bench) -> dict[str, str]:
    conditions = found.conditions(kinds.GATEWAY, EDGE, "tls")
    return {name: conditions[name] for name in FINE}


def message(found: Bench, condition: str = "ResolvedRefs") -> str:
    return found.message(kinds.GATEWAY, EDGE, condition, "tls")


def served(found: Bench) -> tuple[str, str]:
    (only,) = found.document(EDGE)["listeners"]
    return only["cert"], only["key"]


@pytest.mark.parametrize("names", [("tls.crt", "tls.key"), ("crt", "key"), ("cert", "tls.key")])
def test_a_pair_is_served_by_whatever_names(names: tuple[str, str]) -> None:
    found = of(secret(names=names))
    assert told(found) == FINE
    assert served(found) == (text(ONE[0]), text(ONE[1]))


@pytest.mark.parametrize("key", ["key", "tls.key"])
def test_an_empty_value_hides_no_good_one_behind_it(key: str) -> None:
    values = {"tls.crt": "", "crt": "", "cert": text(ONE[0]), "tls.key": "", key: text(ONE[1])}
    assert served(of(bare(data=values))) == (text(ONE[0]), text(ONE[1]))


def test_a_strange_type_is_tolerated_and_said() -> None:
    found = of(secret(kind="Opaque"))
    assert told(found) == FINE
    assert "of type Opaque" in message(found, "Programmed")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "Secret media/cert not found"),
        (bare(), "lacks tls.crt or tls.key"),
        (bare(data={"tls.crt": text(ONE[0])}), "lacks tls.crt or tls.key"),
        (bare(data={"tls.crt": "", "tls.key": text(ONE[1])}), "lacks tls.crt or tls.key"),
        (secret(b"no PEM"), "certificate is not PEM"),
        (secret(key=b"no PEM"), "private key is not unencrypted PEM"),
        (secret(key=TWO[1]), "does not belong to the certificate"),
    ],
    ids=["missing", "empty", "no key", "an empty certificate", "no PEM", "no PEM key", "another's key"],
)
def test_what_cannot_be_served_is_withheld_and_named(given: Any, said: str) -> None:
    found = of(*([given] if given else []))
    assert told(found) == BAD
    assert said in message(found)
    undecided(found.snapshot.configs[EDGE])
    found.run(secret())
    assert told(found) == FINE


@pytest.mark.parametrize(
    "tls",
    [
        listener("tls", 443, "TURN-TLS"),
        listener("tls", 443, "TLS", tls={}),
        listener("tls", 443, "tls", tls={"certificateRefs": []}),
        secured(mode="Passthrough"),
    ],
    ids=["no tls", "empty", "no refs", "passthrough"],
)
def test_too_little_tls(tls: Any) -> None:
    found = of(secret(), tls=tls)
    assert told(found) == {"ResolvedRefs": "True/ResolvedRefs", "Programmed": "False/InvalidTLSConfig"}


def test_the_first_that_resolves_is_served_and_the_other_is_said() -> None:
    found = of(secret(), tls=secured({"name": "nowhere"}, {"name": "cert"}))
    assert served(found)[0] == text(ONE[0])
    assert told(found) == {**FINE, "ResolvedRefs": "False/InvalidCertificateRef"}
    assert "media/nowhere not found" in message(found)


def test_one_is_all_it_takes() -> None:
    found = of(secret(), secret(*TWO, name="more"), tls=secured({"name": "more"}, {"name": "cert"}))
    assert served(found)[0] == text(TWO[0])
    assert told(found) == FINE
    assert "media/cert not used" in message(found, "Programmed")


@pytest.mark.parametrize(
    ("ref", "said"),
    [
        ({"kind": "ConfigMap"}, "names core/ConfigMap: name a Secret"),
        ({"group": "core"}, 'names core/Secret (the core group is written group: ""): name a Secret'),
        ({"group": "v1"}, "names v1/Secret: name a Secret"),
    ],
)
def test_what_is_no_secret_is_no_certificate(ref: dict[str, str], said: str) -> None:
    found = of(secret(), tls=secured({"name": "cert", **ref}))
    assert told(found) == BAD
    assert f"tls.certificateRefs[0] of listener tls {said}" in message(found)


def test_a_secret_that_is_not_read_yet_is_waited_for() -> None:
    found = of(bare(unread="not read yet"))
    assert told(found)["Programmed"] == "False/Pending"
    undecided(found.snapshot.configs[EDGE])
    found.run(secret())
    assert told(found) == FINE


def test_the_other_listeners_are_served() -> None:
    found = bench(*healthy(), gateway("edge", secured(), listener()))
    assert [each["name"] for each in found.document(EDGE)["listeners"]] == ["media/edge/udp"]


# Other namespaces ---------------------------------------------------------------------------------------------

ELSEWHERE = secured({"name": "cert", "namespace": AWAY})
GRANT = applied(
    kinds.REFERENCE_GRANT,
    "grant",
    namespace=AWAY,
    spec={
        "from": [{"group": GATEWAY_GROUP, "kind": "Gateway", "namespace": "media"}],
        "to": [{"group": "", "kind": "Secret"}],
    },
)


def test_elsewhere_needs_a_grant_and_the_refusal_tells_nothing() -> None:
    there, missing = of(secret(namespace=AWAY), tls=ELSEWHERE), of(tls=ELSEWHERE)
    assert told(there) == told(missing) == DENIED
    assert message(there) == message(missing)
    there.run(GRANT)
    assert told(there) == FINE


def test_a_revoked_grant_ends_what_it_allowed() -> None:
    found = of(secret(namespace=AWAY), GRANT, listener_beside(), tls=ELSEWHERE)
    assert len(found.document(EDGE)["listeners"]) == 2
    found.run(deleted(GRANT))
    assert told(found) == DENIED
    assert [each["name"] for each in found.document(EDGE)["listeners"]] == ["media/edge/udp"]


def listener_beside() -> Any:
    """Give the Gateway a listener that is always served, so that its document is never undecided."""
    return gateway("edge", ELSEWHERE, listener())


# Held ---------------------------------------------------------------------------------------------------------


def test_the_last_usable_is_held_and_the_status_says_what_is_wrong_today() -> None:
    found = of(secret())
    found.run(gateway("edge", secured(), listener()))
    found.run(deleted(secret()))
    assert told(found) == BAD
    assert {each["name"]: each.get("cert") for each in found.document(EDGE)["listeners"]}["media/edge/tls"] == text(
        ONE[0]
    )
    found.run(secret(*TWO))
    assert told(found) == FINE
    assert text(TWO[0]) in found.document_bytes(EDGE).decode()


def test_a_gateway_made_anew_holds_nothing_of_the_old() -> None:
    found = of(secret())
    found.run(deleted(secret()))
    found.run(gateway("edge", secured(), listener(), meta={"uid": "another"}))
    assert [each["name"] for each in found.document(EDGE)["listeners"]] == ["media/edge/udp"]


# One reference that cannot be read beside one that can -----------------------------------------------------------

BESIDE = gateway("edge", secured({"name": "cert", "namespace": AWAY}, {"name": "spare"}), listener())
FORBIDDEN = applied(kinds.SECRET, "spare", unread="forbidden")


def test_a_revoked_grant_shows_beside_a_secret_that_cannot_be_read() -> None:
    found = bench(*healthy(), BESIDE, GRANT, secret(namespace=AWAY), secret(*TWO, name="spare"))
    found.run(FORBIDDEN)
    found.run(deleted(GRANT))
    assert text(ONE[0]) not in found.document_bytes(EDGE).decode()


@pytest.mark.parametrize(("protocol", "pods"), [("TURN-TLS", False), ("TURN-DTLS", True), ("dtls", True)])
def test_what_a_renewal_costs_is_said_beforehand(protocol: str, pods: bool) -> None:
    owner = gateway("edge", secured(protocol=protocol), addresses=[{"type": "IPAddress", "value": "192.0.2.1"}])
    said = message(bench(*healthy(), owner, secret()), "Programmed")
    assert "a new certificate restarts it, which ends its calls" in said
    assert ("address already in use" in said) is pods


def test_a_usable_certificate_is_served_beside_a_secret_that_cannot_be_read() -> None:
    found = bench(*healthy(), BESIDE, GRANT, secret(namespace=AWAY), FORBIDDEN)
    assert isinstance(found.snapshot.configs[EDGE], Want)


# What each fault shows, and what it does to the neighbours ----------------------------------------------------

MIXED = {"stunner.l7mp.io/enable-mixed-protocol-lb": "true"}


def both(tls: Any, name: str = "edge", **parts: Any) -> Any:
    """Give a Gateway a TLS listener and a UDP one, both with a port in its Service."""
    return gateway(name, tls, listener(), annotations=MIXED, **parts)


def names_served(found: Bench, key: Key = EDGE) -> list[str]:
    return [each["name"].rpartition("/")[2] for each in found.document(key)["listeners"]]


def service_ports(found: Bench, key: Key = EDGE) -> list[tuple[str, int]]:
    return [(each["name"], each["port"]) for each in found.owned(key)["spec"]["ports"]]


def attached(found: Bench) -> dict[str, int]:
    return {each.name: each.attached_routes for each in found.status(kinds.GATEWAY, EDGE).listeners}


def crowd(tls: Any, *facts: Any) -> Bench:
    """Make a Gateway of both listeners, with a route to both and a public address."""
    owner = both(tls, addresses=[{"type": "IPAddress", "value": "198.51.100.1"}])
    return bench(*healthy(), owner, route(), service("sfu", "10.0.0.7"), *facts)


FAULTS: list[tuple[Any, list[Any], dict[str, str]]] = [
    (secured(), [], BAD),
    (secured(), [secret(key=TWO[1])], BAD),
    (secured({"name": "cert", "kind": "ConfigMap"}), [secret()], BAD),
    (secured({"name": "cert", "group": "apps"}), [secret()], BAD),
    (secured({"name": "cert", "group": "v1"}), [secret()], BAD),
    (secured({"name": "nowhere"}, {"name": "neither"}), [secret()], BAD),
    (secured({"name": "cert", "namespace": AWAY}), [secret(namespace=AWAY)], DENIED),
    (secured({"name": "nowhere"}, {"name": "cert", "namespace": AWAY}), [], DENIED),
    (listener("tls", 443, "TURN-TLS"), [secret()], {**FINE, "Programmed": "False/InvalidTLSConfig"}),
    (secured(protocol="DTLS"), [], BAD),
]
FAULT_IDS = [
    "missing", "mismatch", "no Secret", "another group", "a version for a group", "two missing", "no grant",
    "missing and no grant", "no tls", "DTLS",
]  # fmt: skip


@pytest.mark.parametrize(("tls", "facts", "conditions"), FAULTS, ids=FAULT_IDS)
def test_a_listener_without_a_certificate_takes_nothing_along(
    tls: Any, facts: list[Any], conditions: dict[str, str]
) -> None:
    """Neither in the document nor in the Service, and yet accepted and counted (R5.20)."""
    found = crowd(tls, *facts)
    assert told(found) == conditions
    assert found.conditions(kinds.GATEWAY, EDGE, "tls")["Accepted"] == "True/Accepted"
    assert (names_served(found), service_ports(found)) == (["udp"], [("udp", 3478)])
    assert attached(found) == {"tls": 1, "udp": 1}
    assert found.conditions(kinds.GATEWAY, EDGE) == {
        "Accepted": "True/Accepted",
        "Programmed": "True/Programmed",
        # What a listener refers to is summed up, and changes nothing else.
        "ResolvedRefs": "True/ResolvedRefs"
        if conditions["ResolvedRefs"].startswith("True")
        else "False/ListenersNotResolved",
    }
    assert "not served: tls" in found.message(kinds.GATEWAY, EDGE, "Programmed")
    assert found.parents(route()) == [{"Accepted": "True/Accepted", "ResolvedRefs": "True/ResolvedRefs"}]


@pytest.mark.parametrize("protocol", ["TURN-TLS", "TLS", "tls", "TURN-DTLS", "DTLS", "turn-dtls"])
def test_a_listener_with_one_is_served_like_any_other(protocol: str) -> None:
    found = crowd(secured(protocol=protocol), secret())
    assert told(found) == FINE
    assert (names_served(found), service_ports(found)) == (["tls", "udp"], [("tls", 443), ("udp", 3478)])
    assert [("cert" in each, "key" in each) for each in found.document(EDGE)["listeners"]] == [
        (True,) * 2,
        (False,) * 2,
    ]


def test_the_first_counts_whose_certificate_is_usable_though_one_before_it_is_denied() -> None:
    found = of(secret(), tls=secured({"name": "cert", "namespace": AWAY}, {"name": "cert"}))
    assert served(found)[0] == text(ONE[0])
    assert told(found) == {**FINE, "ResolvedRefs": "False/RefNotPermitted"}


def test_a_chain_is_served_whole_the_leaf_first() -> None:
    chain = ONE[0] + AUTHORITY.cert_pem.bytes()
    found = of(secret(chain))
    assert (told(found), served(found)[0]) == (FINE, text(chain))
    found = of(secret(AUTHORITY.cert_pem.bytes() + ONE[0]))
    assert told(found) == BAD


def test_passthrough_is_not_served() -> None:
    found = crowd(secured(mode="Passthrough"), secret())
    assert told(found) == {**FINE, "Programmed": "False/InvalidTLSConfig"}
    assert names_served(found) == ["udp"]


def test_a_service_without_ports_is_not_wanted() -> None:
    """The TLS listener is the first, so that ports are TCP's alone, and its certificate is missing."""
    found = bench(*healthy(), gateway("edge", secured(), listener()))
    output = found.snapshot.objects.get(OwnedSlot("Service", EDGE))
    assert not isinstance(output, Want) or service_ports(found)


# The seven fields of a grant ----------------------------------------------------------------------------------

FROM = {"group": GATEWAY_GROUP, "kind": "Gateway", "namespace": "media"}
TO = {"group": "", "kind": "Secret"}


def grant(*, namespace: str = AWAY, sources: Any = (FROM,), targets: Any = (TO,), name: str = "grant") -> Any:
    spec = {"from": list(sources), "to": list(targets)}
    return applied(kinds.REFERENCE_GRANT, name, namespace=namespace, spec=spec)


@pytest.mark.parametrize(
    ("grants", "permitted"),
    [
        ([grant()], True),
        ([grant(targets=[{**TO, "name": "cert"}])], True),
        ([grant(sources=[{**FROM, "namespace": "other"}, FROM])], True),
        ([grant(targets=[{**TO, "name": "other"}, TO])], True),
        ([grant(sources=[{**FROM, "namespace": "other"}], name="other"), grant()], True),
        ([grant(namespace="media")], False),
        ([grant(sources=[{**FROM, "group": ""}])], False),
        ([grant(sources=[{**FROM, "kind": "ListenerSet"}])], False),
        ([grant(sources=[{**FROM, "namespace": AWAY}])], False),
        ([grant(targets=[{**TO, "group": "v1"}])], False),
        ([grant(targets=[{**TO, "kind": "Service"}])], False),
        ([grant(targets=[{**TO, "name": "other"}])], False),
        ([grant(sources=[{**FROM, "kind": "UDPRoute"}]), grant(targets=[{**TO, "kind": "Service"}], name="b")], False),
        ([grant(sources=[])], False),
        ([grant(targets=[])], False),
        ([grant(sources=[{**FROM, "namespace": "*"}])], False),
    ],
    ids=[
        "R7.2 all of the kind", "R7.2 by name", "R7.2 from is OR-ed", "R7.2 to is OR-ed", "R7.2 grants are OR-ed",
        "R7.5 its namespace", "R7.5 from.group", "R7.5 from.kind", "R7.5 from.namespace", "R7.5 to.group",
        "R7.5 to.kind", "R7.5 to.name", "R7.2 halves of two grants", "R7.8 no from", "R7.8 no to", "R7.2 no wildcards",
    ],
)  # fmt: skip
def test_who_may_use_a_secret_elsewhere(grants: list[Any], permitted: bool) -> None:
    found = crowd(ELSEWHERE, secret(namespace=AWAY), *grants)
    assert told(found) == (FINE if permitted else DENIED)
    assert names_served(found) == (["tls", "udp"] if permitted else ["udp"])


@pytest.mark.parametrize(
    ("settings", "versions", "needed"),
    [
        (Decisions(), ("v1",), True),
        (Decisions(), ("v1", "v1alpha2"), True),
        (Decisions(), ("v1alpha2",), False),
        (Decisions(reference_grants=ReferenceGrants.ENFORCE), ("v1alpha2",), True),
        (Decisions(reference_grants=ReferenceGrants.IGNORE), ("v1",), False),
    ],
)
def test_whether_a_grant_is_needed(settings: Decisions, versions: tuple[str, ...], needed: bool) -> None:
    world = [*healthy(), *listed({kinds.GATEWAY: versions}), both(ELSEWHERE), secret(namespace=AWAY)]
    found = bench(*world, settings=settings)
    assert names_served(found) == (["udp"] if needed else ["tls", "udp"])


def test_a_secret_that_is_refused_is_never_asked_for() -> None:
    """R7.6: what is said is the same whether it is there, broken, not read, or not there at all."""
    there = [secret(namespace=AWAY), secret(key=TWO[1], namespace=AWAY), bare(namespace=AWAY, unread="forbidden")]
    messages = {message(crowd(ELSEWHERE, *facts)) for facts in ([], *([each] for each in there))}
    assert len(messages) == 1
    assert f"Secret {AWAY}/cert needs a ReferenceGrant in namespace {AWAY}" in messages.pop()


# Held, case by case -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "conditions"),
    [
        (deleted(secret()), BAD),
        (secret(key=TWO[1]), BAD),
        (bare(), BAD),
        (both(secured({"name": "nowhere"})), BAD),
        (both(secured({"name": "cert", "namespace": AWAY})), DENIED),
        (both(secured({"name": "cert", "kind": "ConfigMap"})), BAD),
        (both(listener("tls", 443, "TURN-TLS", tls={"certificateRefs": []})), {"Programmed": "False/InvalidTLSConfig"}),
        (both(listener("tls", 443, "TURN-TLS")), {"Programmed": "False/InvalidTLSConfig"}),
        (both(listener("tls", 443, "TLS")), {"Programmed": "False/InvalidTLSConfig"}),
    ],
    ids=[
        "deleted", "broken", "emptied", "another name", "elsewhere", "no Secret", "no refs", "no tls", "respelled",
    ],
)  # fmt: skip
def test_a_certificate_that_goes_is_served_on_and_the_status_says_so(change: Any, conditions: dict[str, str]) -> None:
    found = bench(*healthy(), both(secured()), secret())
    before = found.document_bytes(EDGE)
    found.run(change)
    assert conditions.items() <= told(found).items()
    assert (found.document_bytes(EDGE), service_ports(found)) == (before, [("tls", 443), ("udp", 3478)])
    # The same without a past: what is held shows in no status.
    fresh = bench(*healthy(), both(secured()), *([] if change == deleted(secret()) else [secret(), change]))
    assert fresh.status(kinds.GATEWAY, EDGE) == found.status(kinds.GATEWAY, EDGE)
    found.run(both(secured()), secret(*TWO))
    assert (told(found)["ResolvedRefs"], served_on(found)) == (FINE["ResolvedRefs"], text(TWO[0]))


def served_on(found: Bench, name: str = "tls", key: Key = EDGE) -> str | None:
    """Return the certificate of a listener; None where it is not served."""
    listeners = found.document(key)["listeners"]
    return next((each["cert"] for each in listeners if each["name"] == f"{key}/{name}"), None)


@pytest.mark.parametrize(
    "broken", [deleted(secret(namespace=AWAY)), secret(key=TWO[1], namespace=AWAY), bare(namespace=AWAY, unread="no")]
)
def test_a_grant_that_goes_takes_what_is_held_along(broken: Any) -> None:
    """At once, and for good: a grant that comes back brings no key that is not there today."""
    found = bench(*healthy(), both(ELSEWHERE), secret(namespace=AWAY), GRANT)
    found.run(broken)
    assert served_on(found) == text(ONE[0])
    found.run(deleted(GRANT))
    assert (told(found), served_on(found), service_ports(found)) == (DENIED, None, [("udp", 3478)])
    found.run(deleted(secret(namespace=AWAY)), GRANT)
    assert (told(found), served_on(found)) == (BAD, None)


def test_a_reference_that_goes_takes_what_is_held_from_elsewhere_along() -> None:
    """Else nobody would say when its grant goes."""
    found = bench(*healthy(), both(ELSEWHERE), secret(namespace=AWAY), GRANT)
    found.run(both(secured({"name": "nowhere"})))
    assert served_on(found) is None


@pytest.mark.parametrize(
    "without",
    [
        [deleted(both(secured()))],
        [gateway("edge", listener(), annotations=MIXED)],
        [both(listener("tls", 443, "TURN-TCP"))],
        [both(secured() | {"name": "other"})],
    ],
    ids=["the Gateway", "the listener", "its protocol", "its name"],
)
def test_what_goes_and_comes_again_holds_nothing(without: list[Any]) -> None:
    found = bench(*healthy(), both(secured()), secret())
    found.run(*without, deleted(secret()))
    found.run(both(secured()))
    assert (told(found)["Programmed"], served_on(found)) == ("False/Invalid", None)


def test_nothing_is_held_across_gateways() -> None:
    found = bench(*healthy(), both(secured()), secret())
    found.run(deleted(secret()), both(secured(), "core"))
    assert (served_on(found), served_on(found, key=CORE)) == (text(ONE[0]), None)


def test_a_new_certificate_is_served_at_once_and_is_the_one_that_is_held() -> None:
    found = bench(*healthy(), both(secured()), secret())
    for change, certificate in ((secret(*TWO), TWO), (deleted(secret()), TWO), (secret(), ONE)):
        found.run(change)
        assert served_on(found) == text(certificate[0])


def test_a_class_that_breaks_leaves_what_is_held() -> None:
    found = bench(*healthy(), both(secured()), secret())
    found.run(gateway_config(password=None), deleted(secret()))
    assert served_on(found) == text(ONE[0])
    found.run(gateway_config())
    assert served_on(found) == text(ONE[0])


def test_in_legacy_mode_too() -> None:
    found = bench(*healthy(), both(secured()), both(secured() | {"port": 444}, "core"), secret(), settings=LEGACY)
    turn = Key("", "turn")
    before = [each["name"] for each in found.document(turn)["listeners"]]
    assert [name for name in before if name.endswith("/tls")] == ["media/core/tls", "media/edge/tls"]
    found.run(deleted(secret()))
    assert [each["name"] for each in found.document(turn)["listeners"]] == before
    fresh = bench(*healthy(), both(secured()), settings=LEGACY)
    assert [each["name"] for each in fresh.document(turn)["listeners"]] == ["media/edge/udp"]


def test_an_address_stays_while_a_listener_is_served_on() -> None:
    """Addresses are those of all listeners: a DNS controller must not drop the name of one that takes calls."""
    found = of(secret())
    before = found.status(kinds.GATEWAY, EDGE).addresses
    found.run(deleted(secret()))
    assert served(found)[0] == text(ONE[0])
    assert found.status(kinds.GATEWAY, EDGE).addresses == before


# What cannot be read ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("why", ["not read yet", "forbidden"])
def test_an_unread_secret_holds_up_its_own_gateway_and_no_other(why: str) -> None:
    found = bench(*healthy(), both(secured()), bare(unread=why), gateway("core"))
    outputs: list[Any] = [found.snapshot.configs[EDGE]]
    outputs += [found.snapshot.objects[OwnedSlot(kind, EDGE)] for kind in ("Service", "Deployment")]
    for output in outputs:
        assert f"Secret media/cert: {why}" in undecided(output)
    assert told(found)["Programmed"] == "False/Pending"
    assert f"Secret media/cert: {why}" in message(found, "Programmed")
    assert found.conditions(kinds.GATEWAY, EDGE, "udp")["Accepted"] == "True/Accepted"
    assert names_served(found, CORE) == ["udp"]


def test_a_secret_that_cannot_be_read_any_more_changes_nothing_that_runs() -> None:
    found = bench(*healthy(), both(secured()), secret())
    before, ports = found.document_bytes(EDGE), service_ports(found)
    found.run(bare(unread="forbidden"))
    assert (found.document_bytes(EDGE), service_ports(found)) == (before, ports)
    assert told(found)["Programmed"] == "False/Pending"
    found.run(deleted(bare()))
    assert (found.document_bytes(EDGE), told(found)) == (before, BAD)


def test_of_an_unread_secret_nobody_says_that_it_resolves() -> None:
    """R2.6: Unknown, where one has to write before one knows."""
    found = crowd(secured(), bare(unread="not read yet"))
    assert told(found)["ResolvedRefs"] == "Unknown/Pending"
    assert found.conditions(kinds.GATEWAY, EDGE)["ResolvedRefs"] == "Unknown/Pending"
    assert found.message(kinds.GATEWAY, EDGE, "ResolvedRefs") == message(found, "ResolvedRefs")


def test_a_gateway_without_a_document_is_not_programmed() -> None:
    found = crowd(secured(), bare(unread="forbidden"))
    undecided(found.snapshot.configs[EDGE])
    assert not found.conditions(kinds.GATEWAY, EDGE)["Programmed"].startswith("True")


def reached(name: str) -> Any:
    """Give a Gateway of a UDP listener a public address."""
    return gateway(name, listener("udp", 3479), addresses=[{"type": "IPAddress", "value": "198.51.100.2"}])


def test_who_only_waits_for_a_certificate_is_pending() -> None:
    found = bench(*healthy(), gateway("edge", secured()), bare(unread="forbidden"))
    assert found.conditions(kinds.GATEWAY, EDGE)["Programmed"] == "False/Pending"
    assert told(found)["Programmed"] == "False/Pending"


def test_a_listener_that_is_not_served_anyway_is_not_waited_for() -> None:
    """Port 8086 is stunnerd's own: what its listener's Secret holds changes no document."""
    reserved = secured() | {"port": 8086}
    found = crowd(reserved, bare(unread="forbidden"))
    assert names_served(found) == ["udp"]
    assert found.conditions(kinds.GATEWAY, EDGE, "udp")["Programmed"] == "True/Programmed"


def test_beside_a_denied_one_an_unread_one_keeps_no_usable_one_from_being_served() -> None:
    refs = ({"name": "cert", "namespace": AWAY}, {"name": "spare"}, {"name": "good"})
    found = of(FORBIDDEN, secret(name="good"), tls=secured(*refs))
    assert served(found)[0] == text(ONE[0])
    assert told(found) == DENIED | {"Programmed": "True/Programmed"}


def test_in_legacy_mode_all_of_the_class_wait_and_the_secret_is_named_to_its_own_alone() -> None:
    found = bench(*healthy(), gateway("edge", secured()), reached("core"), bare(unread="forbidden"), settings=LEGACY)
    undecided(found.snapshot.configs[Key("", "turn")])
    assert "Secret media/cert: forbidden" in message(found, "Programmed")
    other = found.message(kinds.GATEWAY, CORE, "Programmed")
    assert "a certificate of Gateway media/edge" in other
    assert "cert:" not in other


def test_in_legacy_mode_nobody_waits_for_a_gateway_that_is_refused() -> None:
    refused = gateway("edge", secured(), addresses=[{"type": "NamedAddress", "value": "x"}])
    found = bench(*healthy(), refused, reached("core"), bare(unread="forbidden"), settings=LEGACY)
    assert isinstance(found.snapshot.configs[Key("", "turn")], Want)
    assert found.conditions(kinds.GATEWAY, CORE, "udp")["Programmed"] == "True/Programmed"
