"""The table of next_step, written down a second time and tried with every combination."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from builders import NOON, a_flavour, a_request
from builders_imc import a_node, a_point, a_record, at

from prominence.core.machines import Wish, WorkerPhase
from prominence.imc.lifecycle import TAKEN, Act, Deadlines, Sight, Step, next_step
from prominence.imc.ports import NodeState

DEADLINES = Deadlines(place_s=60, join_s=60, drain_s=60, keep_s=60)
NODES = {
    "running": a_node(),
    "unfinished": a_node(NodeState.UNFINISHED),
    "stopped": a_node(NodeState.STOPPED, detail="exit code 1"),
    "taken": replace(a_node(NodeState.STOPPED), taken=True),
    "nothing": Sight.NOTHING,
    "unknown": Sight.UNKNOWN,
}
POINTS = {
    "free": a_point(),
    "busy": a_point(claimed_slots=1),
    "draining": a_point(claimed_slots=1, draining=True),
    "drained": a_point(draining=True),
    "leaving": a_point(leaving=True),
    "nothing": Sight.NOTHING,
    "unknown": Sight.UNKNOWN,
}

# wish, phase, machine, execute point, state of the record, late? -> act, phase entered. The first row that fits.
# State: new (no cloud was asked yet), asked, failing, taken (its cloud takes it away), lost (given up for that). A dot
# stands for anything, a bar for "or".
TABLE = """
.                deleted|failed   running|unfinished|stopped|taken . . .       delete
.                deleted|failed   .           free|busy|draining|drained|leaving . . invalidate
.                deleted|failed   nothing     .           .         late       forget
.                deleted|failed   .           .           .         .          wait

.                .                unknown     .           failing|lost .       wait
.                .                nothing     .           lost      .          end deleted
.                .                nothing     .           failing   .          end failed
.                .                .           .           failing|lost .       delete

absent           .                unknown     .           .         .          wait
absent           .                nothing     .           .         .          end deleted
absent           .                .           .           .         .          delete

present|drained  .                taken       .           asked     .          taken
present|drained  .                .           leaving     asked     .          taken

present|drained  requested        unknown     .           .         .          wait
drained          requested        nothing     .           .         .          end deleted
present          requested        nothing     .           .         late       give_up
present          requested        nothing     .           .         .          create
present|drained  requested        .           .           new       .          delete
present|drained  requested        running     .           asked|taken .        enter launched
present|drained  requested        stopped|taken .         asked|taken .        give_up
present          requested        unfinished  .           asked|taken intime   create
present|drained  requested        unfinished  .           asked|taken .        delete

present|drained  .                nothing     .           .         .          give_up
present|drained  .                unfinished|stopped|taken . . .               give_up

present|drained  .                .           unknown     .         .          wait
present|drained  launched         running     nothing     .         late       give_up
present|drained  launched         .           nothing     .         .          wait
present|drained  .                .           nothing     .         .          enter launched

present          .                .           draining|drained . .             undrain
present          registered       .           .           .         .          wait
present          .                .           .           .         .          enter registered

drained          .                .           free|busy|leaving . .            drain
drained          draining         running     draining    .         late       give_up
drained          draining         .           draining    .         .          wait
drained          .                .           draining    .         .          enter draining
drained          drained          .           drained     .         .          wait
drained          .                .           drained     .         .          enter drained
"""
ROWS = [line.split() for line in TABLE.splitlines() if line.strip()]


@dataclass(frozen=True)
class Case:
    wish: str
    phase: str
    node: str
    point: str
    state: str
    late: str

    def step(self) -> Step:
        record = a_record(
            request=a_request(wish=Wish(self.wish)),
            phase=WorkerPhase(self.phase),
            attempts=0 if self.state == "new" else 1,
            flavour=None if self.state == "new" else a_flavour(),
            failing={"failing": "it is broken", "lost": TAKEN}.get(self.state, ""),
            taken_at=NOON if self.state in ("taken", "lost") else None,
        )
        now = at(60 if self.late == "late" else 59)
        return next_step(record, NODES[self.node], POINTS[self.point], now, DEADLINES)

    def row(self) -> list[str]:
        values = (self.wish, self.phase, self.node, self.point, self.state, self.late)
        for row in ROWS:
            if all(column == "." or value in column.split("|") for column, value in zip(row[:6], values, strict=True)):
                return row
        raise AssertionError(f"no row for {self}")


def cases(phase: str = "") -> Iterator[Case]:
    phases = [phase] if phase else [*WorkerPhase]
    states = ("new", "asked", "failing", "taken", "lost")
    return (Case(*case) for case in itertools.product(Wish, phases, NODES, POINTS, states, ("late", "intime")))


@pytest.mark.parametrize("phase", [*WorkerPhase])
def test_every_combination_leads_to_the_step_in_the_table(phase: str) -> None:
    for case in cases(phase):
        step = case.step()
        found = [step.act.name.lower(), *([step.phase.value] if step.phase else [])]
        assert found == case.row()[6:], case


def test_every_row_of_the_table_is_used() -> None:
    used = {tuple(case.row()) for case in cases()}
    assert used == {tuple(row) for row in ROWS}


def test_absent_beats_everything() -> None:
    harmless = {Act.WAIT, Act.DELETE, Act.END, Act.INVALIDATE, Act.FORGET}
    assert {case.step().act for case in cases() if case.wish == "absent"} == harmless


def test_a_machine_that_cannot_be_seen_is_not_taken_down() -> None:
    taken_down = {Act.DELETE, Act.END, Act.GIVE_UP, Act.FORGET, Act.CREATE}
    assert not taken_down & {case.step().act for case in cases() if case.node == "unknown"}


def test_a_silent_collector_takes_no_worker_down_that_has_its_machine() -> None:
    kept = (c for c in cases() if c.point == "unknown" and c.node == "running" and c.wish != "absent")
    acts = {case.step().act for case in kept if case.state == "asked" and case.phase not in ("deleted", "failed")}
    assert acts == {Act.WAIT, Act.ENTER}


def test_every_step_that_does_something_says_why() -> None:
    assert all(step.reason for step in (case.step() for case in cases()) if step.act is not Act.WAIT)


def test_a_worker_that_never_joins_is_given_up_with_the_time_it_had() -> None:
    record = a_record(phase=WorkerPhase.LAUNCHED, attempts=1)
    step = next_step(record, a_node(), Sight.NOTHING, at(301), Deadlines())
    assert step == Step(Act.GIVE_UP, "it did not join the pool within 5 min")


def test_the_last_refusal_is_told_of_a_worker_that_was_never_placed() -> None:
    record = a_record(reason="waits for room: docker: 4 of 4 workers exist")
    step = next_step(record, Sight.NOTHING, Sight.NOTHING, at(300), Deadlines())
    assert step.reason == "no cloud gave a machine within 5 min: waits for room: docker: 4 of 4 workers exist"


def test_a_stopped_machine_is_told_with_its_exit_code() -> None:
    record = a_record(phase=WorkerPhase.REGISTERED, attempts=1)
    step = next_step(record, NODES["stopped"], a_point(), NOON, DEADLINES)
    assert step == Step(Act.GIVE_UP, "its machine is stopped: exit code 1")


def test_of_several_machines_of_one_name_one_is_left() -> None:
    record = a_record(phase=WorkerPhase.LAUNCHED, attempts=1, flavour=a_flavour())
    step = next_step(record, a_node(copies=2), Sight.NOTHING, NOON, DEADLINES)
    assert step == Step(Act.THIN_OUT, "2 machines have its name")


def test_several_machines_of_a_worker_that_nobody_wants_are_all_deleted() -> None:
    record = a_record(request=a_request(wish=Wish.ABSENT), phase=WorkerPhase.LAUNCHED, attempts=1, flavour=a_flavour())
    assert next_step(record, a_node(copies=2), Sight.NOTHING, NOON, DEADLINES).act is Act.DELETE
