"""Look which jobs have ended whose users want to be told, tell them, take their letters away."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage

from prominence.core import classads, logs
from prominence.core.errors import Unavailable
from prominence.core.keyvalue.port import KeyValue
from prominence.core.states import JobStatus
from prominence.core.view import JobAd, JobView
from prominence.core.workflow_view import workflow_view
from prominence.restapi.mail import outbox
from prominence.restapi.mail.letters import Letter, Notice, about, uid_of
from prominence.restapi.mail.message import message, of_notice
from prominence.restapi.mail.rules import Fate, fate, pause_s
from prominence.restapi.ports import Deferred, Mailer, Undeliverable
from prominence.restapi.query import look_at
from prominence.restapi.selection import Kind, Selection
from prominence.restapi.services import Services

log = logs.get(__name__)

_PERHAPS_ENDED = (JobStatus.COMPLETED, JobStatus.REMOVED, JobStatus.HELD)


@dataclass(frozen=True)
class _Deferral:
    """How often the server has not taken a message, and until when it is left alone with it."""

    failures: int
    until: datetime


@dataclass
class Postman:
    """Nothing that it remembers between rounds needs to outlive it: what is to be done is in the shared store.

    sender: an address. url: the service's. within: news that are older are none. interval_s: between rounds.
    done: letters and notices that are still there although nothing is left to do but to take them away, each with how.
    """

    services: Services
    mailer: Mailer
    sender: str
    url: str
    within: timedelta
    interval_s: float
    done: dict[str, Callable[[str, KeyValue], None]] = field(default_factory=dict)
    deferred: dict[str, _Deferral] = field(default_factory=dict)
    failures: int = 0

    def round(self, stopped: Callable[[], bool] = lambda: False) -> float:
        """Send what is due; for how many seconds to rest then."""
        try:
            self._round(stopped)
        except Unavailable as error:
            self.failures += 1
            log.warning("users cannot be told for now", why=str(error), failures=self.failures)
        else:
            self.failures = 0
        finally:
            self.mailer.close()
        return pause_s(self.failures, self.interval_s)

    def _round(self, stopped: Callable[[], bool]) -> None:
        for key, how in tuple(self.done.items()):
            self._take_away(key, how)
        now = self.services.clock()
        letters, notices = outbox.letters(self.services.store), outbox.notices(self.services.store)
        self.deferred = {key: one for key, one in self.deferred.items() if key in letters or key in notices}
        for key in sorted(self._due(notices, now)):
            if stopped():
                return
            if self._settle_notice(key, notices[key], now):
                self._take_away(key, outbox.take_notice_away)
        due = self._due(letters, now)
        by_uid: defaultdict[str, dict[str, Letter]] = defaultdict(dict)
        for key, letter in letters.items():
            by_uid[uid_of(key)][key] = letter
        for ad, job in _ended({uid_of(key) for key in due}, self.services) if due else ():
            if stopped():
                return
            found = about(int(ad[classads.CLUSTER_ID]), by_uid[str(ad[classads.JOB_UID])])
            if found is not None and found in due and self._settle(found, ad, job, letters[found].address, now):
                due.remove(found)  # it may be seen twice
                self._take_away(found, outbox.take_away)

    def _due(self, keys: Iterable[str], now: datetime) -> set[str]:
        return {key for key in keys if key not in self.deferred or self.deferred[key].until <= now}

    def _settle_notice(self, key: str, notice: Notice, now: datetime) -> bool:
        """Whether nothing is left to do but to take it away."""
        if now - notice.made_at > self.within:
            log.info("user not told", notice=key, why=Fate.TOO_LATE.value)
            return True
        return self._send(key, of_notice(key, notice, self.sender), {"notice": key}, now)

    def _settle(self, key: str, ad: JobAd, job: JobView, address: str, now: datetime) -> bool:
        """Whether nothing is left to do for this job but to take its letter, which has this key, away."""
        what = fate(job, now, self.within)
        names = {"job": ad[classads.CLUSTER_ID], "uid": ad[classads.JOB_UID]}
        if what is Fate.WAIT:
            return False
        if what is not Fate.SEND:
            log.info("user not told", **names, why=what.value)
            return True
        return self._send(key, message(ad, job, self.sender, address, self.url, now), names, now)

    def _send(self, key: str, letter: EmailMessage, names: Mapping[str, object], now: datetime) -> bool:
        """Whether it need not be tried again."""
        try:
            self.mailer.send(letter)
        except Deferred as error:
            log.warning("a message is not taken yet", **names, why=str(error))
            self._defer(key, now)
            return False
        except Undeliverable as error:
            log.warning("a message was refused for ever", **names, why=str(error))
            return True
        log.info("user told", **names)
        self.failures = 0
        return True

    def _defer(self, key: str, now: datetime) -> None:
        failures = self.deferred[key].failures + 1 if key in self.deferred else 0
        self.deferred[key] = _Deferral(failures, now + timedelta(seconds=pause_s(failures, self.interval_s)))

    def _take_away(self, key: str, how: Callable[[str, KeyValue], None]) -> None:
        """Remembered until it is gone: a store that does not answer makes no second message."""
        self.done[key] = how
        how(key, self.services.store)
        del self.done[key]


def _ended(uids: Collection[str], services: Services) -> Iterator[tuple[JobAd, JobView]]:
    """Those of these jobs and workflows that have ended, or perhaps have: they may still be in the queue, or be held
    there."""
    ads = services.queue.find(Selection(statuses=_PERHAPS_ENDED))
    for queued in look_at([ad for ad in ads if ad[classads.JOB_UID] in uids], services, detail=True):
        yield queued.ad, queued.view
    for ad in services.queue.find(Selection(statuses=_PERHAPS_ENDED, kinds=(Kind.WORKFLOW,))):
        if ad[classads.JOB_UID] in uids:
            yield ad, workflow_view(ad)
    for left in services.archive.left(uids):
        yield left.ad, left.view
