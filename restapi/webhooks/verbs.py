"""What people do with webhooks: register them, look how they do, take them away."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints, WithJsonSchema

from prominence.core.errors import Forbidden, NotFound, QuotaReached, Rejected
from prominence.core.validation import Spelling, Strict, parse
from prominence.restapi import audit
from prominence.restapi.identity import Identity, oversees
from prominence.restapi.services import Services
from prominence.restapi.webhooks import addresses, records
from prominence.restapi.webhooks.records import Event, State, Webhook, Webhooks
from prominence.restapi.webhooks.rules import SENTENCES

Name = Annotated[
    str,
    StringConstraints(max_length=64),
    Spelling(r"[A-Za-z0-9_. -]*", "may hold letters (a to z), digits, spaces and _ . - only"),
]
Url = Annotated[
    str,
    StringConstraints(max_length=addresses.LONGEST_URL),
    Spelling(
        addresses.PATTERN,
        "must begin with https:// and the name of a host, of plain characters without spaces; others are written as "
        "%XX, and names in IDNA",
    ),
]
AnyEvent = Annotated[Event, Field(strict=False), WithJsonSchema({"type": "string", "enum": list(Event)})]


class WebhookRequest(Strict):
    """A webhook as it is asked for."""

    url: Url = Field(description="Where it listens; https.")
    events: tuple[AnyEvent, ...] = Field(
        default=(), strict=False, description="What it is told of; absent: all that can be of its owner's."
    )
    group: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = Field(
        default=None, description="For a group's managers, and operators: it is the group's, not the caller's."
    )
    name: Name = Field(default="", description="A name for people: what listens there.")


def create(body: Any, caller: Identity, services: Services) -> dict[str, Any]:
    """Register the webhook that a request's body describes; what is known of it with its secret, told this once.

    Raises Forbidden, QuotaReached, Unavailable, and Rejected with every mistake.
    """
    office = _office(services)
    wanted = parse(WebhookRequest, body)
    _check(wanted, caller, office)
    known = records.of_group(wanted.group, services.store) if wanted.group else []
    known = known if wanted.group else records.of_user(caller.user, services.store)
    if len(known) >= office.most:
        raise QuotaReached(f"There may be {office.most} webhooks of one owner; delete some first.")
    webhook = Webhook(
        id=secrets.token_hex(16),
        url=wanted.url,
        events=tuple(dict.fromkeys(wanted.events)) or _all_of(wanted.group),
        user=caller.user,
        group=wanted.group or "",
        name=wanted.name,
        made_at=services.clock(),
    )
    records.keep(webhook, services.store)
    audit.record("webhook.create", caller, before=None, after=_noted(webhook))
    return {**shown(webhook, State()), "secret": office.secret(webhook.id)}


def listed(caller: Identity, services: Services) -> list[dict[str, Any]]:
    """The caller's webhooks, and those of the groups that they look after, with how they do. Raises Unavailable."""
    _office(services)
    found = visible(caller, services)
    others = sorted({one.group for one in found if one.group} - set(caller.groups))
    if others:
        audit.record("see webhooks", caller, groups=others)
    return [shown(one, records.state_of(one.place, services.store)) for one in found]


def delete(webhook_id: str, caller: Identity, services: Services) -> None:
    """Call it no more. Raises NotFound, also for one of others'; Unavailable."""
    _office(services)
    found = next((one for one in visible(caller, services) if one.id == webhook_id), None)
    if found is None:
        raise NotFound(f"There is no webhook {ascii(webhook_id)} of yours.")
    records.forget(found, services.store)
    audit.record("webhook.delete", caller, before=_noted(found), after=None)


def visible(caller: Identity, services: Services) -> list[Webhook]:
    """Those that the caller may see, and take away."""
    groups = oversees(caller)
    own = records.of_user(caller.user, services.store)
    if groups is None:
        return own + records.of_all_groups(services.store)
    return own + [one for group in sorted(groups) for one in records.of_group(group, services.store)]


def shown(webhook: Webhook, state: State) -> dict[str, Any]:
    """As JSON, without its secret."""
    told: dict[str, Any] = {
        "id": webhook.id,
        "url": webhook.url,
        "events": list(webhook.events),
        "user": webhook.user,
        "name": webhook.name,
        "madeAt": _epoch(webhook.made_at),
        "isGone": state.gone,
        "failures": state.failures,
        "givenUp": [
            {"message": one.message, "event": one.event, "at": _epoch(one.at), "reason": one.reason.value}
            for one in state.given_up
        ],
    }
    if webhook.group:
        told["group"] = webhook.group
    if state.taken_at is not None:
        told["takenAt"] = _epoch(state.taken_at)
    if state.reason is not None and state.since is not None:
        told |= {"reason": state.reason.value, "since": _epoch(state.since)}
        told["statusReason"] = SENTENCES[state.reason] + (f" It answered {state.status}." if state.status else "")
    return told


def _office(services: Services) -> Webhooks:
    if services.webhooks is None:
        raise Forbidden("This service calls no webhooks; its operator would have to switch that on.")
    return services.webhooks


def _check(wanted: WebhookRequest, caller: Identity, office: Webhooks) -> None:
    if wanted.group is not None:
        groups = oversees(caller)
        if groups is not None and wanted.group not in groups:
            raise Forbidden("Managers of a group, and operators, alone register webhooks of it.")
    elif Event.BUDGET_ALERT in wanted.events:
        raise Rejected.because(f"{Event.BUDGET_ALERT} is of a group: name it", "events")
    if problem := addresses.refusal(wanted.url, office.allowed):
        raise Rejected.because(problem, "url")


def _all_of(group: str | None) -> tuple[Event, ...]:
    return tuple(one for one in Event if group is not None or one is not Event.BUDGET_ALERT)


def _noted(webhook: Webhook) -> dict[str, Any]:
    """For the audit log: an address may hold what only its owner should know, so its host alone."""
    host = addresses.parts_of(webhook.url).hostname
    return {"id": webhook.id, "host": host, "events": list(webhook.events), "of": webhook.group or webhook.user}


def _epoch(at: datetime) -> int:
    return int(at.timestamp())
