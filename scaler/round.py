"""One round: lead, observe, decide, act. The intent is published before its effects; whoever lost the lead stops."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from prominence.core import logs, tracing
from prominence.core.errors import Unavailable
from prominence.core.keyvalue.election import Election
from prominence.core.scaling import ScalingPlan
from prominence.core.snapshot import PoolSnapshot
from prominence.scaler.act import Result, act
from prominence.scaler.before import Before
from prominence.scaler.board import Board
from prominence.scaler.decide import decide
from prominence.scaler.history import PlanHistory
from prominence.scaler.matching import Matcher
from prominence.scaler.observe import observe
from prominence.scaler.policy import Policy
from prominence.scaler.ports import Meter, PoolSource, Provisioner, QueueEvents, RoundReport
from prominence.scaler.telling import told

log = logs.get(__name__)


@dataclass(frozen=True)
class World:
    """What a round works with."""

    source: PoolSource
    provisioner: Provisioner
    clock: Callable[[], datetime]
    meter: Meter
    events: QueueEvents | None = None
    matcher: Matcher | None = None
    stopwatch: Callable[[], float] = time.perf_counter


class Rounds:
    """Round after round, by one process. is_stopping: whether to leave the rest of a plan to the next leader."""

    def __init__(
        self,
        world: World,
        policy: Policy,
        election: Election,
        board: Board,
        history: PlanHistory | None,
        is_stopping: Callable[[], bool],
    ) -> None:
        self._world = world
        self._policy = policy
        self._election = election
        self._board = board
        self._history = history
        self._is_stopping = is_stopping
        self._fence: int | None = None
        self._previous: PoolSnapshot | None = None
        self._last: ScalingPlan | None = None
        self._unknown: dict[str, str] = {}

    def run(self) -> ScalingPlan | None:
        """The plan that was made, or None while another scaler leads.

        Raises Unavailable when the store does not answer, and Conflict when another leader has written to it. Both
        end the round before anything is done.
        """
        with self._world.meter.round(), tracing.during(tracing.accepted(None)):
            return self._run()

    def _run(self) -> ScalingPlan | None:
        fence = self._lead()
        self._world.meter.leads(fence is not None)
        if fence is None:
            return None
        snapshot = look(self._world, self._policy, self._previous)
        self._remember(snapshot)
        published = self._board.publish_snapshot(snapshot)
        began = self._world.stopwatch()
        plan = decide(snapshot, self._policy, self._world.clock(), names(published.revision))
        decide_s = self._world.stopwatch() - began
        plan = told(plan, snapshot, published.sha256, self._policy, self._last)
        plan = self._last = plan.model_copy(update={"request": tracing.current() if plan.actions else ""})
        self._world.meter.decided(RoundReport(snapshot, plan, decide_s))
        self._board.publish_plan(plan)
        self._record(plan, fence)
        for result in act(plan, self._world.provisioner, fence, lambda: self._still_leads(fence)):
            _report(result)
            self._world.meter.acted(result.action, result.error)
        return plan

    def _lead(self) -> int | None:
        self._board.open()
        fence = self._election.lead()
        if fence != self._fence:
            if fence is not None:
                self._previous, self._last = self._board.snapshot(), self._board.plan()
            log.info("another scaler leads" if fence is None else "this scaler leads now", fence=fence)
            self._fence = fence
        return fence

    def _still_leads(self, fence: int) -> bool:
        """Asked before each action, because the look or the action before it may have outlasted the lease."""
        if self._is_stopping():
            return False
        try:
            return self._election.lead() == fence
        except Unavailable:
            return False

    def _record(self, plan: ScalingPlan, fence: int) -> None:
        try:
            if self._history:
                self._history.record(plan, fence)
        except OSError as error:  # a full disk must not keep machines alive
            log.warning("the plan could not be kept", error=str(error))

    def _remember(self, snapshot: PoolSnapshot) -> None:
        if snapshot.execute_points is not None:
            self._previous = snapshot
        for part in sorted(snapshot.unknown.keys() - self._unknown.keys()):
            log.warning("a part of the pool cannot be seen", part=part, error=snapshot.unknown[part])
        for part in sorted(self._unknown.keys() - snapshot.unknown.keys()):
            log.info("it can be seen again", part=part)
        self._unknown = snapshot.unknown


def look(world: World, policy: Policy, previous: PoolSnapshot | None) -> PoolSnapshot:
    """The snapshot of now."""
    failures = world.events.failures() if world.events else {}
    before = Before(previous, world.clock(), policy.collector_grace, failures, policy.patience)
    return observe(world.source, world.provisioner, before, world.matcher)


def names(revision: int) -> Iterator[str]:
    """Names of new workers: unique for as long as the store lives, because its revisions are."""
    number = 0
    while True:
        number += 1
        yield f"w-{revision:x}-{number}"


def _report(result: Result) -> None:
    action = result.action
    fields = {"act": action.act, "worker": action.worker, "cloud": action.cloud, "flavour": action.flavour}
    if result.error is None:
        log.info("asked imc", **fields, reason=action.reason)
    else:
        log.warning("imc was asked in vain", **fields, reason=action.reason, error=str(result.error))
