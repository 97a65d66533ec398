"""Acts on jobs that are there: hold, release, edit, take out of the queue, clone."""

from __future__ import annotations

from flask.typing import ResponseReturnValue

from prominence.core.errors import Conflict, NotFound, QuotaReached
from prominence.restapi import actions
from prominence.restapi.answers.general import Done
from prominence.restapi.answers.jobs import JobMade
from prominence.restapi.changes import JobChange
from prominence.restapi.identity import Scope
from prominence.restapi.operations import Content, json
from prominence.restapi.parameters.gaps import job_id
from prominence.restapi.routes.noun import Noun
from prominence.restapi.routes.reading import body, caller
from prominence.restapi.services import Services


def blueprint(services: Services) -> Noun:
    """All of them, on these services."""
    routes = Noun("acts", about="jobs")
    _holding(routes, services)
    _changing(routes, services)
    return routes


def _holding(routes: Noun, services: Services) -> None:
    @routes.serves(
        "PUT /jobs/<job>/hold",
        "Let a job not start; one that runs is ended, and begins anew when released",
        Scope.JOBS_WRITE,
        json("It is on hold, or will be in a moment.", Done),
        refuses=(NotFound, Conflict),
    )
    def hold_job(job: str) -> ResponseReturnValue:
        actions.hold(job_id(job), caller(services, Scope.JOBS_WRITE), services)
        return {}

    @routes.serves(
        "PUT /jobs/<job>/release",
        "Let a job on hold start again",
        Scope.JOBS_WRITE,
        json("It waits for a worker again.", Done),
        refuses=(NotFound, Conflict),
    )
    def release_job(job: str) -> ResponseReturnValue:
        actions.release(job_id(job), caller(services, Scope.JOBS_WRITE), services)
        return {}


def _changing(routes: Noun, services: Services) -> None:
    @routes.serves(
        "PATCH /jobs/<job>",
        "Change a job that waits, or the walltime of one that runs, by the rules of JSON merge patch",
        Scope.JOBS_WRITE,
        json("It is changed.", Done),
        body=Content(JobChange),
        refuses=(NotFound, Conflict),
    )
    def edit_job(job: str) -> ResponseReturnValue:
        user = caller(services, Scope.JOBS_WRITE)
        actions.edit(job_id(job), body(), user, services)
        return {}

    @routes.serves(
        "PUT /jobs/<job>/remove",
        "Take a job out of the queue that has ended and stayed there",
        Scope.JOBS_WRITE,
        json("It has left the queue.", Done),
        refuses=(NotFound, Conflict),
    )
    def remove_job(job: str) -> ResponseReturnValue:
        actions.dismiss(job_id(job), caller(services, Scope.JOBS_WRITE), services)
        return {}

    @routes.serves(
        "PUT /jobs/<job>/clone",
        "Submit the same job once more, whether it has ended or not",
        Scope.JOBS_WRITE,
        json("The new job.", JobMade, 201),
        refuses=(NotFound, QuotaReached),
    )
    def clone_job(job: str) -> ResponseReturnValue:
        return {"id": actions.clone(job_id(job), caller(services, Scope.JOBS_WRITE), services)}, 201
