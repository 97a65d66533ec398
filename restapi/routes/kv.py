"""Keys and values of users."""

from __future__ import annotations

from flask import Blueprint, Response, request
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue
from werkzeug.routing import BaseConverter

from prominence.restapi import legacy
from prominence.restapi.identity import Scope
from prominence.restapi.kv import UserKeys
from prominence.restapi.routes.reading import caller, content, parameters
from prominence.restapi.services import Services


def blueprint(services: Services) -> Blueprint:
    """All of them, on these services."""
    routes = Blueprint("kv", __name__)
    routes.record_once(_know_keys)

    @routes.get("/kv")
    def read_all() -> ResponseReturnValue:
        return read("")

    @routes.get("/kv/<key:key>")
    def read(key: str) -> ResponseReturnValue:
        keys = _keys(services, Scope.KV_READ)
        asked = parameters()
        if not legacy.lists_keys(key, asked):
            return Response(keys.get(key), content_type="text/plain; charset=utf-8")
        if "values" in asked:
            return keys.values(key)
        return keys.keys(key)

    @routes.post("/kv/<key:key>")
    def write(key: str) -> ResponseReturnValue:
        keys = _keys(services, Scope.KV_WRITE)
        keys.set(key, content(), request.args.get("prev"))
        return {}, 201

    @routes.delete("/kv/<key:key>")
    def delete(key: str) -> ResponseReturnValue:
        keys = _keys(services, Scope.KV_WRITE)
        if "prefix" in parameters():
            keys.delete_below(key)
        else:
            keys.delete(key)
        return {}

    return routes


class _Key(BaseConverter):
    """All that is left of an address, slashes included, at its beginning and end too."""

    regex = ".*"
    part_isolating = False


def _know_keys(state: BlueprintSetupState) -> None:
    state.app.url_map.converters["key"] = _Key


def _keys(services: Services, scope: Scope) -> UserKeys:
    return UserKeys(services.store, caller(services, scope).user, services.kv)
