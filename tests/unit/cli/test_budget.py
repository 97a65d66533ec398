"""`prominence budget`, against a pretend API."""

from __future__ import annotations

import json
from collections import deque
from typing import Any

import pytest
from builders_cli import FakeApi, refusing, run_command

BUDGET = {
    "group": "/vo/physics\x1b",
    "start": "2026-01-01",
    "end": "2026-12-31",
    "action": "hold",
    "units": 1000,
    "adjusted": 0.0,
    "used": 250.126,
    "reserved": 12.0,
    "left": -1.5,
    "isOver": False,
}
ENTRY = {"units": -5.0, "time": 1780315200, "by": "olga", "why": "a mistake"}


def answering(body: Any, status: int = 200) -> FakeApi:
    return FakeApi(instead=deque([refusing(status, body)]))


def test_a_row_tells_how_it_is_with_each() -> None:
    result = run_command(answering([BUDGET, {"group": "art", "isOver": True}]), "budget")
    assert (result.exit_code, [line.split() for line in result.stdout.splitlines()]) == (
        0,
        [
            ["GROUP", "FROM", "TO", "UNITS", "USED", "RESERVED", "LEFT", "ACTION"],
            ["/vo/physics\\x1b", "2026-01-01", "2026-12-31", "1000.00", "250.13", "12.00", "-1.50", "hold"],
            ["art", *["-"] * 6, "over"],
        ],
    )


def test_documents_are_the_apis_own() -> None:
    assert json.loads(run_command(answering([BUDGET]), "budget", "-o", "json").stdout) == [BUDGET]
    assert json.loads(run_command(answering([ENTRY]), "budget", "ledger", "physics", "-o", "json").stdout) == [ENTRY]


@pytest.mark.parametrize("units", ["-5", "-5.0"])
def test_an_adjustment_may_take_away(units: str) -> None:
    api = answering(ENTRY, 201)
    result = run_command(api, "budget", "adjust", "/vo/physics", units, "--why", "a mistake")
    assert result.exit_code == 0, result.stderr
    asked = api.asked[0]
    assert str(asked.url).endswith("/budgets/%2Fvo%2Fphysics/adjustments")
    assert json.loads(asked.body or "") == {"units": -5.0, "why": "a mistake"}
    assert asked.headers["Idempotency-Key"]
    assert "-5.00   olga   a mistake" in result.stderr


@pytest.mark.parametrize("words", [("physics", "5"), ("physics", "many", "--why", "x"), ("physics", "--why", "x")])
def test_wrong_usage_is_refused_before_anything_is_asked(words: tuple[str, ...]) -> None:
    api = answering(ENTRY, 201)
    assert run_command(api, "budget", "adjust", *words).exit_code == 125
    assert not api.asked


def test_the_ledger_tells_who_and_why() -> None:
    lines = run_command(answering([ENTRY]), "budget", "ledger", "physics").stdout.splitlines()
    assert lines[0].split() == ["TIME", "UNITS", "BY", "WHY"]
    assert "2026-06-01" in lines[1]
    assert lines[1].endswith("-5.00   olga   a mistake")


@pytest.mark.parametrize("body", [{}, [1], "x"])
def test_an_answer_of_another_shape_is_told_as_such(body: Any) -> None:
    result = run_command(answering(body), "budget")
    assert result.exit_code == 125
    assert "is not one that a PROMINENCE API gives" in result.stderr
