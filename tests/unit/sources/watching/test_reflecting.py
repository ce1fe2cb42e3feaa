"""One kind, listed and watched: what reaches the log, whatever goes wrong on the way."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from stunnergw.errors import Unreachable
from stunnergw.events.types import Applied, Listed
from stunnergw.resources import kinds
from stunnergw.resources.kinds import (
    CONFIG_MAP,
    CUSTOM_RESOURCE_DEFINITION,
    ENDPOINT_SLICE,
    ENDPOINTS,
    GATEWAY,
    GATEWAY_CONFIG,
    NAMESPACE,
    NODE,
    REFERENCE_GRANT,
    SERVICE,
)
from stunnergw.sources.reflecting import GRACE, SILENCE, WATCH_FOR
from tests.unit.sources.watching.server import CUT, HANG, line, refusal, status_line

if TYPE_CHECKING:
    from stunnergw.sources.reflecting import KindState
    from tests.unit.sources.watching.conftest import Stage
    from tests.unit.sources.watching.server import Body, Request, Server

pytestmark = pytest.mark.looptime

GATEWAY_SPEC = {"gatewayClassName": "turn", "listeners": [{"name": "udp", "port": 3478, "protocol": "UDP"}]}


def put_gateway(server: Server, name: str, **parts: Any) -> Body:
    return server.put(GATEWAY, name, spec=GATEWAY_SPEC, **parts)


def gaps(requests: list[Request]) -> list[float]:
    return [later.at - sooner.at for sooner, later in pairwise(requests)]


# Lists ------------------------------------------------------------------------------------------------


async def test_a_kind_is_listed_in_pages_and_then_watched_from_there(stage: Stage) -> None:
    stage.server.page = 2
    for number in range(5):
        put_gateway(stage.server, f"g{number}")
    async with stage.running(synced=False) as source:
        await stage.until(lambda: source.synced and stage.server.open == len(kinds.TABLE) - 1)
        assert stage.told(GATEWAY) == [
            "+g0@101",
            "+g1@102",
            "+g2@103",
            "+g3@104",
            "+g4@105",
            "listed v1 v1beta1 v1alpha2",
        ]
        assert [request.query for request in stage.server.asked("list", GATEWAY)] == [
            {"limit": "500"},
            {"limit": "500", "continue": "2"},
            {"limit": "500", "continue": "4"},
        ]
        (watch,) = stage.server.asked("watch", GATEWAY)
        assert watch.query["resourceVersion"] == "105"
        assert watch.query["allowWatchBookmarks"] == "true"
        assert WATCH_FOR <= int(watch.query["timeoutSeconds"]) <= WATCH_FOR * 1.25
        assert stage.state(GATEWAY).objects == 5
        assert stage.all_from_cluster()


async def test_every_kind_gets_its_listed_and_nothing_more_without_objects(stage: Stage) -> None:
    async with stage.running(synced=False) as source:
        assert not source.synced
        await stage.until(lambda: source.synced)
        facts = [event.fact for event in stage.log.since(0)]
        assert all(isinstance(fact, Listed) for fact in facts)
        assert {fact.kind: fact.versions for fact in facts if isinstance(fact, Listed)} == {
            kind: kind.versions for kind in kinds.TABLE
        }
        await stage.settle(600)
        assert len(stage.log.since(0)) == len(kinds.TABLE)


async def test_a_list_whose_continuation_is_too_old_begins_anew(stage: Stage) -> None:
    stage.server.page = 2
    for number in range(4):
        put_gateway(stage.server, f"g{number}")

    def meanwhile() -> None:
        stage.server.delete(GATEWAY, "g0", silently=True)
        raise refusal(410, reason="Expired")

    stage.server.plan("list", GATEWAY, lambda: None, meanwhile)
    async with stage.running(synced=False) as source:
        await stage.until(lambda: source.synced)
        # What the first try told of is invisible until the kind is listed, and what went meanwhile goes with it.
        assert stage.told(GATEWAY) == ["+g0@101", "+g1@102", "+g2@103", "+g3@104", "-g0", "listed v1 v1beta1 v1alpha2"]


async def test_a_relist_is_one_batch_of_what_is_new_and_what_is_gone(stage: Stage) -> None:
    for name in ("stays", "changes", "goes"):
        put_gateway(stage.server, name)
    async with stage.running():
        changed = put_gateway(stage.server, "before")
        await stage.until(lambda: stage.told(GATEWAY))
        stage.batches.clear()
        stage.server.tell(GATEWAY, CUT)
        await stage.until(lambda: stage.server.open < len(kinds.TABLE) - 1)
        stage.server.delete(GATEWAY, "goes", silently=True)
        put_gateway(stage.server, "changes")
        put_gateway(stage.server, "comes")
        stage.server.compact(GATEWAY)
        await stage.until(lambda: len(stage.server.asked("list", GATEWAY)) == 2 and stage.batches)
        assert changed["metadata"]["resourceVersion"] == "104"
        assert len(stage.batches) == 1
        assert stage.told(GATEWAY) == ["+changes@106", "+comes@107", "-goes"]
        await stage.settle()
        put_gateway(stage.server, "later")
        await stage.settle()
        assert stage.told(GATEWAY)[-1] == "+later@108"


async def test_an_object_that_does_not_fit_is_left_out_and_said_once(stage: Stage) -> None:
    bad = {"gatewayClassName": ["turn"]}
    stage.server.put(GATEWAY, "bad", spec=bad)
    put_gateway(stage.server, "good")
    with capture_logs() as logs:
        async with stage.running(synced=False) as source:
            await stage.until(lambda: source.synced)
            assert stage.told(GATEWAY) == ["+good@102", "listed v1 v1beta1 v1alpha2"]
            await stage.settle()
            stage.server.put(GATEWAY, "bad", spec=bad)
            put_gateway(stage.server, "good")
            await stage.settle()
            assert stage.told(GATEWAY)[-1] == "+good@104"
            assert stage.state(GATEWAY).left_out == 1
            # One that was good before keeps its last good state, also through a list.
            stage.server.put(GATEWAY, "good", spec=bad)
            stage.server.lose(GATEWAY)
            await stage.until(lambda: len(stage.server.asked("list", GATEWAY)) == 2)
            await stage.settle()
            assert stage.told(GATEWAY)[-1] == "+good@104"
            stage.server.put(GATEWAY, "bad", spec=GATEWAY_SPEC)
            await stage.settle()
            assert stage.told(GATEWAY)[-1] == "+bad@107"
            assert stage.state(GATEWAY).left_out == 1
    said = [entry["problem"] for entry in logs if "left out" in entry["event"]]
    assert said == [
        "Gateway media/bad: spec.gatewayClassName: input should be a valid string",
        "Gateway media/good: spec.gatewayClassName: input should be a valid string",
    ]


async def test_a_kind_that_is_needed_and_not_installed_is_said_once(stage: Stage) -> None:
    stage.server.withdraw(GATEWAY)
    stage.server.withdraw(REFERENCE_GRANT)
    with capture_logs() as logs:
        async with stage.running(synced=False) as source:
            await stage.until(lambda: source.synced)
            await stage.settle(60)
    said = [entry["crd"] for entry in logs if "not installed" in entry["event"]]
    assert said == ["gateways.gateway.networking.k8s.io"]


async def test_a_wrong_value_of_a_kind_with_secrets_is_not_quoted(stage: Stage) -> None:
    stage.server.put(GATEWAY_CONFIG, "turn", spec={"password": ["pa55word"], "userQuota": "pa55word"})
    with capture_logs() as logs:
        async with stage.running():
            assert stage.state(GATEWAY_CONFIG).left_out == 1
    assert [entry for entry in logs if "left out" in entry["event"]]
    assert "pa55word" not in str(logs)


async def test_nulls_count_as_not_there(stage: Stage) -> None:
    stage.server.put(GATEWAY, "edge", meta={"creationTimestamp": None, "labels": None}, spec=GATEWAY_SPEC)
    async with stage.running(synced=False) as source:
        await stage.until(lambda: source.synced)
        assert stage.told(GATEWAY)[0] == "+edge@101"
        await stage.settle()
        stage.server.put(GATEWAY, "core", meta={"creationTimestamp": None}, spec=GATEWAY_SPEC)
        await stage.settle()
        assert stage.told(GATEWAY)[-1] == "+core@102"


async def test_only_what_bears_our_label_is_read_of_kinds_that_are_everybodys(stage: Stage) -> None:
    ours = {"labels": {"stunner.l7mp.io/owned-by": "stunner"}}
    stage.server.put(CONFIG_MAP, "ours", meta=ours)
    stage.server.put(CONFIG_MAP, "theirs")
    async with stage.running(synced=False) as source:
        await stage.until(lambda: source.synced)
        assert stage.told(CONFIG_MAP) == ["+ours@101", "listed v1"]
        await stage.settle()
        for request in (*stage.server.asked("list", CONFIG_MAP), *stage.server.asked("watch", CONFIG_MAP)):
            assert request.query["labelSelector"] == "stunner.l7mp.io/owned-by=stunner"


async def test_of_definitions_the_metadata_is_read_and_only_the_gateway_apis(stage: Stage) -> None:
    bundle = {"annotations": {"gateway.networking.k8s.io/bundle-version": "v1.6.3"}}
    stage.server.put(CUSTOM_RESOURCE_DEFINITION, "gateways.gateway.networking.k8s.io", meta=bundle, spec={"huge": 1})
    stage.server.put(CUSTOM_RESOURCE_DEFINITION, "backups.velero.io")
    async with stage.running(synced=False) as source:
        await stage.until(lambda: source.synced and stage.server.open == len(kinds.TABLE) - 1)
        stage.server.put(CUSTOM_RESOURCE_DEFINITION, "restores.velero.io")
        stage.server.put(CUSTOM_RESOURCE_DEFINITION, "udproutes.gateway.networking.k8s.io")
        stage.server.delete(CUSTOM_RESOURCE_DEFINITION, "backups.velero.io")
        await stage.settle()
        assert stage.told(CUSTOM_RESOURCE_DEFINITION) == [
            "+gateways.gateway.networking.k8s.io@101",
            "listed v1",
            "+udproutes.gateway.networking.k8s.io@104",
        ]
        (asked,) = stage.server.asked("list", CUSTOM_RESOURCE_DEFINITION)
        assert asked.accept == "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
        (watched,) = stage.server.asked("watch", CUSTOM_RESOURCE_DEFINITION)
        assert watched.accept == "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"


async def test_endpoints_are_not_asked_for_where_slices_are_read(stage: Stage) -> None:
    async with stage.running():
        assert not stage.server.asked("list", ENDPOINTS)
        assert stage.state(ENDPOINTS).listed


async def test_endpoints_are_read_where_slices_are_switched_off(stage: Stage) -> None:
    stage.unread = frozenset({ENDPOINT_SLICE})
    stage.server.put(ENDPOINTS, "sfu")
    async with stage.running(synced=False) as source:
        await stage.until(lambda: source.synced)
        assert stage.told(ENDPOINTS) == ["+sfu@101", "listed v1"]
        assert stage.told(ENDPOINT_SLICE) == ["listed v1 v1beta1"]
        assert not stage.server.asked("list", ENDPOINT_SLICE)


# What is an event -------------------------------------------------------------------------------------


async def test_every_version_of_a_kind_that_we_write_is_told(stage: Stage) -> None:
    async with stage.running():
        put_gateway(stage.server, "edge")
        put_gateway(stage.server, "edge", status={"addresses": []})
        put_gateway(stage.server, "edge", status={"addresses": []})
        await stage.settle()
        assert stage.told(GATEWAY) == ["+edge@101", "+edge@102", "+edge@103"]
        newest = stage.log.since(0)[-1].fact
        assert isinstance(newest, Applied)
        assert newest.object.status == b'{"addresses":[]}'  # type: ignore[attr-defined]


async def test_what_differs_in_its_version_alone_is_not_told_of_kinds_that_we_never_write(stage: Stage) -> None:
    address = {"addresses": [{"type": "ExternalIP", "address": "192.0.2.1"}]}
    stage.server.put(NODE, "n1", status={**address, "heartbeat": 1})
    async with stage.running():
        for beat in range(2, 5):
            stage.server.put(NODE, "n1", status={**address, "heartbeat": beat})
        await stage.settle()
        assert stage.told(NODE) == []
        assert stage.state(NODE).resource_version == "104"
        stage.server.put(NODE, "n1", status={"addresses": []})
        await stage.settle()
        assert stage.told(NODE) == ["+n1@105"]
        # The list after that knows what was not told.
        stage.server.put(NODE, "n1", status={"addresses": [], "heartbeat": 5})
        stage.server.lose(NODE)
        await stage.until(lambda: len(stage.server.asked("list", NODE)) == 2)
        await stage.settle()
        assert stage.told(NODE) == ["+n1@105"]


async def test_what_is_told_twice_is_told_once(stage: Stage) -> None:
    async with stage.running():
        edge = put_gateway(stage.server, "edge")
        await stage.settle()
        stage.server.tell(GATEWAY, line("MODIFIED", edge))
        stage.server.tell(GATEWAY, line("DELETED", edge))
        stage.server.tell(GATEWAY, line("DELETED", edge))
        await stage.settle()
        assert stage.told(GATEWAY) == ["+edge@101", "-edge"]


async def test_a_line_may_be_as_long_as_it_likes_and_its_size_is_told(stage: Stage) -> None:
    async with stage.running():
        thing = put_gateway(stage.server, "edge", meta={"annotations": {"long": "x" * 5_000_000}})
        await stage.settle()
        (applied,) = stage.batches[0]
        assert isinstance(applied, Applied)
        assert applied.size == len(line("ADDED", thing))


async def test_a_bookmark_moves_the_version_on(stage: Stage) -> None:
    async with stage.running():
        stage.server.bookmark(GATEWAY)
        await stage.settle()
        assert stage.state(GATEWAY).resource_version == "101"
        stage.server.compact(GATEWAY)
        stage.server.tell(GATEWAY, CUT)
        await stage.until(lambda: len(stage.server.asked("watch", GATEWAY)) == 2)
        await stage.settle()
        assert len(stage.server.asked("list", GATEWAY)) == 1
        assert stage.batches == []


# Watches that end -------------------------------------------------------------------------------------


async def test_a_watch_that_ends_in_time_goes_on_at_once_from_where_it_was(stage: Stage) -> None:
    async with stage.running():
        put_gateway(stage.server, "edge")
        await stage.until(lambda: len(stage.server.asked("watch", GATEWAY)) == 3, within=1000)
        first, second, third = stage.server.asked("watch", GATEWAY)
        assert WATCH_FOR <= second.at - first.at <= WATCH_FOR * 1.25 + 0.1
        assert second.query["resourceVersion"] == third.query["resourceVersion"] == "101"
        assert stage.told(GATEWAY) == ["+edge@101"]
        assert len(stage.server.asked("list", GATEWAY)) == 1


async def test_a_server_that_ends_each_watch_at_once_is_not_asked_in_a_tight_loop(stage: Stage) -> None:
    stage.server.always("watch", GATEWAY, ())
    async with stage.running(synced=False) as source:
        await stage.until(lambda: source.synced)
        await stage.settle(60)
        requests = stage.server.asked("watch", GATEWAY)
        assert len(requests) < 16
        pauses = gaps(requests)
        assert pauses[0] < 0.2
        assert pauses[-1] > 5
        # No watch comes through: then lists must do.
        put_gateway(stage.server, "edge")
        await stage.until(lambda: "+edge@101" in stage.told(GATEWAY), within=11)
        # And when one does, all is as ever.
        stage.server.always("watch", GATEWAY, None)
        await stage.until(lambda: stage.server.open == len(kinds.TABLE) - 1)
        put_gateway(stage.server, "core")
        await stage.settle()
        assert stage.told(GATEWAY)[-1] == "+core@102"


FAULTS: dict[str, tuple[Any, ...]] = {
    "the connection breaks": (CUT,),
    "a proxy's page": (b"<html>", b"<body>502 Bad Gateway</body>"),
    "a line cut in the middle": (b'{"type":"ADDED","object":{"metadata":{"na',),
    "some other JSON": (b'{"message": "hello"}',),
    "an event nobody knows": (b'{"type":"RENAMED","object":{}}',),
    "an error that is none": (b'{"type":"ERROR","object":[]}',),
    "the server is busy": (status_line(500, reason="InternalError"),),
}


@pytest.mark.parametrize("lines", FAULTS.values(), ids=FAULTS)
async def test_a_watch_that_breaks_is_taken_up_from_where_it_was(stage: Stage, lines: tuple[Any, ...]) -> None:
    edge = line(
        "ADDED", {"metadata": {"name": "edge", "namespace": "media", "resourceVersion": "150"}, "spec": GATEWAY_SPEC}
    )
    stage.server.plan("watch", GATEWAY, (edge, *lines))
    async with stage.running(synced=False) as source:
        await stage.until(lambda: source.synced and stage.server.open == len(kinds.TABLE) - 1)
        first, second = stage.server.asked("watch", GATEWAY)
        assert 0.05 <= second.at - first.at <= 0.5
        assert second.query["resourceVersion"] == "150"
        stage.server.version = 150
        put_gateway(stage.server, "core")
        await stage.settle()
        assert stage.told(GATEWAY) == ["listed v1 v1beta1 v1alpha2", "+edge@150", "+core@151"]
        assert len(stage.server.asked("list", GATEWAY)) == 1


async def test_a_watch_that_breaks_again_and_again_is_taken_up_less_and_less_often_and_said(stage: Stage) -> None:
    stage.server.always("watch", GATEWAY, (b"<html>",))
    async with stage.running(synced=False) as source:
        await stage.until(lambda: source.synced)
        await stage.settle(120)
        requests = stage.server.asked("watch", GATEWAY)
        assert len(requests) < 15
        assert max(gaps(requests)) <= 31
        assert stage.state(GATEWAY).unavailable == (
            "cannot watch gateways.gateway.networking.k8s.io: a line of the watch of gateways is none: is there a "
            "proxy in between?"
        )
        stage.server.always("watch", GATEWAY, None)
        await stage.until(lambda: not stage.state(GATEWAY).unavailable)
        assert stage.told(GATEWAY)[-1] == "listed v1 v1beta1 v1alpha2"
        assert len(stage.server.asked("list", GATEWAY)) == 1


async def test_a_watch_that_falls_silent_is_ended(stage: Stage) -> None:
    stage.server.plan("watch", GATEWAY, HANG)
    async with stage.running():
        first = stage.server.asked("watch", GATEWAY)[0]
        await stage.until(lambda: len(stage.server.asked("watch", GATEWAY)) == 2, within=SILENCE + 2)
        assert stage.server.asked("watch", GATEWAY)[1].at - first.at == pytest.approx(SILENCE, abs=2)
        assert stage.batches == []


async def test_a_watch_that_outlasts_its_time_is_ended(stage: Stage) -> None:
    # A proxy keeps it up with a bookmark now and then.
    bookmark = line("BOOKMARK", {"metadata": {"resourceVersion": "101"}})
    stage.server.plan("watch", GATEWAY, (bookmark, 100.0) * 10)
    async with stage.running():
        await stage.until(lambda: len(stage.server.asked("watch", GATEWAY)) == 2, within=400)
        first, second = stage.server.asked("watch", GATEWAY)
        assert WATCH_FOR + GRACE <= second.at - first.at <= WATCH_FOR * 1.25 + GRACE + 1
        assert second.query["resourceVersion"] == "101"
        assert stage.batches == []


async def test_retry_after_is_honoured_whoever_says_it(stage: Stage) -> None:
    busy = status_line(429, reason="TooManyRequests", retry_after=20)
    stage.server.plan("list", GATEWAY, refusal(429, reason="TooManyRequests", retry_after=7.0))
    stage.server.plan("watch", GATEWAY, (busy,), refusal(429, retry_after=100000.0))
    async with stage.running(synced=False) as source:
        await stage.until(lambda: source.synced)
        await stage.until(lambda: len(stage.server.asked("watch", GATEWAY)) == 3, within=200)
        one, two = stage.server.asked("list", GATEWAY)
        assert 7 <= two.at - one.at <= 8
        assert "429" in stage.told(GATEWAY)[0]
        first, second, third = stage.server.asked("watch", GATEWAY)
        assert 20 <= second.at - first.at <= 23
        assert 120 <= third.at - second.at <= 135


async def test_410_when_a_watch_begins_lists_anew(stage: Stage) -> None:
    put_gateway(stage.server, "edge")
    stage.server.plan("watch", GATEWAY, refusal(410, reason="Gone"))
    async with stage.running():
        assert len(stage.server.asked("list", GATEWAY)) == 2
        assert stage.batches == []
        assert not stage.state(GATEWAY).unavailable


async def test_410_for_every_watch_is_no_tight_loop_of_lists(stage: Stage) -> None:
    stage.server.always("watch", GATEWAY, (status_line(410, reason="Expired"),))
    async with stage.running(synced=False) as source:
        await stage.until(lambda: source.synced)
        await stage.settle(120)
        assert len(stage.server.asked("list", GATEWAY)) < 15


async def test_a_version_that_is_refused_again_and_again_is_given_up(stage: Stage) -> None:
    # etcd was restored from a backup: the version that we are at is in the future.
    stage.server.always("watch", GATEWAY, refusal(504, reason="Timeout", message="Too large resource version"))
    async with stage.running(synced=False) as source:
        await stage.until(lambda: source.synced)
        await stage.until(lambda: len(stage.server.asked("list", GATEWAY)) == 2)
        before = stage.server.asked("list", GATEWAY)[1].at
        assert len([request for request in stage.server.asked("watch", GATEWAY) if request.at < before]) == 4
        assert "cannot watch" in stage.state(GATEWAY).unavailable


# Kinds that cannot be read ----------------------------------------------------------------------------

REFUSED: dict[str, tuple[Any, str]] = {
    "forbidden": (
        refusal(403, message="User stunner cannot list"),
        "cannot list services: forbidden: grant list and watch on services to the account that we use "
        "(403: User stunner cannot list)",
    ),
    "unknown to us": (
        refusal(401, message="Unauthorized"),
        "cannot list services: the API server does not know us: renew the token or client certificate that we use "
        "(401: Unauthorized)",
    ),
    "failing": (
        refusal(502, message="the answer was 502 and no Status of an API server"),
        "cannot list services: the API server refused (502: the answer was 502 and no Status of an API server)",
    ),
    "unreachable": (
        Unreachable("the API server did not answer /api/v1/services: refused"),
        "cannot list services: the API server did not answer /api/v1/services: refused",
    ),
    "a proxy's page": (
        b"<html><body>Please log in</body></html>",
        "cannot list services: the answer is no list of services: is there a proxy in between?",
    ),
    "half a list": (
        b'{"metadata": {"resourceVersion": "12"}, "items": [{"metadata"',
        "cannot list services: the answer is no list of services: is there a proxy in between?",
    ),
    "another thing": (
        b'{"kind": "Status", "metadata": {}}',
        "cannot list services: the answer is no list of services: is there a proxy in between?",
    ),
}


@pytest.mark.parametrize(("fault", "reason"), REFUSED.values(), ids=REFUSED)
async def test_a_kind_that_cannot_be_listed_says_why_and_holds_up_no_other(
    stage: Stage, fault: Any, reason: str
) -> None:
    stage.server.always("list", SERVICE, fault)
    async with stage.running(synced=False) as source:
        await stage.until(lambda: all(state.listed for kind, state in source.states.items() if kind is not SERVICE))
        await stage.settle(60)
        assert stage.told(SERVICE) == [f"unavailable {reason}"]
        assert stage.state(SERVICE).unavailable == reason
        assert not source.synced
        assert len(stage.server.asked("list", SERVICE)) < 12
        stage.server.always("list", SERVICE, None)
        await stage.until(lambda: source.synced)
        assert stage.told(SERVICE) == [f"unavailable {reason}", "listed v1"]


async def test_what_is_known_of_a_kind_that_cannot_be_read_stays(stage: Stage) -> None:
    put_gateway(stage.server, "edge")
    async with stage.running() as source:
        stage.server.always("watch", GATEWAY, refusal(403))
        stage.server.always("list", GATEWAY, refusal(403))
        stage.server.tell(GATEWAY, CUT)
        await stage.settle(300)
        assert source.synced
        told = stage.told(GATEWAY)
        assert all(each.startswith("unavailable cannot") for each in told)
        assert len(told) <= 3
        assert stage.state(GATEWAY).objects == 1
        assert (stage.state(GATEWAY).silent_for or 0) > 200


async def test_definitions_may_be_forbidden(stage: Stage) -> None:
    stage.server.always("list", CUSTOM_RESOURCE_DEFINITION, refusal(403))
    async with stage.running(synced=False) as source:
        await stage.until(lambda: source.synced)
        listed, unavailable = stage.told(CUSTOM_RESOURCE_DEFINITION)
        assert listed == "listed"
        assert unavailable.startswith("unavailable cannot list customresourcedefinitions")
        stage.server.put(CUSTOM_RESOURCE_DEFINITION, "gateways.gateway.networking.k8s.io")
        stage.server.always("list", CUSTOM_RESOURCE_DEFINITION, None)
        await stage.until(lambda: not stage.state(CUSTOM_RESOURCE_DEFINITION).unavailable)
        assert stage.told(CUSTOM_RESOURCE_DEFINITION)[2:] == ["+gateways.gateway.networking.k8s.io@101", "listed v1"]


async def test_an_error_that_nobody_foresaw_ends_everything(stage: Stage) -> None:
    stage.server.plan("list", NAMESPACE, KeyError("a mistake of ours"))
    with pytest.raises(ExceptionGroup) as ended:
        async with stage.running(synced=False):
            await stage.settle(1)
    assert ended.group_contains(KeyError, match="a mistake of ours")


async def test_the_age_of_what_is_known_is_there_to_be_asked(stage: Stage) -> None:
    async with stage.running():
        put_gateway(stage.server, "edge")
        await stage.settle()
        await stage.settle(50)
        assert stage.state(GATEWAY).silent_for == pytest.approx(50, abs=0.1)
        stage.server.bookmark(GATEWAY)
        await stage.settle()
        assert stage.state(GATEWAY).silent_for == pytest.approx(0, abs=0.1)


async def test_a_server_that_is_away_is_one_line_in_the_log_and_so_is_its_return(stage: Stage) -> None:
    with capture_logs() as logs:
        async with stage.running():
            gone = Unreachable("the API server did not answer: refused")
            for kind in kinds.TABLE:
                stage.server.always("watch", kind, gone)
                stage.server.tell(kind, CUT)
            await stage.until(lambda: all(state.unavailable for state in watched(stage)))
            for kind in kinds.TABLE:
                stage.server.always("watch", kind, None)
            await stage.until(lambda: not any(state.unavailable for state in watched(stage)))
    assert [entry["event"] for entry in logs if entry["log_level"] != "debug"] == [
        "the API server does not answer well; what is known stays",
        "the API server answers well again",
    ]


def watched(stage: Stage) -> list[KindState]:
    return [state for state in stage.source.states.values() if state.kind is not ENDPOINTS]
