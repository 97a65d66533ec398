"""Webhooks."""

from __future__ import annotations

from flask.typing import ResponseReturnValue

from prominence.core.errors import NotFound, QuotaReached
from prominence.restapi.answers.general import Done
from prominence.restapi.answers.webhooks import WebhookMade, WebhookShown
from prominence.restapi.identity import Scope
from prominence.restapi.operations import Content, json
from prominence.restapi.routes.noun import Noun
from prominence.restapi.routes.reading import body, caller
from prominence.restapi.services import Services
from prominence.restapi.webhooks import verbs
from prominence.restapi.webhooks.verbs import WebhookRequest


def blueprint(services: Services) -> Noun:
    """On these services."""
    routes = Noun("webhooks")

    @routes.serves(
        "POST /webhooks",
        "Register a program of yours, or of a group that you look after, to be called",
        Scope.JOBS_WRITE,
        json("The webhook, with its secret, told this once.", WebhookMade, 201),
        body=Content(WebhookRequest),
        refuses=(QuotaReached,),
    )
    def create_webhook() -> ResponseReturnValue:
        user = caller(services, Scope.JOBS_WRITE)
        return verbs.create(body(), user, services), 201

    @routes.serves(
        "GET /webhooks",
        "List your webhooks, and those of groups that you look after, with how they do",
        Scope.JOBS_READ,
        json("The webhooks.", list[WebhookShown]),
    )
    def list_webhooks() -> ResponseReturnValue:
        return verbs.listed(caller(services, Scope.JOBS_READ), services)

    @routes.serves(
        "DELETE /webhooks/<webhook>",
        "Call a webhook no more",
        Scope.JOBS_WRITE,
        json("It is called no more.", Done),
        refuses=(NotFound,),
    )
    def delete_webhook(webhook: str) -> ResponseReturnValue:
        verbs.delete(webhook, caller(services, Scope.JOBS_WRITE), services)
        return {}

    return routes
