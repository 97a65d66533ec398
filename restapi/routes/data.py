"""Data: where to upload, what there is, delete; how much of it one may have."""

from __future__ import annotations

from dataclasses import asdict

from flask import request
from flask.typing import ResponseReturnValue

from prominence.core.errors import QuotaReached
from prominence.restapi import data, legacy, space
from prominence.restapi.answers.data import (
    ObjectShown,
    Quota,
    UploadAddress,
)
from prominence.restapi.data import Upload
from prominence.restapi.identity import Scope
from prominence.restapi.objects import Form
from prominence.restapi.operations import Answer, Content, json
from prominence.restapi.routes.noun import Noun
from prominence.restapi.routes.reading import body, caller, parameters
from prominence.restapi.services import Services


def blueprint(services: Services) -> Noun:
    """All of them, on these services."""
    routes = Noun("data")
    _uploads(routes, services)
    _objects(routes, services)
    return routes


def _uploads(routes: Noun, services: Services) -> None:
    @routes.serves(
        "POST /data",
        "Where to send an object, by the address that old clients use",
        Scope.DATA_WRITE,
        json("Where to.", UploadAddress, 201),
        body=Content(Upload),
        refuses=(QuotaReached,),
    )
    def upload_as_before() -> ResponseReturnValue:
        return upload()

    @routes.serves(
        "POST /data/upload",
        "Where to send an object",
        Scope.DATA_WRITE,
        json("Where to.", UploadAddress, 201),
        body=Content(Upload),
        refuses=(QuotaReached,),
    )
    def upload() -> ResponseReturnValue:
        user = caller(services, Scope.DATA_WRITE)
        wanted = body() if request.content_length else legacy.upload(parameters())
        allowed = data.upload(wanted, user, services)
        return asdict(allowed) if isinstance(allowed, Form) else {"url": allowed.url}, 201


def _objects(routes: Noun, services: Services) -> None:
    @routes.serves("GET /data", "List your objects", Scope.DATA_READ, json("The objects.", list[ObjectShown]))
    def list_objects() -> ResponseReturnValue:
        return list_objects_below("")

    @routes.serves(
        "GET /data/<path:name>",
        "List a group's objects, or those in a folder of its",
        Scope.DATA_READ,
        json("The objects.", list[ObjectShown]),
    )
    def list_objects_below(name: str) -> ResponseReturnValue:
        user = caller(services, Scope.DATA_READ)
        return data.listing(name, user, services)

    @routes.serves(
        "DELETE /data/<path:name>",
        "Delete an object; none of that name is fine",
        Scope.DATA_WRITE,
        {204: Answer("It is not there any more.")},
    )
    def delete_object(name: str) -> ResponseReturnValue:
        user = caller(services, Scope.DATA_WRITE)
        data.delete(name, user, services)
        return "", 204

    @routes.serves(
        "GET /quota",
        "What you and your groups use, of how much, and how long things are kept",
        Scope.DATA_READ,
        json("Bytes and seconds.", Quota),
    )
    def quota() -> ResponseReturnValue:
        user = caller(services, Scope.DATA_READ)
        return space.told(user, services)
