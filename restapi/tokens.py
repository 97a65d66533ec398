"""What users do with tokens: make them for their scripts, list and revoke them, log out; operators for services too."""

from __future__ import annotations

import secrets
from typing import Annotated, Any

from pydantic import Field, StringConstraints, WithJsonSchema

from prominence.core import classads
from prominence.core.errors import Forbidden, NotFound, QuotaReached, Rejected
from prominence.core.validation import WHOLE, Spelling, Strict, parse
from prominence.restapi import audit, token_records
from prominence.restapi.identity import SERVICE, Identity, Scope, operates
from prominence.restapi.ports import WorkerTokens
from prominence.restapi.services import Services
from prominence.restapi.token_records import TokenRecord

USUAL = tuple(scope for scope in Scope if scope not in (Scope.OPERATE, Scope.TOKENS))
"""What a token is good for when nobody says: all that its user's own things need."""

USUAL_DAYS = 30

LONGEST_DAYS = 36_500
"""Whatever the site allows."""

_DAY_S = 86_400

Name = Annotated[
    str,
    StringConstraints(max_length=64),
    Spelling(r"[A-Za-z0-9_. -]*", "may hold letters (a to z), digits, spaces and _ . - only"),
]
ServiceName = Annotated[
    str,
    StringConstraints(max_length=64),
    Spelling(r"[A-Za-z0-9_.-]+", "may hold letters (a to z), digits and _ . - only, at least one"),
]
Group = Annotated[str, StringConstraints(min_length=1, max_length=256)]
AnyScope = Annotated[
    Scope,
    Field(strict=False),
    WithJsonSchema({"type": "string", "enum": [scope for scope in Scope if scope != Scope.TOKENS]}),
]


class TokenRequest(Strict):
    """A token as it is asked for."""

    name: Name = Field(default="", description="A name for people: where it is used.")
    scopes: tuple[AnyScope, ...] = Field(
        default=USUAL,
        strict=False,
        description="What it is good for; absent: all but to operate and to make tokens.",
        json_schema_extra={"minItems": 1},
    )
    days: Annotated[int, Field(ge=1, le=LONGEST_DAYS), WHOLE] = Field(
        default=USUAL_DAYS, description="For how long it is good."
    )
    service: ServiceName | None = Field(
        default=None, description="For operators: the token is not the caller's, but of the service of this name."
    )
    groups: tuple[Group, ...] = Field(
        default=(), strict=False, description="Of a service: its groups. A user's token has its user's."
    )


def create(body: Any, caller: Identity, services: Services) -> dict[str, Any]:
    """Make the token that a request's body describes; its record with the token itself, which is never told again."""
    wanted = parse(TokenRequest, body)
    _check(wanted, caller, services)
    user = caller.user if wanted.service is None else SERVICE + wanted.service
    if len(token_records.of_user(services.store, user)) >= services.token_limits.most:
        raise QuotaReached(f"There may be {services.token_limits.most} tokens of a user; revoke some first.")
    now = int(services.clock().timestamp())
    record = TokenRecord(
        id=secrets.token_hex(16),
        user=user,
        name=wanted.name,
        scopes=tuple(dict.fromkeys(wanted.scopes)),
        groups=caller.groups if wanted.service is None else wanted.groups,
        made_at=now,
        expires=now + wanted.days * _DAY_S,
        made_by=caller.user,
        email=caller.email if wanted.service is None else "",
    )
    token_records.keep(services.store, record)
    audit.record("token.create", caller, of=user, id=record.id, before=None, after=shown(record))
    return {**shown(record), "token": services.sign(record)}


def list_tokens(everybody: bool, caller: Identity, services: Services) -> list[dict[str, Any]]:
    """The caller's tokens; for operators, if asked to, everybody's. The texts are in none of them."""
    if not everybody:
        found = token_records.of_user(services.store, caller.user)
    elif operates(caller):
        found = token_records.of_everybody(services.store)
    else:
        raise Forbidden("Operators alone see the tokens of others.")
    return [shown(record) for record in found]


def revoke(token_id: str, caller: Identity, services: Services) -> None:
    """Make a token of the caller's good for nothing; operators anybody's. Raises NotFound."""
    record = _find(token_id, caller, services)
    if record is None:
        raise NotFound(f"There is no token {ascii(token_id)} of yours.")
    token_records.revoke(services.store, record)
    audit.record("token.revoke", caller, of=record.user, id=record.id, before=shown(record), after=None)


def for_workers(caller: Identity, services: Services) -> dict[str, Any]:
    """A token by which machines of the caller's join the pool; they get the caller's jobs and no others.

    Raises Forbidden where nobody's may; Unavailable.
    """
    owner = classads.owner(caller.user)
    now = int(services.clock().timestamp())
    made = _worker_tokens(services).mint(owner)
    expires = now + made.lifetime_s
    audit.record("worker-token.create", caller, of=caller.user, owner=owner, expires=expires)
    where = {"collector": made.collector, "trustDomain": made.trust_domain}
    return {"token": made.token, "owner": owner, "expires": expires, **where}


def shut_out_workers(caller: Identity, services: Services) -> None:
    """Make all tokens for the caller's workers good for nothing. Raises Forbidden; Unavailable."""
    owner = classads.owner(caller.user)
    _worker_tokens(services).revoke(owner)
    audit.record("worker-token.revoke", caller, of=caller.user, owner=owner)


def _worker_tokens(services: Services) -> WorkerTokens:
    if services.worker_tokens is None:
        raise Forbidden("This service takes no workers of users: its pool makes its own.")
    return services.worker_tokens


def log_out(caller: Identity, services: Services) -> None:
    """Make the token that came with the request good for nothing."""
    if not caller.login:
        record = token_records.find(services.store, caller.user, caller.token)
        if record is not None:
            token_records.revoke(services.store, record)
    else:
        now = services.clock().timestamp()
        left = int(caller.expires - now) + 1 if caller.expires is not None else services.token_limits.login_s
        # Somewhat longer than it is good for, by whichever clock.
        token_records.end_login(services.store, caller.token, left + _DAY_S)
    audit.record("logout", caller)


def shown(record: TokenRecord) -> dict[str, Any]:
    """A record as JSON."""
    return {**record.model_dump(mode="json", exclude={"user", "made_at", "made_by", "email"}), "user": record.user,
            "madeAt": record.made_at, "madeBy": record.made_by}  # fmt: skip


def _check(wanted: TokenRequest, caller: Identity, services: Services) -> None:
    if wanted.service is not None and not operates(caller):
        raise Forbidden("Operators alone make tokens of services.")
    if not wanted.scopes:
        raise Rejected.because("at least one is needed", "scopes")
    if Scope.TOKENS in wanted.scopes:
        raise Rejected.because("a token that makes tokens could never be revoked; only a login can", "scopes")
    if wanted.groups and wanted.service is None:
        raise Rejected.because("a token of yours has your own groups", "groups")
    if wanted.days > services.token_limits.longest_days:
        raise Rejected.because(f"must be at most {services.token_limits.longest_days}", "days")


def _find(token_id: str, caller: Identity, services: Services) -> TokenRecord | None:
    if operates(caller):
        everybody = token_records.of_everybody(services.store)
    else:
        everybody = token_records.of_user(services.store, caller.user)
    return next((record for record in everybody if record.id == token_id), None)
