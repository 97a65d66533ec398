"""`prominence why`, against a pretend API."""

from __future__ import annotations

import json
from collections import deque
from typing import Any

import pytest
import yaml
from builders_cli import NOON, FakeApi, refused, refusing, run_command
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st

from prominence.cli.render.explanation import explanation
from prominence.core.error_reasons import ErrorReason

TOLD = {
    "id": 12,
    "status": "deploying",
    "explanation": "Worker w-1 (small) is starting for it.",
    "reasonCode": "WorkerBooting",
    "blame": "nobody",
    "details": {"worker": "w-1"},
    "position": {"place": 3, "of": 40, "waiting": 41},
    "start": {"earliest": NOON, "latest": NOON + 20, "basis": "small took 5 s to 9 s to start, 3 times"},
    "unseen": [{"part": "collector", "readAt": NOON - 60}, {"part": "clouds"}],
    "asOf": NOON,
}


def told(document: Any, *words: str) -> Result:
    return run_command(FakeApi(instead=deque([refusing(200, document)])), "why", "12", *words)


def test_one_fact_stands_on_each_line() -> None:
    result = told(TOLD)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "Job             12",
        "Status          deploying",
        "Why             Worker w-1 (small) is starting for it.",
        "Reason          WorkerBooting",
        "Who has to act  nobody; it passes",
        "Place           3 of 40 like it; 41 wait in the pool",
        "Start           between 2023-11-14 22:13:20 and 2023-11-14 22:13:40: small took 5 s to 9 s to start, 3 times",
        "Not seen        collector (last at 2023-11-14 22:12:20), clouds",
        "As of           2023-11-14 22:13:20",
    ]


def test_the_word_job_may_stand_before_the_id_and_the_route_is_asked() -> None:
    api = FakeApi(instead=deque([refusing(200, TOLD)]))
    assert run_command(api, "why", "job", "17.3").exit_code == 0
    assert [(one.method, str(one.path_url)) for one in api.asked] == [("GET", "/prominence/v1/jobs/17.3/explain")]


@pytest.mark.parametrize(("form", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_documents_are_the_apis_own(form: str, read: Any) -> None:
    assert read(told(TOLD, "-o", form).stdout) == TOLD


@pytest.mark.parametrize(
    ("start", "line"),
    [
        ({"earliest": NOON, "basis": "x"}, "not before 2023-11-14 22:13:20: x"),
        ({"latest": NOON}, "until 2023-11-14 22:13:20"),
        ({"basis": "nobody knows"}, "unknown: nobody knows"),
    ],
)
def test_what_is_not_known_of_the_start_is_said(start: Any, line: str) -> None:
    assert f"Start           {line}" in told({**TOLD, "start": start}).stdout.splitlines()


def test_a_job_that_is_not_there_has_the_exit_code_of_a_refusal() -> None:
    api = FakeApi(instead=deque([refused(404, "There is no job 12.", ErrorReason.NOT_FOUND)]))
    result = run_command(api, "why", "12")
    assert (result.exit_code, result.stderr) == (125, "prominence: There is no job 12 (NotFound)\n")


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda one: st.dictionaries(
    st.sampled_from([*TOLD, "place", "of", "earliest", "latest", "basis"]), one)))  # fmt: skip
def test_no_answer_breaks_it_or_commands_the_terminal(document: Any) -> None:
    text = explanation(document if isinstance(document, dict) else {"explanation": document})
    assert all(line.isprintable() for line in text.split("\n"))


def test_of_a_workflow_a_row_tells_what_alike_instances_wait_for() -> None:
    node = {"job": "plot", "status": "waiting", "statusReason": "It waits for fit (1 of 3 done)."}
    nodes = [{**node, "instance": 0}, {**node, "instance": 1}, {"job": "\x1b[2J", "status": "idle"}]
    api = FakeApi(instead=deque([refusing(200, nodes)]))
    result = run_command(api, "why", "workflow", "17")
    assert [line.rstrip() for line in result.stdout.splitlines()] == [
        "JOB       INSTANCES   STATUS    WHY",
        "plot      2           waiting   It waits for fit (1 of 3 done).",
        "\\x1b[2J   1           idle",
    ]
    assert "status=waiting%2Cidle%2Cdeploying" in str(api.asked[0].path_url)
    again = run_command(FakeApi(instead=deque([refusing(200, nodes)])), "why", "workflow", "17", "-o", "json")
    assert json.loads(again.stdout) == nodes
