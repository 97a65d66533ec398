"""What is said of an operation of the API where its route is: who may ask, with what, and what comes back. Pure.

`openapi` makes the description of the API of it, for programs, and `page` the one for people.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from prominence.core.errors import ProminenceError
from prominence.restapi.identity import Scope
from prominence.restapi.parameters.model import Parameters

BASE_PATH = "/prominence/v1"
VERSION = "1"
"""Of the API, as in its base path; what is added to it makes no other."""

JSON = "application/json"
TEXT = "text/plain"
HTML = "text/html"
CSV = "text/csv"
BYTES = "application/octet-stream"


class Access(StrEnum):
    """Who may ask, where that is no matter of a scope."""

    ANYBODY = "anybody"
    ANY_TOKEN = "any token"
    SIGNED = "the address is signed"
    A_JOB = "a job's own token"


@dataclass(frozen=True)
class Content:
    """A body. kind: a type that pydantic can describe; None for a text, or for bytes, of which `least` must come."""

    kind: Any = None
    media_type: str = JSON
    least: int = 0


@dataclass(frozen=True)
class Answer:
    """What comes back. headers: what each says, by its name. more: as what else the content may come."""

    means: str
    content: Content | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    more: tuple[Content, ...] = ()


def json(
    means: str, kind: Any, status: int = 200, headers: Mapping[str, str] = MappingProxyType({})
) -> dict[int, Answer]:
    """The answers of an operation that has one."""
    return {status: Answer(means, Content(kind), headers)}


@dataclass(frozen=True)
class Operation:
    """One operation. rule: its address, with gaps as in <job>. name: of the function that answers it. noun: what it is
    about. answers: by their status.

    headers: the schemas of those that a request may have. refuses: its errors, besides those that every operation of
    its kind has.
    """

    method: str
    rule: str
    name: str
    noun: str
    summary: str
    access: Scope | Access
    answers: Mapping[int, Answer]
    parameters: type[Parameters] | None
    headers: Mapping[str, Mapping[str, Any]]
    body: Content | None
    refuses: tuple[type[ProminenceError], ...]

    @property
    def label(self) -> str:
        """As in GET /jobs/<job>."""
        return label(self.method, self.rule)

    @property
    def gaps(self) -> list[str]:
        """The names of the gaps in its address."""
        return re.findall(r"<(?:[a-z]+:)?([a-z]+)>", self.rule)


def label(method: str, rule: str) -> str:
    """Of an operation, by a rule of the application's or of ours: as in GET /jobs/<job>."""
    return f"{method} {re.sub('<[a-z]+:', '<', rule.removeprefix(BASE_PATH))}"
