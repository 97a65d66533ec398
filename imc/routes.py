"""Workers by name, clouds, health: read the request, call one function, write the answer."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, SecretStr

from prominence.core.errors import NotFound, Rejected, Unauthenticated, Unavailable
from prominence.core.machines import NAME_PATTERN, WorkerRequest
from prominence.core.validation import parse
from prominence.imc import wishes
from prominence.imc.records import Records

LONGEST_SILENCE_S = 60


@dataclass(frozen=True)
class Services:
    """What the routes work with. changed: to be told after each write. silent_for_s: of the reconciler's loop."""

    records: Records
    token: SecretStr
    clock: Callable[[], datetime]
    changed: Callable[[], None]
    silent_for_s: Callable[[], float]


def blueprint(services: Services) -> Blueprint:
    """All routes."""
    routes = Blueprint("imc", __name__)

    @routes.before_request
    def authenticate() -> None:
        if request.endpoint != "imc.health":
            _authenticate(services.token)

    _add_workers(routes, services)
    _add_the_rest(routes, services)
    return routes


def _add_workers(routes: Blueprint, services: Services) -> None:
    @routes.put("/v1/workers/<name>")
    def put(name: str) -> ResponseReturnValue:
        valid = _name(name)
        wish = parse(WorkerRequest, _json())
        record, is_new = wishes.ask(services.records, valid, wish, services.clock())
        services.changed()
        return _dumped(record), 201 if is_new else 200

    @routes.get("/v1/workers/<name>")
    def get(name: str) -> ResponseReturnValue:
        record = services.records.get(_name(name))
        if record is None:
            raise NotFound(f"There is no worker {name}.")
        return _dumped(record)

    @routes.get("/v1/workers")
    def list_workers() -> ResponseReturnValue:
        return [_dumped(record) for record in services.records.all().records]

    @routes.delete("/v1/workers/<name>")
    def delete(name: str) -> ResponseReturnValue:
        reason = request.args.get("reason", "deleted by request")
        record = wishes.remove(services.records, _name(name), reason)
        services.changed()
        return _dumped(record)


def _add_the_rest(routes: Blueprint, services: Services) -> None:
    @routes.get("/v1/clouds")
    def clouds() -> ResponseReturnValue:
        return [_dumped(cloud) for cloud in services.records.clouds()]

    @routes.get("/health")
    def health() -> ResponseReturnValue:
        silence_s = services.silent_for_s()
        if silence_s > LONGEST_SILENCE_S:
            raise Unavailable(f"The reconciler has done nothing for {silence_s:.0f} s.")
        services.records.check()
        return "", 204


def _authenticate(token: SecretStr) -> None:
    kind, _, shown = request.headers.get("Authorization", "").partition(" ")
    expected = token.get_secret_value().encode()
    if kind.lower() != "bearer" or not hmac.compare_digest(shown.strip().encode(), expected):
        raise Unauthenticated("A valid bearer token is needed.")


def _name(name: str) -> str:
    if not re.fullmatch(NAME_PATTERN, name):
        raise Rejected.because("lower-case letters, digits and hyphens are needed, 2 to 63 of them", "name")
    return name


def _json() -> object:
    try:
        return json.loads(request.get_data())
    except (ValueError, RecursionError) as error:  # not UTF-8, not JSON, or nested without end
        raise Rejected.because("the body is not JSON") from error


def _dumped(document: BaseModel) -> dict[str, object]:
    dumped: dict[str, object] = document.model_dump(mode="json")
    return dumped
