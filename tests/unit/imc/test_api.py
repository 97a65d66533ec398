"""imc's HTTP API on a store in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from builders import NOON, a_cloud, a_request
from builders_imc import a_record
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from prominence.core.errors import ProminenceError, QuotaReached, TooMany
from prominence.core.keyvalue.memory import MemoryKeyValue
from prominence.core.machines import CloudStatus, Wish, Worker, WorkerPhase
from prominence.core.validation import parse
from prominence.imc.app import MAX_BODY, STATUS, create_app
from prominence.imc.records import WORKERS, Records
from prominence.imc.routes import Services

BODY = a_request().model_dump(mode="json")
AUTHORIZED = {"Authorization": "Bearer right"}


class Api:
    """A client that shows the right token unless told otherwise."""

    def __init__(self) -> None:
        self.store = MemoryKeyValue()
        self.records = Records(self.store)
        self.changes = 0
        self.silence_s = 1.0
        services = Services(self.records, SecretStr("right"), lambda: NOON, self._changed, lambda: self.silence_s)
        self.client: FlaskClient = create_app(services).test_client()

    def _changed(self) -> None:
        self.changes += 1

    def call(self, method: str, path: str, headers: dict[str, str] | None = None, **options: Any) -> tuple[int, Any]:
        with self.client.open(
            path, method=method, headers=AUTHORIZED if headers is None else headers, **options
        ) as answer:
            return answer.status_code, answer.get_json() if answer.data else None


@pytest.fixture
def api() -> Iterator[Api]:
    yield Api()


def test_a_put_makes_a_worker_and_the_same_again_finds_it(api: Api) -> None:
    status, made = api.call("PUT", "/v1/workers/worker-1", json=BODY)
    assert status == 201
    assert parse(Worker, made).phase is WorkerPhase.REQUESTED
    assert api.call("PUT", "/v1/workers/worker-1", json=BODY) == (200, made)
    assert api.call("GET", "/v1/workers/worker-1") == (200, made)
    assert api.call("GET", "/v1/workers") == (200, [made])


def test_every_write_wakes_the_reconciler_and_no_read_does(api: Api) -> None:
    api.call("PUT", "/v1/workers/worker-1", json=BODY)
    api.call("GET", "/v1/workers")
    api.call("DELETE", "/v1/workers/worker-1")
    assert api.changes == 2


def test_a_delete_is_the_wish_absent(api: Api) -> None:
    api.call("PUT", "/v1/workers/worker-1", json=BODY)
    status, worker = api.call("DELETE", "/v1/workers/worker-1?reason=by+hand")
    assert status == 200
    assert (worker["request"]["wish"], worker["request"]["reason"]) == (Wish.ABSENT, "by hand")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_unknown_worker_is_not_found(api: Api, method: str) -> None:
    assert api.call(method, "/v1/workers/worker-1") == (404, {"error": "There is no worker worker-1."})


def test_ended_workers_are_listed_too(api: Api) -> None:
    api.records.add(a_record(phase=WorkerPhase.FAILED, reason="its machine vanished"))
    _, workers = api.call("GET", "/v1/workers")
    assert [(worker["phase"], worker["reason"]) for worker in workers] == [("failed", "its machine vanished")]


def test_all_mistakes_of_a_body_are_told_at_once(api: Api) -> None:
    bad = {"size": {"cpus": -1, "memory_mib": "much"}, "wish": "gone", "fence": -5}
    status, answer = api.call("PUT", "/v1/workers/worker-1", json=bad)
    assert status == 400
    assert {mistake["path"] for mistake in answer["mistakes"]} == {
        "size.cpus",
        "size.memory_mib",
        "size.disk_mib",
        "wish",
        "reason",
        "fence",
    }


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[]", b'"text"', b"null", b"[" * 60_000])
def test_what_is_no_request_is_refused(api: Api, body: bytes) -> None:
    status, answer = api.call("PUT", "/v1/workers/worker-1", data=body)
    assert status == 400 and answer["error"]


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=200))
def test_no_body_is_a_mistake_of_ours(api: Api, body: bytes) -> None:
    status, _ = api.call("PUT", "/v1/workers/worker-1", data=body)
    assert status in (400, 200, 201)


@pytest.mark.parametrize("name", ["Worker", "a", "-a", "a-", "a_b", "a.b", "a" * 64, "w%0a", "..", "a%2fb", "ä1"])
@pytest.mark.parametrize("method", ["PUT", "GET", "DELETE"])
def test_a_name_that_is_no_host_name_is_refused(api: Api, method: str, name: str) -> None:
    status, answer = api.call(method, f"/v1/workers/{name}", json=BODY)
    assert status in (400, 404, 405) and answer["error"]
    assert not api.records.all().records


def test_a_body_without_end_is_refused(api: Api) -> None:
    assert api.call("PUT", "/v1/workers/worker-1", data=b" " * (MAX_BODY + 1))[0] == 413


def test_a_conflict_is_a_409(api: Api) -> None:
    api.call("PUT", "/v1/workers/worker-1", json=BODY)
    other = a_request(size=BODY["size"] | {"cpus": 9}, fence=1).model_dump(mode="json")
    assert api.call("PUT", "/v1/workers/worker-1", json=other)[0] == 409
    api.call("PUT", "/v1/workers/worker-1", json=BODY | {"fence": 7})
    assert api.call("PUT", "/v1/workers/worker-1", json=BODY | {"fence": 6})[0] == 409


@pytest.mark.parametrize("shown", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic right"}])
@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/v1/workers/w-1"), ("GET", "/v1/workers"), ("GET", "/v1/clouds"), ("GET", "/nowhere")]
)
def test_without_the_token_nothing_is_told(api: Api, method: str, path: str, shown: dict[str, str]) -> None:
    status, answer = api.call(method, path, headers=shown, json=BODY)
    assert status in (401, 404) and answer["error"]
    assert status == 401 or path == "/nowhere"
    assert not api.records.all().records


def test_clouds_are_told_as_the_reconciler_saw_them(api: Api) -> None:
    assert api.call("GET", "/v1/clouds")[0] == 503
    api.records.publish((a_cloud(),))
    status, clouds = api.call("GET", "/v1/clouds")
    assert status == 200
    assert [parse(CloudStatus, cloud) for cloud in clouds] == [a_cloud()]


def test_health_needs_no_token(api: Api) -> None:
    assert api.call("GET", "/health", headers={}) == (204, None)


def test_a_reconciler_that_hangs_is_ill_health(api: Api) -> None:
    api.silence_s = 100
    status, answer = api.call("GET", "/health", headers={})
    assert (status, answer) == (503, {"error": "The reconciler has done nothing for 100 s."})


def test_a_silent_store_is_a_503_everywhere(api: Api) -> None:
    api.store.unavailable = "etcd is down"
    for method, path in (("GET", "/health"), ("GET", "/v1/workers"), ("PUT", "/v1/workers/worker-1")):
        assert api.call(method, path, json=BODY) == (503, {"error": "etcd is down"})


def test_a_mistake_of_ours_is_told_without_its_insides(api: Api) -> None:
    api.records._store = None  # type: ignore[assignment]  # a mistake of ours
    status, answer = api.call("GET", "/v1/workers")
    assert (status, answer) == (500, {"error": "imc made a mistake; its log says more."})


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/nothing"), ("POST", "/v1/workers")])
def test_flasks_own_errors_are_json_too(api: Api, method: str, path: str) -> None:
    status, answer = api.call(method, path)
    assert status in (404, 405) and answer["error"]


def test_every_error_of_the_tree_has_a_status() -> None:
    def tree(kind: type[ProminenceError]) -> list[type[ProminenceError]]:
        return [kind, *(below for child in kind.__subclasses__() for below in tree(child))]

    shared = {kind for kind in tree(ProminenceError) if kind.__module__ == "prominence.core.errors"}
    elsewhere = {QuotaReached, TooMany}  # of users
    assert all(issubclass(kind, tuple(STATUS)) for kind in shared - elsewhere - {ProminenceError})


def test_an_unreadable_record_is_a_conflict_and_stays(api: Api) -> None:
    api.store.put_if(f"{WORKERS}worker-1", b"of a later version", 0)
    assert api.call("GET", "/v1/workers/worker-1")[0] == 409
    assert api.call("GET", "/v1/workers") == (200, [])
