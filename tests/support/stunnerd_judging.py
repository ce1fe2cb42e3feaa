"""The verdict on a document: what stunnerd would make of it.

`judge` reads and applies a text as stunnerd_reading and stunnerd_applying know stunnerd to, and says how
that ends. It was made to agree with recordings of the real one (tests/data/stunnerd/documents.json). The
zero document, which stands for a deleted Gateway, is told by what it says after defaults, as stunnerd tells
it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from tests.support.stunnerd_applying import Panics, RefusedWhenApplied, apply
from tests.support.stunnerd_reading import (
    DEFAULT_HEALTHCHECK,
    DEFAULT_LOGLEVEL,
    DEFAULT_REALM,
    Admin,
    Auth,
    Config,
    RefusedWhenRead,
    read,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_ZERO_CREDENTIALS = {"username": "dummy-username", "password": "dummy-password"}


class Outcome(StrEnum):
    """How it ends, from best to worst."""

    APPLIED = "applied"
    REFUSED_WHEN_READ = "refused when read"
    REFUSED_WHEN_APPLIED = "refused when applied"
    PANIC = "panic"


@dataclass(frozen=True)
class Verdict:
    """The outcome, why it is no better, what would run, and what may go wrong by bad luck."""

    outcome: Outcome
    reason: str = ""
    config: Config | None = None
    doubts: tuple[str, ...] = ()

    @property
    def applied(self) -> bool:
        """Whether stunnerd would run it."""
        return self.outcome is Outcome.APPLIED


def judge(
    text: str | bytes,
    *,
    environ: Mapping[str, str],
    over_network: bool = False,
    short_protocols: bool = False,
) -> Verdict:
    """Decide as stunnerd would.

    environ: its environment, for `$NAME` in the text.
    over_network: fetched by one GET without `-w`, which takes v1 JSON only and expands nothing.
    A watch (`-w`) reads like a file.
    short_protocols: as stunnerd 0.13.
    """
    try:
        config = read(text, environ=environ, over_network=over_network, short_protocols=short_protocols)
    except RefusedWhenRead as refusal:
        return Verdict(Outcome.REFUSED_WHEN_READ, str(refusal))
    try:
        doubts = apply(config, environ=environ, short_protocols=short_protocols)
    except RefusedWhenApplied as refusal:
        return Verdict(Outcome.REFUSED_WHEN_APPLIED, str(refusal), config)
    except Panics as panic:
        return Verdict(Outcome.PANIC, str(panic), config)
    return Verdict(Outcome.APPLIED, "", config, doubts)


def zero_document(name: str) -> bytes:
    """The document that tells watchers of `name` that its Gateway is gone, to the letter."""
    auth = {"type": "static", "realm": DEFAULT_REALM, "credentials": _ZERO_CREDENTIALS}
    document = {"version": "v1", "admin": {"name": name}, "auth": auth}
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def is_zero_document(text: str | bytes) -> bool:
    """Whether stunnerd takes it for a deletion: after defaults, and whatever the name."""
    try:
        config = read(text, environ={})
    except RefusedWhenRead:
        return False
    return config == _zero(config)


def _zero(like: Config) -> Config:
    admin = Admin(like.admin.name, DEFAULT_LOGLEVEL, "", DEFAULT_HEALTHCHECK, 0, "None", (), licensed=False)
    return Config(like.version, admin, Auth("static", DEFAULT_REALM, _ZERO_CREDENTIALS), (), ())
