"""What waits in the shared store to be told to webhooks."""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from prominence.core.validation import Document
from prominence.restapi.outbox.shelf import Shelf
from prominence.restapi.outbox.waiting import Waiting


class Asked(Waiting):
    """The webhooks of this user, and of this group, are to be told that a job has ended."""

    user: str
    group: str = ""


class Call(Document):
    """A request that is ready to be made. message: its id, the same whenever it is made. body: JSON."""

    message: str
    event: str
    made_at: AwareDatetime
    body: str = Field(repr=False)


LETTERS = Shelf("/prominence/webhooks/letters/", Asked)
CALLS = Shelf("/prominence/webhooks/calls/", Call)
"""Keys are those of the webhook and of the message: PLACE/MESSAGE."""


def key_of_call(place: str, message: str) -> str:
    """Of a call to the webhook that is kept at this place."""
    return f"{place}/{message}"


def place_of(key: str) -> str:
    """Of the webhook that the call with this key is for."""
    return key.rpartition("/")[0]
