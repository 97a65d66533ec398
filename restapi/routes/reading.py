"""What a request says, read into our own types: who calls, and the JSON in its body."""

from __future__ import annotations

import json
from typing import Any

from flask import request

from prominence.core.errors import Rejected, Unauthenticated
from prominence.restapi import legacy
from prominence.restapi.identity import Identity, Scope, need
from prominence.restapi.services import Services


def caller(services: Services, *scopes: Scope) -> Identity:
    """Whose token came with the request, if it is good for these scopes; a route that names none needs them all.

    Raises Unauthenticated, Forbidden.
    """
    found = anybody(services)
    need(found, *(scopes or Scope))
    return found


def anybody(services: Services) -> Identity:
    """Whose token came with the request, whatever it is good for. Raises Unauthenticated."""
    return services.identities.who(token())


def token() -> str:
    """The token that came with the request. Raises Unauthenticated."""
    found = legacy.token(request.headers.get("Authorization", ""))
    if not found:
        raise Unauthenticated("A token is needed: Authorization: Bearer TOKEN.")
    return found


def parameters() -> dict[str, list[str]]:
    """What stands behind the ? in the address."""
    return request.args.to_dict(flat=False)


def body() -> Any:
    """The JSON in the request's body. Raises Rejected for anything that could be read in two ways."""
    try:
        return json.loads(request.get_data(), object_pairs_hook=_distinct, parse_constant=_not_json)
    except RecursionError as error:
        raise Rejected.because("The body is nested too deeply.") from error
    except ValueError as error:  # not UTF-8, not JSON, numbers of thousands of digits
        raise Rejected.because(f"The body is not JSON: {error}.") from error


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of two values under one name, which would count?"""
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{ascii(twice)} is given twice in one object")
    return found


def _not_json(name: str) -> Any:
    raise ValueError(f"{name} is not a number in JSON")
