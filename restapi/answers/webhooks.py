"""What is told of webhooks."""

from __future__ import annotations

from typing import Annotated, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from prominence.restapi.answers.words import Epoch
from prominence.restapi.webhooks.records import Event
from prominence.restapi.webhooks.rules import Trouble


class CallGivenUp(TypedDict):
    """A call that was never taken."""

    message: Annotated[str, Field(description="Its webhook-id.")]
    event: Annotated[Event, Field(description="What it told of.")]
    at: Epoch
    reason: Annotated[Trouble, Field(description="Why it was not taken.")]


class WebhookShown(TypedDict):
    """What is known of a webhook, and how it does."""

    id: Annotated[str, Field(description="To delete it by.")]
    url: Annotated[str, Field(description="Where it listens.")]
    events: Annotated[list[Event], Field(description="What it is told of.")]
    user: Annotated[str, Field(description="Who registered it.")]
    group: NotRequired[Annotated[str, Field(description="Whose it is, where it is not its user's.")]]
    name: Annotated[str, Field(description="A name for people.")]
    madeAt: Epoch
    takenAt: NotRequired[Annotated[int, Field(description="When it took a call last.")]]
    isGone: Annotated[bool, Field(description="It has answered 410, and is called no more.")]
    failures: Annotated[int, Field(ge=0, description="In a row, up to now.")]
    reason: NotRequired[Annotated[Trouble, Field(description="Why the last call was not taken.")]]
    statusReason: NotRequired[Annotated[str, Field(description="The same, as a sentence.")]]
    since: NotRequired[Annotated[int, Field(description="When the first of these failures was.")]]
    givenUp: Annotated[list[CallGivenUp], Field(description="The last of them, the latest first.")]


class WebhookMade(WebhookShown):
    """A new webhook. Its secret is told this once."""

    secret: Annotated[str, Field(description="What calls are signed with.")]
