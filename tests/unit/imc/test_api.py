"""imc's HTTP API on a store in memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import schemathesis
from builders import NOON, a_cloud, a_request
from builders_imc import a_record
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import SecretStr

from prominence.core import tracing
from prominence.core.errors import ProminenceError, QuotaReached, TooLarge, TooMany
from prominence.core.keyvalue.memory import MemoryKeyValue
from prominence.core.machines import CloudStatus, Wish, Worker, WorkerPhase
from prominence.core.validation import parse
from prominence.imc import openapi
from prominence.imc.adapters.memory import MemoryPool
from prominence.imc.app import MAX_BODY, STATUS, create_app
from prominence.imc.records import WORKERS, Records
from prominence.imc.routes import Services

BODY = a_request().model_dump(mode="json")
AUTHORIZED = {"Authorization": "Bearer right"}


DESCRIPTION = openapi.describe()


def promise_broken(method: str, path: str, status: int, body: Any) -> str | None:
    """What an answer is that its description does not say."""
    for rule, operations in DESCRIPTION["paths"].items():
        matches = re.fullmatch(re.sub(r"{\w+}", "[^/]+", rule), path.partition("?")[0])
        if matches and method.lower() in operations:
            responses = operations[method.lower()]["responses"]
            if str(status) not in responses:
                return None if status in (413, 500) else f"{method} {rule} never says {status}"
            schema = responses[str(status)].get("content", {}).get("application/json", {}).get("schema")
            if schema is None:
                return f"{method} {rule} says nothing at {status}" if body is not None else None
            validator = Draft202012Validator({**schema, "components": DESCRIPTION["components"]})
            return next((f"{method} {rule} {status}: {error.message}" for error in validator.iter_errors(body)), None)
    return None


class Api:
    """A client that shows the right token unless told otherwise."""

    def __init__(self, owners_token: str | None = "of the API", configuration: str = "") -> None:
        self.store = MemoryKeyValue()
        self.records = Records(self.store)
        self.changes = 0
        self.silence_s = 1.0
        self.pool = MemoryPool()
        services = Services(
            *(self.records, self.pool, SecretStr("right"), owners_token and SecretStr(owners_token)),
            *(lambda: NOON, self._changed, lambda: self.silence_s, lambda: configuration),
            *("condor.example.org", "here"),
        )
        self.client: FlaskClient = create_app(services).test_client()

    def _changed(self) -> None:
        self.changes += 1

    def call(self, method: str, path: str, headers: dict[str, str] | None = None, **options: Any) -> tuple[int, Any]:
        with self.client.open(
            path, method=method, headers=AUTHORIZED if headers is None else headers, **options
        ) as answer:
            body = answer.get_json() if answer.data else None
            if (wrong := promise_broken(method, path, answer.status_code, body)) is not None:
                raise AssertionError(wrong)
            return answer.status_code, body


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
    assert api.call(method, "/v1/workers/worker-1") == (
        404,
        {"error": "There is no worker worker-1.", "reasonCode": "NotFound"},
    )


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
    assert api.call("GET", "/health", headers={}) == (200, {"configuration": ""})


def test_a_reconciler_that_hangs_is_ill_health(api: Api) -> None:
    api.silence_s = 100
    status, answer = api.call("GET", "/health", headers={})
    assert (status, answer) == (
        503,
        {"error": "The reconciler has done nothing for 100 s.", "reasonCode": "Unavailable"},
    )


def test_a_silent_store_is_a_503_everywhere(api: Api) -> None:
    api.store.unavailable = "etcd is down"
    for method, path in (("GET", "/health"), ("GET", "/v1/workers"), ("PUT", "/v1/workers/worker-1")):
        assert api.call(method, path, json=BODY) == (503, {"error": "etcd is down", "reasonCode": "Unavailable"})


def test_a_mistake_of_ours_is_told_without_its_insides(api: Api) -> None:
    api.records._store = None  # type: ignore[assignment]  # a mistake of ours
    status, answer = api.call("GET", "/v1/workers")
    assert (status, answer) == (500, {"error": "imc made a mistake; its log says more.", "reasonCode": "InternalError"})


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/nothing"), ("POST", "/v1/workers")])
def test_flasks_own_errors_are_json_too(api: Api, method: str, path: str) -> None:
    status, answer = api.call(method, path)
    assert status in (404, 405) and answer["error"]
    assert answer["reasonCode"] == "NoSuchOperation"


def test_who_asks_in_a_wrong_way_is_told_the_right_ones(api: Api) -> None:
    with api.client.post("/v1/workers", headers=AUTHORIZED) as answer:
        assert answer.status_code == 405
        assert "GET" in answer.headers["Allow"]


def test_every_error_of_the_tree_has_a_status() -> None:
    def tree(kind: type[ProminenceError]) -> list[type[ProminenceError]]:
        return [kind, *(below for child in kind.__subclasses__() for below in tree(child))]

    shared = {kind for kind in tree(ProminenceError) if kind.__module__ == "prominence.core.errors"}
    elsewhere = {QuotaReached, TooLarge, TooMany}  # of users
    assert all(issubclass(kind, tuple(STATUS)) for kind in shared - elsewhere - {ProminenceError})


def test_an_unreadable_record_is_a_conflict_and_stays(api: Api) -> None:
    api.store.put_if(f"{WORKERS}worker-1", b"of a later version", 0)
    assert api.call("GET", "/v1/workers/worker-1")[0] == 409
    assert api.call("GET", "/v1/workers") == (200, [])


OWNERS = "/v1/owners/alice-0a/tokens"
OF_THE_API = {"Authorization": "Bearer of the API"}


def test_the_rest_api_gets_a_token_for_workers_of_a_user_and_takes_it_back(api: Api) -> None:
    status, made = api.call("POST", OWNERS, OF_THE_API)
    assert (status, made["lifetime_s"]) == (201, 600)
    assert (made["collector"], made["trust_domain"]) == ("condor.example.org", "here")
    assert api.pool.join("laptop.alice-0a", made["token"])
    assert not api.pool.join("laptop.bob-0b", made["token"])
    assert not api.pool.join("alice-0a", made["token"])
    assert api.call("DELETE", OWNERS, OF_THE_API) == (204, None)
    assert not api.pool.join("laptop.alice-0a", made["token"])


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_the_token_of_the_scaler_and_that_of_the_rest_api_open_nothing_of_each_others(api: Api, method: str) -> None:
    assert api.call(method, OWNERS)[0] == 401
    assert api.call("GET", "/v1/workers", OF_THE_API)[0] == 401
    assert api.call("PUT", "/v1/workers/worker-1", OF_THE_API, json=BODY)[0] == 401
    status, said = Api(owners_token=None).call(method, OWNERS, OF_THE_API)
    assert (status, said) == (
        403,
        {"error": "This pool gives no tokens to workers of users.", "reasonCode": "Forbidden"},
    )


@given(st.text(min_size=1, max_size=80))
@settings(max_examples=50)
def test_an_owner_is_part_of_the_name_of_a_machine_or_refused(name: str) -> None:
    api = Api()
    status, _ = api.call("POST", f"/v1/owners/{quote(name, safe='')}/tokens", OF_THE_API)
    is_one = re.fullmatch("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name) is not None
    assert (status == 201) == is_one
    assert status in (201, 400, 404, 405)


def test_every_route_is_described_and_nothing_else_is(api: Api) -> None:
    rules = api.client.application.url_map.iter_rules()
    served = {
        (method, re.sub(r"<(\w+)>", r"{\1}", rule.rule))
        for rule in rules
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert served == {(one.method, one.path) for one in openapi.OPERATIONS}
    assert api.call("GET", "/openapi.json", headers={}) == (200, openapi.describe())


def test_the_description_is_one_of_openapi_and_says_who_may_ask(api: Api) -> None:
    schemathesis.openapi.from_dict(DESCRIPTION)
    for one in openapi.OPERATIONS:
        path = one.path.format(name="worker-1") if "{" in one.path else one.path
        status, _ = api.call(one.method, path, headers={}, json={})
        assert (status == 401) == bool(one.token)
        described = DESCRIPTION["paths"][one.path][one.method.lower()]["security"]
        assert described == ([{one.token: []}] if one.token else [])


def test_what_is_told_of_placements_is_as_described(api: Api) -> None:
    api.records.publish((a_cloud(name="docker"),))
    status, _ = api.call("POST", "/v1/placements", json={"size": BODY["size"], "groups": ["physics"]})
    assert status == 200


def test_health_tells_of_settings_that_were_refused() -> None:
    api = Api(configuration="clouds: missing")
    assert api.call("GET", "/health", headers={}) == (200, {"configuration": "clouds: missing"})


def test_the_callers_id_of_a_request_comes_back_and_another_where_it_is_none(api: Api) -> None:
    ids = [
        api.client.get("/health", headers={tracing.HEADER: said}).headers[tracing.HEADER]
        for said in ("round-1", "no id", "")
    ]
    assert ids[0] == "round-1"
    assert len({*ids, "no id", ""}) == 5
