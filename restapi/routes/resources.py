"""The workers that there are."""

from __future__ import annotations

from flask import Blueprint
from flask.typing import ResponseReturnValue

from prominence.restapi import resources
from prominence.restapi.identity import Scope
from prominence.restapi.routes.reading import caller
from prominence.restapi.services import Services


def blueprint(services: Services) -> Blueprint:
    """On these services."""
    routes = Blueprint("resources", __name__)

    @routes.get("/resources")
    def read() -> ResponseReturnValue:
        user = caller(services, Scope.JOBS_READ)
        return {"existing": resources.existing(services.machines.slots(), user)}

    return routes
