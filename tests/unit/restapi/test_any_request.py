"""Whatever is sent, the service answers in JSON, and the fault is never its own."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from builders import job_json
from builders_restapi import Api, an_api
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from prominence.restapi.operations import BASE_PATH

anything_in_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters()), inner, max_size=4),
    max_leaves=20,
)


def post(api: Api, data: bytes, **headers: str) -> TestResponse:
    return api.call("POST", "/jobs", data=data, headers=headers)


def is_refused(answer: TestResponse, status: int = 400) -> str:
    """The sentence of a refusal."""
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/json"
    assert answer.json is not None
    assert set(answer.json) == {"error", "reasonCode"}
    return str(answer.json["error"])


@given(st.binary(max_size=2000))
def test_any_bytes_are_refused(data: bytes) -> None:
    is_refused(post(an_api(), data))


@given(anything_in_json)
def test_any_json_is_refused_when_it_is_no_job(value: Any) -> None:
    is_refused(post(an_api(), json.dumps(value, allow_nan=True).encode()))


@given(anything_in_json, anything_in_json)
def test_any_json_is_refused_when_it_is_no_array(one: Any, other: Any) -> None:
    for value in (one, {"count": one, "job": other}, {"count": 2, "job": one}):
        is_refused(an_api().call("POST", "/arrays", data=json.dumps(value, allow_nan=True).encode()))


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Where something stands in a document, itself included."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


def replaced(value: Any, path: tuple[str | int, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


WHOLE = job_json(
    name="a",
    labels={"app": "b"},
    tasks=[
        {
            "image": "c",
            "cmd": "d",
            "env": {"E": "f"},
            "workdir": "g",
            "runtime": "docker",
            "imagePullCredential": {"username": "h", "token": "i"},
        }
    ],
    notifications=[{"event": "jobFinished", "type": "email"}],
    nodes=1,
    walltime=5,
    storage={"type": "webdav", "mountpoint": "/j", "webdav": {"url": "https://k/", "username": "l", "password": "m"}},
)


@given(st.sampled_from(places(WHOLE)), anything_in_json)
def test_a_job_with_anything_anywhere_is_taken_or_refused(place: tuple[str | int, ...], value: Any) -> None:
    api = an_api(addresses={"alice": "alice@example.org"})
    answer = post(api, json.dumps(replaced(WHOLE, place, value)).encode())
    assert answer.status_code == 201 or is_refused(answer)


WORKFLOW: dict[str, Any] = {
    "name": "a",
    "labels": {"b": "c"},
    "jobs": [{"name": "d", "tasks": [{"image": "e:$x", "cmd": "f $x"}], "resources": {}, "outputFiles": ["g-$x"]}],
    "dependencies": {"d": []},
    "factories": [
        {"type": "parameterSweep", "jobs": ["d"], "parameters": [{"name": "x", "start": 1, "end": 2, "step": 0.5}]}
    ],
    "policies": {"maximumRetries": 1, "maximumIdle": 2},
}


@given(st.sampled_from(places(WORKFLOW)), anything_in_json)
def test_a_workflow_with_anything_anywhere_is_taken_or_refused(place: tuple[str | int, ...], value: Any) -> None:
    answer = an_api().call("POST", "/workflows", data=json.dumps(replaced(WORKFLOW, place, value)).encode())
    assert answer.status_code == 201 or is_refused(answer)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not text in UTF-8"),
        (b'"\xed\xa0\x80"', "not text in UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "not text in UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'{"tasks": 1, "tasks": 2}', "'tasks' is given twice"),
        (b"{" + b"".join(b'"%d":1,' % i for i in range(90_000)) + b'"x":1,"x":1}', "'x' is given twice"),
        (b'{"resources": {"cpus": NaN}}', "NaN is not a number"),
        (b'{"resources": {"cpus": Infinity}}', "Infinity is not a number"),
        (b'{"resources": {"cpus": -Infinity}}', "-Infinity is not a number"),
        (b'{"resources": {"cpus": 1e400}}', "cpus"),
        (b'{"resources": {"memory": 1e400}}', "memory"),
        (b'{"resources": {"cpus": ' + b"9" * 5000 + b"}}", "not JSON"),
        (b'{"resources": {"cpus": 1' + b"0" * 4000 + b"}}", "cpus"),
        (b"{} {}", "not JSON"),
        (b"\xef\xbb\xbf{}", "required"),
    ],
    ids=lambda value: repr(value[:24]),
)
def test_what_is_wrong_with_a_body_is_said(data: bytes, words: str) -> None:
    assert words in is_refused(post(an_api(), data))


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "a\tb", ""])
def test_the_content_type_does_not_matter(kind: str) -> None:
    """Old clients send none, and there is nothing but JSON to be sent."""
    answer = an_api().call("POST", "/jobs", data=json.dumps(job_json()), content_type=kind)
    assert answer.status_code == 201, answer.text


def test_a_job_of_very_many_tasks_is_shown_with_all_of_them() -> None:
    api = an_api()
    tasks = [{"image": "busybox", "cmd": f"echo {number} {'x' * 900}"} for number in range(1000)]
    described = api.describe(api.submit(tasks=tasks))
    assert described["tasks"] == tasks


def test_a_job_whose_description_could_not_be_read_again_is_refused() -> None:
    api = an_api(max_body=10**8)
    tasks = [{"image": "busybox", "cmd": f"echo {'x' * 100_000}"}] * 21
    body = json.dumps(job_json(tasks=tasks)).encode()
    assert "2097152 are kept" in is_refused(post(api, body))
    assert api.get("/jobs") == []


def test_a_body_in_chunks_that_is_too_large_is_refused_and_not_cut_off() -> None:
    api = an_api(max_body=1000)
    job = json.dumps(job_json()).encode()
    answer = api.call(
        "POST",
        "/jobs",
        input_stream=io.BytesIO(job + b" " * 1000 + b"and what nobody has read"),
        environ_overrides={"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"},
    )
    assert "at most 1000 bytes" in is_refused(answer, 413)
    assert api.get("/jobs") == []


def test_a_body_that_is_too_large_is_refused_before_it_is_read() -> None:
    class Unread(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise AssertionError("it was read")

    api = an_api(max_body=1000)
    answer = api.call("POST", "/jobs", environ_overrides={"wsgi.input": Unread(), "CONTENT_LENGTH": str(10**18)})
    assert "at most 1000 bytes" in is_refused(answer, 413)


hostile = st.one_of(
    st.text(st.characters(codec="utf-8")),
    st.sampled_from(
        ['" || true || "', "1 || true", "$(HOME)", "../1", "%00", "1' OR 1=1", "-1", "9" * 4000, "\x1b[2J"]
    ),
)


@given(st.sampled_from(["GET", "DELETE"]), hostile)
def test_a_job_by_any_name_is_none(method: str, name: str) -> None:
    api = an_api()
    mine = api.submit()
    answer = api.call(method, "/jobs/" + name.replace("/", "%2F").replace("?", "%3F").replace("#", "%23"))
    assert answer.status_code == 400 or answer.json == [] or name.strip("/") in ("", str(mine))


@given(
    st.dictionaries(
        st.sampled_from(["id", "name", "status", "constraint", "num", "completed", "all", "workflow"]), hostile
    )
)
def test_any_filter_shows_nothing_of_others(parameters: dict[str, str]) -> None:
    api = an_api()
    api.submit(name="hers")
    answer = api.as_user("bob").client.get(
        f"{BASE_PATH}/jobs", query_string=parameters, headers={"Authorization": "Bearer token-of-bob"}
    )
    assert answer.json == [] if answer.status_code == 200 else is_refused(answer)


printable = st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=200)


@given(
    st.dictionaries(
        st.sampled_from(
            ["If-None-Match", "If-Modified-Since", "Range", "Accept", "Accept-Encoding", "Cookie", "X-Forwarded-For"]
        ),
        printable,
    )
)
def test_any_header_is_read_or_ignored(headers: dict[str, str]) -> None:
    assert an_api().call("GET", "/jobs", headers=headers).status_code == 200


@given(printable)
def test_any_authorization_is_a_token_or_unauthenticated(text: str) -> None:
    answer = an_api().client.get(f"{BASE_PATH}/jobs", headers={"Authorization": text})
    assert "oken" in is_refused(answer, 401)
    assert answer.headers["WWW-Authenticate"] == "Bearer"
