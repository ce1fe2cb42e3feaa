"""Certificates: what a TLS or DTLS listener is served with, and what is wrong where it cannot be.

The first certificateRef that resolves counts. Permission is asked first, then existence, then whether certificate and
key can be read and belong together: stunnerd would take such a pair into its document and then lose the listener.
A Secret that is there and not read leaves open what it would give, and nothing else: a grant that goes is seen beside
it, and then nothing waits for the Secret, since what waits would go on with what the grant had allowed.
A listener without a usable certificate of today is served on the one that is held, where there is one: the last usable,
unless its grant was revoked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stunnergw.errors import Unknown
from stunnergw.projection.grants import Referrer, Target, certificates_need_grants, how_to_permit, may_refer
from stunnergw.projection.problems import Problem, group_and_kind, sentence
from stunnergw.projection.queries import query
from stunnergw.projection.reading import secret
from stunnergw.projection.reasons import Reason
from stunnergw.resources.kinds import GATEWAY
from stunnergw.resources.metadata import GATEWAY_GROUP, Key

if TYPE_CHECKING:
    from stunnergw.opaque import Opaque
    from stunnergw.projection.queries import Context
    from stunnergw.resources.gateways import Listener, ListenerTLS, SecretObjectReference

HELD_CERTIFICATES = "certificate"
"""The table of held certificates, by Gateway, its uid, and listener."""

TLS_TYPE = "kubernetes.io/tls"

TERMINATE = "Terminate"
"""The one ``tls.mode`` that stunnerd has."""


class Certificate(NamedTuple):
    """A usable pair, as documents carry it, and the Secret that it came from."""

    certificate: Opaque
    key: Opaque
    secret: Key


class CertificateToday(NamedTuple):
    """What a listener's certificateRefs come to."""

    usable: Certificate | None
    unresolved: Problem | None
    """ResolvedRefs=False, for this."""
    notes: tuple[str, ...] = ()
    denied: frozenset[Key] = frozenset()
    """Secrets that are referred to without permission."""
    named: frozenset[Key] = frozenset()
    """All Secrets that are referred to."""
    unread: str = ""
    """Why it cannot be told which is usable: a Secret that comes first is there and not read.

    Empty where it can be told, and where a permission is missing.
    """


def tls_problem(listener: Listener) -> Problem | None:
    """Say what is wrong with the ``tls`` of a TLS or DTLS listener, whatever its Secrets hold."""
    tls, name = listener.tls, listener.name
    if tls is None or (tls.mode == TERMINATE and not tls.certificate_refs):
        return Problem(
            Reason.INVALID_TLS_CONFIG, f"listener {name} has no tls.certificateRefs: name a Secret with a certificate"
        )
    if tls.mode != TERMINATE:
        return Problem(
            Reason.INVALID_TLS_CONFIG, f"tls.mode {tls.mode} of listener {name} is not supported: use Terminate"
        )
    return None


@query("certificate")
def certificate(db: Context, gateway: Key, listener: str) -> CertificateToday:
    """Work out the certificate of a listener as it is today; none where ``tls`` does not end at stunnerd."""
    tls = _tls(db, gateway, listener)
    refs = tls.certificate_refs if tls and tls.mode == TERMINATE else ()
    looked = [_look(db, gateway, listener, index, ref) for index, ref in enumerate(refs)]
    denied = frozenset[Key]().union(*(one.denied for one in looked))
    # The first that resolves counts, and one that is not read might; but nothing waits where a permission is missing.
    first = next((one for one in looked if one.usable or (one.unread and not denied)), None)
    usable = first.usable if first else None
    problems = [one.unresolved for one in looked if one.unresolved]
    # What is odd about a Secret matters where it is the one that is used.
    notes = [note for one in looked if one.usable and one.usable is usable for note in one.notes]
    unused = [key for one in looked if one is not first and (one.usable or one.unread) for key in sorted(one.named)]
    if usable and unused:
        names = ", ".join(map(str, unused))
        notes.append(
            f"listener {listener} is served with Secret {usable.secret}: {names} not used, one is all it takes"
        )
    return CertificateToday(
        usable,
        _combined(problems),
        tuple(notes),
        denied,
        frozenset[Key]().union(*(one.named for one in looked)),
        first.unread if first else "",
    )


def _tls(db: Context, gateway: Key, listener: str) -> ListenerTLS | None:
    found = db.get(GATEWAY, gateway)
    specs = found.spec.listeners if found else ()
    return next((spec.tls for spec in specs if spec.name == listener), None)


def _combined(problems: list[Problem]) -> Problem | None:
    """Return one problem for all: a refused permission comes first, since it says nothing of the target."""
    if not problems:
        return None
    reasons = [problem.reason for problem in problems]
    reason = Reason.REF_NOT_PERMITTED if Reason.REF_NOT_PERMITTED in reasons else reasons[0]
    return Problem(reason, sentence(*(problem.message for problem in problems)))


def _look(db: Context, gateway: Key, listener: str, index: int, ref: SecretObjectReference) -> CertificateToday:
    where = f"tls.certificateRefs[{index}] of listener {listener}"
    if ref.group or ref.kind not in ("", "Secret"):
        return _bad(f"{where} names {group_and_kind(ref.group, ref.kind)}: name a Secret")
    key = Key(ref.namespace or gateway.namespace, ref.name)
    referrer = Referrer(GATEWAY_GROUP, "Gateway", gateway.namespace)
    target = Target("", "Secret", key)
    if not may_refer(db, referrer, target, enforced=certificates_need_grants(db)):
        message = f"{where}: Secret {key} {how_to_permit(referrer, target)}"
        return CertificateToday(
            None, Problem(Reason.REF_NOT_PERMITTED, message), (), frozenset({key}), frozenset({key})
        )
    return _read(db, where, key)


def _bad(message: str, *named: Key) -> CertificateToday:
    return CertificateToday(None, Problem(Reason.INVALID_CERTIFICATE_REF, message), named=frozenset(named))


def _read(db: Context, where: str, key: Key) -> CertificateToday:
    try:
        found = secret(db, key)
    except Unknown as unknown:
        return CertificateToday(None, None, named=frozenset({key}), unread=unknown.reason)
    if found is None:
        return _bad(f"{where}: Secret {key} not found: create it, or correct the name", key)
    pair = found.data.pair
    if pair is None:
        return _bad(f"{where}: Secret {key} lacks tls.crt or tls.key: add both, PEM", key)
    if pair.problem:
        return _bad(f"{where}: Secret {key}: {pair.problem}: replace both", key)
    notes = () if found.type == TLS_TYPE else (f"Secret {key} is of type {found.type or 'Opaque'}, not {TLS_TYPE}",)
    return CertificateToday(Certificate(pair.certificate, pair.key, key), None, notes, named=frozenset({key}))


def wants_certificate(listener: Listener) -> bool:
    """Say whether a listener's protocol, in whatever spelling, is one that needs a certificate."""
    return listener.protocol.upper().endswith("TLS")


class ListenerCertificate(NamedTuple):
    """A TLS listener of a Gateway and its certificate of today."""

    listener: str
    today: CertificateToday


class GatewayCertificates(NamedTuple):
    """What holding goes by: the first layer's result for a Gateway with TLS listeners."""

    uid: str
    listeners: tuple[ListenerCertificate, ...]


@query("certificates of Gateway")
def certificates_of_gateway(db: Context, gateway: Key) -> GatewayCertificates:
    """Return the certificates of a Gateway's TLS listeners."""
    found = db.get(GATEWAY, gateway)
    if found is None:
        return GatewayCertificates("", ())
    listed = (
        ListenerCertificate(spec.name, certificate(db, gateway, spec.name))
        for spec in found.spec.listeners
        if wants_certificate(spec)
    )
    return GatewayCertificates(found.metadata.uid, tuple(listed))


def hold_certificate(old: Certificate | None, today: CertificateToday, gateway: Key) -> Certificate | None:
    """Fold today's certificate of a listener into the one that is held."""
    if today.usable is not None:
        return today.usable
    if old is None or old.secret in today.denied:
        return None
    # From another namespace it may be held only while it is referred to: else nobody would say when its grant goes.
    return old if old.secret.namespace == gateway.namespace or old.secret in today.named else None
