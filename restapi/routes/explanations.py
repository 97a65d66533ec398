"""Why a job is where it is."""

from __future__ import annotations

from flask.typing import ResponseReturnValue

from prominence.core.errors import NotFound
from prominence.restapi import explaining
from prominence.restapi.answers.explanations import ExplanationShown
from prominence.restapi.identity import Scope
from prominence.restapi.operations import json
from prominence.restapi.parameters.gaps import job_id
from prominence.restapi.routes.noun import Noun
from prominence.restapi.routes.reading import caller
from prominence.restapi.services import Services


def blueprint(services: Services) -> Noun:
    """On these services."""
    routes = Noun("explanations", about="jobs")

    @routes.serves(
        "GET /jobs/<job>/explain",
        "Why a job is where it is: what it waits for, and when it may start",
        Scope.JOBS_READ,
        json("The explanation.", ExplanationShown),
        refuses=(NotFound,),
    )
    def explain_job(job: str) -> ResponseReturnValue:
        user = caller(services, Scope.JOBS_READ)
        return explaining.why(job_id(job), user, services)

    return routes
