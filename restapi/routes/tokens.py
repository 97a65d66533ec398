"""Who the caller is, and their tokens."""

from __future__ import annotations

from flask import Blueprint
from flask.typing import ResponseReturnValue

from prominence.core.errors import Forbidden
from prominence.restapi import tokens
from prominence.restapi.identity import Scope, described
from prominence.restapi.routes.reading import anybody, body, caller, parameters
from prominence.restapi.services import Services


def blueprint(services: Services) -> Blueprint:
    """All of them, on these services."""
    routes = Blueprint("tokens", __name__)

    @routes.get("/whoami")
    def whoami() -> ResponseReturnValue:
        return described(anybody(services))

    @routes.post("/logout")
    def logout() -> ResponseReturnValue:
        tokens.log_out(anybody(services), services)
        return {}

    @routes.post("/tokens")
    def create() -> ResponseReturnValue:
        user = caller(services, Scope.TOKENS)
        return tokens.create(body(), user, services), 201

    @routes.get("/tokens")
    def list_tokens() -> ResponseReturnValue:
        user = caller(services, Scope.TOKENS)
        return tokens.list_tokens("all" in parameters(), user, services)

    @routes.delete("/tokens/<token>")
    def revoke(token: str) -> ResponseReturnValue:
        user = caller(services, Scope.TOKENS)
        tokens.revoke(token, user, services)
        return {}

    @routes.post("/token")
    def worker_token() -> ResponseReturnValue:
        anybody(services)
        raise Forbidden("This service gives no tokens to workers of users: its pool makes its own workers.")

    return routes
