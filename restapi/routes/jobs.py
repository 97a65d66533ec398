"""Jobs: create, list, describe, delete, read their output."""

from __future__ import annotations

from flask import Response, request
from flask.typing import ResponseReturnValue

from prominence.core.errors import Conflict, Forbidden, NotFound, QuotaReached
from prominence.core.job import JobSpec
from prominence.core.jobid import JobId
from prominence.restapi import actions, idempotency, listing, query
from prominence.restapi.answers.general import Done
from prominence.restapi.answers.jobs import JobMade, JobShown, MemberShown
from prominence.restapi.following import Follower
from prominence.restapi.identity import Scope
from prominence.restapi.operations import TEXT, Answer, Content, json
from prominence.restapi.output import Output, output
from prominence.restapi.parameters.gaps import job_id
from prominence.restapi.parameters.jobs import DeleteParameters, DescribeParameters, ListParameters
from prominence.restapi.parameters.output import OutputParameters
from prominence.restapi.routes.noun import Noun
from prominence.restapi.routes.reading import body, caller, parameters
from prominence.restapi.services import Services
from prominence.restapi.translate.submit import STDERR, STDOUT

OFFSET = "X-Prominence-Offset"
"""Of an output: the byte from which to ask the next time."""

STATUS = "X-Prominence-Status"
"""Of an output: the job's status, looked at before the output was read. If it is final, this was the last of it."""


CURSOR = "X-Prominence-Cursor"
"""Of a list: where to go on. Absent when nothing comes behind it."""

_ANY_JOB = list[JobShown] | list[MemberShown]
_VERSION = {"ETag": "The job's version."}
_KNOWN = {"type": "string", "description": "The version that one knows: the ETag of an answer before."}
OUTPUT = {
    200: Answer(
        "What the job has printed, from there on.",
        Content(media_type=TEXT),
        {OFFSET: "The byte from which to ask the next time.", STATUS: "The job's; if it is final, this was the last."},
    )
}


def blueprint(services: Services) -> Noun:
    """All of them, on these services."""
    routes = Noun("jobs")
    _submitting_and_listing(routes, services)
    _looking_at_one(routes, services)
    _ending(routes, services)
    _printing(routes, services)
    return routes


def _submitting_and_listing(routes: Noun, services: Services) -> None:
    @routes.serves(
        "POST /jobs",
        "Submit a job",
        Scope.JOBS_WRITE,
        json("The job.", JobMade, 201),
        body=Content(JobSpec),
        headers={idempotency.HEADER: idempotency.SCHEMA},
        refuses=(Conflict, QuotaReached),
    )
    def create_job() -> ResponseReturnValue:
        user = caller(services, Scope.JOBS_WRITE)
        key = request.headers.get(idempotency.HEADER)
        return {"id": idempotency.submit(body(), request.get_data(), key, user, services)}, 201

    @routes.serves(
        "GET /jobs",
        "List jobs",
        Scope.JOBS_READ,
        json("The jobs.", list[JobShown], headers={CURSOR: "Where to go on; absent at the end."}),
        parameters=ListParameters,
    )
    def list_jobs() -> ResponseReturnValue:
        user = caller(services, Scope.JOBS_READ)
        found = query.list_jobs(listing.read(parameters(), user), user, services)
        return found.jobs, {CURSOR: found.cursor} if found.cursor else {}


def _looking_at_one(routes: Noun, services: Services) -> None:
    follower = Follower(services)

    @routes.serves(
        "GET /jobs/<job>",
        "All that is known of a job; can wait for news",
        Scope.JOBS_READ,
        {
            **json("The job, alone in a list; an empty list if there is none.", _ANY_JOB, headers=_VERSION),
            304: Answer("The job is as it was.", headers=_VERSION),
        },
        parameters=DescribeParameters,
        headers={"If-None-Match": _KNOWN},
    )
    def describe_job(job: str) -> ResponseReturnValue:
        user = caller(services, Scope.JOBS_READ)
        asked, seen = DescribeParameters.read(parameters()), request.if_none_match
        # A proxy that compresses makes tags weak.
        known = next(iter(seen.as_set(include_weak=True)), "") if not seen.star_tag else ""
        found = follower.describe(job_id(job), asked, known, user)
        headers = {"ETag": f'"{found.version}"'} if found.version else {}
        return (found.jobs, 200, headers) if found.is_news else ("", 304, headers)


def _ending(routes: Noun, services: Services) -> None:
    @routes.serves(
        "DELETE /jobs/<job>",
        "End a job and take it out of the queue",
        Scope.JOBS_WRITE,
        json("It leaves the queue.", Done),
        refuses=(NotFound,),
    )
    def delete_job(job: str) -> ResponseReturnValue:
        user = caller(services, Scope.JOBS_WRITE)
        actions.delete([job_id(job)], user, services)
        return {}

    @routes.serves(
        "DELETE /jobs",
        "End several jobs and take them out of the queue",
        Scope.JOBS_WRITE,
        json("Those that were there leave the queue.", Done),
        parameters=DeleteParameters,
        refuses=(NotFound,),
    )
    def delete_jobs() -> ResponseReturnValue:
        user = caller(services, Scope.JOBS_WRITE)
        given = ",".join(parameters().get("id", ()))  # of several, to pass over one would be a surprise
        actions.delete([JobId(one) for one in DeleteParameters.read({"id": [given]}).id], user, services)
        return {}


def _printing(routes: Noun, services: Services) -> None:
    @routes.serves(
        "GET /jobs/<job>/stdout",
        "What a job has printed, also while it runs",
        Scope.JOBS_READ,
        OUTPUT,
        parameters=OutputParameters,
        refuses=(NotFound, Forbidden),
    )
    def job_stdout(job: str) -> ResponseReturnValue:
        return _output(job, STDOUT, services)

    @routes.serves(
        "GET /jobs/<job>/stderr",
        "What a job has written to its standard error, also while it runs",
        Scope.JOBS_READ,
        OUTPUT,
        parameters=OutputParameters,
        refuses=(NotFound, Forbidden),
    )
    def job_stderr(job: str) -> ResponseReturnValue:
        return _output(job, STDERR, services)


def _output(job: str, name: str, services: Services) -> Response:
    user = caller(services, Scope.JOBS_READ)
    return respond(output(job_id(job), name, OutputParameters.read(parameters()), user, services))


def respond(found: Output) -> Response:
    """What was found of a job's output, as an answer that is sent piece by piece."""
    response = Response(found.pieces(), content_type="text/plain; charset=utf-8")
    response.content_length = found.length
    response.headers[OFFSET] = str(found.end)
    response.headers[STATUS] = found.status.value
    response.call_on_close(found.close)
    return response
