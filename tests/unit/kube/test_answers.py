"""What comes back, and whether it is an API server's word at all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import orjson
import pytest

from stunnergw.errors import ApiError, NotFoundOut, Unreachable
from stunnergw.kube.answers import json_object, refusal

PATH = "/apis/coordination.k8s.io/v1/namespaces/system/leases/lease"
STATUS = {"kind": "Status", "code": 404, "reason": "NotFound", "message": 'leases "lease" not found'}


def refused(status: int, answer: bytes = b"", **headers: str) -> NotFoundOut:
    return refusal(status, answer, path=PATH, headers={name.replace("_", "-"): text for name, text in headers.items()})


def waits(status: int, answer: bytes = b"", **headers: str) -> float | None:
    error = refused(status, answer, **headers)
    assert isinstance(error, ApiError)
    return error.retry_after


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (b"<html>pa55word</html>", "a web page of 21 bytes"),
        (b"pa55word", "8 bytes that are no JSON"),
        (b"", "nothing"),
        (b'["pa55word"]', "JSON that is no object"),
        (b"{}", "an object without a kind"),
        (b'{"kind": "Status", "message": "pa55word"}', "an object of kind Status"),
        (b'{"kind": "pa55word, and more"}', "an object without a kind"),
    ],
)
def test_what_is_no_lease_is_said_without_being_quoted(answer: bytes, what: str) -> None:
    with pytest.raises(Unreachable) as error:
        json_object(answer, path=PATH, kind="Lease")
    assert str(error.value) == f"the answer to {PATH} is no Lease but {what}: is there a proxy in between?"


def test_an_object_of_any_kind_will_do_where_none_is_named() -> None:
    assert json_object(b'{"kind": "Service"}', path=PATH) == {"kind": "Service"}


def test_an_api_servers_refusal_keeps_its_words() -> None:
    error = refused(404, orjson.dumps(STATUS))
    assert isinstance(error, ApiError)
    assert (error.status, error.reason, str(error)) == (404, "NotFound", 'leases "lease" not found')


def test_an_api_server_says_in_plain_text_that_it_does_not_know_a_path() -> None:
    error = refused(404, b"404 page not found\n")
    assert isinstance(error, ApiError)
    assert (error.status, error.reason) == (404, "NotFound")


@pytest.mark.parametrize("page", [b"<html>no such site</html>", b"", b"not found", b"{}"])
def test_a_proxys_404_does_not_mean_that_something_is_gone(page: bytes) -> None:
    error = refused(404, page)
    assert isinstance(error, Unreachable)
    assert "though 404" in str(error)


def test_a_proxys_other_refusals_are_told_by_their_number() -> None:
    error = refused(502, b"<html>pa55word</html>")
    assert isinstance(error, ApiError)
    assert str(error) == "the answer was 502 and no Status of an API server but a web page of 21 bytes"


def test_a_wait_is_a_number_of_seconds() -> None:
    assert waits(429, Retry_After="7") == 7.0


def test_a_wait_is_a_date_by_the_servers_clock() -> None:
    now = datetime(2020, 1, 1, 12, 0, tzinfo=UTC)
    until = format_datetime(now + timedelta(seconds=90), usegmt=True)
    assert waits(503, Retry_After=until, Date=format_datetime(now, usegmt=True)) == 90.0
    assert waits(503, Retry_After=format_datetime(now, usegmt=True), Date=until) == 0.0


def test_a_date_without_a_servers_clock_is_measured_by_ours() -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    assert 90.0 < (waits(503, Retry_After=until) or 0) <= 100.0


def test_a_wait_may_stand_in_the_status_alone() -> None:
    status = orjson.dumps({**STATUS, "code": 429, "details": {"retryAfterSeconds": 3}})
    assert waits(429, status) == 3.0
    assert waits(429, status, Retry_After="5") == 5.0


@pytest.mark.parametrize("text", ["", "soon", "-3", "1.5", "Thu, 99 Foo 2020 00:00:00 GMT"])
def test_a_wait_that_cannot_be_read_is_none(text: str) -> None:
    assert waits(429, Retry_After=text) is None
