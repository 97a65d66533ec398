"""Look what webhooks are to be told, and tell them: each on its own, so that one that is slow holds up no other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from prominence.core import classads, logs
from prominence.core.view import JobAd, JobView
from prominence.core.workflow_view import is_workflow
from prominence.restapi.identity import Account
from prominence.restapi.outbox.ended import ended
from prominence.restapi.outbox.memory import Deferrals, Done, Patience
from prominence.restapi.outbox.rules import Fate, fate
from prominence.restapi.ports import Caller, NotTaken
from prominence.restapi.services import Services
from prominence.restapi.webhooks import records, rules
from prominence.restapi.webhooks.records import Event, GivenUp, State, Webhook
from prominence.restapi.webhooks.rules import Trouble
from prominence.restapi.webhooks.shelves import CALLS, LETTERS, Asked, Call, key_of_call, place_of

log = logs.get(__name__)

AT_ONCE = 16
"""Webhooks that are called at the same time."""

SLICE_S = 10.0
"""After so long with one webhook, what else there is for it waits for the next round."""

_MOST_GIVEN_UP = 10
"""That are told of each."""


@dataclass
class Courier:
    """Nothing that it remembers between rounds needs to outlive it. within: for so long a call is tried. interval_s:
    between rounds, and the shortest pause after a failure. secret: of the webhook with this id. now: seconds.
    """

    services: Services
    caller: Caller
    secret: Callable[[str], str]
    within: timedelta
    interval_s: float
    now: Callable[[], float]

    def __post_init__(self) -> None:
        self._patience = Patience("webhooks cannot be called for now", self.interval_s)
        self._done = Done()
        self._letters, self._webhooks = Deferrals(self.interval_s), Deferrals(self.interval_s)

    def round(self, stopped: Callable[[], bool] = lambda: False) -> float:
        """Tell what is due; for how many seconds to rest then."""
        return self._patience.after(lambda: self._round(stopped))

    def _round(self, stopped: Callable[[], bool]) -> None:
        self._done.again(self.services.store)
        self._make_calls()
        self._call(stopped)

    def _make_calls(self) -> None:
        """Of letters whose jobs have ended."""
        now = self.services.clock()
        letters = LETTERS.all(self.services.store)
        self._letters.keep(letters)
        left = self._letters.due(letters, now)
        for key, ad, job in ended(letters, left, self.services):
            if key not in left:
                continue
            with self._letters.apart(key, now):
                if self._settle(key, letters[key], ad, job):
                    left.discard(key)  # it may be seen twice

    def _settle(self, key: str, asked: Asked, ad: JobAd, job: JobView) -> bool:
        """Whether nothing is left to do for this letter. Its calls are there from when it is gone."""
        now, store = self.services.clock(), self.services.store
        what = fate(job, now, self.within)
        if what is Fate.WAIT:
            return False
        told = calls_of(asked, ad, job, now, self.services) if what is Fate.SEND else {}
        if not told:
            log.info("no webhook called", job=ad[classads.CLUSTER_ID], uid=ad[classads.JOB_UID], why=what.value)
        puts = [CALLS.to_be_put(name, call) for name, call in told.items()]
        store.change([LETTERS.to_be_taken_away(key), *puts], {})
        return True

    def _call(self, stopped: Callable[[], bool]) -> None:
        calls = CALLS.all(self.services.store)
        by_place: defaultdict[str, dict[str, Call]] = defaultdict(dict)
        for key, call in calls.items():
            by_place[place_of(key)][key] = call
        self._webhooks.keep(by_place)
        due = sorted(self._webhooks.due(by_place, self.services.clock()))
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="webhook") as pool:
            running = [pool.submit(self._serve, place, by_place[place], stopped) for place in due]
        for one in running:
            one.result()

    def _serve(self, place: str, calls: Mapping[str, Call], stopped: Callable[[], bool]) -> None:
        with self._webhooks.apart(place, self.services.clock()):
            self._call_one(place, calls, stopped)

    def _call_one(self, place: str, calls: Mapping[str, Call], stopped: Callable[[], bool]) -> None:
        """Make the calls of one webhook, the oldest first, until one fails."""
        store, began = self.services.store, self.now()
        webhook = records.find(place, store)
        state = records.state_of(place, store)
        for key, call in sorted(calls.items(), key=lambda item: (item[1].made_at, item[0])):
            if stopped() or self.now() - began > SLICE_S:
                return
            if webhook is None or state.gone:
                log.info("a webhook is no more", webhook=place, message=call.message)
                self._done.take_away(CALLS, key, store)
                continue
            now = self.services.clock()
            if now - call.made_at > self.within:
                state = self._give_up(place, key, call, state, now)
                continue
            trouble = self._try(webhook, call)
            if trouble is not None:
                self._note_failure(place, key, call, state, trouble, now)
                return
            self._done.take_away(CALLS, key, store)
            self._webhooks.forget(place)
            state = state.model_copy(
                update={"taken_at": now, "reason": None, "status": None, "since": None, "failures": 0}
            )
            records.write_state(place, state, store)

    def _try(self, webhook: Webhook, call: Call) -> NotTaken | None:
        """Make the call; what was wrong with it."""
        headers = rules.headers(self.secret(webhook.id), call.message, call.body, self.services.clock())
        try:
            self.caller.call(webhook.url, headers, call.body.encode())
        except NotTaken as error:
            return error
        log.info("webhook called", webhook=webhook.place, message=call.message)
        return None

    def _note_failure(self, place: str, key: str, call: Call, state: State, error: NotTaken, now: datetime) -> None:
        log.warning("a webhook does not take a call", webhook=place, message=call.message, why=error.trouble.value)
        self._webhooks.defer(place, now)
        new = state.model_copy(
            update={
                "reason": error.trouble,
                "status": error.status,
                "since": state.since or now,
                "failures": state.failures + 1,
                "gone": error.trouble is Trouble.GONE,
            }
        )
        records.write_state(place, new, self.services.store)
        if new.gone:
            self._give_up(place, key, call, new, now)

    def _give_up(self, place: str, key: str, call: Call, state: State, now: datetime) -> State:
        reason = state.reason or Trouble.UNREACHABLE
        log.warning("a call is given up", webhook=place, message=call.message, why=reason.value)
        one = GivenUp(message=call.message, event=call.event, at=now, reason=reason)
        kept = tuple(known for known in state.given_up if known.message != call.message)
        new = state.model_copy(update={"given_up": (one, *kept)[:_MOST_GIVEN_UP]})
        records.write_state(place, new, self.services.store)
        self._done.take_away(CALLS, key, self.services.store)
        return new


def calls_of(asked: Asked, ad: JobAd, job: JobView, now: datetime, services: Services) -> dict[str, Call]:
    """To make because this job, or workflow, has ended, by their keys. Raises Unavailable."""
    event = Event.WORKFLOW_FINISHED if is_workflow(ad) else Event.JOB_FINISHED
    message = rules.message_id(str(ad[classads.JOB_UID]), str(ad[classads.CLUSTER_ID]), event)
    body = rules.body(event, now, rules.of_job(ad, job))
    concerned = records.concerned(event, Account(asked.user, asked.group), services.store)
    return to_all(concerned, Call(message=message, event=event, made_at=now, body=body))


def to_all(webhooks: Iterable[Webhook], call: Call) -> dict[str, Call]:
    """A call for each, by its key."""
    return {key_of_call(one.place, call.message): call for one in webhooks}
