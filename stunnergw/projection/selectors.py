"""Label selectors, as Kubernetes reads them: all parts must match."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stunnergw.resources.gateways import LabelSelector, LabelSelectorRequirement


_WITH_VALUES = ("In", "NotIn")
_WITHOUT_VALUES = ("Exists", "DoesNotExist")


def can_be_read(selector: LabelSelector) -> bool:
    """Say whether Kubernetes would take a selector: operators that it knows, each with values or without as it must be.

    A selector without any part selects everything.
    """
    return all(
        requirement.operator in (_WITH_VALUES if requirement.values else _WITHOUT_VALUES)
        for requirement in selector.match_expressions
    )


def matches(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Say whether ``labels`` fit. An operator that Kubernetes does not know fits nothing."""
    return all(labels.get(name) == value for name, value in selector.match_labels.items()) and all(
        _fits(requirement, labels) for requirement in selector.match_expressions
    )


def _fits(requirement: LabelSelectorRequirement, labels: Mapping[str, str]) -> bool:
    value = labels.get(requirement.key)
    match requirement.operator:
        case "In":
            return value in requirement.values
        case "NotIn":
            return value not in requirement.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    return False
