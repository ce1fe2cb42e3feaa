"""managedFields: what our entry covers, and how the reference operator's becomes ours."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from stunnergw.resources import kinds
from stunnergw.resources.metadata import FIELD_MANAGER
from stunnergw.resources.parsing import parse
from stunnergw.sinks.fields import covers, takeover
from tests.unit.sinks.ownership import body_paths, nested

OWNER_REF = {"apiVersion": "v1", "kind": "Gateway", "name": "edge", "uid": "u-1"}


def body() -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "edge",
            "namespace": "media",
            "labels": {"a": "b"},
            "annotations": {"c": "d"},
            "ownerReferences": [dict(OWNER_REF)],
        },
        "spec": {
            "type": "LoadBalancer",
            "selector": {"app": "stunner"},
            "ports": [{"name": "udp", "protocol": "UDP", "port": 3478, "targetPort": 3478}],
            "externalIPs": ["192.0.2.1"],
        },
    }


def entry(operation: str = "Apply", manager: str = FIELD_MANAGER, of: dict[str, Any] | None = None) -> dict[str, Any]:
    fields = nested(body_paths(of or body()))
    return {"manager": manager, "operation": operation, "time": "2026-01-01T00:00:00Z", "fieldsV1": fields}


def applied_fields(*entries: dict[str, Any]) -> str:
    metadata = {"name": "edge", "managedFields": list(entries)}
    return parse(kinds.SERVICE, {"metadata": metadata}).metadata.applied_fields


def test_what_was_applied_is_covered() -> None:
    assert covers(applied_fields(entry()), body())


def test_no_entry_of_ours_covers_nothing() -> None:
    theirs = [entry("Update"), entry(manager="kubectl"), {**entry(), "subresource": "status"}, {}]
    assert applied_fields(*theirs) == ""
    assert not covers("", body())


def _other_port(wanted: dict[str, Any]) -> None:
    wanted["spec"]["ports"][0]["port"] = 3479


def _more_ports(wanted: dict[str, Any]) -> None:
    wanted["spec"]["ports"].append({"name": "tcp", "protocol": "TCP", "port": 3478})


def _more_fields(wanted: dict[str, Any]) -> None:
    wanted["spec"]["ports"][0]["nodePort"] = 30000


def _another_label(wanted: dict[str, Any]) -> None:
    wanted["metadata"]["labels"]["x"] = "y"


@pytest.mark.parametrize("change", [_other_port, _more_ports, _more_fields, _another_label])
def test_what_is_not_in_our_entry_is_not_covered(change: Any) -> None:
    wanted = body()
    change(wanted)
    assert not covers(applied_fields(entry()), wanted)


def test_a_field_that_was_taken_from_us_is_no_longer_covered() -> None:
    taken = body()
    del taken["spec"]["ports"][0]["targetPort"]
    assert not covers(applied_fields(entry(of=taken)), body())


def test_a_list_of_values_is_found_by_its_values() -> None:
    fields = orjson.loads(applied_fields(entry()))
    fields["f:spec"]["f:externalIPs"] = {'v:"192.0.2.1"': {}}
    assert covers(orjson.dumps(fields).decode(), body())
    other = body()
    other["spec"]["externalIPs"] = ["192.0.2.2"]
    assert not covers(orjson.dumps(fields).decode(), other)


def test_objects_of_one_shape_share_one_text() -> None:
    other = body()
    other["metadata"]["ownerReferences"][0]["uid"] = "u-2"
    other["metadata"]["labels"]["a"] = "z"
    one, two = (
        parse(kinds.SERVICE, {"metadata": {"name": "edge", "managedFields": [entry(of=of)]}}).metadata.managers
        for of in (body(), other)
    )
    assert one is two
    assert "u-1" not in one


# Taking over -----------------------------------------------------------------------------------------------------


def test_nothing_of_the_reference_is_nothing_to_take_over() -> None:
    assert takeover({"managedFields": [entry("Update", "kubectl"), entry()]}, body()) is None
    assert takeover({}, body()) is None


def reference_wrote() -> dict[str, Any]:
    theirs = body()
    theirs["metadata"]["labels"] |= {"stunner.l7mp.io/old": "x", "example.org/unseen": "x"}
    theirs["metadata"]["annotations"] |= {"cloud/hint": "x"}
    theirs["spec"]["ports"][0] |= {"port": 3000, "nodePort": 30000}
    theirs["spec"] |= {"externalTrafficPolicy": "Local", "internalTrafficPolicy": "Cluster"}
    return theirs


@pytest.mark.parametrize("manager", ["manager", "stunner-gateway-operator"])
def test_what_the_reference_wrote_becomes_ours_but_not_what_it_may_not_have_written(manager: str) -> None:
    status = {**entry("Update", "manager"), "subresource": "status"}
    others = [entry("Update", "kubectl"), status]
    taken = takeover({"managedFields": [entry("Update", manager, reference_wrote()), *others]}, body())
    assert taken is not None
    assert taken.left == ("cloud/hint",)
    assert taken.entries[:-1] == others
    made = taken.entries[-1]
    assert (made["manager"], made["operation"]) == (FIELD_MANAGER, "Apply")
    assert set(made["fieldsV1"]["f:metadata"]) == {"f:labels", "f:ownerReferences"}
    assert set(made["fieldsV1"]["f:metadata"]["f:labels"]) == {"f:a", "f:stunner.l7mp.io/old"}
    spec = made["fieldsV1"]["f:spec"]
    assert "f:externalTrafficPolicy" in spec
    assert "f:internalTrafficPolicy" not in spec
    port = spec["f:ports"]['k:{"port":3000,"protocol":"UDP"}']
    assert set(port) == {".", "f:name", "f:port", "f:protocol", "f:targetPort"}


def test_an_entry_of_ours_is_joined_with_the_reference_s() -> None:
    taken = takeover({"managedFields": [entry(), entry("Update", "manager", reference_wrote())]}, body())
    assert taken is not None
    (made,) = taken.entries
    assert set(made["fieldsV1"]["f:spec"]["f:ports"]) == {
        'k:{"port":3000,"protocol":"UDP"}',
        'k:{"port":3478,"protocol":"UDP"}',
    }


def test_of_a_config_map_other_keys_stay_nobody_s() -> None:
    wanted = {"metadata": {"annotations": {}}, "data": {"stunnerd.conf": "{}"}}
    fields: dict[str, Any] = {"f:data": {".": {}, "f:stunnerd.conf": {}, "f:mine": {}}}
    theirs = {"manager": "manager", "operation": "Update", "fieldsV1": fields}
    taken = takeover({"managedFields": [theirs]}, wanted)
    assert taken is not None
    assert taken.entries[0]["fieldsV1"] == {"f:data": {"f:stunnerd.conf": {}}}


def test_replicas_are_never_taken_over() -> None:
    wanted: dict[str, Any] = {"metadata": {}, "spec": {}}
    fields: dict[str, Any] = {"f:spec": {"f:replicas": {}, "f:strategy": {"f:type": {}}}}
    theirs = {"manager": "manager", "operation": "Update", "fieldsV1": fields}
    taken = takeover({"managedFields": [theirs]}, wanted)
    assert taken is not None
    assert taken.entries[0]["fieldsV1"] == {"f:spec": {"f:strategy": {"f:type": {}}}}
