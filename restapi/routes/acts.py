"""Acts on jobs that are there: hold, release, edit, take out of the queue, clone."""

from __future__ import annotations

from flask import Blueprint
from flask.typing import ResponseReturnValue

from prominence.restapi import actions
from prominence.restapi.identity import Scope
from prominence.restapi.parameters import job_id
from prominence.restapi.routes.reading import body, caller
from prominence.restapi.services import Services


def blueprint(services: Services) -> Blueprint:
    """All of them, on these services."""
    routes = Blueprint("acts", __name__)

    @routes.put("/jobs/<job>/hold")
    def hold(job: str) -> ResponseReturnValue:
        actions.hold(job_id(job), caller(services, Scope.JOBS_WRITE), services)
        return {}

    @routes.put("/jobs/<job>/release")
    def release(job: str) -> ResponseReturnValue:
        actions.release(job_id(job), caller(services, Scope.JOBS_WRITE), services)
        return {}

    @routes.patch("/jobs/<job>")
    def edit(job: str) -> ResponseReturnValue:
        user = caller(services, Scope.JOBS_WRITE)
        actions.edit(job_id(job), body(), user, services)
        return {}

    @routes.put("/jobs/<job>/remove")
    def remove(job: str) -> ResponseReturnValue:
        actions.dismiss(job_id(job), caller(services, Scope.JOBS_WRITE), services)
        return {}

    @routes.put("/jobs/<job>/clone")
    def clone(job: str) -> ResponseReturnValue:
        return {"id": actions.clone(job_id(job), caller(services, Scope.JOBS_WRITE), services)}, 201

    return routes
