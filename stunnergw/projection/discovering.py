"""Endpoint discovery: the addresses behind a Service.

They come from its EndpointSlices, or from the Endpoints object of its name where slices are not served or switched off.
Addresses count whether ready or not and also while terminating, so that calls drain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stunnergw.dataplane.endpoints import normalise
from stunnergw.projection.queries import query
from stunnergw.resources.kinds import ENDPOINT_SLICE, ENDPOINTS, SERVICE
from stunnergw.store.indexes import SLICES_BY_SERVICE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stunnergw.projection.queries import Context
    from stunnergw.resources.core import EndpointPort
    from stunnergw.resources.metadata import Key

ADDRESS_TYPES = ("IPv4", "IPv6")


class TargetAddress(NamedTuple):
    """An address behind a Service, with the UDP ports that it listens on."""

    address: str
    ports: tuple[tuple[str, int], ...]
    """Name and number; the name is that of the Service's port."""


class Targets(NamedTuple):
    """What is behind a Service."""

    targets: tuple[TargetAddress, ...]
    skipped: tuple[str, ...]
    """EndpointSlices that hold no IP addresses, said in a sentence each."""


class Addresses(NamedTuple):
    """The addresses behind a Service, and its own where they may be reached."""

    addresses: tuple[str, ...]
    skipped: tuple[str, ...]


@query("addresses of Service")
def addresses_of_service(db: Context, service: Key) -> Addresses:
    """Return all addresses behind a Service, and its cluster IPs where they are to be reached; sorted, each once."""
    found = targets_of_service(db, service)
    addresses = {target.address for target in found.targets}
    addresses.update(cluster_ips_of_service(db, service))
    return Addresses(tuple(sorted(addresses)), found.skipped)


def cluster_ips_of_service(db: Context, key: Key) -> tuple[str, ...]:
    """Return the cluster IPs of a Service that clients may reach; none of a headless one."""
    service = db.get(SERVICE, key) if db.settings.relay_to_cluster_ip else None
    if service is None:
        return ()
    # A headless Service says "None", which is no address and goes no further.
    written = service.spec.cluster_ips or (service.spec.cluster_ip,)
    return tuple(address for address in map(normalise, written) if address)


def targets_of_service(db: Context, service: Key) -> Targets:
    """Return what EndpointSlices, or Endpoints in their place, say is behind a Service."""
    if db.settings.endpoint_slices and db.versions(ENDPOINT_SLICE):
        return _from_slices(db, service)
    found = db.get(ENDPOINTS, service)
    targets: list[TargetAddress] = []
    for subset in found.subsets if found else ():
        addresses = (entry.ip for entry in (*subset.addresses, *subset.not_ready_addresses))
        targets += _targets(addresses, subset.ports)
    return Targets(tuple(targets), ())


def _from_slices(db: Context, service: Key) -> Targets:
    targets: list[TargetAddress] = []
    skipped: list[str] = []
    for key in db.select(SLICES_BY_SERVICE, service):
        found = db.get(ENDPOINT_SLICE, key)
        if found is None:
            continue
        if found.address_type not in ADDRESS_TYPES:
            skipped.append(f"EndpointSlice {key} holds names of type {found.address_type}, not addresses: skipped")
            continue
        targets += _targets((address for endpoint in found.endpoints for address in endpoint.addresses), found.ports)
    return Targets(tuple(targets), tuple(skipped))


def _targets(addresses: Iterable[str], ports: Iterable[EndpointPort]) -> Iterator[TargetAddress]:
    listening = tuple((port.name, port.port) for port in ports if port.protocol == "UDP" and port.port)
    for written in addresses:
        address = normalise(written)
        if address:
            yield TargetAddress(address, listening)
