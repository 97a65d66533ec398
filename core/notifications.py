"""Messages to a job's user, as a user describes them, and the addresses that they can go to."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from prominence.core.validation import Strict

MOST_NOTIFICATIONS = 10
LONGEST_ADDRESS = 254

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_WORD = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_ADDRESS = re.compile(rf"(?=.{{1,64}}@){_WORD}(?:\.{_WORD})*@{_LABEL}(?:\.{_LABEL})*")


def is_address(text: object) -> bool:
    """Whether it is one email address that any mail server takes: plain characters, no quotes, no name beside it."""
    return isinstance(text, str) and len(text) <= LONGEST_ADDRESS and _ADDRESS.fullmatch(text) is not None


def _an_address(text: str) -> str:
    if not is_address(text):
        raise ValueError("must be one email address of plain characters, such as prominence@example.org")
    return text


EmailAddress = Annotated[str, AfterValidator(_an_address)]


def _not_too_many(value: Any) -> Any:
    """Looked at before what is in it."""
    if isinstance(value, list | tuple) and len(value) > MOST_NOTIFICATIONS:
        raise ValueError(f"must be at most {MOST_NOTIFICATIONS} notifications, not {len(value)}")
    return value


Channel = Literal["email", "webhook"]
_HOW = "How it is sent: to the email address that the service knows, or to the webhooks that are registered for it."


class Notification(Strict):
    """A message to the job's user."""

    event: Literal["jobFinished"] = Field(description="When it is sent: the job has ended.")
    type: Channel = Field(description=_HOW)


class WorkflowNotification(Strict):
    """A message to the workflow's user."""

    event: Literal["workflowFinished"] = Field(description="When it is sent: the workflow has ended.")
    type: Channel = Field(description=_HOW)


_SEVERAL = (
    BeforeValidator(_not_too_many),
    Field(json_schema_extra={"maxItems": MOST_NOTIFICATIONS, "uniqueItems": True}),
)
Notifications = Annotated[tuple[Notification, ...], *_SEVERAL]
WorkflowNotifications = Annotated[tuple[WorkflowNotification, ...], *_SEVERAL]
