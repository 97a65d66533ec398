"""Who is calling, and what they may see and do. Pure.

A token tells who calls (`Identity`), the operator's settings who is more than a user (`Appointments`), and one
function, `may`, decides by which role somebody may do something to a thing of somebody else's, or that they may not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, StrEnum
from typing import Any

from prominence.core.errors import Forbidden, Rejected

SERVICE = "service:"
"""What the names of service identities begin with, and no user's does."""


class Scope(StrEnum):
    """What a token is good for. Tokens that users make for themselves name theirs; a login has all."""

    JOBS_READ = "jobs:read"
    JOBS_WRITE = "jobs:write"
    DATA_READ = "data:read"
    DATA_WRITE = "data:write"
    KV_READ = "kv:read"
    KV_WRITE = "kv:write"
    OPERATE = "operate"  # to use the roles of a manager and an operator
    TOKENS = "tokens"  # to make tokens and revoke them; no token that was made has it


class Role(StrEnum):
    """As what somebody acts on a thing."""

    OWNER = "owner"
    MANAGER = "manager"
    OPERATOR = "operator"


class Act(Enum):
    """What can be done to a job."""

    SEE = "see"  # that it is there, how it goes
    READ = "read"  # what it wrote, what it was given
    CHANGE = "change"  # hold, release, priority, walltime, ...
    REMOVE = "remove"
    ENTER = "enter"  # run something in it, take a copy of its files


@dataclass(frozen=True)
class Account:
    """Whose a thing is, and which group it is charged to; "" for none."""

    user: str
    group: str = ""


@dataclass(frozen=True)
class Identity:
    """A caller whose token was found good.

    groups: whole names, in the order in which the token has them. scopes: what the token is good for. manages: the
    groups whose jobs they look after. service: not a person, but a program with a token of its own.

    token: by which the token is known here, never the token itself. login: it was made elsewhere. expires: a Unix
    epoch, where it is known. email: a verified address, "" where none is told. These do not make another caller.
    """

    user: str
    groups: tuple[str, ...] = ()
    scopes: frozenset[Scope] = field(default=frozenset(Scope))
    manages: frozenset[str] = frozenset()
    operator: bool = False
    service: bool = False
    token: str = field(default="", compare=False)
    login: bool = field(default=True, compare=False)
    expires: float | None = field(default=None, compare=False)
    email: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True)
class Appointments:
    """Who is more than a user here. managers: users by group."""

    operators: frozenset[str] = frozenset()
    operator_groups: frozenset[str] = frozenset()
    managers: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def appoint(self, caller: Identity) -> Identity:
        """The caller with what they have been appointed to."""
        return replace(
            caller,
            operator=caller.user in self.operators or not self.operator_groups.isdisjoint(caller.groups),
            manages=frozenset(group for group, users in self.managers.items() if caller.user in users),
            service=caller.user.startswith(SERVICE),
        )


_MAY = {
    Role.OWNER: frozenset(Act),
    # Neither reads what others' jobs write, nor enters them: looking after a pool needs no secrets of its users.
    Role.MANAGER: frozenset({Act.SEE, Act.CHANGE, Act.REMOVE}),
    Role.OPERATOR: frozenset({Act.SEE, Act.CHANGE, Act.REMOVE}),
}


def may(caller: Identity, act: Act, owner: Account) -> Role | None:
    """As what the caller may do this to a thing of `owner`'s; None: they may not. Names count as a whole."""
    return next((role for role in _roles(caller, owner) if act in _MAY[role]), None)


def looks_after_others(caller: Identity) -> bool:
    """Whether there may be others whose jobs the caller sees."""
    return operates(caller) or (Scope.OPERATE in caller.scopes and bool(caller.manages))


def oversees(caller: Identity) -> frozenset[str] | None:
    """The groups whose users' jobs the caller sees as `may` has it, without being their user; None: everybody's."""
    if not looks_after_others(caller):
        return frozenset()
    return None if operates(caller) else caller.manages - {""}


def operates(caller: Identity) -> bool:
    """Whether the caller is an operator, with a token that is good for it."""
    return caller.operator and Scope.OPERATE in caller.scopes


def described(caller: Identity) -> dict[str, Any]:
    """The caller as JSON: what they are to this service."""
    shown: dict[str, Any] = {
        "user": caller.user,
        "groups": list(caller.groups),
        "roles": ["service" if caller.service else "user"],
        "scopes": [scope for scope in Scope if scope in caller.scopes],
    }
    if looks_after_others(caller):
        shown["roles"] += [Role.MANAGER] * bool(caller.manages) + [Role.OPERATOR] * caller.operator
        shown["manages"] = sorted(caller.manages)
    if caller.expires is not None:
        shown["expires"] = int(caller.expires)
    return shown


def need(caller: Identity, *scopes: Scope) -> None:
    """Raises Forbidden when the caller's token is not good for all of this."""
    missing = [scope for scope in scopes if scope not in caller.scopes]
    if missing:
        raise Forbidden(f"The token is not good for this; it would need {' and '.join(missing)}.")


def charged(caller: Identity, wanted: str | None, default: str) -> Account:
    """Whom a job of the caller's is charged to. Raises Rejected.

    wanted: the group that the job names. default, when it names none: "first" for the caller's first, "none" for no
    group, "ask" to refuse where there are several.
    """
    if wanted is not None:
        if wanted not in caller.groups:
            raise Rejected.because(f"you are not in this group; {_yours(caller)}", "group")
        return Account(caller.user, wanted)
    if default == "none" or not caller.groups:
        return Account(caller.user)
    if default == "ask" and len(caller.groups) > 1:
        raise Rejected.because(f"is needed here, since you are in several groups; {_yours(caller)}", "group")
    return Account(caller.user, caller.groups[0])


def _roles(caller: Identity, owner: Account) -> list[Role]:
    """All that the caller is to the owner, the nearest first."""
    found = [Role.OWNER] if caller.user == owner.user else []
    if looks_after_others(caller):
        found += [Role.MANAGER] if owner.group and owner.group in caller.manages else []
        found += [Role.OPERATOR] if operates(caller) else []
    return found


def _yours(caller: Identity) -> str:
    return f"yours are {', '.join(caller.groups)}" if caller.groups else "you are in none"
