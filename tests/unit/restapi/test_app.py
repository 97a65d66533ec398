"""What holds for every request: who may ask, and how errors look."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from builders import job_json
from builders_restapi import Api, an_api
from endpoints import ANYBODY, ENDPOINTS, SIGNED

from prominence.core import document, errors, plan, tracing
from prominence.core.keyvalue.memory import MemoryKeyValue
from prominence.core.plan import ExecutionPlan
from prominence.restapi.identity import Identity
from prominence.restapi.operations import BASE_PATH
from prominence.restapi.statuses import status_of


@pytest.fixture
def api() -> Api:
    return an_api()


ROUTES = [
    (row.method, row.path(job="1", array="1", workflow="1", key="a", id="t", webhook="w"))
    for row in ENDPOINTS
    if row.scope not in (ANYBODY, SIGNED)
]
OF_JOBS = [(row.method, row.path(job="1"), row.body or job_json()) for row in ENDPOINTS if row.rule.startswith("/jobs")]


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer nobody's", "token-of-alice", "Bearer token-of-alice x"])
@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_without_a_valid_token_nothing_is_told_or_done(method: str, path: str, header: str | None, api: Api) -> None:
    api.submit()
    headers = {} if header is None else {"Authorization": header}
    answer = api.client.open(BASE_PATH + path, method=method, headers=headers, json=job_json())
    assert answer.status_code == 401
    assert answer.json is not None
    assert set(answer.json) == {"error", "reasonCode"}
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert len(api.get("/jobs")) == 1


@pytest.mark.parametrize("scheme", ["Bearer", "token", "Token", "anything"])
def test_the_word_before_the_token_does_not_matter(scheme: str, api: Api) -> None:
    answer = api.client.get(f"{BASE_PATH}/jobs", headers={"Authorization": f"{scheme} token-of-alice"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "path", ["/", "/prominence/v1", "/prominence/v1/nothing", "/prominence/v1//jobs", "/jobs", "/%00"]
)
def test_an_unknown_address_is_answered_in_json_but_never_by_404(path: str, api: Api) -> None:
    answer = api.client.get(path)
    assert answer.status_code == 400
    assert answer.json is not None
    assert answer.json["error"].startswith("There is nothing at /")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "OPTIONS", "DELETE", "TRACE", "NONSENSE"])
def test_an_unknown_method_is_answered_in_json(method: str, api: Api) -> None:
    answer = api.call(method, "/jobs/1/stdout")
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]
    assert answer.json is not None
    assert answer.json["error"]


def test_a_slash_at_the_end_changes_nothing(api: Api) -> None:
    assert api.get("/jobs/") == []


def test_a_body_that_is_too_large_is_refused() -> None:
    api = an_api(max_body=1000)
    answer = api.call("POST", "/jobs", data=b"x" * 1001)
    assert answer.status_code == 413
    assert answer.json == {"error": "The request is too large: at most 1000 bytes are taken.", "reasonCode": "TooLarge"}


def every_error(kind: type[errors.ProminenceError] = errors.ProminenceError) -> set[type[errors.ProminenceError]]:
    return {kind}.union(*(every_error(child) for child in kind.__subclasses__()))


STATUS = [
    (errors.Rejected, 400),
    (errors.Unauthenticated, 401),
    (errors.Forbidden, 403),
    (errors.BudgetExceeded, 403),
    (errors.NotFound, 400),
    (errors.Conflict, 409),
    (errors.QuotaReached, 507),
    (errors.TooMany, 429),
    (errors.QueueFull, 429),
    (errors.TooLarge, 413),
    (errors.Unavailable, 503),
    (errors.NoRoom, 507),
    (errors.CloudError, 502),
    (errors.OutOfCapacity, 502),
    (errors.QuotaExceeded, 502),
    (errors.CredentialsRefused, 502),
    (errors.NoSuchImage, 502),
    (errors.NoSuchFlavour, 502),
    (errors.ProminenceError, 500),
]


@pytest.mark.parametrize(("kind", "status"), STATUS)
def test_an_error_has_its_status(kind: type[errors.ProminenceError], status: int) -> None:
    assert status_of(kind) == status


def test_every_error_of_the_tree_has_a_line() -> None:
    tree = {kind for kind in every_error() if inspect.getmodule(kind) is errors}
    assert {kind for kind, _ in STATUS} == tree


class Failing:
    """Identities that fail in a way of ours."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def who(self, token: str) -> Identity:
        raise self._error


@pytest.mark.parametrize(
    ("error", "status", "headers"),
    [
        (errors.Unavailable("Later.", 7), 503, {"Retry-After": "7"}),
        (errors.Unavailable("Later."), 503, {}),
        (errors.TooMany("Slower.", 3), 429, {"Retry-After": "3"}),
        (errors.TooMany("Less."), 429, {}),
        (errors.ProminenceError("Ours."), 500, {}),
        (KeyError("secret"), 500, {}),
    ],
)
def test_whatever_goes_wrong_the_answer_is_json(error: Exception, status: int, headers: dict[str, str]) -> None:
    answer = an_api(identities=Failing(error)).call("GET", "/jobs")
    assert answer.status_code == status
    assert answer.json is not None
    assert set(answer.json) == {"error", "reasonCode"}
    assert "secret" not in answer.text
    assert headers.items() <= dict(answer.headers).items()


def test_a_queue_that_is_away_is_503_everywhere(api: Api) -> None:
    api.queue.unavailable = "The schedd is away."
    for method, path, body in OF_JOBS:
        answer = api.call(method, path, json=body)
        assert (answer.status_code, answer.json) == (
            503,
            {"error": "The schedd is away.", "reasonCode": "Unavailable"},
        ), path


class TestHealth:
    def ask(self, api: Api) -> tuple[int, Any]:
        answer = api.client.get(f"{BASE_PATH}/health")
        return answer.status_code, answer.json if answer.data else None

    def test_all_is_well(self, api: Api) -> None:
        assert self.ask(api) == (204, None)

    def test_what_does_not_answer_is_named(self) -> None:
        store = MemoryKeyValue()
        store.unavailable = "gone"
        api = an_api(store=store)
        assert self.ask(api) == (409, {"errors": "ETCD_STATUS", "reasonCode": "Unavailable"})
        api.queue.unavailable = "gone"
        assert self.ask(api) == (409, {"errors": "HTCONDOR_SCHEDD,ETCD_STATUS", "reasonCode": "Unavailable"})


def test_a_request_has_an_id_by_which_its_job_its_plan_and_its_answer_are_found(api: Api) -> None:
    made = api.call("POST", "/jobs", json=job_json(), headers={tracing.HEADER: "r-1"})
    assert made.headers[tracing.HEADER] == "r-1"
    [shown] = api.get(f"/jobs/{(made.json or {})['id']}")
    assert shown["requestId"] == "r-1"
    planned = document.loads(ExecutionPlan, api.sandboxes.files[api.uid(shown["id"])][plan.FILE_NAME].decode())
    assert planned.request == "r-1"
    api.call("PATCH", f"/jobs/{shown['id']}", json={"resources": {"walltime": 7}}, headers={tracing.HEADER: "r-2"})
    changed = document.loads(ExecutionPlan, api.sandboxes.files[api.uid(shown["id"])][plan.FILE_NAME].decode())
    assert (changed.walltime_s, changed.request) == (420, "r-2")
    left_out = ("id", "status", "execution", "events")  # by the published client, which submits the rest anew
    again = api.call("POST", "/jobs", json={name: said for name, said in shown.items() if name not in left_out})
    assert again.status_code == 201, again.text
    assert api.get(f"/jobs/{(again.json or {})['id']}")[0]["requestId"] != "r-1"


@pytest.mark.parametrize("said", ["two words", 'a"', "\u00e4", "x" * 65])
def test_what_is_no_id_is_replaced(said: str, api: Api) -> None:
    told = api.call("GET", "/jobs", headers={tracing.HEADER: said})
    assert told.headers[tracing.HEADER] not in (said, "")


def test_members_of_an_array_have_the_id_of_the_request_that_made_them(api: Api) -> None:
    array = api.submit_array(2)
    members = [api.get(f"/jobs/{array}.{place}")[0]["requestId"] for place in range(2)]
    assert members[0] == members[1] != ""
