"""Users who want to be told, and the process that tells them, on memory services."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from builders_restapi import ALICE, Api, an_api

from prominence.restapi.adapters.memory import MemoryIdentities, MemoryMailer
from prominence.restapi.mail.delivery import Postman

BY_EMAIL = [{"event": "jobFinished", "type": "email"}]
SENDER, ALICES = "prominence@example.org", "alice@example.org"
URL = "https://prominence.example.org/prominence/v1"
WITHIN = timedelta(hours=24)


@dataclass
class Office:
    """An API whose users are alice, whom an identity provider vouches for, and bob."""

    api: Api
    mailer: MemoryMailer = field(default_factory=MemoryMailer)
    postman: Postman = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """As after a death of the process."""
        self.postman = Postman(self.api.services, self.mailer, SENDER, URL, WITHIN, interval_s=10)

    def submit(self, **changes: Any) -> int:
        """A job whose user wants to be told."""
        return self.api.submit(**{"notifications": BY_EMAIL, **changes})

    def round(self, seconds: float = 60) -> list[str]:
        """The subjects of the messages of one round, so many seconds later."""
        self.api.clock.advance(seconds)
        before = len(self.mailer.sent)
        self.postman.round()
        return [str(one["Subject"]) for one in self.mailer.sent[before:]]


def an_office(addresses: Mapping[str, str] | None = None) -> Office:
    """addresses: those that the operator names."""
    tokens = {"token-of-alice": replace(ALICE, email=ALICES), "token-of-bob": replace(ALICE, user="bob")}
    return Office(an_api(addresses=addresses or {}, identities=MemoryIdentities(tokens)))
