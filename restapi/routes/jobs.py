"""Jobs: create, list, describe, delete, read their output."""

from __future__ import annotations

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from prominence.core.errors import Rejected
from prominence.restapi import actions, idempotency, listing, query
from prominence.restapi.following import Follower
from prominence.restapi.identity import Scope
from prominence.restapi.output import output
from prominence.restapi.parameters import DescribeParameters, OutputParameters, job_id, job_ids
from prominence.restapi.routes.reading import body, caller, parameters
from prominence.restapi.services import Services
from prominence.restapi.translate.submit import STDERR, STDOUT

OFFSET = "X-Prominence-Offset"
"""Of an output: the byte from which to ask the next time."""

STATUS = "X-Prominence-Status"
"""Of an output: the job's status, looked at before the output was read. If it is final, this was the last of it."""


CURSOR = "X-Prominence-Cursor"
"""Of a list: where to go on. Absent when nothing comes behind it."""


def blueprint(services: Services) -> Blueprint:
    """All of them, on these services."""
    routes = Blueprint("jobs", __name__)
    follower = Follower(services)

    @routes.post("/jobs")
    def create() -> ResponseReturnValue:
        user = caller(services, Scope.JOBS_WRITE)
        key = request.headers.get(idempotency.HEADER)
        return {"id": idempotency.submit(body(), request.get_data(), key, user, services)}, 201

    @routes.get("/jobs")
    def list_jobs() -> ResponseReturnValue:
        user = caller(services, Scope.JOBS_READ)
        found = query.list_jobs(listing.read(parameters(), user), user, services)
        return found.jobs, {CURSOR: found.cursor} if found.cursor else {}

    @routes.get("/jobs/<job>")
    def describe(job: str) -> ResponseReturnValue:
        user = caller(services, Scope.JOBS_READ)
        asked, seen = DescribeParameters.read(parameters()), request.if_none_match
        known = next(iter(seen.as_set()), "") if not seen.star_tag else ""
        found = follower.describe(job_id(job), asked, known, user)
        headers = {"ETag": f'"{found.version}"'} if found.version else {}
        return (found.jobs, 200, headers) if found.is_news else ("", 304, headers)

    @routes.delete("/jobs/<job>")
    def delete(job: str) -> ResponseReturnValue:
        user = caller(services, Scope.JOBS_WRITE)
        actions.delete([job_id(job)], user, services)
        return {}

    @routes.delete("/jobs")
    def delete_several() -> ResponseReturnValue:
        user = caller(services, Scope.JOBS_WRITE)
        ids = parameters().get("id")
        if not ids:
            raise Rejected.because("is needed: the numbers of the jobs to delete, such as 1,2", "id")
        actions.delete(job_ids(",".join(ids)), user, services)
        return {}

    @routes.get("/jobs/<job>/stdout")
    def stdout(job: str) -> ResponseReturnValue:
        return _output(job, STDOUT, services)

    @routes.get("/jobs/<job>/stderr")
    def stderr(job: str) -> ResponseReturnValue:
        return _output(job, STDERR, services)

    return routes


def _output(job: str, name: str, services: Services) -> Response:
    user = caller(services, Scope.JOBS_READ)
    found = output(job_id(job), name, OutputParameters.read(parameters()), user, services)
    response = Response(found.pieces(), content_type="text/plain; charset=utf-8")
    response.content_length = found.length
    response.headers[OFFSET] = str(found.end)
    response.headers[STATUS] = found.status.value
    response.call_on_close(found.close)
    return response
