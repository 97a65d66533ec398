"""What a request says, read into our own types: who calls, and the JSON in its body."""

from __future__ import annotations

import json
import sys
from typing import Any

from flask import g, request
from werkzeug.exceptions import RequestEntityTooLarge

from prominence.core.errors import Rejected, Unauthenticated
from prominence.restapi import legacy
from prominence.restapi.identity import Identity, Scope, need
from prominence.restapi.services import Services


def caller(services: Services, *scopes: Scope) -> Identity:
    """Whose token came with the request, if it is good for these scopes; a route that names none needs them all.

    Raises Unauthenticated, Forbidden, TooMany.
    """
    found = anybody(services)
    need(found, *(scopes or Scope))
    return found


def anybody(services: Services) -> Identity:
    """Whose token came with the request, whatever it is good for. Raises Unauthenticated, TooMany."""
    found = g.caller = services.identities.who(token())
    services.requests.take(found.user)
    return found


def token() -> str:
    """The token that came with the request. Raises Unauthenticated."""
    found = legacy.token(request.headers.get("Authorization", ""))
    if not found:
        raise Unauthenticated("A token is needed: Authorization: Bearer TOKEN.")
    return found


def parameters() -> dict[str, list[str]]:
    """What stands behind the ? in the address."""
    return request.args.to_dict(flat=False)


def content() -> bytes:
    """The request's body as it came. Raises RequestEntityTooLarge."""
    found = request.get_data()
    # Of a body that comes in chunks, so that nobody has said its length, Werkzeug drops what is beyond the limit.
    if request.content_length is None and len(found) >= (request.max_content_length or sys.maxsize):
        raise RequestEntityTooLarge
    return found


def body() -> Any:
    """The JSON in the request's body. Raises Rejected for anything that could be read in two ways."""
    try:
        text = content().decode("utf-8-sig")  # some editors put a mark before it
        return json.loads(text, object_pairs_hook=_distinct, parse_constant=_not_json)
    except UnicodeDecodeError as error:
        raise Rejected.because("The body is not text in UTF-8.") from error
    except RecursionError as error:
        raise Rejected.because("The body is nested too deeply.") from error
    except ValueError as error:  # not JSON, numbers of thousands of digits
        raise Rejected.because(f"The body is not JSON: {error}.") from error


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of two values under one name, which would count?"""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{ascii(name)} is given twice in one object")
        found[name] = value
    return found


def _not_json(name: str) -> Any:
    raise ValueError(f"{name} is not a number in JSON")
