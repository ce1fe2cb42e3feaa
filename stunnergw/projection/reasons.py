"""The reasons of conditions: every one that a status of ours can carry, and no other.

All are the Gateway API's, spelled as it spells them, so that tools know them. docs/status.md has a row for each in each
condition that it occurs in, with what it means and what to do; a reason without a row fails a test.
"""

from __future__ import annotations

from enum import StrEnum, unique


@unique
class Reason(StrEnum):
    """A condition's reason, as machines read it."""

    ACCEPTED = "Accepted"
    PROGRAMMED = "Programmed"
    RESOLVED_REFS = "ResolvedRefs"
    SUPPORTED_VERSION = "SupportedVersion"
    """The four above are those of conditions that are True for their own name."""

    ADDRESS_NOT_ASSIGNED = "AddressNotAssigned"
    ADDRESS_NOT_USABLE = "AddressNotUsable"
    BACKEND_NOT_FOUND = "BackendNotFound"
    INVALID = "Invalid"
    INVALID_CERTIFICATE_REF = "InvalidCertificateRef"
    INVALID_KIND = "InvalidKind"
    INVALID_PARAMETERS = "InvalidParameters"
    INVALID_ROUTE_KINDS = "InvalidRouteKinds"
    INVALID_TLS_CONFIG = "InvalidTLSConfig"
    LISTENERS_NOT_RESOLVED = "ListenersNotResolved"
    LISTENERS_NOT_VALID = "ListenersNotValid"
    NO_MATCHING_PARENT = "NoMatchingParent"
    NO_RESOURCES = "NoResources"
    NOT_ALLOWED_BY_LISTENERS = "NotAllowedByListeners"
    PENDING = "Pending"
    PORT_UNAVAILABLE = "PortUnavailable"
    PROTOCOL_CONFLICT = "ProtocolConflict"
    REF_NOT_PERMITTED = "RefNotPermitted"
    UNSUPPORTED_ADDRESS = "UnsupportedAddress"
    UNSUPPORTED_PROTOCOL = "UnsupportedProtocol"
    UNSUPPORTED_VALUE = "UnsupportedValue"
    UNSUPPORTED_VERSION = "UnsupportedVersion"

    ATTACHED = "Attached"
    LISTENERS_NOT_READY = "ListenersNotReady"
    READY = "Ready"
    SCHEDULED = "Scheduled"
    """These are of v0.4 alone."""
