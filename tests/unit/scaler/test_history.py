"""Plans are kept, within limits."""

from __future__ import annotations

import json
from pathlib import Path

from builders import NOON, a_size, minutes

from prominence.core.scaling import Act, Action, ScalingPlan
from prominence.scaler.history import KEPT, PlanHistory

ACTION = Action(act=Act.DRAIN, worker="w-1", reason="idle for 12 min", size=a_size())


def kept(file: Path) -> list[str]:
    """The notes of the plans in this file."""
    return [json.loads(line)["notes"][0] for line in file.read_text().splitlines()]


def a_plan(note: str, *actions: Action, after: float = 0) -> ScalingPlan:
    return ScalingPlan(made_at=NOON + minutes(after), actions=actions, notes=(note,))


def test_a_plan_that_says_the_same_as_the_one_before_is_not_kept(tmp_path: Path) -> None:
    history = PlanHistory(tmp_path / "plans")
    for number, note in enumerate(["a", "a", "b", "a"]):
        history.record(a_plan(note, after=number), fence=1)
    assert kept(tmp_path / "plans") == ["a", "b", "a"]


def test_a_plan_with_actions_is_always_kept(tmp_path: Path) -> None:
    history = PlanHistory(tmp_path / "plans")
    for _ in range(2):
        history.record(a_plan("a", ACTION), fence=1)
    assert kept(tmp_path / "plans") == ["a", "a"]


def test_files_are_put_aside_by_size_and_the_oldest_goes(tmp_path: Path) -> None:
    line = len(json.dumps({"fence": 1, **a_plan("00", ACTION).model_dump(mode="json")})) + 1
    history = PlanHistory(tmp_path / "plans", size=2 * line)
    for number in range(2 * KEPT + 5):
        history.record(a_plan(f"{number:02}", ACTION), fence=1)
    assert kept(tmp_path / "plans") == ["14"]
    assert kept(tmp_path / "plans.1") == ["12", "13"]
    assert kept(tmp_path / f"plans.{KEPT}") == ["04", "05"]
    assert len(list(tmp_path.iterdir())) == KEPT + 1


def test_a_restarted_scaler_goes_on_in_the_same_file(tmp_path: Path) -> None:
    for note in ("a", "b"):
        PlanHistory(tmp_path / "plans").record(a_plan(note), fence=1)
    assert kept(tmp_path / "plans") == ["a", "b"]
