"""Whom to tell of the ends of jobs that ask for it, checked before the job is queued, and noted together with it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from prominence.core.notifications import Notification, WorkflowNotification
from prominence.restapi.identity import Account, Identity
from prominence.restapi.mail import outbox
from prominence.restapi.mail.addresses import address_of
from prominence.restapi.mail.letters import Letter
from prominence.restapi.outbox.waiting import key_of
from prominence.restapi.services import Services
from prominence.restapi.webhooks.records import need_one
from prominence.restapi.webhooks.shelves import LETTERS, Asked

Asking = Collection[Notification | WorkflowNotification]


@dataclass(frozen=True)
class Told:
    """Who is told: by mail at this address, by the webhooks of this account."""

    address: str
    account: Account
    services: Services

    def note(self, uid: str, asking: Asking, after: int = 0) -> None:
        """Somebody waits for the end of the job, or the workflow, with this uid. after: the number of its run before.
        Raises Unavailable.
        """
        at, store = self.services.clock(), self.services.store
        channels = {one.type for one in asking}
        if "email" in channels:
            letter = Letter(address=self.address, made_at=at, after=after)
            outbox.LETTERS.put(key_of(uid, letter), letter, store)
        if "webhook" in channels:
            asked = Asked(user=self.account.user, group=self.account.group, made_at=at, after=after)
            LETTERS.put(key_of(uid, asked), asked, store)


def whom(asking: Asking, caller: Identity, account: Account, services: Services) -> Told:
    """Of jobs that ask for all this. Raises Rejected where nobody could be told; Unavailable."""
    address = address_of(any(one.type == "email" for one in asking), caller, services.addresses)
    for event in sorted({one.event for one in asking if one.type == "webhook"}):
        need_one(event, account, services)
    return Told(address, account, services)
