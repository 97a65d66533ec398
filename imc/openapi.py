"""The description of imc's API, in OpenAPI 3.1: of each operation who may ask, with what, and what comes back. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import Field, TypeAdapter

from prominence.core.error_reasons import ErrorReason
from prominence.core.machines import NAME_PATTERN, CloudStatus, Worker, WorkerRequest
from prominence.core.validation import Document
from prominence.imc.offers import PlacementAnswer, PlacementQuestion

VERSION = "1"
_JSON = "application/json"

Mode = Literal["validation", "serialization"]
"""What is taken may leave out what has a default, what is told leaves out nothing."""


class MistakeTold(Document):
    """What is wrong, and where."""

    path: str
    message: str


class ErrorTold(Document):
    """Body of every refusal. error: a sentence for people. reasonCode: why, for programs. mistakes: of a request, all
    of them."""

    error: str
    reasonCode: ErrorReason
    mistakes: list[MistakeTold] = Field(default=[])


class TokenTold(Document):
    """A token with which machines of a user join the pool, and for how many seconds it is good.

    collector: host[:port] of the pool's. trust_domain: the pool's.
    """

    token: str
    lifetime_s: int
    collector: str
    trust_domain: str


class Health(Document):
    """configuration: why the last change of the settings was not taken over; "" when all are in force."""

    configuration: str


@dataclass(frozen=True)
class Operation:
    """answers: type of the body by status, None for none. token: whose, "" for anybody. query: parameters by name."""

    method: str
    path: str
    about: str
    answers: Mapping[int, Any]
    token: str = "scaler"
    body: Any = None
    query: Mapping[str, str] = field(default_factory=dict)


_REASON = {"reason": "why, for people"}

OPERATIONS = (
    Operation(
        "PUT",
        "/v1/workers/{name}",
        "Wish for a worker of this name, or change what is wished; the same again changes nothing",
        {200: Worker, 201: Worker, 400: ErrorTold, 409: ErrorTold},
        body=WorkerRequest,
    ),
    Operation("GET", "/v1/workers", "All workers, those that have ended lately too", {200: list[Worker]}),
    Operation("GET", "/v1/workers/{name}", "One worker", {200: Worker, 400: ErrorTold, 409: ErrorTold}),
    Operation(
        "DELETE",
        "/v1/workers/{name}",
        "Wish it absent, for good",
        {200: Worker, 400: ErrorTold, 409: ErrorTold},
        query=_REASON,
    ),
    Operation(
        "POST",
        "/v1/workers/{name}/drain",
        "Let it take no new jobs",
        {200: Worker, 400: ErrorTold, 409: ErrorTold},
        query=_REASON,
    ),
    Operation(
        "DELETE",
        "/v1/workers/{name}/record",
        "Drop the record of a worker that has ended",
        {204: None, 400: ErrorTold, 409: ErrorTold},
    ),
    Operation(
        "POST",
        "/v1/placements",
        "Where a worker could go now, and why not elsewhere; nothing is made",
        {200: PlacementAnswer, 400: ErrorTold},
        body=PlacementQuestion,
    ),
    Operation("GET", "/v1/clouds", "The clouds as they were seen last", {200: list[CloudStatus]}),
    Operation(
        "POST",
        "/v1/owners/{name}/tokens",
        "A token for machines of a user",
        {201: TokenTold, 400: ErrorTold, 403: ErrorTold},
        token="owners",
    ),
    Operation(
        "DELETE",
        "/v1/owners/{name}/tokens",
        "Revoke those of a user",
        {204: None, 400: ErrorTold, 403: ErrorTold},
        token="owners",
    ),
    Operation("GET", "/health", "Whether imc is well", {200: Health}, token=""),
    Operation("GET", "/openapi.json", "This description", {200: dict[str, Any]}, token=""),
)

_MEANS = {
    200: "Done, or found.",
    201: "Made.",
    204: "Done; nothing is told.",
    400: "The request is wrong.",
    401: "There is no token, or not the right one.",
    403: "This pool does not do that.",
    404: "There is none of this name.",
    409: "It cannot follow what stands, or what stands cannot be read.",
    503: "The store, or what else is needed, does not answer.",
}


def describe(operations: Sequence[Operation] = OPERATIONS) -> dict[str, Any]:
    """All of them, as one document."""
    kinds: dict[tuple[str, Mode], Any] = {}
    for one in operations:
        kinds |= {(repr(kind), "serialization"): kind for kind in _answers(one).values() if kind is not None}
        kinds |= {(repr(one.body), "validation"): one.body} if one.body is not None else {}
    schemas, shared = TypeAdapter.json_schemas(
        [(name, mode, TypeAdapter(kind)) for (name, mode), kind in kinds.items()],
        ref_template="#/components/schemas/{model}",
    )
    paths: dict[str, dict[str, Any]] = {}
    for one in operations:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, schemas)
    scheme = {"type": "http", "scheme": "bearer"}
    return {
        "openapi": "3.1.0",
        "info": {"title": "PROMINENCE's imc", "version": VERSION, "description": "Machines on clouds, for a pool."},
        "paths": paths,
        "components": {
            "schemas": dict(sorted(shared.get("$defs", {}).items())),
            "securitySchemes": {"scaler": scheme, "owners": scheme},
        },
    }


def _answers(one: Operation) -> dict[int, Any]:
    """With those that are possible everywhere."""
    no_such_name = {404: ErrorTold} if "{" in one.path else {}
    return {**one.answers, **({401: ErrorTold} if one.token else {}), **no_such_name, 503: ErrorTold}


def _operation(one: Operation, schemas: Mapping[tuple[str, Mode], Any]) -> dict[str, Any]:
    def content(kind: Any, mode: Mode = "serialization") -> dict[str, Any]:
        return {"content": {_JSON: {"schema": schemas[repr(kind), mode]}}}

    described: dict[str, Any] = {
        "summary": one.about,
        "security": [{one.token: []}] if one.token else [],
        "responses": {
            str(status): {"description": _MEANS[status], **(content(kind) if kind is not None else {})}
            for status, kind in sorted(_answers(one).items())
        },
    }
    if one.body is not None:
        described["requestBody"] = {"required": True, **content(one.body, "validation")}
    name = {"type": "string", **({"pattern": NAME_PATTERN} if "/workers/" in one.path else {})}
    parameters = [
        {"name": gap, "in": "path", "required": True, "schema": name} for gap in re.findall(r"{(\w+)}", one.path)
    ]
    parameters += [
        {"name": key, "in": "query", "description": about, "schema": {"type": "string"}}
        for key, about in one.query.items()
    ]
    return {**described, "parameters": parameters} if parameters else described
