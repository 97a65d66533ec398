"""Budgets of groups."""

from __future__ import annotations

from flask import request
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue
from werkzeug.routing import BaseConverter

from prominence.core.errors import Conflict, NotFound
from prominence.restapi import idempotency
from prominence.restapi.answers.budgets import BudgetShown, Entry
from prominence.restapi.budgets import verbs
from prominence.restapi.budgets.verbs import AdjustmentRequest
from prominence.restapi.identity import Scope
from prominence.restapi.operations import Content, json
from prominence.restapi.routes.noun import Noun
from prominence.restapi.routes.reading import body, caller
from prominence.restapi.services import Services


def blueprint(services: Services) -> Noun:
    """On these services."""
    routes = Noun("budgets")
    routes.record_once(_know_groups)

    @routes.serves(
        "GET /budgets",
        "How it is with the budgets of your groups; of all whom you look after",
        Scope.JOBS_READ,
        json("The budgets.", list[BudgetShown]),
    )
    def list_budgets() -> ResponseReturnValue:
        return verbs.listed(caller(services, Scope.JOBS_READ), services)

    @routes.serves(
        "GET /budgets/<group:group>/ledger",
        "By how much a group's budget was adjusted, when, by whom and why",
        Scope.JOBS_READ,
        json("The adjustments, the oldest first.", list[Entry]),
        refuses=(NotFound,),
    )
    def show_ledger(group: str) -> ResponseReturnValue:
        return verbs.ledger(group, caller(services, Scope.JOBS_READ), services)

    @routes.serves(
        "POST /budgets/<group:group>/adjustments",
        "Give a group more service units, or less; for operators",
        Scope.OPERATE,
        json("The adjustment, as it is in the ledger.", Entry, 201),
        body=Content(AdjustmentRequest),
        headers={idempotency.HEADER: idempotency.SCHEMA},
        refuses=(NotFound, Conflict),
    )
    def adjust_budget(group: str) -> ResponseReturnValue:
        user = caller(services, Scope.OPERATE)
        key = idempotency.read_key(request.headers.get(idempotency.HEADER))
        return verbs.adjust(group, body(), key, user, services), 201

    return routes


class _Group(BaseConverter):
    """A group's whole name, whatever is in it, slashes at its beginning included."""

    regex = r"[\s\S]+"
    part_isolating = False


def _know_groups(state: BlueprintSetupState) -> None:
    state.app.url_map.converters["group"] = _Group
