"""``stunnergw render``: what would be served and written, once, on the production code path."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import yaml

from stunnergw import __version__
from stunnergw.cli.flags import DecisionFlags, decisions
from stunnergw.events.log import EventLog
from stunnergw.events.types import Started
from stunnergw.projection.outputs import Undecided, Want
from stunnergw.projection.projecting import Projection
from stunnergw.resources import kinds
from stunnergw.sinks.applying import applied_body
from stunnergw.sinks.statuses import merged_status
from stunnergw.sources.manifests import Loaded, load_manifests
from stunnergw.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from stunnergw.projection.snapshots import Snapshot, StatusSlot
    from stunnergw.settings import Decisions


class Rendering(NamedTuple):
    """What some manifests come to."""

    loaded: Loaded
    store: Store
    snapshot: Snapshot
    failures: tuple[str, ...]
    """What could not be worked out: an error of ours, not of the manifests."""


def render(paths: Sequence[Path], settings: Decisions, *, strict: bool = True) -> Rendering:
    """Load manifests and project them. Without ``strict``, files that are no YAML are problems like others.

    Raises:
        ManifestError: a path is missing or unreadable, or a file cannot be read as a whole.
    """
    loaded = load_manifests(paths, strict=strict)
    failures: list[str] = []
    log, store = EventLog(clock=lambda: 0), Store(table=kinds.TABLE)
    projection = Projection(
        store=store, settings=settings, on_failure=lambda query, error: failures.append(f"{query}: {error!r}")
    )
    log.append([Started(run="render", version=__version__), *loaded.facts], source="manifests")
    snapshot = projection.run(store.fold(log.since(0)))
    return Rendering(loaded, store, snapshot, tuple(failures))


def print_rendering(paths: Sequence[Path], *, flags: DecisionFlags | None, output: str, form: str) -> int:
    """Print the outputs that are asked for; problems go to standard error."""
    rendering = render(paths, decisions(flags))
    parts: dict[str, Any] = {
        "configs": lambda: list(configs(rendering.snapshot)),
        "objects": lambda: list(objects(rendering.snapshot)),
        "statuses": lambda: list(statuses(rendering)),
    }
    value = {name: part() for name, part in parts.items()} if output == "all" else parts[output]()
    sys.stdout.write(_text(value, form))
    for line in _said(rendering):
        print(line, file=sys.stderr)
    return 0


def configs(snapshot: Snapshot) -> Iterator[Any]:
    """Give the documents in stunnerd's own shape, by Gateway or class."""
    for key in sorted(snapshot.configs):
        found = snapshot.configs[key]
        if isinstance(found, Want):
            yield orjson.loads(found.value.body)


def objects(snapshot: Snapshot) -> Iterator[dict[str, Any]]:
    """Give the owned objects as they would be applied."""
    for slot in sorted(snapshot.objects):
        found = snapshot.objects[slot]
        if isinstance(found, Want):
            yield applied_body(found.value)


def statuses(rendering: Rendering) -> Iterator[dict[str, Any]]:
    """Give the objects that have a status of ours, with nothing else of them."""
    for slot in sorted(rendering.snapshot.statuses, key=lambda slot: (kinds.TABLE.index(slot.kind), slot.key)):
        found = rendering.snapshot.statuses[slot]
        thing: Any = rendering.store.get(slot.kind, slot.key)
        if not isinstance(found, Want) or thing is None:
            continue
        status = merged_status(found.value, thing.status, now=None)
        # A route without a parent of ours has no status of ours.
        if status and status != {"parents": []}:
            yield {
                "apiVersion": slot.kind.api_version(_version(rendering.store, slot)),
                "kind": slot.kind.kind,
                "metadata": _metadata(slot),
                "status": status,
            }


def _version(store: Store, slot: StatusSlot) -> str:
    served = store.versions(slot.kind)
    return next((version for version in slot.kind.versions if version in served), slot.kind.versions[0])


def _metadata(slot: StatusSlot) -> dict[str, str]:
    named = {"name": slot.key.name}
    return named | ({"namespace": slot.key.namespace} if slot.key.namespace else {})


def _text(value: Any, form: str) -> str:
    if form == "json":
        return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n"
    return yaml.dump(value, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, width=120)


def _said(rendering: Rendering) -> Iterator[str]:
    yield from map(str, rendering.loaded.problems)
    yield from map(str, rendering.loaded.notes)
    yield from rendering.failures
    for key, found in sorted(rendering.snapshot.configs.items()):
        if isinstance(found, Undecided):
            yield f"no configuration for {key}: {found.reason}"
