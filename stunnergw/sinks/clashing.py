"""Ports that others wrote into our Service, in the way of ours: the same name or node port at another port number.

Who moves a port of ours by hand makes it his: an apply of ours would put the port that we want beside it, and the API
server refuses a Service with two ports of one name, for as long as both stand there. So such a port becomes ours
before the apply, which then drops it. Other ports that somebody adds stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from stunnergw.resources.metadata import FIELD_MANAGER
from stunnergw.sinks.fields import Takeover, our_entry, union

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stunnergw.resources.core import Service
    from stunnergw.sinks.fields import Fields

Port = dict[str, Any]
"""A port of a Service as Kubernetes spells it."""


def in_the_way(
    found: Sequence[Mapping[str, Any]], wanted: Sequence[Mapping[str, Any]], *, ours: Mapping[str, Any]
) -> list[Mapping[str, Any]]:
    """Return the ports of a Service that stands there which cannot stand beside those that are wanted.

    ``ours`` is the fieldsV1 of our applies: what is in it goes by itself.
    """
    numbers = {_number(port) for port in wanted}
    names = {port["name"] for port in wanted}
    node_ports = {(port["nodePort"], port["protocol"]) for port in wanted if port.get("nodePort")}
    mine = (ours.get("f:spec") or {}).get("f:ports") or {}
    return [
        port
        for port in found
        if _number(port) not in numbers
        and _key(port) not in mine
        and (port.get("name") in names or (port.get("nodePort"), port.get("protocol", "TCP")) in node_ports)
    ]


def rearranged(found: Service, body: Mapping[str, Any]) -> bool:
    """Say whether there are such ports in a Service."""
    ports = [
        {"name": port.name, "protocol": port.protocol, "port": port.port, "nodePort": port.node_port}
        for port in found.spec.ports
    ]
    wanted = body["spec"].get("ports") or ()
    fields = orjson.loads(found.metadata.applied_fields or b"{}")
    return bool(in_the_way(ports, wanted, ours=fields))


def with_ports(taken: Takeover | None, *, found: Mapping[str, Any], body: Mapping[str, Any]) -> Takeover | None:
    """Add to what is taken over of a Service the ports that are in the way; None where there is nothing to take."""
    entries = taken.entries if taken else found["metadata"].get("managedFields") or []
    ours = our_entry(entries) or {"manager": FIELD_MANAGER, "operation": "Apply", "apiVersion": "v1"}
    there, wanted = found["spec"].get("ports") or (), body["spec"].get("ports") or ()
    ports = in_the_way(there, wanted, ours=ours.get("fieldsV1") or {})
    if not ports:
        return taken
    fields: Fields = {_key(port): {".": {}, **{f"f:{name}": {} for name in port}} for port in ports}
    mine = union(ours.get("fieldsV1") or {}, {"f:spec": {"f:ports": fields}})
    rest = [_without(entry, fields.keys()) for entry in entries if entry is not ours]
    made = {**ours, "fieldsType": "FieldsV1", "fieldsV1": mine}
    said = tuple(f"{port.get('name', '')} {port['port']}/{port.get('protocol', 'TCP')}".strip() for port in ports)
    return Takeover([*(entry for entry in rest if entry["fieldsV1"]), made], taken.left if taken else (), said)


def _number(port: Mapping[str, Any]) -> tuple[int, str]:
    return port["port"], port.get("protocol", "TCP")


def _key(port: Mapping[str, Any]) -> str:
    number, protocol = _number(port)
    return f"k:{orjson.dumps({'port': number, 'protocol': protocol}).decode()}"


def _without(entry: Mapping[str, Any], keys: Any) -> dict[str, Any]:
    """Return an entry of managedFields without some ports, and without what is empty then."""
    fields: Fields = entry.get("fieldsV1") or {}
    spec = fields.get("f:spec") or {}
    ports = spec.get("f:ports") or {}
    left = {key: below for key, below in ports.items() if key not in keys}
    if len(left) == len(ports):
        return dict(entry)
    kept = {**{name: below for name, below in spec.items() if name != "f:ports"}, **({"f:ports": left} if left else {})}
    rest = {name: below for name, below in fields.items() if name != "f:spec"}
    return {**entry, "fieldsV1": {**rest, **({"f:spec": kept} if kept else {})}}
