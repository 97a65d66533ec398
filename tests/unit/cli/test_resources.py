"""`prominence resources`, against a pretend API."""

from __future__ import annotations

import json
from collections import deque
from typing import Any

import pytest
import yaml
from builders_cli import FakeApi, refused, refusing, run_command
from click.testing import Result

LARGE = {
    "capacity": {"cpus": 16, "memory": 64.5, "disk": 200.0, "gpus": 2},
    "free": {"cpus": 4, "memory": 12.0, "disk": 180.0, "gpus": 1},
    "site": "cloud",
}
SMALL = {"capacity": {"cpus": 1, "memory": 2}, "free": {"cpus": 0, "memory": 0}, "site": "\x1b[2J"}


def listing(workers: list[Any], *words: str) -> Result:
    return run_command(FakeApi(instead=deque([refusing(200, {"existing": workers})])), "resources", *words)


def test_a_row_tells_how_much_of_a_worker_is_free() -> None:
    result = listing([LARGE, SMALL])
    assert (result.exit_code, [line.split() for line in result.stdout.splitlines()]) == (
        0,
        [
            ["SITE", "FREE", "CPUS", "CPUS", "FREE", "MEMORY", "MEMORY"],
            ["cloud", "4", "16", "12.0", "64.5"],
            ["\\x1b[2J", "0", "1", "0", "2"],
        ],
    )


def test_wide_rows_tell_disk_and_gpus_too() -> None:
    rows = [line.split() for line in listing([LARGE], "-o", "wide").stdout.splitlines()]
    assert rows[0][-6:] == ["FREE", "DISK", "DISK", "FREE", "GPUS", "GPUS"]
    assert rows[1] == ["cloud", "4", "16", "12.0", "64.5", "180.0", "200.0", "1", "2"]


@pytest.mark.parametrize(("form", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_documents_are_the_apis_own(form: str, read: Any) -> None:
    assert read(listing([LARGE], "-o", form).stdout) == {"existing": [LARGE]}


def test_without_workers_only_the_columns_are_named() -> None:
    assert listing([]).stdout.splitlines() == ["SITE   FREE CPUS   CPUS   FREE MEMORY   MEMORY"]


@pytest.mark.parametrize("body", [[], {}, {"existing": {}}, {"existing": [1]}, {"error": "broken"}])
def test_an_answer_of_another_shape_is_told_as_such(body: Any) -> None:
    result = run_command(FakeApi(instead=deque([refusing(200, body)])), "resources")
    assert result.exit_code == 125
    assert "is not one that a PROMINENCE API gives" in result.stderr


def test_a_pool_that_does_not_answer_has_the_exit_code_of_trying_later() -> None:
    api = FakeApi(instead=deque([refused(503, "The pool of workers does not answer at the moment.")]))
    result = run_command(api, "resources")
    assert result.exit_code == 127
    assert "The pool of workers does not answer" in result.stderr
