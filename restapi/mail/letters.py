"""What is sent by mail. Pure."""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from prominence.core.validation import Document
from prominence.restapi.outbox.waiting import Waiting


class Letter(Waiting):
    """Whom to tell that a job has ended."""

    address: str = Field(repr=False)


class Notice(Document):
    """A message that is ready to be sent. subject: one line of text."""

    address: str = Field(repr=False)
    made_at: AwareDatetime
    subject: str
    text: str
