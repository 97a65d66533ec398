"""`prominence usage`, against a pretend API."""

from __future__ import annotations

import json
from collections import deque
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import yaml
from builders_cli import FakeApi, refusing, run_command

USED = {
    "users": {"alice": {"cpuTime": 1.005, "wallTime": 12, "numberOfJobs": 3}},
    "groups": {"\x1b[2J": {"cpuTime": 0.0, "wallTime": 1000.5, "numberOfJobs": 7}},
}


def answering(body: Any) -> FakeApi:
    return FakeApi(instead=deque([refusing(200, body)]))


def test_a_row_tells_what_each_user_and_each_group_has_used() -> None:
    result = run_command(answering({"usage": USED}), "usage", "2026-05-01", "2026-05-31", "--group", "--all")
    assert (result.exit_code, [line.split() for line in result.stdout.splitlines()]) == (
        0,
        [
            ["OF", "NAME", "JOBS", "CPU", "TIME", "WALL", "TIME"],
            ["user", "alice", "3", "1.00", "12.00"],
            ["group", "\\x1b[2J", "7", "0.00", "1000.50"],
        ],
    )


@pytest.mark.parametrize(("form", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_documents_are_the_apis_own(form: str, read: Any) -> None:
    result = run_command(answering({"usage": USED}), "usage", "2026-05-01", "2026-05-31", "-o", form)
    assert read(result.stdout) == {"usage": USED}


@pytest.mark.parametrize("body", [[], {}, {"usage": []}, {"usage": {"users": {}}}])
def test_an_answer_of_another_shape_is_told_as_such(body: Any) -> None:
    result = run_command(answering(body), "usage", "2026-05-01", "2026-05-31")
    assert result.exit_code == 125
    assert "is not one that a PROMINENCE API gives" in result.stderr


ROWS = {
    "by": ["user", "label:app"],
    "rows": [
        {
            "of": ["alice", ""],
            "jobs": 3,
            "attempts": 4,
            "coreHours": 10.0,
            "cpuHours": 7.5,
            "serviceUnits": 12,
            "cost": 1.234,
        },
        {"of": ["\x1b[2J", "fit"], "jobs": 1, "attempts": 1, "coreHours": 5.0, "cpuHours": 0.0, "serviceUnits": 5.0},
    ],
}


def asked_of(api: FakeApi) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(str(api.asked[0].url)).query))


def test_usage_is_told_apart_with_a_bar_for_each_share() -> None:
    api = answering(ROWS)
    result = run_command(api, "usage", "--by", "user,label:app", "--all")
    assert result.exit_code == 0, result.stderr
    header, alice, other = (line.split() for line in result.stdout.splitlines())
    assert header[:2] == ["USER", "LABEL:APP"]
    assert alice == ["alice", "-", "3", "4", "10.00", "7.50", "75%", "12.00", "1.23", "█" * 20]
    assert other[:2] == ["\\x1b[2J", "fit"]
    assert other[-1] == "█" * 10
    assert {"by": "user,label:app", "of": "all"}.items() <= asked_of(api).items()


def test_without_days_it_is_this_month() -> None:
    api = answering(ROWS)
    assert run_command(api, "usage", "--by", "user").exit_code == 0
    told = asked_of(api)
    assert told["start"].endswith("-01") and told["start"][:7] == told["end"][:7]


def test_for_spreadsheets_what_the_api_writes_is_passed_on() -> None:
    api = answering("user,jobs\r\nalice,1\r\n")
    assert "alice,1" in run_command(api, "usage", "--by", "user", "-o", "csv").stdout
    refused = run_command(answering(ROWS), "usage", "-o", "csv")
    assert (refused.exit_code, "--by" in refused.stderr) == (125, True)


@pytest.mark.parametrize(
    "body",
    [
        {"by": ["user"], "rows": [{}]},
        {"by": ["user"], "rows": [{"of": 3, "coreHours": "x", "cpuHours": None}]},
        {"by": [None], "rows": [{"of": [None]}]},
        {"by": ["month"], "rows": [{"of": [5]}]},
    ],
)
def test_a_row_of_another_shape_is_shown_as_far_as_it_goes(body: Any) -> None:
    result = run_command(answering(body), "usage", "--by", "user")
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, 2)


class TestReport:
    def test_it_is_a_page_that_needs_nothing_else(self, tmp_path: Path) -> None:
        day = {"of": ["2026-02-03"], "jobs": 1, "attempts": 2, "coreHours": 4.0, "cpuHours": 3.0, "cost": 1.5}
        hostile = {**day, "of": ["<script>alert(1)</script>", "x"]}
        rows = [[day], [hostile], [], [hostile], [hostile]]
        api = FakeApi(instead=deque(refusing(200, {"by": ["x"], "rows": one}) for one in rows))
        file = tmp_path / "page.html"
        result = run_command(api, "report", str(file), "--month", "2026-02")
        assert (result.exit_code, result.stdout) == (0, f"{file}\n"), result.stderr
        page = file.read_text()
        assert "<script" not in page and "&lt;script&gt;" in page
        assert "http" not in page and "Usage in 2026-02" in page
        assert page.count("title='2026-02-") == 28
        assert "height: 100%' title='2026-02-03: 4.00'" in page
        assert "<b>75%</b>Efficiency" in page
        asked = [dict(parse_qsl(urlsplit(str(request.url)).query)) for request in api.asked]
        assert [one["by"] for one in asked] == ["day", "user", "group", "cloud,flavour", "outcome,blame"]
        assert {(one["start"], one["end"], one["of"]) for one in asked} == {("2026-02-01", "2026-02-28", "me")}

    def test_of_groups_nothing_is_asked_that_only_managers_see(self) -> None:
        api = FakeApi(instead=deque(refusing(200, {"by": ["x"], "rows": []}) for _ in range(4)))
        result = run_command(api, "report", "-", "--group")
        assert result.exit_code == 0, result.stderr
        assert result.stdout.startswith("<!DOCTYPE html>")
        assert "Nothing was used in this month." in result.stdout and "<table" not in result.stdout
        assert all("user" not in str(request.url).partition("?")[2] for request in api.asked)

    @pytest.mark.parametrize("words", [("--month", "2026-13"), ("--month", "May"), ("--month", "2026-05-01")])
    def test_what_is_no_month_is_told(self, words: tuple[str, ...]) -> None:
        assert run_command(FakeApi(), "report", *words).exit_code == 125
