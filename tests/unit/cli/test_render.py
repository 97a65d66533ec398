"""What people are shown."""

from __future__ import annotations

import json
from typing import Any

import pytest
from builders_cli import NOON, a_described_job
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from prominence.cli import exit_codes, view
from prominence.cli.render.description import description_of_job
from prominence.cli.render.documents import as_json
from prominence.cli.render.jobs import USUAL, by_id, elapsed, job_progress
from prominence.cli.render.table import table
from prominence.cli.render.text import clean, utc

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ["id", "name", "status", "statusReason", "exitCode", "events", "resources", "labels", "tasks", "execution"]
TASK = st.fixed_dictionaries({}, optional={key: JSON for key in ("image", "cmd", "env", "exitCode", "wallTimeUsage")})
JOB = st.fixed_dictionaries(
    {},
    optional={
        **{key: JSON for key in FIELDS},
        "tasks": st.lists(TASK | JSON, max_size=3) | JSON,
        "execution": st.fixed_dictionaries({}, optional={"tasks": st.lists(TASK | JSON), "site": JSON}) | JSON,
        "events": st.fixed_dictionaries({}, optional={k: JSON for k in ("createTime", "startTime", "endTime")}) | JSON,
        "\x1b[2Jextra": JSON,
    },
)


def a_table(jobs: list[Any], width: int | None = None) -> str:
    """As `list` prints it."""
    columns, row = USUAL
    return table(columns, [row(job, NOON) for job in by_id(jobs)], width)


def shown(text: str) -> bool:
    return all(line.isprintable() for line in text.split("\n"))


@settings(max_examples=40, deadline=None)
@given(st.lists(JOB, max_size=3), st.none() | st.integers(20, 200))
def test_no_document_can_break_or_steer_the_table(jobs: list[dict[str, Any]], width: int | None) -> None:
    text = a_table(jobs, width)
    assert shown(text)
    assert len(text.split("\n")) == len(jobs) + 1
    if width is not None:
        assert all(cell_len(line) <= width for line in text.split("\n"))


@settings(max_examples=40, deadline=None)
@given(JOB)
def test_no_document_can_break_or_steer_a_description(job: dict[str, Any]) -> None:
    assert shown(description_of_job(job, NOON))
    assert job_progress(job).isprintable()
    assert 0 <= exit_codes.of_job(job) <= 255


@given(JSON.filter(lambda document: document == document))
def test_json_is_safe_to_show_and_means_the_same(document: Any) -> None:
    text = as_json(document)
    assert shown(text)
    assert json.dumps(json.loads(text)) == json.dumps(document)


@pytest.mark.parametrize("hostile", ["\x1b]0;title\x07", "a\nb", "\x9b2J", "\u202eevil", "\ud800", "\x7f"])
def test_what_a_terminal_might_obey_is_written_out(hostile: str) -> None:
    assert clean(hostile).isprintable()
    assert clean(hostile) != hostile


def test_letters_of_any_script_stay_as_they_are() -> None:
    assert clean("Zürich 東京 🚀") == "Zürich 東京 🚀"


def test_the_table_has_the_columns_of_the_published_client() -> None:
    events = {"createTime": NOON, "startTime": NOON + 60, "endTime": NOON + 60 + 86400 + 7205}
    jobs = [a_described_job(12, "completed", events=events), a_described_job(7, "idle", name="")]
    assert a_table(jobs).splitlines() == [
        "ID   NAME    CREATED               STATUS      ELAPSED      IMAGE         CMD",
        "7            2023-11-14 22:11:50   idle                     python:3.12   python -c 'print(1)'",
        "12   hello   2023-11-14 22:13:20   completed   1+02:00:05   python:3.12   python -c 'print(1)'",
    ]


def test_a_running_job_has_run_until_now() -> None:
    assert elapsed(a_described_job(events={"startTime": NOON - 61}), NOON) == "0+00:01:01"


def test_a_start_in_the_future_of_our_clock_counts_as_now() -> None:
    assert elapsed(a_described_job(events={"startTime": NOON + 5}), NOON) == "0+00:00:00"


@pytest.mark.parametrize("moment", [1e300, -1e300, float("nan"), float("inf")])
def test_a_moment_without_a_date_is_not_shown(moment: float) -> None:
    assert utc(moment) == ""


def test_long_commands_are_cut_and_columns_stay_in_line_with_wide_letters() -> None:
    jobs = [
        a_described_job(1, name="東京", tasks=[{"image": "a", "cmd": "x" * 500}]),
        a_described_job(2, name="abcd", tasks=[{"image": "b", "cmd": "y"}]),
    ]
    _, first, second = a_table(jobs).splitlines()
    assert first.endswith("x" * 99 + "…")
    assert cell_len(first[: first.index("2023")]) == cell_len(second[: second.index("2023")])


def test_a_pipe_gets_names_in_full_and_a_terminal_short_ones() -> None:
    rows = [("1", "n" * 300, "c")]
    assert "n" * 300 in table(("ID", "NAME", "CMD"), rows)
    assert "n" * 41 not in table(("ID", "NAME", "CMD"), rows, width=200)


def test_a_description_tells_what_is_known_and_leaves_out_what_is_not() -> None:
    job = a_described_job(
        status="failed",
        statusReason="Task 0 ended with exit code 3.",
        exitCode=3,
        labels={"project": "x"},
        tasks=[{"image": "a", "cmd": "b", "env": {"K": "two words"}}, {"image": "c"}],
        execution={"site": "here", "tasks": [{"exitCode": 3, "wallTimeUsage": 1.5}]},
        policies={"maximumRetries": 2},
    )
    assert description_of_job(job, NOON).splitlines() == [
        "Job             12",
        "Name            hello",
        "Status          failed: Task 0 ended with exit code 3.",
        "Exit code       3",
        "Created         2023-11-14 22:11:50",
        "Resources       nodes 1, cpus 2, memory 1.5 GB, disk 10 GB",
        "Labels          project=x",
        "Site            here",
        'policies        {"maximumRetries": 2}',
        "",
        "Task 0",
        "  Image         a",
        "  Command       b",
        "  Environment   'K=two words'",
        "  Exit code     3",
        "  Wall time     1.5 s",
        "",
        "Task 1",
        "  Image         c",
    ]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"status": "completed"}, 0),
        ({"status": "completed", "exitCode": 0}, 0),
        ({"status": "failed", "exitCode": 3}, 3),
        ({"status": "completed", "execution": {"tasks": [{"exitCode": 0}, {"exitCode": 7}]}}, 7),
        ({"status": "failed", "exitCode": 4, "execution": {"tasks": [{"exitCode": 7}]}}, 4),
        ({"status": "failed", "execution": {"tasks": [{}]}}, 125),
        ({"status": "deleted"}, 125),
        ({"status": "killed", "execution": {}}, 125),
        ({"status": "failed", "exitCode": 0}, 125),
        ({"status": "failed", "exitCode": 256}, 125),
        ({"status": "failed", "exitCode": -9}, 125),
        ({"status": "failed", "exitCode": True}, 125),
        ({"status": "killed", "exitCode": 137}, 137),
    ],
)
def test_the_exit_code_is_the_jobs_own_where_it_has_one(changes: dict[str, Any], code: int) -> None:
    assert exit_codes.of_job(a_described_job(**changes)) == code


def test_words_of_status_that_we_do_not_know_are_neither_waiting_nor_ended() -> None:
    job = a_described_job(status="pondering")
    assert not view.waiting(job)
    assert not view.ended(job)
