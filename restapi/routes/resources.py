"""The workers that there are."""

from __future__ import annotations

from flask.typing import ResponseReturnValue

from prominence.restapi import resources
from prominence.restapi.answers.resources import Workers
from prominence.restapi.identity import Scope
from prominence.restapi.operations import json
from prominence.restapi.routes.noun import Noun
from prominence.restapi.routes.reading import caller
from prominence.restapi.services import Services


def blueprint(services: Services) -> Noun:
    """On these services."""
    routes = Noun("resources")

    @routes.serves("GET /resources", "The workers that there are", Scope.JOBS_READ, json("The workers.", Workers))
    def list_workers() -> ResponseReturnValue:
        user = caller(services, Scope.JOBS_READ)
        return {"existing": resources.existing(services.machines.slots(), user)}

    return routes
