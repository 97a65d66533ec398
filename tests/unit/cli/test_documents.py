"""Files and options to the document that is sent."""

from __future__ import annotations

import contextlib
import json
import math
import shlex
from pathlib import Path
from typing import get_args

import pytest
from builders_cli import FakeApi, run_command
from hypothesis import given
from hypothesis import strategies as st

from prominence.cli.commands.job_options import RUNTIMES
from prominence.cli.documents import LARGEST_INPUT, artifact, command_line, input_file, pair, read, said
from prominence.cli.errors import ClientError
from prominence.core.files import InputFile
from prominence.core.task import Runtime


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


def test_what_was_not_said_is_left_out() -> None:
    assert said({"a": None, "b": {}, "c": [], "d": 0, "e": False, "f": ""}) == {"d": 0, "e": False, "f": ""}


def test_whole_numbers_are_written_without_a_point() -> None:
    assert json.dumps(said({"memory": 4.0, "disk": 0.5})) == '{"memory": 4, "disk": 0.5}'


@pytest.mark.parametrize(
    ("text", "document"),
    [
        ("data.tgz", {"url": "data.tgz"}),
        ("physics/data.tgz:data:/opt/data", {"url": "physics/data.tgz", "mountpoint": "data:/opt/data"}),
        ("https://example.org:8080/a.tgz", {"url": "https://example.org:8080/a.tgz"}),
        ("https://example.org:8080/a.tgz:a b:/c", {"url": "https://example.org:8080/a.tgz", "mountpoint": "a b:/c"}),
        ("https://example.org/a:b", {"url": "https://example.org/a:b"}),
        ("", {"url": ""}),
    ],
)
def test_an_artifact_may_say_where_its_directory_is_mounted(text: str, document: dict[str, str]) -> None:
    assert artifact(text) == document


@given(st.text())
def test_no_artifact_loses_a_letter(text: str) -> None:
    assert ":".join(artifact(text).values()) == text


def test_a_file_is_sent_with_its_name_its_content_and_whether_it_may_be_run(tmp_path: Path) -> None:
    (tmp_path / "run.sh").write_bytes(b"\x00\xff")
    (tmp_path / "run.sh").chmod(0o755)
    document = input_file(tmp_path / "run.sh")
    assert document == {"filename": "run.sh", "content": "AP8=", "executable": True}
    assert InputFile.model_validate(document)
    (tmp_path / "run.sh").chmod(0o644)
    assert "executable" not in input_file(tmp_path / "run.sh")


def test_a_file_that_no_request_could_hold_is_not_even_read(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(LARGEST_INPUT + 1)
    with pytest.raises(ClientError, match="too large to be sent with a job: upload it"):
        input_file(tmp_path / "large")


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
    "value", ["12:30", "-1:30", "12:30:00.5", "0755", "0010", "1_000", "0x10", "0b1", "1_0.5", "007.5"]
)
def test_of_numbers_in_yaml_only_those_stay_that_json_has(value: str) -> None:
    assert read(f"env: {{A: {value}, B: [{value}]}}".encode(), "job.yaml") == {"env": {"A": value, "B": [value]}}


@pytest.mark.parametrize("value", ["0", "-7", "+7", "10", "1.5", "-0.5", "2.", ".5", "1.5e+3", "1.5e-3", ".inf"])
def test_a_number_in_yaml_is_one(value: str) -> None:
    assert read(f"memory: {value}".encode(), "job.yaml") == {"memory": float(value.replace(".inf", "inf"))}


@pytest.mark.parametrize("value", ['!!bool "x"', "!!int ''", "!!int x", "!!float ''", "!!timestamp x"])
def test_a_value_that_is_not_what_it_says_is_told(value: str) -> None:
    with pytest.raises(ClientError, match="job.yaml is not YAML"):
        read(f"memory: {value}".encode(), "job.yaml")


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("job.json", b"name: a", "job.json is not JSON: Expecting value"),
        (
            "job.yaml",
            b"a: [",
            "job.yaml is not YAML: expected the node content, but found '<stream end>': line 1 column 5.",
        ),
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


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["create", "a", "--storage"], "does not hold a job's storage: an object with a type is needed"),
        (["workflow", "run"], "does not hold a workflow: an object with jobs is needed"),
        (["run"], "does not hold a job: an object with tasks and resources is needed"),
    ],
)
def test_it_is_told_what_the_file_should_hold(words: list[str], sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "list.json"
    file.write_text("[]")
    result = run_command(FakeApi(), *words, str(file))
    assert (result.exit_code, result.stderr) == (125, f"prominence: {file} {sentence}.\n")


@given(st.binary() | st.text().map(str.encode), st.sampled_from(["-", "a.json", "a.yaml"]))
def test_any_bytes_are_read_or_refused(data: bytes, name: str) -> None:
    with contextlib.suppress(ClientError):
        assert isinstance(read(data, name), dict)


def test_numbers_that_json_lacks_are_kept_until_sent() -> None:
    assert math.isnan(read(b"memory: .nan", "job.yaml")["memory"])
