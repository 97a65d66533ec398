"""What to do next about one worker: a pure table over its wish, its phase and what can be seen of it.

It goes by what is there now, not by what was done before, so every step may be repeated and a crash between two
steps costs one round. Three rules stand above the rest: absent beats everything; what could not be looked at is
unknown and nothing is taken down on account of it; a worker that is given up never comes back.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict, Field

from prominence.core import units
from prominence.core.machines import Wish, WorkerPhase
from prominence.imc.ports import ExecutePoint, Node, NodeState
from prominence.imc.records import Record

TAKEN = "its cloud took its machine away"
"""The end of a worker that was had until somebody else wanted its machine. It is no failure."""


class Sight(enum.Enum):
    """When no node or execute point is seen, this is why."""

    NOTHING = "nothing"  # we looked, and it is not there
    UNKNOWN = "unknown"  # we could not look


class Act(enum.Enum):
    """What can be done. The reconciler carries it out."""

    WAIT = enum.auto()
    CREATE = enum.auto()  # find it a place and ask a cloud
    ENTER = enum.auto()  # record that it is in another phase
    TAKEN = enum.auto()  # record that its cloud takes its machine away
    THIN_OUT = enum.auto()  # ask the cloud to remove all machines of this name but one
    DRAIN = enum.auto()
    UNDRAIN = enum.auto()
    GIVE_UP = enum.auto()  # record why it fails; its removal follows
    DELETE = enum.auto()  # ask the cloud to remove the machine
    END = enum.auto()  # clean up behind the machine that is gone, and record that it is over
    INVALIDATE = enum.auto()  # take away ads that came after the end
    FORGET = enum.auto()  # drop the record


@dataclass(frozen=True)
class Step:
    """What to do and why, for people. phase: the one to enter, or to end in."""

    act: Act
    reason: str = ""
    phase: WorkerPhase | None = None


class Deadlines(BaseModel):
    """How long a worker may stay in a phase, in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    place_s: int = Field(default=300, gt=0, description="From the request until a cloud has given a machine.")
    join_s: int = Field(
        default=300,
        gt=0,
        description="Without a startd in the collector, at boot or later. Keep it well above UPDATE_INTERVAL.",
    )
    drain_s: int = Field(default=7 * 86400, gt=0, description="For its jobs to end once it is drained.")
    keep_s: int = Field(default=3600, gt=0, description="For the record of an ended worker.")
    orphan_s: int = Field(default=60, gt=0, description="For a machine with our mark that has no record.")


def next_step(
    record: Record, node: Node | Sight, execute_point: ExecutePoint | Sight, now: datetime, deadlines: Deadlines
) -> Step:
    """The one thing to do now."""
    if record.phase.is_over:
        return _after_the_end(record, node, execute_point, now, deadlines)
    if record.request.wish is Wish.ABSENT or record.failing:
        return _on_the_way_out(record, node)
    if record.was_asked_for and record.taken_at is None and _is_taken(node, execute_point):
        return Step(Act.TAKEN, "its cloud takes its machine away")
    if node is Sight.UNKNOWN and record.phase is WorkerPhase.REQUESTED:
        return Step(Act.WAIT, "the cloud cannot be read")
    if record.phase is WorkerPhase.REQUESTED:
        return _not_yet_there(record, node, now, deadlines)
    if node is Sight.NOTHING:
        return Step(Act.GIVE_UP, _ended(record, "its machine vanished"))
    if isinstance(node, Node) and node.copies > 1:
        return Step(Act.THIN_OUT, f"{node.copies} machines have its name")
    if isinstance(node, Node) and node.state is not NodeState.RUNNING:
        return Step(Act.GIVE_UP, _ended(record, _stopped(node)))
    if isinstance(execute_point, ExecutePoint):
        if record.request.wish is Wish.PRESENT:
            return _at_work(record, execute_point)
        return _draining(record, execute_point, node, now, deadlines)
    if execute_point is Sight.UNKNOWN:
        return Step(Act.WAIT, "the collector cannot be read")
    return _silent(record, node, now, deadlines)


def _not_yet_there(record: Record, node: Node | Sight, now: datetime, deadlines: Deadlines) -> Step:
    """Requested; we know whether a machine of its name is there."""
    wanted = record.request.wish is Wish.PRESENT
    late = _passed(record.requested_at, deadlines.place_s, now)
    if isinstance(node, Node):
        if not record.was_asked_for:
            return Step(Act.DELETE, "a machine of this name is left over from before")
        if node.state is NodeState.RUNNING:
            return Step(Act.ENTER, "its machine is there", WorkerPhase.LAUNCHED)
        if node.state is NodeState.STOPPED:
            return Step(Act.GIVE_UP, _ended(record, _stopped(node)))
        if wanted and not late:
            return Step(Act.CREATE, "its machine was made and not started")
        return Step(Act.DELETE, "its machine was never started")
    if not wanted:
        return Step(Act.END, "no longer needed before it was made", WorkerPhase.DELETED)
    if late:
        limit = units.plainly(deadlines.place_s)
        return Step(Act.GIVE_UP, f"no cloud gave a machine within {limit}: {record.reason}")
    return Step(Act.CREATE, record.request.reason)


def _at_work(record: Record, execute_point: ExecutePoint) -> Step:
    if execute_point.draining:
        return Step(Act.UNDRAIN, "it is wanted again")
    if record.phase is WorkerPhase.REGISTERED:
        return Step(Act.WAIT)
    return Step(Act.ENTER, "it has joined the pool", WorkerPhase.REGISTERED)


def _draining(
    record: Record, execute_point: ExecutePoint, node: Node | Sight, now: datetime, deadlines: Deadlines
) -> Step:
    if not execute_point.draining:
        return Step(Act.DRAIN, record.request.reason)
    phase = WorkerPhase.DRAINING if execute_point.claimed_slots else WorkerPhase.DRAINED
    if record.phase is not phase:
        return Step(Act.ENTER, record.request.reason, phase)
    late = phase is WorkerPhase.DRAINING and _passed(record.phase_since, deadlines.drain_s, now)
    if late and node is not Sight.UNKNOWN:  # what cannot be seen cannot be taken down either, so it had better stay
        return Step(Act.GIVE_UP, f"its jobs did not end within {units.plainly(deadlines.drain_s)}")
    return Step(Act.WAIT)


def _silent(record: Record, node: Node | Sight, now: datetime, deadlines: Deadlines) -> Step:
    """The collector has not heard of it: it boots, or something broke, or the collector has just restarted."""
    if record.phase is not WorkerPhase.LAUNCHED:
        return Step(Act.ENTER, "the collector does not hear from it", WorkerPhase.LAUNCHED)
    if node is not Sight.UNKNOWN and _passed(record.phase_since, deadlines.join_s, now):
        late = f"it did not join the pool within {units.plainly(deadlines.join_s)}"
        return Step(Act.GIVE_UP, _ended(record, late))
    return Step(Act.WAIT)


def _on_the_way_out(record: Record, node: Node | Sight) -> Step:
    reason = record.failing or (TAKEN if record.taken_at else record.request.reason)
    if node is Sight.UNKNOWN:
        return Step(Act.WAIT, "the cloud cannot be read")
    if isinstance(node, Node):
        return Step(Act.DELETE, reason)
    has_failed = record.failing not in ("", TAKEN)  # that it was taken away is nobody's fault
    return Step(Act.END, reason, WorkerPhase.FAILED if has_failed else WorkerPhase.DELETED)


def _after_the_end(
    record: Record, node: Node | Sight, execute_point: ExecutePoint | Sight, now: datetime, deadlines: Deadlines
) -> Step:
    if isinstance(node, Node):
        return Step(Act.DELETE, "its machine came after its end")
    if isinstance(execute_point, ExecutePoint):
        return Step(Act.INVALIDATE, "its ads came after its end")
    if node is Sight.NOTHING and _passed(record.phase_since, deadlines.keep_s, now):
        return Step(Act.FORGET, f"it ended {units.plainly(deadlines.keep_s)} ago")
    return Step(Act.WAIT)


def _is_taken(node: Node | Sight, execute_point: ExecutePoint | Sight) -> bool:
    """By the cloud's own word, or by the worker's, which had it from the cloud."""
    told_by_worker = isinstance(execute_point, ExecutePoint) and execute_point.leaving
    return told_by_worker or (isinstance(node, Node) and node.taken)


def _ended(record: Record, otherwise: str) -> str:
    """Why it is given up."""
    return TAKEN if record.taken_at else otherwise


def _stopped(node: Node) -> str:
    return f"its machine is {node.state}" + (f": {node.detail}" if node.detail else "")


def _passed(since: datetime, limit_s: int, now: datetime) -> bool:
    return now - since >= timedelta(seconds=limit_s)
