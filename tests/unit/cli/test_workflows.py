"""Workflows by command and by Python client."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from builders_cli import FakeApi, PretendClock, answer, refused, refusing, run_command

from prominence.cli.render.workflows import workflow_progress

DONE = {"total": 4, "done": 4, "failed": 0, "queued": 0, "waiting": 0}
HALF = {"total": 4, "done": 1, "failed": 1, "queued": 2, "waiting": 0}


def a_workflow(status: str = "running", progress: dict[str, int] = HALF, **changes: Any) -> dict[str, Any]:
    return {
        "id": 17,
        "name": "scan",
        "status": status,
        "progress": progress,
        "events": {"createTime": 1700000000},
        "jobs": [{"name": "a"}, {"name": 'b "x"'}, {"name": "c"}],
        "dependencies": {"a": ['b "x"', "c"]},
        **changes,
    }


def api_of(*answers: object) -> FakeApi:
    api = FakeApi()
    api.instead.extend(refusing(200, one) for one in answers)
    return api


def a_file(directory: Path) -> str:
    (directory / "w.yaml").write_text("jobs:\n- name: a\n")
    return str(directory / "w.yaml")


def test_run_knows_a_workflow_by_its_jobs(tmp_path: Path) -> None:
    api = api_of({"id": 17})
    done = run_command(api, "run", a_file(tmp_path))
    assert (done.exit_code, done.stdout, api.paths) == (0, "Workflow created with id 17\n", ["POST /workflows"])
    body = api.asked[0].body
    assert isinstance(body, bytes)
    assert json.loads(body) == {"jobs": [{"name": "a"}]}
    assert api.asked[0].headers["Idempotency-Key"]
    for option in (["--follow"], ["--count", "2"]):
        assert run_command(FakeApi(), "run", *option, a_file(tmp_path)).exit_code == 125


@pytest.mark.parametrize(("status", "progress", "code"), [("completed", DONE, 0), ("failed", HALF, 125)])
def test_waiting_tells_each_change_once_and_ends_as_the_workflow_does(
    status: str, progress: dict[str, int], code: int, tmp_path: Path
) -> None:
    running, ended = a_workflow(), a_workflow(status, progress)
    api = api_of({"id": 17}, [running], [running], [ended])
    done = run_command(api, "workflow", "run", "--wait", a_file(tmp_path))
    assert done.exit_code == code
    first, then, *hint = done.stderr.splitlines()
    assert first.partition(";")[0] == "workflow 17: running, 1 of 4 done, 1 failed, 2 queued"
    assert then.startswith(f"workflow 17: {status}, ")
    assert ";" not in then
    assert hint == (["prominence workflow failures 17 tells why"] if status == "failed" else [])
    quiet = run_command(api_of({"id": 17}, [ended]), "run", "--wait", "--quiet", "-o", "json", a_file(tmp_path))
    assert (json.loads(quiet.stdout), quiet.stderr) == (ended, "")


@pytest.mark.parametrize("quiet", [[], ["--quiet"]])
def test_who_stops_waiting_for_a_workflow_is_told_how_to_come_back(quiet: list[str], tmp_path: Path) -> None:
    command = ["run", "--wait", *quiet, a_file(tmp_path)]
    done = run_command(api_of({"id": 17}, [a_workflow()]), *command, clock=PretendClock(interrupted_at=0))
    assert done.exit_code == 130
    assert "Workflow 17 goes on without us" in done.stderr
    api = api_of({"id": 17}, [a_workflow()])
    api.instead.append(refused(401, "The token has expired."))
    done = run_command(api, *command)
    assert (done.exit_code, "Workflow 17 goes on without us" in done.stderr) == (126, True)


def test_how_fast_it_goes_and_when_it_may_end_is_told() -> None:
    told = workflow_progress(a_workflow(progress={**HALF, "done": 2}), 60.0)
    assert told.endswith("; 2.0 a minute, perhaps 1 min more")


def test_workflows_are_listed_shown_and_drawn() -> None:
    header, row = run_command(api_of([a_workflow()]), "workflow", "list", "--all", "-n", "5").stdout.splitlines()
    assert header.split() == ["ID", "NAME", "CREATED", "STATUS", "JOBS"]
    assert row.split(maxsplit=5)[:2] == ["17", "scan"]
    assert "1 of 4 done, 1 failed, 2 queued" in row
    shown = run_command(api_of([a_workflow(statusReason="Why.")]), "workflow", "show", "17").stdout
    assert "Status          running: Why." in shown
    assert run_command(api_of([]), "workflow", "show", "17").stderr == "prominence: There is no workflow 17.\n"


NODES = [
    {"job": "a", "status": "completed", "id": 18},
    *({"job": 'b "x"', "instance": index, "status": word} for index, word in enumerate(["failed", "completed"])),
]


def test_a_graph_tells_who_waits_for_whom_and_how_the_instances_are() -> None:
    drawn = run_command(api_of([a_workflow()], NODES), "workflow", "graph", "17").stdout
    assert drawn == 'a [completed] -> b "x", c\nb "x" [1 completed, 1 failed]\nc\n'
    assert run_command(api_of([a_workflow()], NODES), "graph", "17").stdout == drawn
    dot = run_command(api_of([a_workflow()], NODES), "workflow", "graph", "--dot", "17").stdout.splitlines()
    assert '  "a" -> "b \\"x\\"";' in dot
    assert '  "b \\"x\\"" [label="b \\"x\\"\\n1 completed, 1 failed"];' in dot
    drawing = ElementTree.fromstring(
        run_command(api_of([a_workflow()], NODES), "workflow", "graph", "--svg", "17").stdout
    )
    titles = [one.text for one in drawing.iter("{http://www.w3.org/2000/svg}title")]
    assert titles == ["a: 1 completed", 'b "x": 1 completed, 1 failed', "c"]


def test_nodes_are_asked_for_page_by_page() -> None:
    api = FakeApi()
    api.instead.append(lambda request: answer(request, 200, [a_workflow()]))
    api.instead.append(lambda request: answer(request, 200, NODES[:1], {"X-Prominence-Cursor": "here"}))
    api.instead.append(lambda request: answer(request, 200, NODES[1:]))
    assert "1 completed, 1 failed" in run_command(api, "workflow", "graph", "17").stdout
    assert api.paths[1:] == ["GET /workflows/17/nodes?limit=1000", "GET /workflows/17/nodes?limit=1000&cursor=here"]


def test_failures_are_told_with_their_reasons_and_the_last_lines_of_stderr() -> None:
    failed = {
        "id": 19,
        "job": "a\x1b",
        "instance": 3,
        "parameters": {"x": 0.2},
        "status": "failed",
        "statusReason": "Task 0 ended with exit code 3.",
    }
    api = api_of([a_workflow("failed")], [failed])
    api.instead.append(refusing(200, "\n".join(f"line {number}\x1b" for number in range(12)).encode()))
    done = run_command(api, "workflow", "failures", "17")
    lines = done.stdout.splitlines()
    assert lines[0] == "19 a\\x1b/3 (x=0.2): failed: Task 0 ended with exit code 3."
    assert api.paths[1] == "GET /workflows/17/nodes?limit=1000&status=failed%2Ckilled%2Cdeleted"
    assert api.paths[2].startswith("GET /jobs/19/stderr")
    assert lines[1:] == [f"    line {number}\\x1b" for number in range(2, 12)]
    assert "\x1b" not in done.stdout


def test_what_is_done_to_a_workflow_is_asked_of_the_api() -> None:
    for words, answered, path, said in (
        (("rerun", "17"), {"id": 30}, "PUT /workflows/17", "Workflow 17 runs again with id 30\n"),
        (("clone", "17"), {"id": 31}, "PUT /workflows/17/clone", "Workflow created with id 31\n"),
        (("delete", "17"), {}, "DELETE /workflows/17", "Workflow 17 deleted\n"),
        (("remove", "17"), {}, "PUT /workflows/17/remove", "Workflow 17 removed\n"),
    ):
        api = api_of(answered)
        assert (run_command(api, "workflow", *words).stdout, api.paths) == (said, [path])
    api = api_of("text")
    assert "text" in run_command(api, "workflow", "stdout", "--stderr", "17", "a b/3").stdout
    assert api.paths == ["GET /workflows/17/a%20b/3/stderr"]


def test_a_graph_tells_who_is_passed_something_and_what_runs_at_the_end() -> None:
    passed = {"name": "c", "artifacts": [{"url": "x"}, {"from": "a"}, {"from": 'b "x"'}, {"from": "a", "select": "o"}]}
    workflow = a_workflow(
        jobs=[{"name": "a"}, {"name": 'b "x"'}, passed], onFailure={"name": "d"}, **{"finally": {"name": "e"}}
    )
    lines = run_command(api_of([workflow], []), "workflow", "graph", "--dot", "17").stdout.splitlines()
    assert [line for line in lines if "->" in line] == [
        '  "a" -> "b \\"x\\"";', '  "a" -> "c";', '  "b \\"x\\"" -> "c";',
    ]  # fmt: skip
    assert {'  "d";', '  "e";'} <= set(lines)


@pytest.mark.parametrize("shape", [{}, {"progress": 3, "jobs": [1], "dependencies": {"a": 1}}, {"name": "\x1b"}])
def test_a_workflow_of_a_strange_shape_is_shown_all_the_same(shape: dict[str, Any]) -> None:
    for words in (("show", "17"), ("list",), ("graph", "17"), ("graph", "--svg", "17"), ("failures", "17")):
        done = run_command(api_of([shape], [shape], b""), "workflow", *words)
        assert (done.exit_code, "\x1b" in done.stdout) == (0, False)
