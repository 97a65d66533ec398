"""Files and options to the document that is sent."""

from __future__ import annotations

import contextlib
import json
import math
import shlex
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prominence.cli.commands.jobs import RUNTIMES
from prominence.cli.documents import command_line, job, pair, read
from prominence.cli.errors import ClientError
from prominence.core.job import JobSpec, Runtime
from prominence.core.validation import parse


@given(st.text(min_size=1).filter(lambda name: "=" not in name), st.text())
def test_a_pair_is_cut_at_the_first_equals_sign_only(name: str, value: str) -> None:
    assert pair(f"{name}={value}") == (name, value)


@pytest.mark.parametrize("text", ["", "name", "=value", "="])
def test_a_pair_without_name_or_sign_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="NAME=VALUE"):
        pair(text)


def test_one_word_is_the_whole_command() -> None:
    assert command_line(["python -c 'print(1)'"]) == "python -c 'print(1)'"


@given(st.lists(st.text(), min_size=2))
def test_several_words_of_a_command_stay_apart(words: list[str]) -> None:
    joined = command_line(words)
    assert joined is not None
    assert shlex.split(joined) == words


def test_what_was_not_said_is_left_to_the_api() -> None:
    document = job({"image": "a", "cmd": None, "env": {}}, {"cpus": 1, "walltime": None}, None, [], {"priority": None})
    assert document == {"tasks": [{"image": "a"}], "resources": {"cpus": 1}}


def test_whole_numbers_are_written_without_a_point() -> None:
    document = job({"image": "a"}, {"memory": 4.0, "disk": 0.5}, "n", [("k", "v")], {})
    assert json.dumps(document["resources"]) == '{"memory": 4, "disk": 0.5}'


def test_a_job_from_options_is_one_that_the_service_takes() -> None:
    task = {"image": "python:3.12", "cmd": "true", "env": {"A": "b=c"}, "workdir": "/tmp", "runtime": "docker"}
    resources = {"nodes": 1, "cpus": 2, "memory": 4.0, "disk": 10.0, "walltime": 5}
    spec = parse(JobSpec, job(task, resources, "n", [("k", "v")], {"maximumRetries": 1}))
    assert spec.tasks[0].env == {"A": "b=c"}


def test_the_runtimes_offered_are_those_of_the_job_model() -> None:
    assert set(RUNTIMES) == set(get_args(Runtime))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("job.json", '{"name": "a"}'),
        ("job.yaml", "name: a"),
        ("job.yml", '{"name": "a"}'),
        ("-", '\n {"name": "a"}'),
        ("-", "name: a"),
        ("-", '\ufeff{"name": "a"}'),
    ],
)
def test_json_and_yaml_are_read_by_name_or_by_look(name: str, text: str) -> None:
    assert read(text.encode(), name) == {"name": "a"}


def test_a_date_in_yaml_stays_text() -> None:
    assert read(b"labels: {day: 2024-05-01}", "job.yaml") == {"labels": {"day": "2024-05-01"}}


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("job.json", b"name: a", "job.json is not JSON: Expecting value"),
        ("job.yaml", b"a: [", "job.yaml is not YAML: "),
        ("job.yaml", b"!!python/object:os.system {}", "job.yaml is not YAML: could not determine a constructor"),
        ("-", b"[1, 2]", "does not hold a job"),
        ("-", b"", "does not hold a job"),
        ("-", b"\xff\xfe", "is not text in UTF-8"),
        ("-", b'{"a": ' * 100_000, "is not JSON: "),
    ],
)
def test_what_holds_no_job_is_refused_in_one_line(name: str, data: bytes, sentence: str) -> None:
    with pytest.raises(ClientError) as refusal:
        read(data, name)
    assert sentence in str(refusal.value)
    assert "\n" not in str(refusal.value)


@given(st.binary() | st.text().map(str.encode), st.sampled_from(["-", "a.json", "a.yaml"]))
def test_any_bytes_are_read_or_refused(data: bytes, name: str) -> None:
    with contextlib.suppress(ClientError):
        assert isinstance(read(data, name), dict)


def test_numbers_that_json_lacks_are_kept_until_sent() -> None:
    assert math.isnan(read(b"memory: .nan", "job.yaml")["memory"])
