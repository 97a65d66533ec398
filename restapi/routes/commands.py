"""What is asked of jobs while they run: commands, and copies of what is in their homes."""

from __future__ import annotations

from flask import Response
from flask.typing import ResponseReturnValue

from prominence.core.errors import Conflict, NotFound, QuotaReached
from prominence.restapi import commands, legacy, snapshots
from prominence.restapi.answers.commands import Address, Printed
from prominence.restapi.answers.general import Done
from prominence.restapi.commands import Command
from prominence.restapi.identity import Scope
from prominence.restapi.operations import TEXT, Answer, Content, json
from prominence.restapi.parameters.commands import EnterParameters, SnapshotParameters
from prominence.restapi.parameters.gaps import job_id
from prominence.restapi.routes.noun import Noun
from prominence.restapi.routes.reading import body, caller, parameters
from prominence.restapi.services import Services


def blueprint(services: Services) -> Noun:
    """All of them, on these services."""
    routes = Noun("commands", about="jobs")
    _commands(routes, services)
    _snapshots(routes, services)
    return routes


def _commands(routes: Noun, services: Services) -> None:
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
        done = commands.run(job_id(job), body(), user, services)
        shown = {"exitCode": done.exit_code, "output": done.output.decode(errors="replace")}
        return {**shown, "cut": True} if done.cut else shown

    @routes.serves(
        "POST /jobs/<job>/exec",
        "Run a command in a running job, as the published client asks for it",
        Scope.JOBS_WRITE,
        {200: Answer("What it has printed.", Content(media_type=TEXT))},
        parameters=EnterParameters,
        refuses=(NotFound, Conflict),
    )
    def run_joined_command(job: str) -> ResponseReturnValue:
        user = caller(services, Scope.JOBS_WRITE)
        command = legacy.command(EnterParameters.read(parameters()).command)
        printed = commands.run(job_id(job), command, user, services).output
        return Response(printed, content_type="text/plain; charset=utf-8")


def _snapshots(routes: Noun, services: Services) -> None:
    @routes.serves(
        "PUT /jobs/<job>/snapshot",
        "Copy a file or a directory of a running job's home to the object store",
        Scope.JOBS_WRITE,
        json("It is there, in place of the one before.", Done),
        parameters=SnapshotParameters,
        refuses=(NotFound, Conflict, QuotaReached),
    )
    def take_snapshot(job: str) -> ResponseReturnValue:
        user = caller(services, Scope.JOBS_WRITE)
        snapshots.take(job_id(job), SnapshotParameters.read(parameters()).path, user, services)
        return {}

    @routes.serves(
        "GET /jobs/<job>/snapshot",
        "Where the last such copy is to be had",
        Scope.JOBS_READ,
        json("An address, for an hour.", Address),
        refuses=(NotFound,),
    )
    def find_snapshot(job: str) -> ResponseReturnValue:
        return {"url": snapshots.address(job_id(job), caller(services, Scope.JOBS_READ), services)}
