"""Who the caller is, and their tokens."""

from __future__ import annotations

from flask.typing import ResponseReturnValue

from prominence.core.errors import NotFound, QuotaReached
from prominence.restapi import tokens
from prominence.restapi.answers.general import Done
from prominence.restapi.answers.tokens import TokenMade, TokenShown, Whoami, WorkerToken
from prominence.restapi.identity import Scope, described
from prominence.restapi.operations import Access, Content, json
from prominence.restapi.parameters.tokens import ListTokensParameters
from prominence.restapi.routes.noun import Noun
from prominence.restapi.routes.reading import anybody, body, caller, parameters
from prominence.restapi.services import Services
from prominence.restapi.tokens import TokenRequest


def blueprint(services: Services) -> Noun:
    """All of them, on these services."""
    routes = Noun("tokens")
    _of_the_caller(routes, services)
    _for_scripts(routes, services)
    _for_workers(routes, services)
    return routes


def _of_the_caller(routes: Noun, services: Services) -> None:
    @routes.serves("GET /whoami", "Who you are here", Access.ANY_TOKEN, json("You.", Whoami))
    def whoami() -> ResponseReturnValue:
        return described(anybody(services))

    @routes.serves(
        "POST /logout",
        "End the token that comes with the request",
        Access.ANY_TOKEN,
        json("It is good for nothing any more.", Done),
    )
    def logout() -> ResponseReturnValue:
        tokens.log_out(anybody(services), services)
        return {}


def _for_scripts(routes: Noun, services: Services) -> None:
    @routes.serves(
        "POST /tokens",
        "Make a token for a script or a service",
        Scope.TOKENS,
        json("The token, told this once.", TokenMade, 201),
        body=Content(TokenRequest),
        refuses=(QuotaReached,),
    )
    def create_token() -> ResponseReturnValue:
        user = caller(services, Scope.TOKENS)
        return tokens.create(body(), user, services), 201

    @routes.serves(
        "GET /tokens",
        "List your tokens",
        Scope.TOKENS,
        json("The tokens.", list[TokenShown]),
        parameters=ListTokensParameters,
    )
    def list_tokens() -> ResponseReturnValue:
        user = caller(services, Scope.TOKENS)
        return tokens.list_tokens(ListTokensParameters.read(parameters()).all, user, services)

    @routes.serves(
        "DELETE /tokens/<id>",
        "Revoke a token",
        Scope.TOKENS,
        json("It is good for nothing any more.", Done),
        refuses=(NotFound,),
    )
    def revoke_token(id: str) -> ResponseReturnValue:
        user = caller(services, Scope.TOKENS)
        tokens.revoke(id, user, services)
        return {}


def _for_workers(routes: Noun, services: Services) -> None:
    @routes.serves(
        "POST /token",
        "Make a token for workers of your own, which run your jobs alone",
        Scope.TOKENS,
        json("The token, told this once.", WorkerToken, 201),
    )
    def worker_token() -> ResponseReturnValue:
        return tokens.for_workers(caller(services, Scope.TOKENS), services), 201

    @routes.serves(
        "DELETE /token",
        "Revoke all tokens for workers of your own",
        Scope.TOKENS,
        json("They are good for nothing any more.", Done),
    )
    def revoke_worker_tokens() -> ResponseReturnValue:
        tokens.shut_out_workers(caller(services, Scope.TOKENS), services)
        return {}
