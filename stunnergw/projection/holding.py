"""Holding: what runs keeps running while its class is broken.

Held are parameters, not documents: for each class the last accepted parameters and the Gateways that named the class
while it was accepted. The first layer of queries works out today's parameters; :func:`step` folds them into what is
held; the second layer reads the result. So pods may roll while a class is broken, and what a removed route allowed is
gone at once. A class holds for those Gateways alone, as long as one of them names it; after a restart nothing is held.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stunnergw.projection.certificates import HELD_CERTIFICATES, hold_certificate
from stunnergw.projection.classes import HELD_CLASSES, HELD_CREDENTIALS, HELD_GATEWAYS, ClassHold

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stunnergw.dataplane.configs import Auth
    from stunnergw.projection.certificates import Certificate, GatewayCertificates
    from stunnergw.projection.engine import Engine, Result
    from stunnergw.projection.parameters import Parameters
    from stunnergw.resources.metadata import Key
    from stunnergw.store.indexes import GatewayItem


class HeldClass(NamedTuple):
    """What is held for a class."""

    parameters: Parameters
    auth: Auth
    gateways: frozenset[GatewayItem]
    """The Gateways held for, each with its uid: one made anew under the same name is another."""


def step(old: HeldClass | None, today: ClassHold) -> HeldClass | None:
    """Fold what a class is today, and the Gateways that name it, into what is held."""
    if today.parameters is not None and today.auth is not None:
        return HeldClass(today.parameters, today.auth, frozenset(today.naming))
    if old is None:
        return None
    still = old.gateways.intersection(today.naming)
    return old._replace(gateways=still) if still else None


def step_certificates(old: dict[str, Certificate], today: GatewayCertificates, gateway: Key) -> dict[str, Certificate]:
    """Fold today's certificates of a Gateway's listeners into those that are held, by listener.

    A listener that is gone holds nothing.
    """
    folded = {
        entry.listener: hold_certificate(old.get(entry.listener), entry.today, gateway) for entry in today.listeners
    }
    return {listener: pair for listener, pair in folded.items() if pair is not None}


class HeldState(NamedTuple):
    """All that is held: with the store, what a projection rests on."""

    classes: Mapping[str, HeldClass]
    certificates: Mapping[Key, tuple[str, Mapping[str, Certificate]]]
    """By Gateway: its uid, and the certificates by listener."""


class Holding:
    """What is held, kept in step with the first layer's results and told to the engine.

    It changes only by the pure steps above: a replay that makes the same results holds the same.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._classes: dict[str, HeldClass] = {}
        self._certificates: dict[Key, tuple[str, dict[str, Certificate]]] = {}
        self._reasons: dict[str, str] = {}

    def fold(self, result: Result) -> None:
        """Take in a changed result of the first layer."""
        (subject,) = result.args
        if isinstance(result.value, ClassHold):
            self._fold_class(subject, result.value)
        else:
            self._fold_certificates(subject, result.value)

    def cannot_tell(self, result: Result) -> None:
        """Take note of a result that is undecided: what is held stays, and nobody is served on it."""
        (subject,) = result.args
        self._reasons.pop(subject, None)

    def holds(self, name: str) -> bool:
        """Say whether something is held for a class."""
        return name in self._classes

    def release(self, gateway: Key) -> None:
        """Forget the certificates of a Gateway that is gone, or has no TLS listener any more."""
        uid, held = self._certificates.pop(gateway, ("", {}))
        for listener in held:
            self._engine.hold(HELD_CERTIFICATES, (gateway, uid, listener), None)

    def reasons(self) -> dict[str, str]:
        """Return the classes that are served on held parameters, each with the reason."""
        return dict(self._reasons)

    @property
    def state(self) -> HeldState:
        """All that is held now."""
        certificates = {key: (uid, dict(held)) for key, (uid, held) in self._certificates.items()}
        return HeldState(dict(self._classes), certificates)

    def adopt(self, state: HeldState) -> None:
        """Hold what another projection held; for one that has held nothing yet."""
        for name, held in state.classes.items():
            self._classes[name] = held
            self._tell_class(name, None, held)
        for gateway, (uid, pairs) in state.certificates.items():
            self._certificates[gateway] = (uid, dict(pairs))
            for listener, pair in pairs.items():
                self._engine.hold(HELD_CERTIFICATES, (gateway, uid, listener), pair)

    def _fold_class(self, name: str, today: ClassHold) -> None:
        old = self._classes.get(name)
        new = step(old, today)
        if new is None:
            self._classes.pop(name, None)
        else:
            self._classes[name] = new
        self._tell_class(name, old, new)
        if new is not None and today.parameters is None and not today.missing:
            self._reasons[name] = today.reason
        else:
            self._reasons.pop(name, None)

    def _tell_class(self, name: str, old: HeldClass | None, new: HeldClass | None) -> None:
        if (old and old.parameters) != (new and new.parameters):
            self._engine.hold(HELD_CLASSES, name, new and new.parameters)
        if (old and old.auth) != (new and new.auth):
            self._engine.hold(HELD_CREDENTIALS, name, new and new.auth)
        before, after = (old.gateways if old else frozenset()), (new.gateways if new else frozenset())
        for gateway in before ^ after:
            self._engine.hold(HELD_GATEWAYS, (name, gateway), gateway in after or None)

    def _fold_certificates(self, gateway: Key, today: GatewayCertificates) -> None:
        uid, old = self._certificates.get(gateway, (today.uid, {}))
        if uid != today.uid:
            # Another Gateway of the same name: what the old one held is not its own.
            self.release(gateway)
            old = {}
        new = step_certificates(old, today, gateway)
        self._certificates[gateway] = (today.uid, new)
        for listener in old.keys() | new.keys():
            if old.get(listener) != new.get(listener):
                self._engine.hold(HELD_CERTIFICATES, (gateway, today.uid, listener), new.get(listener))
