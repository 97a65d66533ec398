"""What a job has written, over HTTP."""

from __future__ import annotations

import pytest
from builders_restapi import Api, a_report, an_api

TEXT = "hällo wörld ☃\n"


@pytest.fixture
def api() -> Api:
    return an_api()


@pytest.fixture
def running(api: Api) -> int:
    job = api.submit()
    api.run(job)
    return job


def part(api: Api, job: int, query: str = "", stream: str = "stdout") -> tuple[bytes, int, str]:
    """The bytes, where to go on, and the job's status."""
    answer = api.call("GET", f"/jobs/{job}/{stream}{query}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Length"] == str(len(answer.data))
    return answer.data, int(answer.headers["X-Prominence-Offset"]), answer.headers["X-Prominence-Status"]


def test_it_is_text_in_utf_8(api: Api, running: int) -> None:
    api.write(running, "stdout", TEXT.encode())
    answer = api.call("GET", f"/jobs/{running}/stdout")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.text == TEXT


def test_an_old_client_gets_every_character_once_although_it_counts_characters(api: Api, running: int) -> None:
    whole = TEXT.encode() * 3
    printed = ""
    for written in range(0, len(whole) + 1, 5):
        api.write(running, "stdout", whole[:written])
        printed += part(api, running, f"?node=0&offset={len(printed)}")[0].decode()
    api.write(running, "stdout", whole)
    printed += part(api, running, f"?node=0&offset={len(printed)}")[0].decode()
    assert printed == TEXT * 3
    assert part(api, running, "?offset=1000") == (b"", 0, "running")


def test_the_two_streams_are_two(api: Api, running: int) -> None:
    api.write(running, "stdout", b"out")
    api.write(running, "stderr", b"err")
    assert part(api, running)[0] == b"out"
    assert part(api, running, stream="stderr")[0] == b"err"


def test_what_a_sidecar_writes_is_apart(api: Api, running: int) -> None:
    api.write(running, "stdout", b"out")
    api.write(running, "stdout.2", b"beside")
    assert part(api, running)[0] == b"out"
    assert part(api, running, "?task=2")[0] == b"beside"
    assert part(api, running, "?task=1") == (b"", 0, "running")
    answer = api.call("GET", f"/jobs/{running}/stdout?task=../plan.json")
    assert (answer.status_code, "task" in answer.json["error"]) == (400, True)


def test_a_follower_gets_every_byte_once_and_knows_when_it_has_all(api: Api, running: int) -> None:
    whole = TEXT.encode() * 3
    seen, offset = b"", 0
    for written in range(len(whole) + 1):
        api.write(running, "stdout", whole[:written])
        piece, offset, status = part(api, running, f"?byte={offset}")
        assert status == "running"
        piece.decode()  # no character is torn
        seen += piece
    api.write(running, "stdout", whole + b"\xe2")
    api.finish(running, a_report())
    piece, offset, status = part(api, running, f"?byte={offset}")
    assert (seen + piece, status) == (whole + b"\xe2", "completed")
    assert part(api, running, f"?byte={offset}") == (b"", len(whole) + 1, "completed")


def test_who_reads_on_beyond_the_end_begins_again(api: Api, running: int) -> None:
    """The worker was lost, and the next attempt writes anew."""
    api.write(running, "stdout", b"again")
    assert part(api, running, "?byte=100") == (b"", 0, "running")


def test_nothing_is_there_before_the_job_runs(api: Api) -> None:
    assert part(api, api.submit()) == (b"", 0, "idle")


def test_a_large_output_comes_whole(api: Api, running: int) -> None:
    api.write(running, "stdout", b"x" * 1_000_000 + b"y")
    assert part(api, running, "?byte=999999") == (b"xy", 1_000_001, "running")
    assert len(part(api, running)[0]) == 1_000_001


def test_an_output_that_is_no_longer_kept_says_so(api: Api, running: int) -> None:
    api.finish(running)
    api.sandboxes.discard(api.uid(running))
    answer = api.call("GET", f"/jobs/{running}/stdout")
    assert answer.status_code == 400
    assert "no longer kept" in answer.text


def test_what_must_not_be_read_is_not_read(api: Api, running: int) -> None:
    api.sandboxes.unusable.add("stdout")
    assert api.call("GET", f"/jobs/{running}/stdout").status_code == 400


def test_anothers_output_is_forbidden(api: Api, running: int) -> None:
    api.write(running, "stdout", b"secret")
    answer = api.as_user("bob").call("GET", f"/jobs/{running}/stdout")
    assert answer.status_code == 403
    assert answer.json == {"error": f"Job {running} is not yours.", "reasonCode": "Forbidden"}


@pytest.mark.parametrize(
    "path", ["99/stdout", "x/stdout", "1/stdout?offset=-1", "1/stdout?offset=x", "1/stdout?byte=x", "1/stderr?node=1"]
)
def test_what_is_not_there_is_an_error_but_never_404(path: str, api: Api, running: int) -> None:
    answer = api.call("GET", f"/jobs/{path}")
    assert answer.status_code == 400
    assert answer.json is not None
    assert answer.json["error"]


def test_the_published_client_asks_with_node_and_offset(api: Api, running: int) -> None:
    api.write(running, "stdout", b"out")
    assert part(api, running, "?node=0&offset=0")[0] == b"out"
