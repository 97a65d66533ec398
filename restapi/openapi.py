"""The description of the API, in OpenAPI 3.1, made of what the routes say of their operations. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from prominence.core import errors
from prominence.restapi import examples
from prominence.restapi.answers.arrays import ArrayMade
from prominence.restapi.answers.general import Error
from prominence.restapi.answers.jobs import JobMade
from prominence.restapi.answers.tokens import TokenMade
from prominence.restapi.answers.webhooks import WebhookMade
from prominence.restapi.answers.workflows import WorkflowMade
from prominence.restapi.identity import Scope
from prominence.restapi.operations import BASE_PATH, JSON, VERSION, Access, Answer, Content, Operation
from prominence.restapi.parameters.gaps import GAPS
from prominence.restapi.parameters.model import REPEATED, Parameters
from prominence.restapi.statuses import status_of

Schemas = Mapping[Any, Any]
"""A schema for each type."""

_SCHEME, _JOBS_SCHEME = "token", "jobToken"

_OF_A_TOKEN = (errors.Unauthenticated, errors.Forbidden, errors.TooMany, errors.Unavailable)
"""What can come of looking at a token."""

_MEANS = {
    400: "The request is wrong; or, where the published client asks, what it asks for is not there.",
    401: "There is no token, or none that is good.",
    403: "It is not the caller's, or the token is not good for it.",
    404: "It is not there.",
    409: "Somebody else was first, or it is in the wrong state for this.",
    413: "Too many bytes, in the request or in one object.",
    429: "Too many requests at once, or jobs in the queue.",
    503: "A part of the service does not answer.",
    507: "There is no room: the caller's quota, or a disk of the service.",
}
_RETRY_AFTER = {"Retry-After": "After how many seconds to try again, where that is known."}
_HEADERS_OF = {
    401: {"WWW-Authenticate": "That a bearer's token is needed."},
    429: _RETRY_AFTER,
    503: _RETRY_AFTER,
}


def describe(operations: Sequence[Operation]) -> dict[str, Any]:
    """All of them, as one document."""
    schemas, shared = _schemas(dict.fromkeys([Error, *_kinds(operations)]))
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        described = _operation(operation, schemas)
        for status, links in _links(operation, operations):
            described["responses"][status]["links"] = links
        paths.setdefault(_path(operation), {})[operation.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "PROMINENCE",
            "version": VERSION,
            "description": "Container jobs over HTTP, run by HTCondor on machines that appear when needed.",
        },
        "servers": [{"url": BASE_PATH}],
        "tags": [{"name": noun} for noun in dict.fromkeys(operation.noun for operation in operations)],
        "paths": paths,
        "components": {"schemas": shared, "securitySchemes": _SECURITY_SCHEMES},
    }


_SECURITY_SCHEMES = {
    _SCHEME: {"type": "http", "scheme": "bearer", "description": "A login, or a token that was made of one."},
    _JOBS_SCHEME: {"type": "http", "scheme": "bearer", "description": "The token that a job finds where it runs."},
}


_WRITTEN = frozenset(examples.BODIES)

_GAP_OF: Mapping[Any, str] = {
    JobMade: "job",
    ArrayMade: "array",
    WorkflowMade: "workflow",
    TokenMade: "id",
    WebhookMade: "webhook",
}
"""Into which gap of an address the id of such an answer goes."""


class _Schemas(GenerateJsonSchema):
    """Without titles, which say the names once more; objects of ours have nothing that they do not name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def typed_dict_schema(self, schema: core_schema.TypedDictSchema) -> JsonSchemaValue:
        return {**super().typed_dict_schema(schema), "additionalProperties": False}

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        found = super().dict_schema(schema)
        return {**found, "additionalProperties": False} if "patternProperties" in found else found


def _schemas(kinds: Iterable[Any]) -> tuple[Schemas, dict[str, Any]]:
    """Of each of these types, and of all that they have in common, by name."""
    found, shared = TypeAdapter.json_schemas(
        [(kind, "validation", TypeAdapter(kind)) for kind in kinds],
        ref_template="#/components/schemas/{model}",
        schema_generator=_Schemas,
    )
    return {kind: schema for (kind, _), schema in found.items()}, dict(sorted(shared.get("$defs", {}).items()))


def _kinds(operations: Iterable[Operation]) -> Iterator[Any]:
    for operation in operations:
        for content in (operation.body, *(answer.content for answer in operation.answers.values())):
            if content is not None and content.kind is not None:
                yield content.kind


def _path(operation: Operation) -> str:
    return re.sub(r"<(?:[a-z]+:)?([a-z]+)>", r"{\1}", operation.rule)


def _operation(operation: Operation, schemas: Schemas) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.noun],
        "summary": operation.summary,
        "security": _security(operation),
        "parameters": [*_gaps(operation), *_query(operation.parameters), *_headers(operation)],
        "responses": _responses(operation, schemas),
    }
    if operation.body is not None:
        described["requestBody"] = {"required": True, "content": _content([operation.body], schemas)}
    return described


def _security(operation: Operation) -> list[dict[str, list[str]]]:
    match operation.access:
        case Access.ANYBODY | Access.SIGNED:
            return []
        case Access.A_JOB:
            return [{_JOBS_SCHEME: []}]
        case Access.ANY_TOKEN:
            return [{_SCHEME: []}]
        case Scope() as scope:
            return [{_SCHEME: [scope.value]}]


def _gaps(operation: Operation) -> list[dict[str, Any]]:
    return [_parameter(gap, "path", GAPS[gap], required=True) for gap in operation.gaps]


def _headers(operation: Operation) -> list[dict[str, Any]]:
    return [_parameter(name, "header", schema) for name, schema in operation.headers.items()]


def _query(model: type[Parameters] | None) -> list[dict[str, Any]]:
    if model is None:
        return []
    schema = model.model_json_schema(schema_generator=_Schemas)
    required = schema.get("required", ())
    return [_parameter(name, "query", found, name in required) for name, found in schema["properties"].items()]


def _parameter(name: str, where: str, schema: Mapping[str, Any], required: bool = False) -> dict[str, Any]:
    found = {key: value for key, value in schema.items() if key not in ("description", "default")}
    if "anyOf" in found:
        found["anyOf"] = [one for one in found["anyOf"] if one != {"type": "null"}]
        found = found["anyOf"][0] if len(found["anyOf"]) == 1 else found
    described = {"name": name, "in": where, "description": schema["description"], "required": required}
    if found.get("type") == "array":
        described |= {"style": "form", "explode": name in REPEATED}
    if required:
        described["example"] = examples.value(name, several=found.get("type") == "array")
    return {**described, "schema": found}


def _responses(operation: Operation, schemas: Schemas) -> dict[str, Any]:
    told = {status: _answer(answer, schemas) for status, answer in operation.answers.items()}
    error = {JSON: {"schema": schemas[Error]}}
    for status in sorted({status_of(kind, operation.label) for kind in _refuses(operation)} - told.keys()):
        headers = _described_headers(_HEADERS_OF.get(status, {}))
        told[status] = {"description": _MEANS[status], **headers, "content": error}
    return {str(status): told[status] for status in sorted(told)}


def _links(operation: Operation, others: Iterable[Operation]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Where the id leads to that an answer tells."""
    for status, answer in operation.answers.items():
        gap = _GAP_OF.get(answer.content.kind) if answer.content is not None else None
        if gap is not None:
            found = [other.name for other in others if gap in other.gaps]
            yield (
                str(status),
                {name: {"operationId": name, "parameters": {gap: "$response.body#/id"}} for name in found},
            )


def _refuses(operation: Operation) -> Iterator[type[errors.ProminenceError]]:
    """What may go wrong, a mistake of ours aside."""
    yield from operation.refuses
    if operation.access not in (Access.ANYBODY, Access.SIGNED):
        yield from _OF_A_TOKEN
    if operation.gaps or operation.parameters or operation.headers or operation.body:
        yield errors.Rejected
    if operation.body is not None:
        yield errors.TooLarge


def _answer(answer: Answer, schemas: Schemas) -> dict[str, Any]:
    contents = [one for one in (answer.content, *answer.more) if one is not None]
    content = {"content": _content(contents, schemas)} if contents else {}
    return {"description": answer.means, **_described_headers(answer.headers), **content}


def _described_headers(headers: Mapping[str, str]) -> dict[str, Any]:
    if not headers:
        return {}
    return {"headers": {name: {"description": said, "schema": {"type": "string"}} for name, said in headers.items()}}


def _content(contents: Iterable[Content], schemas: Schemas) -> dict[str, Any]:
    return {one.media_type: _media(one, schemas) for one in contents}


def _media(content: Content, schemas: Schemas) -> dict[str, Any]:
    described = {"schema": _plain(content) if content.kind is None else schemas[content.kind]}
    return {**described, "example": examples.BODIES[content.kind]} if content.kind in _WRITTEN else described


def _plain(content: Content) -> dict[str, Any]:
    return {"type": "string", **({"minLength": content.least} if content.least else {})}
