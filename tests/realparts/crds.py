"""Installing CRDs and taking them away, so that the kinds can be used, or are gone, when it returns.

A CRD that the API server took is not one that it serves: the kinds come up in discovery a moment later, and until their
store is ready requests get 429.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tests.realparts.api import ApiError
from tests.realparts.gateway_crds import gateway_crds
from tests.realparts.manifests import Object, objects_in
from tests.realparts.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.realparts.api import Api
    from tests.realparts.manifests import Manifests

DEADLINE = 30.0
_CRD = "CustomResourceDefinition"
_CRDS = "apiextensions.k8s.io/v1"
_POLICIES = "admissionregistration.k8s.io/v1"
_GATEWAY_GROUPS = ("gateway.networking.k8s.io", "gateway.networking.x-k8s.io")
_GUARD = "safe-upgrades.gateway.networking.k8s.io"
_GUARDS = tuple(
    {"apiVersion": _POLICIES, "kind": f"ValidatingAdmissionPolicy{part}", "metadata": {"name": _GUARD}}
    for part in ("Binding", "")
)
_BUNDLE = tuple(f"gateway.networking.k8s.io/{what}" for what in ("bundle-version", "channel"))


async def install_crds(api: Api, manifests: Manifests) -> None:
    """Install CRDs, and what else stands beside them; returns when each of their kinds is served."""
    wanted = list(objects_in(manifests))
    await asyncio.gather(*(_install(api, thing) for thing in wanted))
    crds = [thing for thing in wanted if thing["kind"] == _CRD]
    await wait_for(lambda: _all_served(api, crds), deadline=DEADLINE, what="CRDs in use")


async def remove_crds(api: Api, manifests: Manifests) -> None:
    """Remove CRDs with all objects of their kinds, and what else stands beside them; returns when they are gone."""
    await _remove(api, list(objects_in(manifests)))


async def use_gateway_api(api: Api, version: str, channel: str) -> None:
    """See to it that the Gateway API's CRDs are these and no others; objects of others go with them."""
    folder = await asyncio.to_thread(gateway_crds, version, channel)
    wanted = await asyncio.to_thread(lambda: list(objects_in(folder)))
    crds = [thing for thing in wanted if thing["kind"] == _CRD]
    if _identities(await _installed(api)) != _identities(crds):
        await remove_gateway_api(api)
        await install_crds(api, wanted)


async def remove_gateway_api(api: Api) -> None:
    """Remove the Gateway API's CRDs, whichever are there, with all their objects."""
    await _remove(api, [*_GUARDS, *await _installed(api)])


async def _install(api: Api, thing: Object) -> None:
    thing = {key: value for key, value in thing.items() if key != "status"}
    resource = await api.resource(thing["apiVersion"], thing["kind"])
    path = resource.path(None, thing["metadata"]["name"])

    async def taken() -> bool:
        try:
            await api.request(
                "PATCH",
                path,
                body=thing,
                content_type="application/apply-patch+yaml",
                query={"fieldManager": "tests", "force": "true"},
            )
        except ApiError as error:
            # The policy that came with another version is still at work for a moment after it was deleted.
            if _GUARD not in error.message:
                raise
            return False
        return True

    await wait_for(taken, deadline=DEADLINE, what=f"{thing['kind']} {thing['metadata']['name']} installed")


async def _all_served(api: Api, crds: Iterable[Object]) -> bool:
    served = await api.served()
    kinds = {kind for crd in crds for kind in _kinds(crd)}
    return kinds <= served.keys() and all([await _answers(api, *kind) for kind in kinds])


async def _answers(api: Api, api_version: str, kind: str) -> bool:
    try:
        await api.all_of(api_version, kind)
    except ApiError as error:
        if error.status not in (404, 429):
            raise
        return False
    return True


def _kinds(crd: Object) -> set[tuple[str, str]]:
    spec = crd["spec"]
    return {
        (f"{spec['group']}/{version['name']}", spec["names"]["kind"])
        for version in spec["versions"]
        if version["served"]
    }


async def _remove(api: Api, going: Iterable[Object]) -> None:
    # Policies first: what they guard is what goes next.
    going = sorted(going, key=lambda thing: thing["kind"] == _CRD)
    for thing in going:
        await api.delete(thing)
    kinds = {kind for thing in going if thing["kind"] == _CRD for kind in _kinds(thing)}

    async def gone() -> bool:
        return not [thing for thing in going if await api.find(thing)] and not kinds & (await api.served()).keys()

    await wait_for(gone, deadline=DEADLINE, what="CRDs gone")


async def _installed(api: Api) -> list[Object]:
    return [crd for crd in await api.all_of(_CRDS, _CRD) if crd["spec"]["group"] in _GATEWAY_GROUPS]


def _identities(crds: Iterable[dict[str, Any]]) -> set[tuple[str | None, ...]]:
    return {
        (crd["metadata"]["name"], *(crd["metadata"].get("annotations", {}).get(what) for what in _BUNDLE))
        for crd in crds
    }
