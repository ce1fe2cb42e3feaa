"""What a legacy document that would change tells of clients: listeners that go, peers that are admitted no longer.

Nothing of credentials is looked at. Peers are compared as addresses, without their port ranges, and by listener: the
names of clusters are nobody's business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from stunnergw.cli.marks import Mark, Trouble

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MOST_PEERS = 5


def document_marks(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Mark]:
    """Return the marks of a ConfigMap that holds ``stunnerd.conf``."""
    old, new = _document(before), _document(after)
    if old is None or new is None:
        return
    if old.get("version") != new.get("version"):
        said = f"the document's version changes from {old.get('version')} to {new.get('version')}"
        yield Mark(Trouble.CALLS, f"{said}: stunnerd has to know that one (--config-version)")
        return
    after_by_name = {listener["name"]: listener for listener in new.get("listeners") or ()}
    for listener in old.get("listeners") or ():
        yield from _listener(listener, after_by_name.get(listener["name"]), _clusters(old), _clusters(new))


def _listener(
    old: Mapping[str, Any], new: Mapping[str, Any] | None, before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[Mark]:
    name = old["name"]
    if new is None:
        yield Mark(Trouble.CALLS, f"listener {name} goes from the document")
        return
    if old.get("public_address") and old["public_address"] != new.get("public_address"):
        said = f"{old['public_address']} to {new.get('public_address') or 'nothing'}"
        yield Mark(Trouble.ADDRESS, f"listener {name}: its public address changes from {said}")
    gone = sorted(_peers(old, before) - _peers(new, after))
    if gone:
        more = f" and {len(gone) - MOST_PEERS} more" if len(gone) > MOST_PEERS else ""
        yield Mark(Trouble.SHUT_OUT, f"listener {name}: no longer admitted: {', '.join(gone[:MOST_PEERS])}{more}")


def _peers(listener: Mapping[str, Any], clusters: Mapping[str, Any]) -> set[str]:
    found: set[str] = set()
    for route in listener.get("routes") or ():
        found |= {str(endpoint).partition(":<")[0] for endpoint in clusters.get(route, {}).get("endpoints") or ()}
    return found


def _clusters(document: Mapping[str, Any]) -> dict[str, Any]:
    return {cluster["name"]: cluster for cluster in document.get("clusters") or ()}


def _document(config_map: Mapping[str, Any]) -> dict[str, Any] | None:
    try:
        found = orjson.loads((config_map.get("data") or {}).get("stunnerd.conf", ""))
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None
