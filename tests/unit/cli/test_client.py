"""The client: what it sends, and what it makes of every answer."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
import requests
from builders_cli import TOKEN, URL, FakeApi, a_described_job, a_session, failing, refusing
from hypothesis import given, settings
from hypothesis import strategies as st
from urllib3 import HTTPConnectionPool, HTTPResponse
from urllib3.exceptions import IncompleteRead, MaxRetryError, NewConnectionError, ReadTimeoutError
from urllib3.util.retry import Retry

from prominence.cli.client import Client
from prominence.cli.errors import ApiError, ClientError, NoSuchJob, TokenRefused, Unreachable
from prominence.cli.listing import Wanted
from prominence.cli.news import News
from prominence.cli.transport import KNOWN_AGAIN, patience
from prominence.core.error_reasons import ErrorReason, body


def a_client(api: FakeApi) -> Client:
    return Client(URL, TOKEN, a_session(api))


def answering(status: int, body: Any, **headers: str) -> Client:
    api = FakeApi()
    api.instead.append(refusing(status, body, **headers))
    return a_client(api)


def test_a_job_is_sent_as_it_is_and_its_id_comes_back() -> None:
    api = FakeApi()
    assert a_client(api).create_job({"name": "Zürich"}) == 12
    sent = api.asked[0]
    assert (sent.method, sent.url) == ("POST", f"{URL}/jobs")
    assert sent.headers["Authorization"] == f"Bearer {TOKEN}"
    assert sent.headers["Content-Type"] == "application/json"
    assert isinstance(sent.body, bytes)
    assert json.loads(sent.body) == {"name": "Zürich"}


def test_a_password_kept_for_the_host_does_not_replace_the_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine api.test login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    api = FakeApi()
    a_client(api).jobs()
    assert api.asked[0].headers["Authorization"] == f"Bearer {TOKEN}"


def test_the_token_is_not_carried_to_another_host_by_a_redirect() -> None:
    api = FakeApi()
    api.instead.append(refusing(307, b"", Location="https://evil.test/"))
    with pytest.raises(ApiError, match=r"has moved to https://evil\.test/"):
        a_client(api).jobs()
    assert len(api.asked) == 1


def test_all_filters_of_a_list_are_sent() -> None:
    api = FakeApi()
    constraints = [("a", "b=c"), ("d", "e")]
    a_client(api).jobs(
        Wanted(completed=True, everything=True, status="idle", name="x y", constraints=constraints, num=3)
    )
    a_client(api).jobs(Wanted(workflow=7, created_after="2026-05-01", everyone=True, sort="-id", limit=2))
    assert api.paths == [
        "GET /jobs?constraint=a%3Db%3Dc&constraint=d%3De&completed=true&all=true&status=idle&name=x+y&num=3",
        "GET /jobs?workflow=7&everyone=true&createdAfter=2026-05-01&sort=-id&limit=2",
    ]


def test_all_pages_of_a_list_are_asked_for() -> None:
    api = FakeApi()
    api.instead.append(refusing(200, [{"id": 3}, {"id": 2}], **{"X-Prominence-Cursor": "abc"}))
    api.instead.append(refusing(200, [{"id": 1}]))
    assert [job["id"] for job in a_client(api).iterate(Wanted(limit=2))] == [3, 2, 1]
    assert api.paths == ["GET /jobs?limit=2", "GET /jobs?limit=2&cursor=abc"]


def test_every_page_is_asked_for_with_all_filters() -> None:
    api = FakeApi()
    wanted = Wanted(constraints=(pair for pair in [("a", "b")]), limit=1)
    for _ in range(2):
        api.instead.append(refusing(200, [{"id": 2}], **{"X-Prominence-Cursor": "abc"}))
        api.instead.append(refusing(200, [{"id": 1}]))
        assert len(list(a_client(api).iterate(wanted))) == 2
    assert [path.partition("&")[0] for path in api.paths] == ["GET /jobs?constraint=a%3Db"] * 4


def test_a_filter_of_0_is_one() -> None:
    api = FakeApi()
    a_client(api).jobs(Wanted(workflow=0, num=0))
    assert api.paths == ["GET /jobs?num=0&workflow=0"]


def test_news_of_a_job_are_waited_for_by_its_version() -> None:
    api = FakeApi()
    api.instead.append(refusing(200, [{"id": 12}], ETag='"abc"'))
    api.instead.append(refusing(304, b"", ETag='"abc"'))
    api.instead.append(refusing(200, [{"id": 12}]))
    client = a_client(api)
    assert client.watch_job(12) == News({"id": 12}, "abc")
    assert client.watch_job(12, "abc", 25, {"stdout": 7}) == News(None, "abc")
    assert client.watch_job(12, "abc", 25) == News({"id": 12}, "")
    assert api.paths == ["GET /jobs/12", "GET /jobs/12?wait=25&stdout=7", "GET /jobs/12?wait=25"]
    assert [request.headers.get("If-None-Match") for request in api.asked] == [None, '"abc"', '"abc"']


def test_a_version_is_the_same_whether_a_proxy_compresses_it_or_not() -> None:
    api = FakeApi()
    api.instead.append(refusing(200, [{"id": 12}], ETag='W/"abc"'))
    assert a_client(api).watch_job(12) == News({"id": 12}, "abc")


def test_acts_on_jobs_are_sent() -> None:
    api = FakeApi()
    client = a_client(api)
    client.hold_job(12)
    client.release_job(12)
    client.remove_job(12)
    client.edit_job(12, {"labels": {"a": None}})
    assert client.clone_job(12) == 13
    assert api.paths == [
        "PUT /jobs/12/hold",
        "PUT /jobs/12/release",
        "PUT /jobs/12/remove",
        "PATCH /jobs/12",
        "PUT /jobs/12/clone",
    ]
    assert api.asked[3].body == b'{"labels": {"a": null}}'


def test_a_job_that_is_not_there_is_said() -> None:
    with pytest.raises(NoSuchJob, match="There is no job 12"):
        a_client(FakeApi()).job(12)


def test_the_apis_own_sentence_is_passed_on_with_the_status() -> None:
    with pytest.raises(ApiError) as refusal:
        answering(400, {"error": "tasks: this field is required"}).create_job({})
    assert (str(refusal.value), refusal.value.status, refusal.value.exit_code) == (
        "tasks: this field is required",
        400,
        125,
    )


@pytest.mark.parametrize("word", ErrorReason)
def test_a_refusal_has_a_word_and_one_that_passes_counts_as_unreachable(word: ErrorReason) -> None:
    passes = word in (ErrorReason.TOO_MANY_REQUESTS, ErrorReason.UNAVAILABLE, ErrorReason.NO_ROOM)
    for status in (429, 507):
        with pytest.raises(Unreachable if passes else ApiError, match="It cannot be done") as refusal:
            answering(status, body("It cannot be done.", word)).jobs()
        assert (refusal.value.reason_code, refusal.value.exit_code) == (word.value, 127 if passes else 125)
        assert refusal.value.told().endswith(f" ({word.value})")
    with pytest.raises(Unreachable) as away:
        answering(503, body("Not now.", word)).jobs()
    assert away.value.reason_code == word.value


@given(st.recursive(st.none() | st.text() | st.integers(), lambda inner: st.lists(inner, max_size=3), max_leaves=5))
def test_a_word_that_is_none_is_left_out(word: Any) -> None:
    """Whoever answers may be another server; what it says comes to a terminal."""
    with pytest.raises(ApiError, match="^No$") as refusal:
        answering(400, {"error": "No.", "reasonCode": word}).jobs()
    told = refusal.value.reason_code
    assert told == "" or (told == word and told.isascii() and told.isalpha() and len(told) <= 40)


def test_a_refused_token_has_its_own_exit_code() -> None:
    with pytest.raises(TokenRefused, match=r"does not accept the token: expired\.$") as refusal:
        answering(401, {"error": "expired."}).jobs()
    assert refusal.value.exit_code == 126


@pytest.mark.parametrize("status", [502, 503, 504])
def test_an_api_that_cannot_work_now_counts_as_unreachable(status: int) -> None:
    with pytest.raises(Unreachable, match="The schedd does not answer") as refusal:
        answering(status, {"error": "The schedd does not answer."}).jobs()
    assert refusal.value.exit_code == 127


@pytest.mark.parametrize("body", [b"<html>", {"error": 5}, [], b"", b"\xff", b"[" * 100_000])
@pytest.mark.parametrize("status", [400, 404, 500])
def test_an_error_that_is_not_from_our_api_is_named_by_its_status(status: int, body: Any) -> None:
    with pytest.raises(ApiError, match=f"HTTP {status}"):
        answering(status, body).jobs()


@pytest.mark.parametrize("body", [b"<html>", b"", {"id": "12"}, {}, [], None, "12"])
def test_a_strange_answer_to_a_new_job_is_said(body: Any) -> None:
    with pytest.raises(ApiError, match="not one that a PROMINENCE API gives"):
        answering(201, body).create_job({})


@pytest.mark.parametrize("number", ["1" + "0" * 400, "-" + "9" * 400, "1" * 5000])
def test_a_number_that_nothing_can_hold_is_none_of_the_apis(number: str) -> None:
    answer = f'[{{"id": 12, "events": {{"startTime": {number}}}}}]'.encode()
    with pytest.raises(ApiError, match="not one that a PROMINENCE API gives"):
        answering(200, answer).jobs()


@settings(max_examples=30, deadline=None)
@given(
    st.none() | st.integers() | st.text() | st.lists(st.none() | st.integers() | st.dictionaries(st.text(), st.text()))
)
def test_lists_hold_objects_or_are_refused(body: Any) -> None:
    with contextlib.suppress(ApiError):
        assert all(isinstance(job, dict) for job in answering(200, body).jobs())


@pytest.mark.parametrize("spec", [{"memory": float("nan")}, {"name": "\ud800"}, {"a": {1}}])
def test_what_json_cannot_hold_is_refused_before_it_is_sent(spec: dict[str, Any]) -> None:
    api = FakeApi()
    with pytest.raises(ClientError, match="cannot be written as JSON"):
        a_client(api).create_job(spec)
    assert not api.asked


def a_pool() -> HTTPConnectionPool:
    return HTTPConnectionPool("api.test")


def a_refused_connection() -> requests.ConnectionError:
    refused = NewConnectionError(a_pool(), "refused")  # type: ignore[arg-type]  # only its words need a connection
    refused.__cause__ = ConnectionRefusedError(111, "Connection refused")
    error = requests.ConnectionError()
    error.__cause__ = MaxRetryError(a_pool(), "/", refused)
    error.__cause__.__cause__ = refused
    return error


def test_no_answer_is_told_in_the_words_of_the_system() -> None:
    api = FakeApi()
    api.instead.append(failing(a_refused_connection()))
    with pytest.raises(Unreachable, match="does not answer: Connection refused"):
        a_client(api).jobs()


def test_a_job_that_was_surely_not_sent_is_not_said_to_exist_perhaps() -> None:
    api = FakeApi()
    api.instead.append(failing(a_refused_connection()))
    with pytest.raises(Unreachable) as refusal:
        a_client(api).create_job({})
    assert "all the same" not in str(refusal.value)


@pytest.mark.parametrize(
    "error",
    [
        requests.ReadTimeout(),
        requests.ConnectionError(ConnectionResetError(104, "reset")),
        requests.exceptions.ChunkedEncodingError(IncompleteRead(6, 10)),
        requests.exceptions.ContentDecodingError(),
    ],
)
def test_a_job_that_may_have_been_created_is_said_to_exist_perhaps(error: requests.RequestException) -> None:
    api = FakeApi()
    api.instead.append(failing(error))
    with pytest.raises(Unreachable, match="may have done all the same"):
        a_client(api).create_job({})


@pytest.mark.parametrize(
    ("status", "told", "may_be_done"),
    [
        *((status, b"<html>", True) for status in (502, 504)),
        (503, b"<html>", False),
        (502, body("A cloud is away.", ErrorReason.UNAVAILABLE), False),
    ],
)
def test_what_a_proxy_has_heard_no_answer_to_may_have_been_done(status: int, told: Any, may_be_done: bool) -> None:
    with pytest.raises(Unreachable, match="cannot work at the moment") as refusal:
        answering(status, told).clone_job(12)
    assert ("may have done all the same" in str(refusal.value)) == may_be_done
    with pytest.raises(Unreachable) as refusal:
        answering(status, told).jobs()
    assert "all the same" not in str(refusal.value)


def test_output_comes_from_the_offset_as_the_bytes_it_is() -> None:
    api = FakeApi()
    api.instead.append(refusing(200, b"\xff\x00\x1b[2J"))
    pieces: list[bytes] = []
    a_client(api).output(12, "stderr", pieces.append, offset=5)
    assert b"".join(pieces) == b"\xff\x00\x1b[2J"
    assert api.paths == ["GET /jobs/12/stderr?offset=5&byte=5"]


def test_a_deleted_job_is_believed_with_and_without_a_body() -> None:
    answering(200, {}).delete_job(12)
    answering(204, b"").delete_job(12)


def test_a_get_is_retried_over_a_restart_and_a_post_is_not() -> None:
    for status in (502, 503, 504):
        assert patience().is_retry("GET", status)
        assert not patience().is_retry("POST", status, has_retry_after=True)
    assert not patience().is_retry("GET", 500)


def test_each_new_job_has_a_key_by_which_the_api_knows_it_again() -> None:
    api = FakeApi()
    a_client(api).create_job({})
    a_client(api).create_job({})
    a_client(api).create_job({}, idempotency_key="mine")
    one, other, mine = (request.headers["Idempotency-Key"] for request in api.asked)
    assert len({one, other, mine}) == 3
    assert mine == "mine"


def test_a_token_that_is_looked_up_is_looked_up_for_each_request() -> None:
    api, tokens = FakeApi(), iter(["one", "two"])
    with Client(URL, lambda: next(tokens), a_session(api)) as client:
        client.jobs()
        client.jobs()
    assert [request.headers["Authorization"] for request in api.asked] == ["Bearer one", "Bearer two"]


@pytest.mark.parametrize("policy", [patience(), KNOWN_AGAIN], ids=["GET", "POST with a key"])
def test_retries_cover_a_restart_of_fifteen_seconds(policy: Retry) -> None:
    waited = 0.0
    for _ in range(5):
        policy = policy.increment("GET", "/", error=ConnectionResetError())
        waited += policy.get_backoff_time()
    assert waited == 15
    with pytest.raises(MaxRetryError):
        policy.increment("GET", "/", error=ConnectionResetError())


def test_an_api_that_took_a_minute_without_an_answer_is_not_asked_again() -> None:
    with pytest.raises(ReadTimeoutError):
        patience().increment("GET", "/", error=ReadTimeoutError(a_pool(), "/", "slow"))


@pytest.mark.parametrize(("asked", "waited"), [("7", 7), ("86400", 30)])
def test_the_api_may_ask_for_a_pause_within_reason(asked: str, waited: int) -> None:
    assert patience().get_retry_after(HTTPResponse(headers={"Retry-After": asked})) == waited


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/v1", "http://localhost/v1", "http://[::1]:80/v1"])
def test_the_pool_on_this_machine_is_not_asked_for_through_a_proxy(url: str) -> None:
    with Client(url, TOKEN) as client:
        assert client._api._session.trust_env is False
    with Client("https://api.test/v1", TOKEN) as client:
        assert client._api._session.trust_env is True


def test_a_described_job_comes_as_it_is() -> None:
    assert answering(200, [a_described_job(12)]).job(12) == a_described_job(12)
