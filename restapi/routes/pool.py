"""The pool as a whole."""

from __future__ import annotations

from flask.typing import ResponseReturnValue

from prominence.restapi import pool
from prominence.restapi.answers.pool import PoolShown
from prominence.restapi.identity import Scope
from prominence.restapi.operations import json
from prominence.restapi.routes.noun import Noun
from prominence.restapi.routes.reading import caller
from prominence.restapi.services import Services


def blueprint(services: Services) -> Noun:
    """On these services."""
    routes = Noun("pool", about="resources")

    @routes.serves(
        "GET /pool",
        "The pool as the scaler last saw it: what waits and why, workers, clouds, and what it did",
        Scope.JOBS_READ,
        json("The pool.", PoolShown),
    )
    def show_pool() -> ResponseReturnValue:
        user = caller(services, Scope.JOBS_READ)
        return pool.summary(user, services)

    return routes
