"""The description of the API: for programs in OpenAPI, for people as a page. For anybody."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from flask import Response
from flask.typing import ResponseReturnValue

from prominence.restapi import openapi, page
from prominence.restapi.answers.service import Description
from prominence.restapi.operations import HTML, Access, Answer, Content, json
from prominence.restapi.routes.noun import Noun

_NOTHING_ELSE = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'"}
"""The page loads nothing and runs nothing, whatever might get into it."""


def of(nouns: Sequence[Noun]) -> dict[str, Any]:
    """Of all their operations, in OpenAPI."""
    return openapi.describe([operation for noun in nouns for operation in noun.operations])


def blueprint(others: Sequence[Noun]) -> Noun:
    """Of all operations of the others, and its own."""
    routes = Noun("description", about="service")

    @cache
    def description() -> dict[str, Any]:
        return of([*others, routes])

    @routes.serves(
        "GET /openapi.json",
        "This description of the API, in OpenAPI 3.1",
        Access.ANYBODY,
        json("The description.", Description),
    )
    def openapi_json() -> ResponseReturnValue:
        return description()

    @routes.serves(
        "GET /docs",
        "This description for people, as a page",
        Access.ANYBODY,
        {200: Answer("The page.", Content(media_type=HTML))},
    )
    def docs() -> ResponseReturnValue:
        return Response(page.render(description()), content_type="text/html; charset=utf-8", headers=_NOTHING_ELSE)

    return routes
