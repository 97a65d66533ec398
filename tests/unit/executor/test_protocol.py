from __future__ import annotations

import json
from dataclasses import asdict

import pytest
from builders_executor import a_run
from hypothesis import given
from hypothesis import strategies as st

from prominence.executor.broker.protocol import line
from prominence.executor.broker.requests import BadRequest, Has, Run, Signal, Version, parse

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
