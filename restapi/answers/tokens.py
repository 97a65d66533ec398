"""What is told of tokens, and of who has them."""

from __future__ import annotations

from typing import Annotated, NotRequired

from pydantic import WithJsonSchema
from typing_extensions import TypedDict

from prominence.restapi.answers.words import Epoch
from prominence.restapi.identity import Role, Scope


class Whoami(TypedDict):
    """Who the caller is here."""

    user: str
    groups: list[str]
    roles: list[Annotated[str, WithJsonSchema({"type": "string", "enum": ["user", "service", *list(Role)[1:]]})]]
    scopes: list[Scope]
    manages: NotRequired[list[str]]
    expires: NotRequired[Epoch]


class TokenShown(TypedDict):
    """What is known of a token."""

    id: str
    user: str
    name: str
    scopes: list[Scope]
    groups: list[str]
    expires: Epoch
    madeAt: Epoch
    madeBy: str


class WorkerToken(TypedDict):
    """What a worker of yours joins the pool with. It is told this once.

    owner: what its name in the pool must end with, after a label of its own and a dot. collector: host[:port] of the
    pool's central manager. trustDomain: the pool's.
    """

    token: str
    owner: str
    expires: Epoch
    collector: str
    trustDomain: str


class TokenMade(TokenShown):
    """A new token. It is told this once."""

    token: str
