"""What the shared store knows of webhooks. Their secrets are not there: each is made of the API's own and the id."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import quote

from pydantic import AwareDatetime, Field

from prominence.core.errors import Rejected
from prominence.core.keyvalue.port import ABSENT, KeyValue
from prominence.core.validation import Document
from prominence.restapi.identity import Account
from prominence.restapi.webhooks.addresses import Network
from prominence.restapi.webhooks.rules import SECRET_PREFIX, Trouble

if TYPE_CHECKING:
    from prominence.restapi.services import Services

_REGISTERED = "/prominence/webhooks/registered/"
_STATES = "/prominence/webhooks/states/"


class Event(StrEnum):
    """What a webhook can be told of; the words of jobs' notifications."""

    JOB_FINISHED = "jobFinished"
    WORKFLOW_FINISHED = "workflowFinished"
    BUDGET_ALERT = "budgetAlert"


class Webhook(Document):
    """One that is registered: of a user, or of a group, when there is one."""

    id: str
    url: str = Field(repr=False)
    events: tuple[Event, ...]
    user: str
    group: str = ""
    name: str = ""
    made_at: AwareDatetime

    @property
    def place(self) -> str:
        """Where it is kept, in one part of a key for its owner and one for itself."""
        return f"{_of_group(self.group) if self.group else _of_user(self.user)}{self.id}"


class GivenUp(Document):
    """A call that was never taken."""

    message: str
    event: str
    at: AwareDatetime
    reason: Trouble


class State(Document):
    """How a webhook does. reason, since, failures: of what goes on; None when the last call was taken. gone: its owner
    does not want to be called again.
    """

    taken_at: AwareDatetime | None = None
    reason: Trouble | None = None
    status: int | None = None
    since: AwareDatetime | None = None
    failures: int = 0
    gone: bool = False
    given_up: tuple[GivenUp, ...] = ()


@dataclass(frozen=True)
class Webhooks:
    """What the service needs for them. key: what their secrets are made of. allowed: networks of the site's own that
    may be called. most: of one user, or group.
    """

    key: bytes = Field(repr=False)
    allowed: tuple[Network, ...] = ()
    most: int = 10

    def secret(self, webhook_id: str) -> str:
        """As its owner is told it, once."""
        made = hmac.digest(self.key, webhook_id.encode(), hashlib.sha256)
        return SECRET_PREFIX + base64.b64encode(made).decode()


def keep(webhook: Webhook, store: KeyValue) -> None:
    """A new one."""
    store.put_if(_REGISTERED + webhook.place, webhook.model_dump_json().encode(), ABSENT)


def find(place: str, store: KeyValue) -> Webhook | None:
    """The one that is kept there."""
    entry = store.get(_REGISTERED + place)
    return None if entry is None else Webhook.model_validate_json(entry.value)


def forget(webhook: Webhook, store: KeyValue) -> None:
    """It is called no more. What waits for it is taken away by whoever would make the calls."""
    store.delete_if(_REGISTERED + webhook.place, None)
    store.delete_if(_STATES + webhook.place, None)


def of_user(user: str, store: KeyValue) -> list[Webhook]:
    """All of their own."""
    return _list(_of_user(user), store)


def of_group(group: str, store: KeyValue) -> list[Webhook]:
    """All of the group's."""
    return _list(_of_group(group), store) if group else []


def of_all_groups(store: KeyValue) -> list[Webhook]:
    """Of every group there is."""
    return _list("groups/", store)


def concerned(event: str, account: Account, store: KeyValue) -> list[Webhook]:
    """Those of this user and of this group that are told of such an event."""
    found = (of_user(account.user, store) if account.user else []) + of_group(account.group, store)
    return [one for one in found if event in one.events]


def state_of(place: str, store: KeyValue) -> State:
    """How it does."""
    entry = store.get(_STATES + place)
    return State() if entry is None else State.model_validate_json(entry.value)


def write_state(place: str, state: State, store: KeyValue) -> None:
    """From now on it does so."""
    store.put_if(_STATES + place, state.model_dump_json().encode(), None)


def need_one(event: str, account: Account, services: Services) -> None:
    """Raises Rejected where no webhook would be told of this event of the account's jobs; Unavailable."""
    if services.webhooks is None:
        raise Rejected.because("this service calls no webhooks; leave them out", "notifications")
    if not concerned(event, account, services.store):
        raise Rejected.because(
            f"no webhook is registered for {event}, neither of yours nor of the job's group: POST /webhooks, or "
            "`prominence webhook create`",
            "notifications",
        )


def _list(below: str, store: KeyValue) -> list[Webhook]:
    found = [Webhook.model_validate_json(entry.value) for entry in store.list(_REGISTERED + below)]
    return sorted(found, key=lambda one: (one.made_at, one.id))


def _of_user(user: str) -> str:
    return f"users/{quote(user, safe='')}/"


def _of_group(group: str) -> str:
    return f"groups/{quote(group, safe='')}/"
