"""Keys and values of users."""

from __future__ import annotations

from flask import Response
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue
from werkzeug.routing import BaseConverter

from prominence.core.errors import QuotaReached
from prominence.restapi import audit, legacy
from prominence.restapi.answers.general import Done
from prominence.restapi.answers.kv import Keys
from prominence.restapi.identity import Identity, Scope
from prominence.restapi.kv import NoSuchKey, UserKeys
from prominence.restapi.operations import TEXT, Answer, Content, json
from prominence.restapi.parameters.kv import DeleteKeysParameters, ReadKeysParameters, WriteKeyParameters
from prominence.restapi.routes.noun import Noun
from prominence.restapi.routes.reading import caller, content, parameters
from prominence.restapi.services import Services


def blueprint(services: Services) -> Noun:
    """All of them, on these services."""
    routes = Noun("kv")
    routes.record_once(_know_keys)
    _reading(routes, services)
    _writing(routes, services)
    return routes


def _reading(routes: Noun, services: Services) -> None:
    @routes.serves("GET /kv", "List your keys", Scope.KV_READ, json("The keys.", Keys), parameters=ReadKeysParameters)
    def list_keys() -> ResponseReturnValue:
        return read_key("")

    @routes.serves(
        "GET /kv/<key:key>",
        "The value of a key; with list, the keys that begin like this",
        Scope.KV_READ,
        {200: Answer("The value, or the keys.", Content(Keys), more=(Content(media_type=TEXT),))},
        parameters=ReadKeysParameters,
        refuses=(NoSuchKey,),
    )
    def read_key(key: str) -> ResponseReturnValue:
        keys = _keys(services, Scope.KV_READ)
        asked = ReadKeysParameters.read(parameters())
        if not legacy.lists_keys(key, asked.list):
            return Response(keys.get(key), content_type="text/plain; charset=utf-8")
        if asked.values:
            return keys.values(key)
        return keys.keys(key)


def _writing(routes: Noun, services: Services) -> None:
    @routes.serves(
        "POST /kv/<key:key>",
        "Set a key: the body, whatever its type, is the value",
        Scope.KV_WRITE,
        json("It is set.", Done, 201),
        parameters=WriteKeyParameters,
        body=Content(media_type=TEXT, least=1),
        refuses=(QuotaReached,),
    )
    def write_key(key: str) -> ResponseReturnValue:
        user = caller(services, Scope.KV_WRITE)
        value = content()
        before = _of(user, services).set(key, value, WriteKeyParameters.read(parameters()).prev)
        audit.record("set key", user, key=key, before=audit.size_of(before), after=audit.size_of(value))
        return {}, 201

    @routes.serves(
        "DELETE /kv/<key:key>",
        "Delete a key; with prefix, all that begin like this",
        Scope.KV_WRITE,
        json("It is not there any more.", Done),
        parameters=DeleteKeysParameters,
    )
    def delete_key(key: str) -> ResponseReturnValue:
        user = caller(services, Scope.KV_WRITE)
        keys = _of(user, services)
        if DeleteKeysParameters.read(parameters()).prefix:
            gone = keys.delete_below(key)
            audit.record("delete keys", user, prefix=key, before={"keys": gone.keys, "bytes": gone.total}, after=None)
        else:
            audit.record("delete key", user, key=key, before=audit.size_of(keys.delete(key)), after=None)
        return {}


class _Key(BaseConverter):
    """All that is left of an address, slashes included, at its beginning and end too."""

    regex = ".*"
    part_isolating = False


def _know_keys(state: BlueprintSetupState) -> None:
    state.app.url_map.converters["key"] = _Key


def _keys(services: Services, scope: Scope) -> UserKeys:
    return _of(caller(services, scope), services)


def _of(user: Identity, services: Services) -> UserKeys:
    return UserKeys(services.store, user.user, services.kv)
