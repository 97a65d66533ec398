"""Workers by name, clouds, health: read the request, call one function, write the answer."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, SecretStr

from prominence.core import classads, logs, tracing
from prominence.core.errors import Forbidden, NotFound, Rejected, Unauthenticated, Unavailable
from prominence.core.machines import NAME_PATTERN, WorkerRequest
from prominence.core.validation import parse
from prominence.imc import openapi, wishes
from prominence.imc.offers import PlacementQuestion, answer
from prominence.imc.ports import Pool
from prominence.imc.reading import json_of_request
from prominence.imc.records import Records

log = logs.get(__name__)

LONGEST_SILENCE_S = 60

_OF_OWNERS = ("imc.admit", "imc.shut_out")
_FOR_ANYBODY = ("imc.health", "imc.description")


@dataclass(frozen=True)
class Services:
    """What the routes work with. changed: to be told after each write. silent_for_s: of the reconciler's loop.
    configuration: what is wrong with the settings as they are now.

    token: of the scaler. owners_token: of the REST API, for what concerns workers of users and nothing else.
    collector, trust_domain: of the pool, as such workers are told them.
    """

    records: Records
    pool: Pool
    token: SecretStr
    owners_token: SecretStr | None
    clock: Callable[[], datetime]
    changed: Callable[[], None]
    silent_for_s: Callable[[], float]
    configuration: Callable[[], str] = lambda: ""
    collector: str = ""
    trust_domain: str = ""


def blueprint(services: Services) -> Blueprint:
    """All routes."""
    routes = Blueprint("imc", __name__)

    @routes.before_request
    def authenticate() -> None:
        if request.endpoint in _OF_OWNERS:
            if services.owners_token is None:
                raise Forbidden("This pool gives no tokens to workers of users.")
            _authenticate(services.owners_token)
        elif request.endpoint not in _FOR_ANYBODY:
            _authenticate(services.token)

    _add_workers(routes, services)
    _add_upkeep(routes, services)
    _add_owners(routes, services)
    _add_the_rest(routes, services)
    return routes


def _add_workers(routes: Blueprint, services: Services) -> None:
    @routes.put("/v1/workers/<name>")
    def put(name: str) -> ResponseReturnValue:
        valid = _name(name)
        wish = parse(WorkerRequest, json_of_request())
        record, is_new = wishes.ask(services.records, valid, wish, services.clock(), tracing.current())
        services.changed()
        if is_new:
            log.info("a worker is asked for", worker=valid, reason=wish.reason)
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


def _add_upkeep(routes: Blueprint, services: Services) -> None:
    """What administrators ask for; the scaler puts whole wishes."""

    @routes.post("/v1/workers/<name>/drain")
    def drain(name: str) -> ResponseReturnValue:
        record = wishes.drain(services.records, _name(name), request.args.get("reason", "drained by request"))
        services.changed()
        return _dumped(record)

    @routes.delete("/v1/workers/<name>/record")
    def forget(name: str) -> ResponseReturnValue:
        wishes.forget(services.records, _name(name))
        return "", 204

    @routes.post("/v1/placements")
    def offers() -> ResponseReturnValue:
        question = parse(PlacementQuestion, json_of_request())
        return _dumped(answer(question, services.records.clouds()))


def _add_owners(routes: Blueprint, services: Services) -> None:
    @routes.post("/v1/owners/<name>/tokens")
    def admit(name: str) -> ResponseReturnValue:
        admission = services.pool.mint_for_owner(_owner(name))
        log.info("token for workers of a user", owner=name)
        told = openapi.TokenTold(
            token=admission.token.get_secret_value(),
            lifetime_s=admission.lifetime_s,
            collector=services.collector,
            trust_domain=services.trust_domain,
        )
        return _dumped(told), 201

    @routes.delete("/v1/owners/<name>/tokens")
    def shut_out(name: str) -> ResponseReturnValue:
        services.pool.revoke_of_owner(_owner(name), services.clock())
        log.info("tokens for workers of a user revoked", owner=name)
        return "", 204


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
        return _dumped(openapi.Health(configuration=services.configuration()))

    @routes.get("/openapi.json")
    def description() -> ResponseReturnValue:
        return openapi.describe()


def _authenticate(token: SecretStr) -> None:
    kind, _, shown = request.headers.get("Authorization", "").partition(" ")
    expected = token.get_secret_value().encode()
    if kind.lower() != "bearer" or not hmac.compare_digest(shown.strip().encode(), expected):
        raise Unauthenticated("A valid bearer token is needed.")


def _name(name: str) -> str:
    if not re.fullmatch(NAME_PATTERN, name):
        raise Rejected.because("lower-case letters, digits and hyphens are needed, 2 to 63 of them", "name")
    return name


def _owner(name: str) -> str:
    if not re.fullmatch(classads.OWNER_PATTERN, name):
        raise Rejected.because("lower-case letters, digits and hyphens are needed, 1 to 63 of them", "owner")
    return name


def _dumped(document: BaseModel) -> dict[str, object]:
    dumped: dict[str, object] = document.model_dump(mode="json")
    return dumped
