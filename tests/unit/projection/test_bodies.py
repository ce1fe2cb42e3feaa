"""Owned objects as values: their digest changes with all but their secrets."""

from __future__ import annotations

from typing import Any

import pytest

from stunnergw.opaque import Opaque
from stunnergw.projection.bodies import OwnedObject, owned


def body(**data: Any) -> OwnedObject:
    metadata = {"name": "conf", "namespace": "media"}
    return owned({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})


PLAIN = body(a=Opaque.of("wonderland"), b=Opaque.of("elsewhere"), c="c")


@pytest.mark.parametrize(
    "other",
    [
        body(a=Opaque.of("another"), b=Opaque.of("elsewhere"), c="c"),
        body(a=Opaque.of("wonderland"), b=Opaque.of("wonderland"), c="c"),
        body(a=Opaque.of("wonderland", key=b"key"), b=Opaque.of("elsewhere", key=b"key"), c="c"),
        body(a=Opaque.of("wonderland").redacted, b=Opaque.of("elsewhere").redacted, c="c"),
    ],
    ids=["another secret", "one secret twice", "another process", "redacted"],
)
def test_the_digest_says_nothing_of_secrets(other: OwnedObject) -> None:
    assert other.digest == PLAIN.digest


@pytest.mark.parametrize(
    "other",
    [
        body(a=Opaque.of("wonderland"), b=Opaque.of("elsewhere"), c="d"),
        body(a=Opaque.of("wonderland"), c="c"),
        body(a=Opaque.of("wonderland"), b="elsewhere", c="c"),
        body(b=Opaque.of("wonderland"), c=Opaque.of("elsewhere"), a="c"),
    ],
    ids=["another value", "one less", "in clear", "elsewhere"],
)
def test_the_digest_changes_with_all_else(other: OwnedObject) -> None:
    assert other.digest != PLAIN.digest


def test_the_digest_is_short_and_lasting() -> None:
    """It stands in a cluster's annotations: were it another in the next version, all would be written again."""
    assert PLAIN.digest == "bf19db16e40eef73"
