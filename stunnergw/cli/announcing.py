"""What ``run`` says once it is ready: the line that scripts wait for, and a table of what is served to whom."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stunnergw.projection.outputs import ABSENT, Undecided, Want
from stunnergw.projection.snapshots import StatusSlot
from stunnergw.projection.statuses import ClassStatus, GatewayStatus
from stunnergw.resources.kinds import GATEWAY, GATEWAY_CLASS
from stunnergw.serving.server import CONFIG_DISCOVERY
from stunnergw.settings import DataplaneMode

if TYPE_CHECKING:
    from stunnergw.operator import Operator
    from stunnergw.projection.snapshots import Snapshot
    from stunnergw.projection.statuses import Condition
    from stunnergw.resources.metadata import Key
    from stunnergw.settings import Address

MOST_ROWS = 20
_PIPED = 10_000
"""Columns of an output that is no terminal: lines are not broken there."""
_EVERYWHERE = ("", "::", "0.0.0.0")  # noqa: S104 - compared, not bound


class Row(NamedTuple):
    """One Gateway, or in legacy mode one class."""

    name: str
    state: str
    """``Programmed`` (``Accepted`` of a class), else what stands in the way, in a word or two."""
    addresses: tuple[str, ...]
    """Where clients find its listeners, such as ``192.0.2.1:3478/udp``."""
    url: str


def announce(operator: Operator) -> None:
    """Print where it listens, ports as bound, and what is served."""
    addresses = operator.servers.addresses
    with contextlib.suppress(BrokenPipeError):  # whoever started us does not listen
        print("stunnergw is ready:", *(f"{flag}={address}" for flag, address in addresses.items()), flush=True)
        latest = operator.projector.latest
        legacy = operator.settings.decisions.dataplane_mode is DataplaneMode.LEGACY
        if latest is not None:
            found = rows(latest, legacy=legacy, address=addresses.get(CONFIG_DISCOVERY))
            _print(found, legacy=legacy, where="manifests" if operator.settings.manifests else "cluster")


def rows(snapshot: Snapshot, *, legacy: bool, address: Address | None) -> list[Row]:
    """Return a row for each Gateway that is ours, by name; in legacy mode for each class."""
    kind = GATEWAY_CLASS if legacy else GATEWAY
    keys = {slot.key for slot in snapshot.statuses if slot.kind is kind} | set(snapshot.configs)
    return [
        Row(str(key), _state(snapshot, key, legacy=legacy), _addresses(snapshot, key), _url(key, legacy, address))
        for key in sorted(keys)
    ]


def _state(snapshot: Snapshot, key: Key, *, legacy: bool) -> str:
    output = snapshot.statuses.get(StatusSlot(GATEWAY_CLASS if legacy else GATEWAY, key), ABSENT)
    if isinstance(output, Want) and isinstance(output.value, ClassStatus | GatewayStatus):
        wanted = "Accepted" if legacy else "Programmed"
        found = next((each for each in output.value.conditions if each.type == wanted), None)
        state = _in_short(found) if found else "?"
    else:
        state = "undecided"
    if isinstance(snapshot.configs.get(key), Undecided):
        return f"{state}, no config yet"
    return f"{state}, held" if legacy and key.name in snapshot.held else state


def _in_short(condition: Condition) -> str:
    return condition.type if condition.status == "True" else f"not {condition.type}: {condition.reason}"


def _addresses(snapshot: Snapshot, key: Key) -> tuple[str, ...]:
    output = snapshot.configs.get(key)
    if not isinstance(output, Want):
        return ()
    listeners = orjson.loads(output.value.body).get("listeners", ())
    return tuple(dict.fromkeys(_address(each) for each in listeners if each.get("public_address")))


def _address(listener: dict[str, str]) -> str:
    host, transport = listener["public_address"], listener["protocol"].removeprefix("TURN-").lower()
    return f"{f'[{host}]' if ':' in host else host}:{listener['public_port']}/{transport}"


def _url(key: Key, legacy: bool, address: Address | None) -> str:
    if address is None:
        return ""
    # All addresses are this machine's, too.
    reachable = address._replace(host="127.0.0.1") if address.host in _EVERYWHERE else address
    return f"http://{reachable}/config?{'class' if legacy else 'gateway'}={quote(str(key))}"


def _print(found: list[Row], *, legacy: bool, where: str) -> None:
    kind = "GatewayClass" if legacy else "Gateway"
    if not found:
        print(f"No {kind} of ours is in the {where}.", flush=True)
        return
    table = Table(box=None, pad_edge=False, show_edge=False)
    for title in (kind, "State", "Public address", "Config"):
        table.add_column(title, overflow="fold")
    for row in found[:MOST_ROWS]:
        table.add_row(*map(Text, (row.name, row.state, "\n".join(row.addresses) or "-", row.url or "-")))
    # Where nobody looks at columns, lines are not broken to fit any.
    console = Console(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else _PIPED)
    with console.capture() as drawn:
        console.print(table)
    for line in drawn.get().splitlines():
        print(line.rstrip())
    if len(found) > MOST_ROWS:
        print(f"and {len(found) - MOST_ROWS} more: /status has them")
    sys.stdout.flush()
