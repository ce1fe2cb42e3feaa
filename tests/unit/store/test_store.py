from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stunnergw.events.types import Applied, Deleted, Event, Fact, Listed, Projected, Started, Unavailable, Wrote
from stunnergw.resources import kinds
from stunnergw.resources.metadata import GATEWAY_GROUP, STUNNER_GROUP, Key
from stunnergw.resources.parsing import parse
from stunnergw.store import indexes
from stunnergw.store.indexes import GatewayItem
from stunnergw.store.store import Get, Input, Select, Store, Versions, Written

if TYPE_CHECKING:
    from stunnergw.resources.kinds import Kind

EDGE = Key("media", "edge")
V1 = ("v1",)


class Folding:
    """A store and the events that it is fed, numbered on."""

    def __init__(self, *facts: Fact) -> None:
        self.store = Store(table=kinds.TABLE)
        self._seqs = count(1)
        self.fold(*facts)

    def fold(self, *facts: Fact) -> dict[Input, int]:
        return self.store.fold([Event(next(self._seqs), 0, "test", fact) for fact in facts])


def applied(kind: Kind[Any], name: str, *, metadata: dict[str, Any] | None = None, **parts: Any) -> Applied:
    where = {"namespace": "media"} if kind.namespaced else {}
    return Applied(kind=kind, object=parse(kind, {"metadata": {"name": name, **where, **(metadata or {})}, **parts}))


def gateway(class_name: str, *, uid: str = "1", version: str = "1", **status: Any) -> Applied:
    return applied(
        kinds.GATEWAY,
        "edge",
        metadata={"uid": uid, "resourceVersion": version},
        spec={"gatewayClassName": class_name},
        status=status,
    )


def route(*parents: dict[str, Any], kind: Kind[Any] = kinds.UDP_ROUTE, name: str = "calls") -> Applied:
    return applied(kind, name, spec={"parentRefs": list(parents)})


def listed(kind: Kind[Any], versions: tuple[str, ...] = V1) -> Listed:
    return Listed(kind=kind, versions=versions)


def deleted(kind: Kind[Any], key: Key = EDGE) -> Deleted:
    return Deleted(kind=kind, key=key)


def by_class(name: str) -> Select:
    return Select(indexes.GATEWAYS_BY_CLASS, name)


# Visibility ---------------------------------------------------------------------------------------------------


def test_objects_are_invisible_until_their_kind_is_listed() -> None:
    folding = Folding()
    assert folding.fold(gateway("turn")) == {}
    store = folding.store
    assert store.get(kinds.GATEWAY, EDGE) is None
    assert store.select(indexes.GATEWAYS_BY_CLASS, "turn") == ()
    assert store.keys(kinds.GATEWAY) == []
    assert kinds.GATEWAY in store.waiting_for()

    dirty = folding.fold(listed(kinds.GATEWAY))
    assert dirty == {Versions(kinds.GATEWAY): 2, Get(kinds.GATEWAY, EDGE): 2, by_class("turn"): 2}
    seen = store.get(kinds.GATEWAY, EDGE)
    assert seen is not None
    assert seen.spec.gateway_class_name == "turn"
    assert store.select(indexes.GATEWAYS_BY_CLASS, "turn") == (GatewayItem(EDGE, "1"),)
    assert store.keys(kinds.GATEWAY) == [EDGE]
    assert kinds.GATEWAY not in store.waiting_for()


def test_a_kind_is_listed_apart_from_others() -> None:
    store = Folding(gateway("turn"), listed(kinds.NODE)).store
    assert store.get(kinds.GATEWAY, EDGE) is None
    assert set(store.waiting_for()) == set(kinds.TABLE) - {kinds.NODE}


def test_what_came_and_went_before_the_list_was_never_there() -> None:
    folding = Folding(gateway("turn"), deleted(kinds.GATEWAY))
    assert folding.fold(listed(kinds.GATEWAY)) == {Versions(kinds.GATEWAY): 3}


def test_served_versions_are_an_input() -> None:
    folding = Folding()
    assert folding.store.versions(kinds.UDP_ROUTE) == ()
    assert folding.fold(listed(kinds.UDP_ROUTE, ())) == {Versions(kinds.UDP_ROUTE): 1}
    assert folding.fold(listed(kinds.UDP_ROUTE, ())) == {}
    assert folding.fold(listed(kinds.UDP_ROUTE, ("v1", "v1alpha2"))) == {Versions(kinds.UDP_ROUTE): 3}
    assert folding.store.versions(kinds.UDP_ROUTE) == ("v1", "v1alpha2")


def test_a_relist_without_news_dirties_nothing() -> None:
    folding = Folding(gateway("turn"), listed(kinds.GATEWAY))
    assert folding.fold(gateway("turn", version="9"), listed(kinds.GATEWAY)) == {}


# Objects ------------------------------------------------------------------------------------------------------


def test_an_equal_object_dirties_nothing_and_its_status_is_kept() -> None:
    folding = Folding(listed(kinds.GATEWAY), gateway("turn", version="1"))
    assert folding.fold(gateway("turn", version="2", conditions=[1])) == {}
    seen = folding.store.get(kinds.GATEWAY, EDGE)
    assert seen is not None
    assert seen.metadata.resource_version == "2"
    assert seen.status == b'{"conditions":[1]}'
    assert folding.store.changed_at(Get(kinds.GATEWAY, EDGE)) == 2
    assert folding.store.seq == 3


def test_a_change_dirties_the_object_and_the_old_and_new_index_values() -> None:
    folding = Folding(listed(kinds.GATEWAY), gateway("turn"))
    dirty = folding.fold(gateway("other"))
    assert dirty == {Get(kinds.GATEWAY, EDGE): 3, by_class("turn"): 3, by_class("other"): 3}
    assert folding.store.select(indexes.GATEWAYS_BY_CLASS, "turn") == ()
    assert folding.store.changed_at(Get(kinds.GATEWAY, EDGE)) == 3


def test_a_change_beside_the_index_leaves_its_values_alone() -> None:
    folding = Folding(listed(kinds.NODE), applied(kinds.NODE, "one"))
    address = {"addresses": [{"type": "ExternalIP", "address": "192.0.2.1"}]}
    assert folding.fold(applied(kinds.NODE, "one", status=address)) == {Get(kinds.NODE, Key("", "one")): 3}


def test_an_object_made_anew_under_its_old_name_is_another_item() -> None:
    folding = Folding(listed(kinds.GATEWAY), gateway("turn", uid="1"))
    assert by_class("turn") in folding.fold(gateway("turn", uid="2"))
    assert folding.store.select(indexes.GATEWAYS_BY_CLASS, "turn") == (GatewayItem(EDGE, "2"),)


def test_a_deletion_dirties_the_object_and_its_index_values() -> None:
    folding = Folding(listed(kinds.GATEWAY), gateway("turn"))
    dirty = folding.fold(deleted(kinds.GATEWAY))
    assert dirty == {Get(kinds.GATEWAY, EDGE): 3, by_class("turn"): 3}
    assert folding.store.get(kinds.GATEWAY, EDGE) is None
    assert folding.store.keys(kinds.GATEWAY) == []
    assert folding.store.changed_at(Get(kinds.GATEWAY, EDGE)) == 0


def test_deleting_what_is_not_there_is_nothing() -> None:
    assert Folding(listed(kinds.GATEWAY)).fold(deleted(kinds.GATEWAY)) == {}


def test_the_last_event_of_a_fold_is_the_one_that_is_named() -> None:
    folding = Folding(listed(kinds.GATEWAY))
    dirty = folding.fold(gateway("a"), gateway("b"), gateway("c"))
    assert dirty == {Get(kinds.GATEWAY, EDGE): 4, by_class("a"): 3, by_class("b"): 4, by_class("c"): 4}


def test_only_objects_are_known_to_have_changed() -> None:
    folding = Folding(listed(kinds.GATEWAY), gateway("turn"))
    assert folding.store.changed_at(by_class("turn")) == 0
    assert folding.store.changed_at(Versions(kinds.GATEWAY)) == 0


# Other events -------------------------------------------------------------------------------------------------


def test_a_run_that_starts_empties_the_store() -> None:
    wrote = Wrote(kind="Gateway", key=EDGE, digest="d", snapshot=1, outcome="written")
    folding = Folding(
        listed(kinds.GATEWAY), gateway("turn"), wrote, Unavailable(kind=kinds.NODE, reason="forbidden"),
        applied(kinds.NODE, "one"),
    )  # fmt: skip
    dirty = folding.fold(Started(run="r", version="0"))
    assert dirty == {Versions(kinds.GATEWAY): 6, Get(kinds.GATEWAY, EDGE): 6, by_class("turn"): 6}
    store = folding.store
    assert store.get(kinds.GATEWAY, EDGE) is None
    assert store.wrote("Gateway", EDGE) is None
    assert store.unavailable() == {}
    assert set(store.waiting_for()) == set(kinds.TABLE)
    assert folding.fold(listed(kinds.GATEWAY)) == {Versions(kinds.GATEWAY): 7}
    assert store.select(indexes.GATEWAYS_BY_CLASS, "turn") == ()


def test_an_unavailable_kind_keeps_its_objects_until_the_next_list() -> None:
    folding = Folding(listed(kinds.GATEWAY), gateway("turn"))
    assert folding.fold(Unavailable(kind=kinds.GATEWAY, reason="forbidden")) == {}
    assert folding.store.unavailable() == {"Gateway": "forbidden"}
    assert folding.store.get(kinds.GATEWAY, EDGE) is not None
    folding.fold(listed(kinds.GATEWAY))
    assert folding.store.unavailable() == {}


def wrote(kind: str = "Service", digest: str = "d", outcome: str = "refused", **more: Any) -> Wrote:
    return Wrote(kind=kind, key=EDGE, digest=digest, outcome=outcome, **{"snapshot": 1, **more})


@pytest.mark.parametrize("kind", kinds.OWNED_KINDS)
def test_what_came_of_writing_an_object_of_ours_is_an_input(kind: Kind[Any]) -> None:
    folding = Folding()
    assert folding.fold(wrote(kind.name)) == {Written(kind, EDGE): 1}
    assert folding.fold(wrote(kind.name, snapshot=2)) == {}
    assert folding.fold(wrote(kind.name, digest="e")) == {Written(kind, EDGE): 3}
    assert folding.fold(wrote(kind.name, digest="e", outcome="written")) == {Written(kind, EDGE): 4}
    assert folding.fold(wrote(kind.name, digest="e", outcome="written", message="m")) == {Written(kind, EDGE): 5}
    assert folding.fold(Started(run="r", version="0")) == {Written(kind, EDGE): 6}
    assert folding.store.wrote(kind.name, EDGE) is None


def test_a_write_and_its_object_are_two_inputs() -> None:
    assert len({Written(kinds.SERVICE, EDGE), Get(kinds.SERVICE, EDGE), Versions(kinds.SERVICE)}) == 3


def test_writes_of_statuses_are_remembered_and_dirty_nothing() -> None:
    folding = Folding()
    first, second = (Wrote(kind="Gateway", key=EDGE, digest=digest, snapshot=1, outcome="written") for digest in "ab")
    assert folding.fold(first, second) == {}
    assert folding.store.wrote("Gateway", EDGE) is second
    assert folding.store.wrote("Service", EDGE) is None


def test_a_snapshot_is_folded_and_dirties_nothing() -> None:
    folding = Folding()
    assert folding.fold(Projected(snapshot=1, changed=())) == {}
    assert folding.store.seq == 1


# Indexes ------------------------------------------------------------------------------------------------------


def test_routes_are_found_by_each_of_their_gateways_once() -> None:
    store = Folding(
        *(listed(kind) for kind in kinds.ROUTE_KINDS),
        route({"name": "edge"}, {"name": "edge", "sectionName": "udp"}, {"name": "far", "namespace": "other"}),
        route({"name": "edge"}, name="audio"),
        route({"name": "edge"}, kind=kinds.STUNNER_UDP_ROUTE, name="stunner"),
        route({"name": "edge", "kind": "Service", "group": ""}, name="mesh"),
    ).store
    assert store.select(indexes.ROUTES_BY_GATEWAY, EDGE) == (Key("media", "audio"), Key("media", "calls"))
    assert store.select(indexes.ROUTES_BY_GATEWAY, Key("other", "far")) == (Key("media", "calls"),)
    assert store.select(indexes.STUNNER_ROUTES_BY_GATEWAY, EDGE) == (Key("media", "stunner"),)


def test_a_route_that_loses_one_of_two_parents_dirties_that_one_alone() -> None:
    folding = Folding(listed(kinds.UDP_ROUTE), route({"name": "edge"}, {"name": "far"}))
    dirty = folding.fold(route({"name": "edge"}))
    assert set(dirty) == {
        Get(kinds.UDP_ROUTE, Key("media", "calls")),
        Select(indexes.ROUTES_BY_GATEWAY, Key("media", "far")),
    }


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ({"group": STUNNER_GROUP, "kind": "GatewayConfig", "name": "c", "namespace": "stunner"}, True),
        ({"group": GATEWAY_GROUP, "kind": "GatewayConfig", "name": "c", "namespace": "stunner"}, False),
        ({"group": STUNNER_GROUP, "kind": "ConfigMap", "name": "c", "namespace": "stunner"}, False),
        ({"group": STUNNER_GROUP, "kind": "GatewayConfig", "name": "c"}, False),
        (None, False),
    ],
)
def test_classes_are_found_by_their_gateway_config(reference: dict[str, str] | None, found: bool) -> None:
    spec = {"controllerName": "example.com/c", "parametersRef": reference}
    store = Folding(listed(kinds.GATEWAY_CLASS), applied(kinds.GATEWAY_CLASS, "turn", spec=spec)).store
    expected = (Key("", "turn"),) if found else ()
    assert store.select(indexes.CLASSES_BY_CONFIG, Key("stunner", "c")) == expected
    assert store.select(indexes.ALL_CLASSES, "") == (Key("", "turn"),)


def test_slices_are_found_by_their_service() -> None:
    labels = {"labels": {indexes.SERVICE_NAME: "media-server"}}
    store = Folding(
        listed(kinds.ENDPOINT_SLICE),
        applied(kinds.ENDPOINT_SLICE, "labelled", metadata=labels, addressType="IPv4"),
        applied(kinds.ENDPOINT_SLICE, "bare", addressType="IPv4"),
    ).store
    assert store.select(indexes.SLICES_BY_SERVICE, Key("media", "media-server")) == (Key("media", "labelled"),)
    assert store.select(indexes.SLICES_BY_SERVICE, Key("media", "")) == ()


def test_services_are_found_by_the_gateway_they_expose() -> None:
    annotations = {"annotations": {indexes.RELATED_GATEWAY: "media/edge"}}
    folding = Folding(listed(kinds.SERVICE), applied(kinds.SERVICE, "edge", metadata=annotations))
    select = Select(indexes.SERVICES_BY_GATEWAY, "media/edge")
    assert folding.store.select(indexes.SERVICES_BY_GATEWAY, "media/edge") == (EDGE,)
    assert set(folding.fold(applied(kinds.SERVICE, "edge"))) == {Get(kinds.SERVICE, EDGE), select}
    assert folding.store.select(indexes.SERVICES_BY_GATEWAY, "media/edge") == ()


def test_inputs_are_named_for_people() -> None:
    assert str(Get(kinds.GATEWAY, EDGE)) == "Gateway media/edge"
    assert str(by_class("turn")) == "gateways by class turn"
    assert str(Select(indexes.ALL_NODES, "")) == "all nodes"
    assert str(Versions(kinds.UDP_ROUTE)) == "served versions of UDPRoute"
    assert str(Written(kinds.SERVICE, EDGE)) == "write of Service media/edge"


# Any order ----------------------------------------------------------------------------------------------------

names = st.sampled_from(["a", "b", "c"])
changes = st.one_of(
    st.builds(
        lambda name, parents: route(*({"name": parent} for parent in sorted(parents)), name=name),
        names,
        st.sets(names),
    ),
    st.builds(lambda name: deleted(kinds.UDP_ROUTE, Key("media", name)), names),
    st.just(listed(kinds.UDP_ROUTE)),
    st.just(Started(run="r", version="0")),
)


def reads(store: Store) -> dict[Input, Any]:
    keys = [Key("media", name) for name in "abc"]
    return {
        Versions(kinds.UDP_ROUTE): store.versions(kinds.UDP_ROUTE),
        **{Get(kinds.UDP_ROUTE, key): store.get(kinds.UDP_ROUTE, key) for key in keys},
        **{Select(indexes.ROUTES_BY_GATEWAY, key): store.select(indexes.ROUTES_BY_GATEWAY, key) for key in keys},
    }


@given(st.lists(changes, max_size=12), st.lists(changes, max_size=6))
def test_whatever_reads_differently_after_a_fold_is_dirty(before: list[Fact], batch: list[Fact]) -> None:
    folding = Folding(*before)
    old = reads(folding.store)
    dirty = folding.fold(*batch)
    new = reads(folding.store)
    assert {read for read in old if old[read] != new[read]} <= set(dirty)


@given(st.lists(changes, max_size=12))
def test_indexes_say_what_the_objects_say(facts: list[Fact]) -> None:
    store = Folding(*facts).store
    for gateway_key in (Key("media", name) for name in "abc"):
        expected = tuple(
            key
            for key in store.keys(kinds.UDP_ROUTE)
            if (found := store.get(kinds.UDP_ROUTE, key))
            and gateway_key.name in {parent.name for parent in found.spec.parent_refs}
        )
        assert store.select(indexes.ROUTES_BY_GATEWAY, gateway_key) == expected
