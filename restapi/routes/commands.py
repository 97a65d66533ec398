"""Commands that are run in jobs while these run."""

from __future__ import annotations

from flask import Response
from flask.typing import ResponseReturnValue

from prominence.core.errors import Conflict, NotFound
from prominence.restapi import legacy
from prominence.restapi.answers import Printed
from prominence.restapi.identity import Scope
from prominence.restapi.operations import TEXT, Answer, Content, json
from prominence.restapi.orders import Command, Desk
from prominence.restapi.parameters import EnterParameters, job_id
from prominence.restapi.routes.noun import Noun
from prominence.restapi.routes.reading import body, caller, parameters
from prominence.restapi.services import Services


def blueprint(services: Services) -> Noun:
    """Both ways to ask for one, on these services."""
    routes = Noun("commands", about="jobs")
    desk = Desk(services)

    @routes.serves(
        "POST /jobs/<job>/commands",
        "Run a command in the container of a running job, and wait for its end",
        Scope.JOBS_WRITE,
        json("What it has printed.", Printed),
        body=Content(Command),
        refuses=(NotFound, Conflict),
    )
    def run_command(job: str) -> ResponseReturnValue:
        user = caller(services, Scope.JOBS_WRITE)
        done = desk.run(job_id(job), body(), user)
        shown = {"exitCode": done.exit_code, "output": done.output.decode(errors="replace")}
        return {**shown, "cut": True} if done.cut else shown

    @routes.serves(
        "POST /jobs/<job>/exec",
        "The same, as the published client asks for it",
        Scope.JOBS_WRITE,
        {200: Answer("What it has printed.", Content(media_type=TEXT))},
        parameters=EnterParameters,
        refuses=(NotFound, Conflict),
    )
    def run_joined_command(job: str) -> ResponseReturnValue:
        user = caller(services, Scope.JOBS_WRITE)
        command = legacy.command(EnterParameters.read(parameters()).command)
        return Response(desk.run(job_id(job), command, user).output, content_type="text/plain; charset=utf-8")

    return routes
