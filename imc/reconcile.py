"""One round: look at everything once, then bring each worker one step nearer to what is wished of it.

Steps that reach outside run beside each other in threads and rounds do not wait for them. A worker whose step is
under way when a round begins is left alone by that round, because what the round sees may be older than the step's
effect. All bookkeeping is done by the round itself.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from prominence.core import logs, tracing
from prominence.core.errors import CloudError, NoSuchFlavour, OutOfCapacity, ProminenceError, QuotaExceeded
from prominence.core.machines import Flavour, Market, Wish, WorkerPhase
from prominence.imc import setbacks
from prominence.imc.acts import Acts
from prominence.imc.catalogue import Catalogue
from prominence.imc.history import History
from prominence.imc.leading import Lead, Replaced
from prominence.imc.lifecycle import Act, Deadlines, Sight, Step, next_step
from prominence.imc.meter import Meter
from prominence.imc.orphans import Orphans
from prominence.imc.placement import place
from prominence.imc.ports import Node
from prominence.imc.records import Change, Record
from prominence.imc.setbacks import Setbacks
from prominence.imc.world import World, look

log = logs.get(__name__)

_NEWS = (Act.CREATE, Act.THIN_OUT, Act.DELETE, Act.END)
"""Acts whose effect can be seen at once. The pool shows the others' a little later: no hurry to look for them."""


_REFUSALS_KEPT = 5


@dataclass(frozen=True)
class _UnderWay:
    act: Act
    future: Future[None]
    flavour: Flavour | None
    order: str


class Reconciler:
    """The only writer of phases. `round` is called by one thread; `wake` is called when it may have news."""

    def __init__(
        self,
        acts: Acts,
        deadlines: Deadlines,
        threads: Executor,
        wake: Callable[[], None] = lambda: None,
        meter: Meter | None = None,
    ) -> None:
        self._meter = meter or Meter()
        self._acts = acts
        self._records = acts.records
        self._deadlines = deadlines
        self._threads = threads
        self._wake = wake
        self._setbacks = Setbacks()
        self._history = History()
        self._catalogue = Catalogue(acts.clouds, self._setbacks, self._history)
        self._under_way: dict[str, _UnderWay] = {}
        self._orphans = Orphans(deadlines.orphan_s)
        self._pool_trouble = ""
        self._lead = Lead()

    def change(self, acts: Acts, deadlines: Deadlines) -> None:
        """Between two rounds: other clouds, or the same on other terms. What is under way ends as it was begun."""
        self._acts, self._deadlines = acts, deadlines
        self._catalogue = self._catalogue.of_others(acts.clouds)
        self._orphans.grace(deadlines.orphan_s)

    def round(self, may_act: Callable[[], bool] = lambda: True) -> None:
        """Look, and take or begin the next step of every worker.

        may_act is asked again after looking, which can take long, before each act and before each change of a record,
        by the threads that do it: whoever was paused meanwhile does nothing more.
        Raises Unavailable when the records cannot be read or written; what was not done is done by a later round.
        """
        now = self._acts.clock()
        self._lead = Lead(may_act)
        self._collect(now)
        busy = frozenset(self._under_way)
        world = look(tuple(self._acts.clouds.values()), self._acts.pool)
        self._tell(world)
        stock = self._records.all()
        if not may_act():
            return
        self._catalogue.update(world, stock.records, now)
        orphans = self._orphans.due(world, stock, now)
        statuses = self._catalogue.statuses(now, self._orphans.seen())
        self._records.publish(statuses)
        self._meter.seen(statuses, stock.records)
        for record in sorted(stock.records, key=lambda record: (record.requested_at, record.name)):
            if record.name not in busy:
                deadlines = self._deadlines_of(record)
                step = next_step(record, world.node_of(record), world.execute_point_of(record), now, deadlines)
                if not self._must_wait(record.name, step.act, now):
                    with tracing.during(record.order):
                        self._take(step, record, world, now)
        for cloud, name in orphans:
            if name not in busy and name not in self._under_way and not self._must_wait(name, Act.DELETE, now):
                step = Step(Act.DELETE, f"a machine on {cloud} has no record")
                self._begin(step, name, partial(self._acts.delete, name, [cloud]))

    def _deadlines_of(self, record: Record) -> Deadlines:
        """Some clouds boot more slowly than others."""
        cloud = self._acts.clouds.get(record.flavour.cloud) if record.flavour else None
        if cloud is None or cloud.terms.join_s is None:
            return self._deadlines
        return self._deadlines.model_copy(update={"join_s": cloud.terms.join_s})

    def _must_wait(self, name: str, act: Act, now: datetime) -> bool:
        """The same act on this worker has failed a moment ago."""
        return self._setbacks.of(setbacks.worker(name, act.name), now) is not None

    def _take(self, step: Step, record: Record, world: World, now: datetime) -> None:
        """Do at once what concerns the record only, begin what reaches outside."""
        name, pool = record.name, self._acts.pool
        match step:
            case Step(Act.WAIT):
                pass
            case Step(Act.CREATE):
                self._create(record, world.node_of(record), now)
            case Step(Act.ENTER, reason, WorkerPhase() as phase):
                self._enter(record, phase, reason, now)
            case Step(Act.TAKEN, reason):
                log.warning("worker is taken away by its cloud", worker=name, phase=record.phase)
                update = {"taken_at": now, "reason": reason}
                self._change(record, lambda current: current.model_copy(update=update))
                self._wake()
            case Step(Act.GIVE_UP, reason):
                is_wasted = record.phase is WorkerPhase.LAUNCHED and not record.has_joined and not record.taken_at
                is_noted = self._give_up(record, reason, now if is_wasted else None)
                if is_noted and is_wasted and record.flavour:
                    self._history.wasted(record.flavour, now)
                    self._meter.wasted(record.flavour.cloud)
            case Step(Act.FORGET):
                self._lead.check()
                self._records.forget(name)
                self._setbacks.worked(setbacks.worker(name))
            case Step(Act.DELETE):
                self._begin(step, name, partial(self._acts.delete, name, world.clouds_with(name)))
            case Step(Act.END, reason, WorkerPhase() as phase):
                self._begin(step, name, partial(self._acts.end, record, phase, reason))
            case Step(Act.THIN_OUT):
                self._begin(step, name, partial(self._acts.thin_out, name, world.clouds_with(name)))
            case Step(Act.DRAIN, reason):
                self._begin(step, name, partial(pool.drain, name, reason))
            case Step(Act.UNDRAIN):
                self._begin(step, name, partial(pool.undrain, name))
            case Step(Act.INVALIDATE):
                self._begin(step, name, partial(pool.invalidate, name))
            case _:
                raise AssertionError(f"no such step: {step}")

    def _create(self, record: Record, node: Node | Sight, now: datetime) -> None:
        """Find a place, record the intent, ask the cloud."""
        flavour = self._place(record, node, now)
        if flavour is None:
            return

        def intend(current: Record) -> Record | None:
            if current.request.wish is not Wish.PRESENT or current.phase is not WorkerPhase.REQUESTED:
                return None
            reason = f"asking {flavour.cloud} for a machine of flavour {flavour.name}"
            return current.model_copy(update={"flavour": flavour, "attempts": current.attempts + 1, "reason": reason})

        if self._update(record.name, intend) is None:
            return
        self._catalogue.occupy(flavour, record.name)
        before = {record.flavour.cloud} if record.flavour else set()
        left_behind = before & self._acts.clouds.keys() - {flavour.cloud}
        step = Step(Act.CREATE, record.request.reason)
        launch = partial(self._acts.launch, record.name, flavour, left_behind, record.order)
        self._begin(step, record.name, launch, flavour)

    def _place(self, record: Record, node: Node | Sight, now: datetime) -> Flavour | None:
        """The flavour to ask for now, if any; why there is none is recorded."""
        if isinstance(node, Node) and record.flavour:  # half made: to be finished as it was begun
            return None if self._catalogue.trouble(record.flavour.cloud, now) else record.flavour
        views = self._catalogue.views(now, record.name)
        offer = self._catalogue.first_offer(record.request, views)
        if offer:
            return offer
        placement = place(record.request, views)
        if placement.is_hopeless:
            self._give_up(record, f"no flavour will do: {placement.explanation()}")
        else:
            self._note(record.name, f"waits for room: {placement.explanation()}")
        return None

    def _enter(self, record: Record, phase: WorkerPhase, reason: str, now: datetime) -> None:
        log.info("worker enters phase", worker=record.name, phase=phase, reason=reason)
        joins = phase is WorkerPhase.REGISTERED and not record.has_joined
        boot_s = (now - record.phase_since).total_seconds()

        def change(current: Record) -> Record:
            entered = current.in_phase(phase, now, reason)
            return entered.model_copy(update={"has_joined": True, "boot_s": boot_s}) if joins else entered

        if self._change(record, change) and joins and record.flavour:
            self._history.joined(record.flavour, boot_s, now)
            self._meter.joined(record.flavour.cloud, boot_s)
        self._wake()

    def _give_up(self, record: Record, reason: str, wasted_at: datetime | None = None) -> bool:
        log.warning("worker is given up", worker=record.name, phase=record.phase, reason=reason)
        update = {"failing": reason, "reason": reason, "wasted_at": wasted_at}
        is_noted = self._change(record, lambda current: current.model_copy(update=update))
        self._wake()
        return is_noted

    def _change(self, record: Record, change: Change) -> bool:
        """Unless the wish on which it was decided has changed meanwhile: then the next round decides anew."""
        wish = record.request.wish
        found = self._update(record.name, lambda current: change(current) if current.request.wish is wish else None)
        return found is not None

    def _note(self, name: str, reason: str, refusal: str = "") -> None:
        """Let people read what holds a worker up, and afterwards what has."""

        def change(current: Record) -> Record | None:
            if current.phase.is_over:
                return None
            earlier = [one for one in current.refusals if one != refusal]
            refusals = (*earlier, refusal)[-_REFUSALS_KEPT:] if refusal else current.refusals
            return current.model_copy(update={"reason": reason, "refusals": tuple(refusals)})

        self._update(name, change)

    def _update(self, name: str, change: Change) -> Record | None:
        """Of a record, while we lead."""
        self._lead.check()
        return self._records.update(name, change)

    def _begin(self, step: Step, name: str, act: Callable[[], None], flavour: Flavour | None = None) -> None:
        def told() -> None:
            log.info("step begins", worker=name, act=step.act.name.lower(), reason=step.reason)
            act()

        order = tracing.current()
        future = self._threads.submit(tracing.within, order, lambda: self._lead.do(told))
        self._under_way[name] = _UnderWay(step.act, future, flavour, order)
        if step.act in _NEWS:
            future.add_done_callback(lambda _: self._wake())

    def _collect(self, now: datetime) -> None:
        """Draw the conclusions of the steps that have ended."""
        for name in [name for name, work in self._under_way.items() if work.future.done()]:
            work = self._under_way.pop(name)
            error = work.future.exception()
            if isinstance(error, Replaced):  # and lead again by now: the next round decides anew
                log.warning("step was left to another imc", worker=name, act=work.act.name.lower())
                continue
            self._meter.acted(work.act.name.lower(), error)
            with tracing.during(work.order):
                if error is None:
                    self._worked(name, work)
                else:
                    self._failed(name, work, error, now)

    def _worked(self, name: str, work: _UnderWay) -> None:
        log.info("step done", worker=name, act=work.act.name.lower())
        self._setbacks.worked(setbacks.worker(name, work.act.name))
        if work.flavour:
            self._setbacks.worked(setbacks.cloud(work.flavour.cloud))
            self._setbacks.worked(setbacks.flavour(work.flavour.cloud, work.flavour.name))
            if work.flavour.market is Market.SPOT:
                self._setbacks.worked(setbacks.spot(work.flavour.cloud))

    def _failed(self, name: str, work: _UnderWay, error: BaseException, now: datetime) -> None:
        act = work.act.name.lower()
        key = setbacks.worker(name, work.act.name)
        if isinstance(error, CloudError) and work.flavour:
            key = setbacks.cloud(work.flavour.cloud)
            if isinstance(error, OutOfCapacity | NoSuchFlavour):
                key = setbacks.flavour(work.flavour.cloud, work.flavour.name)
            elif isinstance(error, QuotaExceeded) and work.flavour.market is Market.SPOT:
                key = setbacks.spot(work.flavour.cloud)
        setback = self._setbacks.failed(key, str(error), now)
        if isinstance(error, ProminenceError):
            log.warning("step failed", worker=name, act=act, error=str(error), concerns=key[0], times=setback.times)
        else:
            trace = "".join(traceback.format_exception(error))
            log.error("step failed by a mistake of ours", worker=name, act=act, error=repr(error), traceback=trace)
        told = f"{work.flavour.cloud}/{work.flavour.name}: {error}" if work.flavour else ""
        self._note(name, f"{act} failed: {error}", told)

    def _tell(self, world: World) -> None:
        """Log that the pool falls silent or speaks again; clouds tell by their status."""
        if world.pool_trouble != self._pool_trouble:
            self._pool_trouble = world.pool_trouble
            log.warning("the collector", trouble=world.pool_trouble or "answers again")
