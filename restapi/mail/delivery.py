"""Look which jobs have ended whose users want to be told, tell them, take their letters away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage

from prominence.core import classads, logs
from prominence.core.view import JobAd, JobView
from prominence.restapi.mail import outbox
from prominence.restapi.mail.letters import Notice
from prominence.restapi.mail.message import message, of_notice
from prominence.restapi.outbox.ended import ended
from prominence.restapi.outbox.memory import Deferrals, Done, Patience
from prominence.restapi.outbox.rules import Fate, fate
from prominence.restapi.ports import Deferred, Mailer, Undeliverable
from prominence.restapi.services import Services

log = logs.get(__name__)


@dataclass
class Postman:
    """Nothing that it remembers between rounds needs to outlive it: what is to be done is in the shared store.

    sender: an address. url: the service's. within: news that are older are none. interval_s: between rounds.
    """

    services: Services
    mailer: Mailer
    sender: str
    url: str
    within: timedelta
    interval_s: float

    def __post_init__(self) -> None:
        self._patience = Patience("users cannot be told for now", self.interval_s)
        self._done = Done()
        self._deferrals = Deferrals(self.interval_s)

    def round(self, stopped: Callable[[], bool] = lambda: False) -> float:
        """Send what is due; for how many seconds to rest then."""
        try:
            return self._patience.after(lambda: self._round(stopped))
        finally:
            self.mailer.close()

    def _round(self, stopped: Callable[[], bool]) -> None:
        store = self.services.store
        self._done.again(store)
        now = self.services.clock()
        letters, notices = outbox.LETTERS.all(store), outbox.NOTICES.all(store)
        self._deferrals.keep({*letters, *notices})
        for key in sorted(self._deferrals.due(notices, now)):
            if stopped():
                return
            with self._deferrals.apart(key, now):
                if self._settle_notice(key, notices[key], now):
                    self._done.take_away(outbox.NOTICES, key, store)
        due = self._deferrals.due(letters, now)
        for key, ad, job in ended(letters, due, self.services):
            if stopped():
                return
            if key not in due:
                continue
            with self._deferrals.apart(key, now):
                if self._settle(key, ad, job, letters[key].address, now):
                    due.remove(key)  # it may be seen twice
                    self._done.take_away(outbox.LETTERS, key, store)

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
            self._deferrals.defer(key, now)
            return False
        except Undeliverable as error:
            log.warning("a message was refused for ever", **names, why=str(error))
            return True
        log.info("user told", **names)
        self._patience.regain()
        return True
