"""`prominence kv`: what is asked of the API, and what is printed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from builders_cli import FakeApi, refused, refusing, run_command


def an_api(status: int, body: Any) -> FakeApi:
    api = FakeApi()
    api.instead.append(refusing(status, body))
    return api


def test_keys_are_listed_one_a_line_and_cannot_steer_the_terminal() -> None:
    api = an_api(200, ["/a", "/b\x1b[2J"])
    assert run_command(api, "kv", "list").stdout == "/a\n/b\\x1b[2J\n"
    assert api.paths == ["GET /kv/?list=true"]


@pytest.mark.parametrize(("path", "asked"), [("run/", "run/"), ("/run/1", "run/1"), ("a b#?%", "a%20b%23%3F%25")])
def test_keys_that_begin_alike_are_asked_for_by_an_address_that_says_what_was_meant(path: str, asked: str) -> None:
    api = an_api(200, [])
    assert run_command(api, "kv", "list", path).exit_code == 0
    assert api.paths == [f"GET /kv/{asked}?list=true"]


def test_values_are_listed_too_if_asked_for() -> None:
    pairs = [{"/a": "1\n2"}, {"/b": ""}]
    assert run_command(an_api(200, pairs), "kv", "list", "--values").stdout == "/a\t1\\n2\n/b\t\n"
    assert run_command(an_api(200, pairs), "kv", "list", "--values", "-o", "json").stdout == (
        '{\n  "/a": "1\\n2",\n  "/b": ""\n}\n'
    )


@pytest.mark.parametrize(("value", "printed"), [("1", "1\n"), ("1\n", "1\n"), ("ü", "ü\n")])
def test_a_value_is_printed_as_it_is_with_one_line_break_at_its_end(value: str, printed: str) -> None:
    assert run_command(an_api(200, value.encode()), "kv", "get", "a").stdout == printed


def test_a_key_that_is_not_there_is_said() -> None:
    result = run_command(an_api(404, {"error": "No such key: a"}), "kv", "get", "/a")
    assert (result.exit_code, result.stderr) == (125, "prominence: No such key: a\n")


def test_a_value_is_what_was_written_or_what_a_file_of_that_name_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_bytes(b"from the file\n")
    api = FakeApi()
    for words in (("text",), ("file",), ("file", "--literal"), ("-",), ("x\x00",)):
        api.instead.append(refusing(201, {}))
        assert run_command(api, "kv", "set", "a", *words, stdin="from stdin").exit_code == 0
    assert [request.body for request in api.asked] == [b"text", b"from the file\n", b"file", b"from stdin", b"x\x00"]
    assert set(api.paths) == {"POST /kv/a"}


@pytest.mark.parametrize("words", [["a" * 5000], ["a/" * 3000], ["caf\udce9"], ["caf\udce9", "--literal"]])
def test_a_value_that_no_files_name_can_be_is_sent_as_it_was_written(words: list[str]) -> None:
    api = an_api(201, {})
    assert run_command(api, "kv", "set", "a", *words).exit_code == 0
    assert api.asked[0].body == words[0].encode(errors="surrogateescape")


def test_a_value_is_only_set_over_another_if_asked_to() -> None:
    api = FakeApi()
    api.instead.extend([refusing(201, {}), refused(400, "prev: a has another value by now")])
    assert run_command(api, "kv", "set", "a", "1", "--prev", "").exit_code == 0
    assert run_command(api, "kv", "set", "a", "1", "--prev", "0 &").exit_code == 125
    assert api.paths == ["POST /kv/a?prev=", "POST /kv/a?prev=0+%26"]


def test_one_key_is_deleted_or_all_that_begin_alike() -> None:
    api = FakeApi()
    api.instead.extend([refusing(200, {}), refusing(200, {})])
    assert run_command(api, "kv", "delete", "/a").exit_code == 0
    assert run_command(api, "kv", "delete", "--prefix", "a/").exit_code == 0
    assert api.paths == ["DELETE /kv/a", "DELETE /kv/a/?prefix=true"]


@pytest.mark.parametrize("key", [".", "./", "runs/..", "runs/../lock", "/./lock"])
@pytest.mark.parametrize("words", ["delete --prefix {}", "delete {}", "get {}", "list {}", "set {} value"])
def test_no_key_is_taken_for_another_one(words: str, key: str) -> None:
    api = FakeApi()
    result = run_command(api, "kv", *words.format(key).split())
    assert (result.exit_code, api.asked) == (125, [])
    assert "between slashes" in result.stderr


@pytest.mark.parametrize("body", [b"<html>", {}, [1], None])
def test_a_strange_answer_is_said(body: Any) -> None:
    assert "not one that a PROMINENCE API gives" in run_command(an_api(200, body), "kv", "list").stderr
