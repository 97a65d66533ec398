"""What has been used of the pool."""

from __future__ import annotations

from flask import Response
from flask.typing import ResponseReturnValue

from prominence.restapi import accounting
from prominence.restapi.answers.accounting import GroupedUsage, Usage
from prominence.restapi.identity import Scope
from prominence.restapi.operations import CSV, Answer, Content, json
from prominence.restapi.parameters.accounting import GroupedParameters, UsageParameters
from prominence.restapi.parameters.words.usage import Form
from prominence.restapi.routes.noun import Noun
from prominence.restapi.routes.reading import caller, parameters
from prominence.restapi.services import Services


def blueprint(services: Services) -> Noun:
    """On these services."""
    routes = Noun("accounting")

    @routes.serves(
        "GET /accounting",
        "What has been used of the pool: cores and CPU time in hours, and jobs",
        Scope.JOBS_READ,
        json("What was used by users and groups.", Usage),
        parameters=UsageParameters,
    )
    def usage() -> ResponseReturnValue:
        return accounting.usage(parameters(), caller(services, Scope.JOBS_READ), services)

    @routes.serves(
        "GET /usage",
        "What has been used of the pool, told apart by user, group, label, cloud, month and more",
        Scope.JOBS_READ,
        {200: Answer("What was used.", Content(GroupedUsage), more=(Content(media_type=CSV),))},
        parameters=GroupedParameters,
    )
    def grouped() -> ResponseReturnValue:
        said, who = GroupedParameters.read(parameters()), caller(services, Scope.JOBS_READ)
        rows = accounting.grouped(said, who, services)
        if said.form is Form.CSV:
            return Response(accounting.as_csv(said.by, rows), mimetype=CSV)
        return accounting.as_document(said.by, rows)

    return routes
