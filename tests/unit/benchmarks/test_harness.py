from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import harness
from benchmarks.harness import Goal, Row, chosen, figure, grown, in_pairs, measured_in_pairs
from benchmarks.results import merged, table

SECONDS = st.floats(min_value=0.001, max_value=1000)


def a_row(name: str = "a.row", **changes: object) -> Row:
    return Row(
        **{**asdict(in_pairs(name, [(1.0, 1.1)], Goal(ratio=1.15))), **changes},  # type: ignore[arg-type]
    )


def test_a_ratio_is_the_median_of_the_pairs_ratios_and_not_that_of_the_medians() -> None:
    row = in_pairs("x", [(1.0, 2.0), (10.0, 11.0), (3.0, 3.6)])
    assert (row.ratio, row.least, row.most, row.runs) == (1.2, 1.1, 2.0, 3)
    assert (row.baseline, row.ours) == (3.0, 3.6)
    assert (row.goal, row.met) == (None, None)


@pytest.mark.parametrize(("ours", "met"), [(1.15, True), (1.16, False)])
def test_a_goal_is_met_up_to_its_ratio(ours: float, met: bool) -> None:
    assert in_pairs("x", [(1.0, ours)], Goal(ratio=1.15)).met is met


@pytest.mark.parametrize(
    ("baseline", "ours", "met"),
    [
        (0.1, 0.39, True),  # four times as much, but not 0.3 s more
        (0.1, 0.41, False),
        (10.0, 12.9, True),  # almost 3 s more, but not 1.3 times as much
        (10.0, 13.1, False),
    ],
)
def test_of_a_ratio_and_a_difference_the_larger_one_counts(baseline: float, ours: float, met: bool) -> None:
    assert in_pairs("x", [(baseline, ours)], Goal(ratio=1.3, more=0.3)).met is met


@given(baseline=SECONDS)
def test_the_limit_of_two_is_never_below_either(baseline: float) -> None:
    limit = Goal(ratio=1.3, more=0.3).limit(baseline)
    assert limit == max(Goal(ratio=1.3).limit(baseline), Goal(more=0.3).limit(baseline))


@pytest.mark.parametrize(("samples", "met"), [([1.0, 1.9, 9.0], True), ([1.0, 2.1, 2.2], False)])
def test_without_a_baseline_the_goal_is_for_the_figure(samples: list[float], met: bool) -> None:
    row = figure("x", samples, Goal(figure=2.0))
    assert (row.baseline, row.ratio, row.goal, row.met) == (None, None, 2.0, met)
    assert (row.least, row.most) == (min(samples), max(samples))


def test_a_figure_without_a_goal_is_neither_met_nor_missed() -> None:
    assert figure("x", [1.0]).met is None


@pytest.mark.parametrize(("after_kib", "met"), [(11 * 1024, True), (11 * 1024 + 1, False), (0, True)])
def test_memory_may_grow_up_to_its_goal(after_kib: int, met: bool) -> None:
    row = grown("x", 1024, after_kib, 10, runs=3)
    assert row.met is met
    assert (row.least, row.most, row.unit) == (1.0, round(after_kib / 1024, 1), "MiB")


def test_the_first_pair_does_not_count_and_both_sides_run_equally_often() -> None:
    calls = {"baseline": 0, "ours": 0}

    def act(name: str) -> Callable[[], float]:
        def run() -> float:
            calls[name] += 1
            return calls[name]

        return run

    pairs = measured_in_pairs(act("baseline"), act("ours"), runs=3)
    assert pairs == [(2, 2), (3, 3), (4, 4)]


def test_each_pair_waits_anew_and_either_side_may_be_first(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    order: list[str] = []
    monkeypatch.setattr(harness.time, "sleep", pauses.append)

    def act(name: str) -> Callable[[], float]:
        return lambda: order.append(name) or 1.0  # type: ignore[func-returns-value]

    measured_in_pairs(act("b"), act("o"), runs=50, pause=(0.5, 2.5))
    assert len(pauses) == 102 and len(set(pauses)) > 1
    assert all(0.5 <= pause <= 2.5 for pause in pauses)
    assert {tuple(order[n : n + 2]) for n in range(0, len(order), 2)} == {("b", "o"), ("o", "b")}


NAMES = ("journey.warm.docker", "journey.warm.apptainer", "journey.order", "executor.overhead.docker")


@pytest.mark.parametrize(
    ("only", "names"),
    [
        (None, NAMES),
        ("journey", NAMES[:3]),
        ("journey.warm", NAMES[:2]),
        ("journey.order", NAMES[2:3]),
        ("journey.order.launched", NAMES[2:3]),  # a row that the measurement gives
        ("journey.ord", ()),
        ("journey.ordering", ()),
        ("", ()),
    ],
)
def test_a_name_chooses_what_it_is_what_is_part_of_it_and_what_it_is_part_of(
    only: str | None, names: tuple[str, ...]
) -> None:
    assert tuple(chosen(only, NAMES)) == names


def test_rows_that_were_not_measured_stay_unless_all_was_measured() -> None:
    before = merged(None, [a_row("b", ours=1.0), a_row("c")], "before", whole=True)
    part = merged(before, [a_row("b", ours=2.0), a_row("a")], "now", whole=False)
    assert part["machine"] == "now"
    assert [(row["name"], row["ours"]) for row in part["rows"]] == [("a", 1.1), ("b", 2.0), ("c", 1.1)]
    assert [row["name"] for row in merged(before, [a_row("a")], "now", whole=True)["rows"]] == ["a"]


def test_the_file_has_the_fields_that_readers_of_it_rely_on() -> None:
    (row,) = merged(None, [a_row()], "here", whole=True)["rows"]
    assert list(row)[:7] == ["name", "unit", "baseline", "ours", "ratio", "goal", "met"]


def test_the_table_says_what_is_missed_and_what_is_unknown() -> None:
    missed, unknown = a_row("missed", met=False), figure("a.longer.name", [1.25])
    head, first, second = table([missed, unknown]).splitlines()
    assert head.split() == ["name", "unit", "baseline", "ours", "ratio", "goal", "met", "runs", "least", "most"]
    assert "NO" in first.split()
    assert second.split() == ["a.longer.name", "s", "-", "1.25", "-", "-", "-", "1", "1.25", "1.25"]
    assert len({len(line) for line in (head, first, second)}) == 1
