"""Bodies as they are applied."""

from __future__ import annotations

from stunnergw.opaque import Opaque
from stunnergw.projection.bodies import owned
from stunnergw.sinks.applying import APPLIED, applied_body


def config_map(secret: Opaque) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "conf", "namespace": "media"},
        "data": {"stunnerd.conf": secret},
    }


def test_secrets_are_put_back() -> None:
    wanted = owned(config_map(Opaque.of("wonder$land")))
    assert b"wonder" not in wanted.body
    assert "wonder" not in repr(wanted)
    assert applied_body(wanted)["data"] == {"stunnerd.conf": "wonder$land"}


def test_the_hash_goes_by_the_content_and_not_by_this_process() -> None:
    """Another replica, with another digest key, must find the same."""
    one, two = (owned(config_map(Opaque.of("wonderland", key=key))) for key in (b"one", b"two"))
    assert applied_body(one)["metadata"]["annotations"] == applied_body(two)["metadata"]["annotations"]
    other = owned(config_map(Opaque.of("elsewhere")))
    assert (
        applied_body(other)["metadata"]["annotations"][APPLIED] != applied_body(one)["metadata"]["annotations"][APPLIED]
    )
