"""The API server's audit log: who asked for what, and what came of it.

The API server writes an event before the answer ends, so what a test has an answer to is in the log. A watch gives two
events, one when it starts and one when it ends; anything else gives one.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata}]
"""
WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})


class AuditLog:
    """Reads the events, all or those after a mark. They are dicts as Kubernetes writes them (``audit.k8s.io/v1``)."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def mark(self) -> int:
        """Return where the log ends now."""
        return self._path.stat().st_size if self._path.exists() else 0

    def since(self, mark: int = 0, *, user: str | None = None) -> list[dict[str, Any]]:
        """Return the events after a mark in their order, those of one user only if it is named."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(mark)
            whole, _, _ = file.read().rpartition(b"\n")  # the last line may be half there
        events = [json.loads(line) for line in whole.splitlines()]
        return [event for event in events if user is None or event["user"].get("username") == user]

    def writes(self, mark: int = 0, *, user: str | None = None, succeeded: bool | None = None) -> list[dict[str, Any]]:
        """Return the events that asked for a change; only those that had, or had no, success if that is said."""
        return [
            event
            for event in self.since(mark, user=user)
            if event["verb"] in WRITES and (succeeded is None or succeeded == (status(event) < 300))
        ]


def status(event: dict[str, Any]) -> int:
    """Return the HTTP status of the answer."""
    return int(event.get("responseStatus", {}).get("code", 0))


def described(event: dict[str, Any]) -> str:
    """Say an event in a line: ``patch gateways/status media/edge: 200``."""
    about = event.get("objectRef")
    if about is None:
        return f"{event['verb']} {event['requestURI']}: {status(event)}"
    resource = "/".join(filter(None, (about["resource"], about.get("subresource"))))
    name = "/".join(filter(None, (about.get("namespace"), about.get("name"))))
    return " ".join(filter(None, (event["verb"], resource, name))) + f": {status(event)}"
