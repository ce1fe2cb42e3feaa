"""Worlds for property tests: histories of small clusters in which everything happens that can happen to an input.

A history is a list of runs, each a batch of facts. It opens with a world that is nearly in order, in random order and
with some kinds listed late, and goes on with changes over the same few names: objects change, go, and come again with a
new uid; references lead nowhere; Gateways change class, routes their parents, slices their Service; classes break and
heal, controllers and served versions change, a relist brings many changes in one batch.

Bodies are drawn per kind by :mod:`tests.support.bodies`; a kind that it does not know gets bare objects, so that the
table of kinds can grow.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from stunnergw.events.types import Applied, Deleted, Fact, Listed, Started
from stunnergw.projection.snapshots import OwnedSlot
from stunnergw.resources import kinds
from stunnergw.resources.metadata import Key
from stunnergw.settings import ConfigVersion, DataplaneMode, Decisions, ReferenceGrants, UDPRoutePorts
from tests.support.bench import Answer
from tests.support.bodies import ANYTHING, BODIES, NAMES, NAMESPACES, Flavour
from tests.support.drawing import below, pick
from tests.support.objects import applied

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from stunnergw.resources.kinds import Kind
    from tests.support.drawing import Draw
    from tests.support.objects import Body

Run = list[Fact | Answer]

CLASS_KINDS = (kinds.GATEWAY_CLASS, kinds.GATEWAY_CONFIG, kinds.DATAPLANE)
"""Those whose absence breaks a class."""

MANAGED = st.builds(
    Decisions,
    endpoint_discovery=st.sampled_from([None, True, False]),
    relay_to_cluster_ip=st.booleans(),
    standalone=st.booleans(),
    public_address=st.sampled_from(["", "192.0.2.9"]),
    reference_grants=st.sampled_from(ReferenceGrants),
    udproute_ports=st.sampled_from(UDPRoutePorts),
    endpoint_slices=st.sampled_from([True, True, False]),
)
LEGACY = st.builds(
    Decisions,
    dataplane_mode=st.just(DataplaneMode.LEGACY),
    config_version=st.sampled_from(ConfigVersion),
    endpoint_discovery=st.sampled_from([None, True, False]),
    standalone=st.booleans(),
)
SETTINGS = st.one_of(MANAGED, LEGACY)


def keys_of(kind: Kind[Any]) -> list[Key]:
    """Return the few keys that objects of a kind have."""
    names = NAMES.get(kind, ("one", "two"))
    return [Key(namespace, name) for namespace in (NAMESPACES if kind.namespaced else ("",)) for name in names]


@cache
@st.composite
def applies(draw: Draw, kind: Kind[Any], flavour: Flavour = ANYTHING, key: Key | None = None) -> Applied:
    """Apply an object of one kind: one of its few names, in one of two lives."""
    key = key or pick(draw, keys_of(kind))
    body = draw(_bodies(kind, flavour, key)) if kind in BODIES else {}
    life = pick(draw, [1, 1, 1, 2])
    meta = {
        "uid": f"{kind.name} {key} {life}",
        "generation": pick(draw, [1, 2, 3]),
        "creationTimestamp": pick(draw, ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", ""]),
        **body.pop("metadata", {}),
    }
    return applied(kind, key.name, namespace=key.namespace, meta=meta, **body)


@cache
def _bodies(kind: Kind[Any], flavour: Flavour, key: Key) -> SearchStrategy[Body]:
    return BODIES[kind](flavour, key)


@cache
@st.composite
def deletions(draw: Draw, kind: Kind[Any]) -> Deleted:
    """Delete an object that there may be."""
    return Deleted(kind=kind, key=pick(draw, keys_of(kind)))


@cache
@st.composite
def listings(draw: Draw, kind: Kind[Any]) -> Listed:
    """List a kind, in some of its versions, or in none: the server lacks it."""
    choices = [kind.versions[:1], kind.versions, kind.versions[-1:], ()]
    return Listed(kind=kind, versions=pick(draw, choices))


@cache
@st.composite
def worlds(draw: Draw, flavour: Flavour = ANYTHING) -> list[Fact]:
    """Draw the objects of a world, one for each key that there is, in random order; kinds are not listed yet."""
    flavour = flavour._replace(sound=draw(below(10)) < 8)
    facts = [
        draw(applies(kind, flavour, key=key))
        for kind in kinds.TABLE
        for key in keys_of(kind)
        if draw(below(10)) < _likely(kind)
    ]
    return list(draw(st.permutations(facts)))


def _likely(kind: Kind[Any]) -> int:
    """Say how often of ten an object is there; those that no decision looks into are rare, for the time they take."""
    if kind in CLASS_KINDS:
        return 9
    return 6 if kind in BODIES else 1


@cache
def changes(flavour: Flavour = ANYTHING) -> SearchStrategy[Fact | Answer]:
    """Draw one change. Those that break and heal classes come often, since holding hangs on them; answers, too."""
    each: list[SearchStrategy[Any]] = []
    for kind in kinds.TABLE:
        weight = 2 if kind in CLASS_KINDS else 1
        each += [applies(kind, flavour)] * (2 * weight) + [deletions(kind)] * weight
    each += [st.sampled_from(kinds.TABLE).flatmap(listings)]
    each += [answers()] * 8
    return st.one_of(*each)


@cache
def _runs(flavour: Flavour, most: int) -> SearchStrategy[list[Run]]:
    return st.lists(st.lists(changes(flavour), min_size=1, max_size=6), max_size=most)


_LATE = st.sets(st.sampled_from(kinds.TABLE), max_size=2)

SLOTS = [
    OwnedSlot(kind.kind, key)
    for kind in kinds.OWNED_KINDS
    for key in keys_of(kinds.GATEWAY_CLASS if kind is kinds.CONFIG_MAP else kinds.GATEWAY)
]
"""Where an owned object may belong."""

_SLOTS = st.sampled_from(SLOTS)
_OUTCOMES = st.sampled_from(["written", "written", "seen", "refused", "refused", "failed", "timeout"])
_MESSAGES = st.sampled_from(["spec.ports[0]: no", "quota"])


@st.composite
def answers(draw: Draw, slot: OwnedSlot | None = None) -> Answer:
    """Draw what the API server says to a write, if there was any, or that the object comes by the watch."""
    outcome = draw(_OUTCOMES)
    message = "" if outcome in ("written", "seen") else draw(_MESSAGES)
    return Answer(slot or draw(_SLOTS), outcome, message)


@st.composite
def all_answers(draw: Draw) -> Run:
    """Draw what the API server says to nearly all that may be wanted."""
    return [draw(answers(slot)) for slot in SLOTS if draw(below(10))]


@st.composite
def histories(draw: Draw, flavour: Flavour = ANYTHING, *, most_runs: int = 6) -> list[Run]:
    """Draw a history: the opening world, split into runs by chance, then runs of changes."""
    opening = draw(worlds(flavour))
    late = draw(_LATE)
    first = [Listed(kind=kind, versions=kind.versions[:1]) for kind in kinds.TABLE if kind not in late]
    cut = draw(below(len(opening) + 1))
    runs: list[Run] = [[*first, *opening[:cut]], [*opening[cut:]]]
    runs += draw(_runs(flavour, most_runs))
    listing = [Listed(kind=kind, versions=kind.versions[:1]) for kind in kinds.TABLE if kind in late]
    runs.insert(draw(st.integers(1, len(runs))), list(listing))
    for _ in range(draw(below(3))):
        runs.insert(draw(st.integers(2, len(runs))), draw(all_answers()))
    if draw(below(20)) == 0:
        runs.append([Started(run="again", version="0"), *first, *opening[:cut]])
    return [run for run in runs if run]


def emptying() -> Run:
    """Delete every object that a history may have left."""
    return [Deleted(kind=kind, key=key) for kind in kinds.TABLE for key in keys_of(kind)]
