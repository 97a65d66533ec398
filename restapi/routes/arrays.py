"""Arrays: many equal jobs in one request, and what is asked of them and done to them as a whole."""

from __future__ import annotations

from flask import request
from flask.typing import ResponseReturnValue

from prominence.core.errors import Conflict, NotFound, QuotaReached
from prominence.core.job import ArraySpec
from prominence.restapi import arrays, idempotency, submission
from prominence.restapi.answers.arrays import ArrayMade, ArrayShown
from prominence.restapi.answers.general import Done
from prominence.restapi.answers.jobs import MemberShown
from prominence.restapi.identity import Scope
from prominence.restapi.operations import Content, json
from prominence.restapi.parameters.arrays import ListArraysParameters
from prominence.restapi.parameters.gaps import array_id
from prominence.restapi.parameters.lists import MembersParameters
from prominence.restapi.routes.jobs import CURSOR
from prominence.restapi.routes.noun import Noun
from prominence.restapi.routes.reading import body, caller, parameters
from prominence.restapi.services import Services


def blueprint(services: Services) -> Noun:
    """All of them, on these services."""
    routes = Noun("arrays")
    _looks(routes, services)
    _acts(routes, services)
    _holding(routes, services)
    return routes


def _looks(routes: Noun, services: Services) -> None:
    @routes.serves(
        "GET /arrays",
        "List your arrays, the newest first",
        Scope.JOBS_READ,
        json("The arrays.", list[ArrayShown]),
        parameters=ListArraysParameters,
    )
    def list_arrays() -> ResponseReturnValue:
        user = caller(services, Scope.JOBS_READ)
        return arrays.list_arrays(ListArraysParameters.read(parameters()).limit, user, services)

    @routes.serves(
        "GET /arrays/<array>",
        "What is known of an array, and how many of its members have which status",
        Scope.JOBS_READ,
        json("The array.", ArrayShown),
        refuses=(NotFound,),
    )
    def describe_array(array: str) -> ResponseReturnValue:
        user = caller(services, Scope.JOBS_READ)
        return arrays.describe(array_id(array), user, services)

    @routes.serves(
        "GET /arrays/<array>/jobs",
        "List an array's members, as jobs are listed",
        Scope.JOBS_READ,
        json("The members.", list[MemberShown], headers={CURSOR: "Where to go on; absent at the end."}),
        parameters=MembersParameters,
        refuses=(NotFound,),
    )
    def list_members(array: str) -> ResponseReturnValue:
        user = caller(services, Scope.JOBS_READ)
        found = arrays.list_members(array_id(array), parameters(), user, services)
        return found.jobs, {CURSOR: found.cursor} if found.cursor else {}


def _acts(routes: Noun, services: Services) -> None:
    @routes.serves(
        "POST /arrays",
        "Submit many equal jobs at once, all of them or none",
        Scope.JOBS_WRITE,
        json("The array.", ArrayMade, 201),
        body=Content(ArraySpec),
        headers={idempotency.HEADER: idempotency.SCHEMA},
        refuses=(Conflict, QuotaReached),
    )
    def create_array() -> ResponseReturnValue:
        user = caller(services, Scope.JOBS_WRITE)
        array, key = submission.array_of(body(), services), request.headers.get(idempotency.HEADER)
        made = idempotency.submit_array(array, request.get_data(), key, user, services)
        return {"id": made, "count": array.count}, 201

    @routes.serves(
        "DELETE /arrays/<array>",
        "End all members of an array and take them out of the queue",
        Scope.JOBS_WRITE,
        json("They leave the queue.", Done),
        refuses=(NotFound,),
    )
    def delete_array(array: str) -> ResponseReturnValue:
        user = caller(services, Scope.JOBS_WRITE)
        arrays.delete(array_id(array), user, services)
        return {}


def _holding(routes: Noun, services: Services) -> None:
    @routes.serves(
        "PUT /arrays/<array>/hold",
        "Let no member of an array start; those that run are ended, and begin anew when released",
        Scope.JOBS_WRITE,
        json("They are on hold, or will be in a moment.", Done),
        refuses=(NotFound, Conflict),
    )
    def hold_array(array: str) -> ResponseReturnValue:
        user = caller(services, Scope.JOBS_WRITE)
        arrays.hold(array_id(array), user, services)
        return {}

    @routes.serves(
        "PUT /arrays/<array>/release",
        "Let all members of an array start again that are on hold",
        Scope.JOBS_WRITE,
        json("They wait for workers again.", Done),
        refuses=(NotFound, Conflict),
    )
    def release_array(array: str) -> ResponseReturnValue:
        user = caller(services, Scope.JOBS_WRITE)
        arrays.release(array_id(array), user, services)
        return {}
