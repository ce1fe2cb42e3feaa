"""Flags and variables, and the settings that they come to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stunnergw.cli import rendering
from stunnergw.cli.commands import run_command
from stunnergw.cli.flags import decisions
from stunnergw.cli.runflags import RunFlags, settings_of
from stunnergw.settings import FILTERED_LABELS, ConfigVersion, Decisions, ReferenceGrants, UDPRoutePorts

if TYPE_CHECKING:
    from pathlib import Path

    from stunnergw.cli.flags import DecisionFlags


@pytest.fixture
def decided(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the settings that the flags of ``render`` come to."""

    def settings(*flags: str) -> Decisions:
        seen: list[Decisions] = []

        def catch(_paths: object, *, flags: DecisionFlags | None, **_more: object) -> int:
            seen.append(decisions(flags))
            return 0

        monkeypatch.setattr(rendering, "print_rendering", catch)
        assert run_command(["render", "-f", "m", *flags]) == 0
        return seen[0]

    return settings


@pytest.mark.parametrize(
    ("flag", "field", "value"),
    [
        ("--reference-grants=enforce", "reference_grants", ReferenceGrants.ENFORCE),
        ("--reference-grants=ignore", "reference_grants", ReferenceGrants.IGNORE),
        ("--udproute-ports=enforce", "udproute_ports", UDPRoutePorts.ENFORCE),
        ("--config-discovery-service=cds.ops:1234", "config_discovery_service", "cds.ops:1234"),
        ("--config-version=v1alpha1", "config_version", ConfigVersion.V1ALPHA1),
        ("--disable-endpontslice-controller", "endpoint_slices", False),
        ("-disable-endpontslice-controller=true", "endpoint_slices", False),
        ("--disable-endpontslice-controller=false", "endpoint_slices", True),
        ("--endpoint-discovery=false", "endpoint_discovery", False),
        ("--no-endpoint-discovery", "endpoint_discovery", False),
        ("--relay-to-cluster-ip=false", "relay_to_cluster_ip", False),
        ("--label-filter=a, b/c,", "filtered_labels", ("a", "b/c")),
        ("--public-address=2001:DB8::1", "public_address", "2001:db8::1"),
        ("--public-address=turn.example.com", "public_address", "turn.example.com"),
    ],
)
def test_each_flag_sets_its_field(decided: Any, flag: str, field: str, value: object) -> None:
    assert getattr(decided(flag), field) == value


def test_without_flags_the_defaults_hold(decided: Any) -> None:
    assert decided() == Decisions(standalone=True)


@pytest.mark.parametrize(
    ("variable", "value", "field", "found"),
    [
        ("LABEL_FILTER", "one,two", "filtered_labels", ("one", "two")),
        ("CONTROLLER_NAME", "example.org/ours", "controller_name", "example.org/ours"),
        ("DATAPLANE_MODE", "legacy", "dataplane_mode", "legacy"),
    ],
)
def test_variables(
    decided: Any, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, field: str, found: object
) -> None:
    monkeypatch.setenv(f"STUNNER_GATEWAY_OPERATOR_{variable}", value)
    assert getattr(decided(), field) == found


def test_labels_are_filtered_unless_told_otherwise(decided: Any) -> None:
    assert decided().filtered_labels == FILTERED_LABELS


def test_the_address_variable_changes_the_host_alone(tmp_path: Path) -> None:
    settings = settings_of(RunFlags(manifests=(tmp_path,), operator_address="10.0.0.1"))
    assert str(settings.config_discovery_address) == "10.0.0.1:13478"
