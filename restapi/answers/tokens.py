"""What is told of tokens, and of who has them."""

from __future__ import annotations

from typing import Annotated, NotRequired

from pydantic import Field, WithJsonSchema
from typing_extensions import TypedDict

from prominence.restapi.answers.words import Epoch
from prominence.restapi.identity import Role, Scope


class Whoami(TypedDict):
    """Who the caller is here."""

    user: Annotated[str, Field(description="By name.")]
    groups: Annotated[list[str], Field(description="By their whole names.")]
    roles: Annotated[
        list[Annotated[str, WithJsonSchema({"type": "string", "enum": ["user", "service", *list(Role)[1:]]})]],
        Field(description="What else the caller may do here."),
    ]
    scopes: Annotated[list[Scope], Field(description="What the token is good for.")]
    manages: NotRequired[Annotated[list[str], Field(description="Groups that the caller looks after.")]]
    expires: NotRequired[Epoch]


class TokenShown(TypedDict):
    """What is known of a token."""

    id: Annotated[str, Field(description="To revoke it by; not the token itself.")]
    user: Annotated[str, Field(description="Who it speaks for.")]
    name: Annotated[str, Field(description="A name for people.")]
    scopes: Annotated[list[Scope], Field(description="What it is good for.")]
    groups: Annotated[list[str], Field(description="Of its user, when it was made.")]
    expires: Epoch
    madeAt: Epoch
    madeBy: Annotated[str, Field(description="Who made it.")]


class WorkerToken(TypedDict):
    """What a worker of yours joins the pool with. It is told this once."""

    token: Annotated[str, Field(description="HTCondor's.")]
    owner: Annotated[str, Field(description="What the worker's name must end with, behind a label and a dot.")]
    expires: Epoch
    collector: Annotated[str, Field(description="`host[:port]` of the pool's central manager.")]
    trustDomain: Annotated[str, Field(description="The pool's.")]


class TokenMade(TokenShown):
    """A new token. It is told this once."""

    token: Annotated[str, Field(description="What requests carry.")]
