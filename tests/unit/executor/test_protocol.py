from __future__ import annotations

import json
from dataclasses import asdict

import pytest
from builders_executor import a_run
from hypothesis import given
from hypothesis import strategies as st

from prominence.executor.broker.protocol import PRIVATE, line
from prominence.executor.broker.requests import BadRequest, Has, Pull, Run, Signal, Version, parse

RUN = asdict(a_run())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_what_is_sent_is_what_is_read() -> None:
    assert parse(line("version")) == Version()
    assert parse(line("has", image="busybox:1")) == Has("busybox:1")
    assert parse(line("run", **RUN)) == a_run()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "not a line of JSON"),
        (b"[]", "not an object"),
        (b"{}", "no such verb"),
        (b'{"verb": "exec"}', "no such verb"),
        (b'{"verb": ["run"]}', "no such verb"),
        (b'{"verb": "version", "image": "x"}', "version has no image"),
        (b'{"verb": "has"}', "Has.image: missing"),
        (b'{"verb": "has", "image": 1}', "str is needed"),
        (b"[" * 100_000, "not a line of JSON"),
        (b"\xff", "not a line of JSON"),
    ],
)
def test_what_is_not_a_request_is_refused_with_the_reason(text: bytes, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        parse(text)


@pytest.mark.parametrize("field", ["binds", "mounts", "privileged", "user", "network", "home", "HostConfig"])
def test_a_run_has_no_field_for_what_is_not_the_jobs_to_say(field: str) -> None:
    with pytest.raises(BadRequest, match=f"run has no {field}"):
        parse(line("run", **RUN, **{field: "x"}))


@pytest.mark.parametrize(
    "changes",
    [
        {"image": ""},
        {"image": "../etc"},
        {"image": "busybox?tag=1"},
        {"image": "a b"},
        {"image": "a" * 512},
        {"workdir": "relative"},
        {"workdir": "/a\0b"},
        {"cpus": 0},
        {"memory_mib": 5},
        {"env": {"": "x"}},
        {"env": {"A=B": "x"}},
        {"env": {"A": "\0"}},
        {"command": ["a\0b"]},
        {"command": ["\ud800"]},
        {"command": "sh -c x"},
        {"cpus": True},
        {"cpus": 1.5},
    ],
)
def test_a_run_that_cannot_be_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(BadRequest):
        parse(line("run", **{**RUN, **changes}))


@pytest.mark.parametrize("name", ["HUP", "9", "", "term"])
def test_only_the_two_signals_can_be_sent(name: str) -> None:
    with pytest.raises(BadRequest):
        parse(line("signal", name=name))
    assert parse(line("signal", name="TERM")) == Signal("TERM")


@given(JSON)
def test_no_json_whatever_breaks_it(data: object) -> None:
    try:
        parse(json.dumps(data).encode())
    except BadRequest as error:
        assert str(error)


@given(st.fixed_dictionaries({key: JSON | st.just(value) for key, value in RUN.items()}))
def test_a_run_that_is_accepted_is_of_the_right_types(fields: dict[str, object]) -> None:
    try:
        run = parse(line("run", **fields))
    except BadRequest:
        return
    assert isinstance(run, Run)
    assert run.cpus >= 1 and run.memory_mib >= 6 and run.workdir.startswith("/")
    assert all(isinstance(word, str) for word in (*run.command, *run.env, *run.env.values()))


@given(st.binary())
def test_no_bytes_whatever_break_it(text: bytes) -> None:
    with pytest.raises(BadRequest):
        parse(text)


@pytest.mark.parametrize(
    "target",
    ["data", "", "/", "/a//b", "/a/../b", "/a/.", "/proc", "/proc/1", "/sys/fs", "/dev/shm", "/home/user", "/tmp"],
)
def test_nothing_is_mounted_where_it_would_hide_what_isolates(target: str) -> None:
    with pytest.raises(BadRequest, match="targets"):
        parse(line("run", **{**RUN, "targets": [target]}))


@pytest.mark.parametrize("mounts", [-1, 17])
def test_a_session_has_so_many_directories_and_no_more(mounts: int) -> None:
    with pytest.raises(BadRequest, match="mounts"):
        parse(line("session", mounts=mounts))


@pytest.mark.parametrize("verb", ["has", "pull", "run"])
@pytest.mark.parametrize("name", [f"localhost/{PRIVATE}/0-0:p.w", f"docker.io/{PRIVATE}/x", f"{PRIVATE}:1"])
def test_nobody_asks_for_an_image_that_is_one_sessions_alone(verb: str, name: str) -> None:
    with pytest.raises(BadRequest, match="image"):
        parse(line(verb, **{**(RUN if verb == "run" else {}), "image": name}))


@pytest.mark.parametrize(
    ("username", "token"),
    [("alice", ""), ("", "t"), ("a:b", "t"), ("a\nb", "t"), ("a", "t\0"), ("a", "\ud800"), ("a" * 257, "t"), ("a", 1)],
)
def test_what_is_no_credential_is_refused_and_not_repeated(username: str, token: object) -> None:
    with pytest.raises(BadRequest) as refusal:
        parse(line("pull", image="busybox:1", username=username, token=token))
    assert username not in str(refusal.value) or username in ("", "a")


@given(st.text(min_size=1), st.text(min_size=1))
def test_a_credential_that_is_taken_fits_the_headers_of_a_request_and_is_never_printed(
    username: str, token: str
) -> None:
    try:
        request = parse(line("pull", image="busybox:1", username=username, token=token))
    except BadRequest:
        return
    assert isinstance(request, Pull)
    assert (request.username, request.token) == (username, token)
    assert ":" not in username and not set(username + token) & {"\r", "\n", "\0"}
    assert "token" not in repr(request)
