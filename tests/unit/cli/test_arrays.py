"""Arrays by command and by Python client."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from builders_cli import (
    AN_ARRAY,
    TOKEN,
    URL,
    FakeApi,
    PretendClock,
    Turn,
    a_described_job,
    a_session,
    refused,
    refusing,
    run_command,
)

from prominence.cli.arrays import Arrays
from prominence.cli.client import Client
from prominence.cli.listing import Wanted
from prominence.cli.transport import Transport

CREATE = ("create", "python:3.12", "true")
WAITS, RUNS, COMPLETED = (
    {**AN_ARRAY, "statuses": statuses}
    for statuses in ({"idle": 20}, {"running": 1, "completed": 19}, {"completed": 20})
)


def sent(api: FakeApi) -> Any:
    body = api.asked[-1].body
    assert isinstance(body, bytes)
    return json.loads(body)


def test_create_makes_so_many_at_once() -> None:
    api = FakeApi()
    done = run_command(api, "create", "--count", "20", "--cpus", "2", "python:3.12", "true")
    assert (done.exit_code, done.stdout) == (0, "Array created with id 17: jobs 17.0 to 17.19\n")
    assert api.paths == ["POST /arrays"]
    assert api.asked[0].headers["Idempotency-Key"]
    job = {"tasks": [{"image": "python:3.12", "cmd": "true"}], "resources": {"nodes": 1, "cpus": 2}}
    assert sent(api) == {"count": 20, "job": job}


def test_run_makes_so_many_of_what_a_file_describes(tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text('{"tasks": [], "resources": {}}')
    api = FakeApi()
    done = run_command(api, "run", "--count", "20", "-o", "json", str(tmp_path / "job.json"))
    assert json.loads(done.stdout) == {"id": 17, "count": 20}
    assert sent(api) == {"count": 20, "job": {"tasks": [], "resources": {}}}


def test_waiting_for_an_array_ends_when_all_of_its_members_have() -> None:
    api = FakeApi(arrays=[WAITS, RUNS, COMPLETED])
    done = run_command(api, *CREATE, "--count", "20", "--wait")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr.splitlines() == [
        "Array created with id 17: jobs 17.0 to 17.19",
        "array 17: idle 20",
        "array 17: running 1, completed 19",
        "array 17: completed 20",
    ]


def test_a_member_that_is_nowhere_for_a_moment_is_waited_for() -> None:
    api = FakeApi(arrays=[{**AN_ARRAY, "statuses": {"completed": 19}}, {**AN_ARRAY, "statuses": {}}, COMPLETED])
    assert run_command(api, *CREATE, "--count", "20", "--wait").stderr.endswith("array 17: completed 20\n")


def test_the_first_that_has_not_completed_says_how_it_ends() -> None:
    failed = a_described_job("17.3", "failed", exitCode=3, statusReason="It said 3.")
    api = FakeApi(
        arrays=[{**AN_ARRAY, "statuses": {"completed": 19, "failed": 1}}], listed=[failed], turns=[Turn(failed)]
    )
    done = run_command(api, *CREATE, "--count", "20", "--wait", "-q", "-o", "json")
    assert (done.exit_code, json.loads(done.stdout)["statuses"]) == (3, {"completed": 19, "failed": 1})
    assert done.stderr == (
        "prominence: Not all of array 17 have completed: completed 19, failed 1. "
        "The first is job 17.3: failed: It said 3.\n"
    )
    assert "GET /arrays/17/jobs?all=true&status=failed%2Ckilled%2Cdeleted&sort=id&limit=1" in api.paths


def test_what_members_print_is_passed_on_one_after_the_other() -> None:
    ended = [
        Turn(a_described_job("17.x", "completed"), stdout=f"{index}\n".encode(), starts_again=True)
        for index in range(3)
    ]
    api = FakeApi(arrays=[{**AN_ARRAY, "count": 3, "statuses": {"completed": 3}}], turns=ended)
    done = run_command(api, *CREATE, "--count", "3", "--follow")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "0\n1\n2\n", "")
    members = [path for path in api.paths if path.startswith("GET /jobs/") and "std" not in path]
    assert [path.partition("?")[0] for path in members] == [f"GET /jobs/17.{index}" for index in range(3)]


def test_whoever_is_interrupted_is_told_how_to_come_back() -> None:
    api = FakeApi(arrays=[RUNS])
    done = run_command(api, *CREATE, "--count", "20", "--wait", clock=PretendClock(interrupted_at=2))
    assert done.exit_code == 130
    assert "`prominence array show 17`" in done.stderr
    assert "`prominence array delete 17`" in done.stderr


def test_an_api_that_is_away_for_a_while_is_asked_again() -> None:
    api = FakeApi(arrays=[COMPLETED])
    api.instead.extend([refusing(201, {"id": 17}), *[refused(503, "away")] * 3])
    done = run_command(api, *CREATE, "--count", "20", "--wait")
    assert (done.exit_code, "Trying again." in done.stderr) == (0, True)


class TestInPython:
    def test_an_array_is_waited_for(self) -> None:
        api = FakeApi(arrays=[WAITS, RUNS, COMPLETED])
        arrays = Arrays(Transport(URL, TOKEN, a_session(api)), PretendClock().clock)
        assert arrays.wait(17) == COMPLETED

    def test_patience_has_an_end_where_one_is_named(self) -> None:
        api, clock = FakeApi(arrays=[RUNS]), PretendClock()
        arrays = Arrays(Transport(URL, TOKEN, a_session(api)), clock.clock)
        with pytest.raises(TimeoutError, match="Array 17 has not ended in time"):
            arrays.wait(17, timeout_s=60)
        assert sum(clock.naps) == 60


@pytest.mark.parametrize("count", ["0", "-1", "x", "1.5"])
def test_a_count_is_a_whole_number(count: str) -> None:
    api = FakeApi()
    assert (run_command(api, *CREATE, "--count", count).exit_code, api.paths) == (125, [])


def test_members_are_listed_and_in_order() -> None:
    jobs = [a_described_job(f"17.{index}", array=17) for index in (10, 9, 2)]
    api = FakeApi(listed=jobs)
    done = run_command(api, "list", "--array", "17", "--all", "--status", "running")
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["ID", "17.2", "17.9", "17.10"]
    assert api.paths == ["GET /arrays/17/jobs?all=true&status=running&limit=1000"]
    refused = run_command(api, "list", "--array", "17", "--name", "x")
    assert (refused.exit_code, "With --array go" in refused.stderr) == (125, True)


def test_what_is_done_with_a_job_is_done_with_a_member() -> None:
    api = FakeApi(turns=[Turn(a_described_job("17.3", array=17), stdout=b"hello\n")])
    described = run_command(api, "describe", "17.3").stdout
    assert ("Job             17.3" in described, "Array           17" in described) == (True, True)
    assert run_command(api, "stdout", "17.3").stdout == "hello\n"
    for act in ("hold", "release", "delete"):
        assert run_command(api, act, "17.3").stdout.startswith("Job 17.3 ")
    assert api.paths[2:] == ["PUT /jobs/17.3/hold", "PUT /jobs/17.3/release", "DELETE /jobs/17.3"]


@pytest.mark.parametrize("word", ["17.", ".3", "17.3.1", "17.x", "17/3", "\N{ARABIC-INDIC DIGIT ONE}"])
def test_what_is_no_id_is_not_asked_for(word: str) -> None:
    api = FakeApi()
    assert (run_command(api, "describe", word).exit_code, api.paths) == (125, [])
    assert (run_command(api, "exec", word, "ls").exit_code, api.paths) == (125, [])


def test_arrays_are_listed_shown_and_acted_upon() -> None:
    api = FakeApi()
    header, row = run_command(api, "array", "list").stdout.splitlines()
    assert header.split() == ["ID", "NAME", "CREATED", "MEMBERS", "STATUSES"]
    assert row.split() == ["17", "fit", "2023-11-14", "22:13:20", "20", "running", "1,", "completed", "19"]
    assert json.loads(run_command(api, "array", "list", "-n", "5", "-o", "json").stdout) == [AN_ARRAY]
    shown = run_command(api, "array", "show", "17").stdout
    assert "Statuses        running 1, completed 19" in shown
    assert json.loads(run_command(api, "array", "show", "17", "-o", "json").stdout) == AN_ARRAY
    for act, said in (("hold", "is on hold"), ("release", "released"), ("delete", "deleted")):
        assert run_command(api, "array", act, "17").stdout == f"Array 17 {said}\n"
    assert api.paths[1] == "GET /arrays?limit=5"
    assert api.paths[4:] == ["PUT /arrays/17/hold", "PUT /arrays/17/release", "DELETE /arrays/17"]


@pytest.mark.parametrize("shape", [{}, {"id": None, "statuses": [1], "events": 3}, {"statuses": {"\x1b[1m": "x"}}])
def test_an_array_of_a_strange_shape_is_shown_all_the_same(shape: dict[str, Any]) -> None:
    api = FakeApi()
    api.instead.extend([refusing(200, shape), refusing(200, [shape])])
    for words in (("show", "17"), ("list",)):
        done = run_command(api, "array", *words)
        assert (done.exit_code, "\x1b" in done.stdout) == (0, False)


def test_the_python_client_submits_arrays_and_finds_their_members() -> None:
    api = FakeApi(listed=[a_described_job("17.3", array=17)], turns=[Turn(a_described_job("17.3"))])
    client = Client(URL, TOKEN, a_session(api))
    assert client.arrays.submit({"tasks": []}, 20) == 17
    assert client.arrays.get(17)["statuses"] == {"running": 1, "completed": 19}
    assert [one["id"] for one in client.arrays.list(5)] == [17]
    [job] = client.find(Wanted(array=17, everything=True))
    assert (job.id, repr(job), job.refresh().status) == ("17.3", "<Job 17.3 running>", "running")
    client.arrays.hold(17)
    client.arrays.release(17)
    client.arrays.delete(17)
    client.delete_job("../arrays/17")
    assert api.paths[-1] == "DELETE /jobs/..%2Farrays%2F17"
