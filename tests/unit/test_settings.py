from __future__ import annotations

import dataclasses

import pytest

from stunnergw.errors import UsageError
from stunnergw.settings import Address, Decisions, Settings


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (":8080", Address("", 8080)),
        ("127.0.0.1:8080", Address("127.0.0.1", 8080)),
        ("localhost:0", Address("localhost", 0)),
        ("[::1]:8080", Address("::1", 8080)),
        ("[::]:65535", Address("::", 65535)),
        (":0", Address("", 0)),
    ],
)
def test_addresses(text: str, address: Address) -> None:
    assert Address.parse(text, flag="metrics-bind-address") == address
    assert str(address) == text


def test_zero_switches_the_listener_off() -> None:
    assert Address.parse("0", flag="metrics-bind-address") is None


@pytest.mark.parametrize("text", ["", "8080", "localhost", "localhost:", "localhost:http", ":-1", ":65536", ": 80"])
def test_what_is_no_address_names_the_flag_and_what_to_write(text: str) -> None:
    with pytest.raises(UsageError, match=r"--metrics-bind-address: .* write host:port") as caught:
        Address.parse(text, flag="metrics-bind-address")
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("text", ["::1", "[::1", "[::1:80", "fe80::1:80", ":٣"])
def test_ipv6_needs_its_brackets_and_ports_are_plain_digits(text: str) -> None:
    with pytest.raises(UsageError, match="--metrics-bind-address"):
        Address.parse(text, flag="metrics-bind-address")


def test_settings_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().throttle_timeout = 1  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        Decisions().standalone = True  # type: ignore[misc]


def test_what_decides_can_be_compared() -> None:
    # Equal settings mean equal projections: a journal tells by this whether they changed.
    assert Decisions() == Decisions()
    assert hash(Decisions()) == hash(Decisions())
    assert Decisions(cluster_domain="example.org") != Decisions()
