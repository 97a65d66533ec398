"""Data: where to upload, what there is, delete; how much of it one may have; and what jobs get and leave."""

from __future__ import annotations

from dataclasses import asdict

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from prominence.restapi import data, grants, legacy, space
from prominence.restapi.identity import Scope
from prominence.restapi.objects import Form
from prominence.restapi.routes.reading import body, caller, parameters, token
from prominence.restapi.services import Services


def blueprint(services: Services) -> Blueprint:
    """All of them, on these services."""
    routes = Blueprint("data", __name__)

    @routes.post("/data/upload")
    @routes.post("/data")
    def upload() -> ResponseReturnValue:
        user = caller(services, Scope.DATA_WRITE)
        wanted = body() if request.content_length else legacy.upload(parameters())
        allowed = data.upload(wanted, user, services)
        return asdict(allowed) if isinstance(allowed, Form) else {"url": allowed.url}, 201

    @routes.get("/data")
    @routes.get("/data/<path:path>")
    def listing(path: str = "") -> ResponseReturnValue:
        user = caller(services, Scope.DATA_READ)
        return data.listing(path, user, services)

    @routes.delete("/data/<path:name>")
    def delete(name: str) -> ResponseReturnValue:
        user = caller(services, Scope.DATA_WRITE)
        data.delete(name, user, services)
        return "", 204

    @routes.get("/quota")
    def quota() -> ResponseReturnValue:
        user = caller(services, Scope.DATA_READ)
        return space.told(user, services)

    @routes.post("/data/input")
    def job_input() -> ResponseReturnValue:
        found = grants.input_address(token(), body(), services)
        return {name: value for name, value in asdict(found).items() if value is not None}, 201

    @routes.post("/data/output")
    def job_output() -> ResponseReturnValue:
        allowed = grants.output_address(token(), body(), services)
        return {"url": allowed.url, **({"headers": dict(allowed.headers)} if allowed.headers else {})}, 201

    return routes
