"""The pages of the API's operations, made of its own description: one with all of them, one for each noun, and one of
what they take and give."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

from prominence.restapi import app
from prominence.restapi.operations import BYTES, JSON
from prominence.restapi.routes import description as routes
from prominence.restapi.wording import Wording
from reference_pages.tables import anchor, code, plain, table

ALL = """# Operations of the API

<!-- Made by scripts/reference from the API's own description; changes here are lost. -->

Every operation, under the base path `/prominence/v1`: what it needs, takes and answers, with an example.
[The API](../api.md) is the guide to it. The service describes itself in the same way at `/prominence/v1/openapi.json`.
In the examples `PROMINENCE_URL` is the address with the base path, as in `https://host/prominence/v1`."""

ERRORS = """
## Errors

An error is `{"error": "a sentence", "reasonCode": "Word"}` at every status, with a word for
[requests](../reasons.md#why-a-request-is-refused). Why a *job* waits or has failed is no error of the API: the job
tells it in a sentence, and in a word for [jobs](../reasons.md#why-a-job-waits-or-has-failed)."""

NOUN = """# Operations: {noun}

<!-- Made by scripts/reference from the API's own description; changes here are lost. -->

[All operations](../api.md), [what they take and give](documents.md)."""

DOCUMENTS = """# What operations take and give

<!-- Made by scripts/reference from the API's own description; changes here are lost. -->

The documents in JSON that the [operations](../api.md) take as bodies and give as answers, by their names. What is
optional may be left out; in answers it is there when it is known."""

LONGEST_BODY = 100
HEAD = 'curl -H "Authorization: Bearer $PROMINENCE_TOKEN"'
FIELDS_OF = {"JobSpec": "../job.md", "ArraySpec": "../job.md#an-array", "WorkflowSpec": "../workflow.md"}
"""What has a page of its own; what it is made of is told there, too."""


def description() -> Any:
    """Of the API in OpenAPI, as the service gives it. Routes are asked nothing, so that there need be no services."""
    return routes.of(app.nouns(SimpleNamespace(most_waiting=1)))


def pages(description: Mapping[str, Any]) -> dict[str, Iterator[str]]:
    """The lines of each, by its name."""
    nouns = [tag["name"] for tag in description["tags"]]
    return {
        "reference/api.md": _all(description, nouns),
        **{f"reference/api/{noun}.md": _noun(noun, description) for noun in nouns},
        "reference/api/documents.md": _documents(description["components"]["schemas"]),
    }


def _all(description: Mapping[str, Any], nouns: list[str]) -> Iterator[str]:
    yield ALL
    for noun in nouns:
        rows = (
            (f"[{label}](api/{noun}.md{anchor(label)})", plain(one["summary"]), _scope(one))
            for label, one in _operations(description, noun)
        )
        yield from ("", f"## {noun}")
        yield from table(("operation", "what it does", "a token good for"), rows)
    yield ERRORS
    yield from table(("status", "means", "headers"), sorted(set(_errors(description))))
    yield from ("", "```{toctree}", ":hidden:", "", *(f"api/{page}" for page in (*nouns, "documents")), "```")


def _noun(noun: str, description: Mapping[str, Any]) -> Iterator[str]:
    yield NOUN.format(noun=noun)
    for label, one in _operations(description, noun):
        yield from ("", f"## {label}", "", f"{plain(one['summary'])}. {_access(one)}")
        yield from ("", "```sh", _example(label, one), "```")
        yield from table(("parameter", "in", "type", "what", "limits"), map(_parameter, one["parameters"]))
        if "requestBody" in one:
            yield from ("", f"The body is {_bodies(one['requestBody'])}.")
        answers, errors = _answers(one), [status for status in one["responses"] if status >= "400"]
        yield from table(("status", "means", "body", "headers"), answers)
        yield from ("", f"Errors: [{', '.join(errors)}](../api.md#errors).") if errors else ()


def _answers(operation: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for status, told in operation["responses"].items():
        if status < "400":
            yield status, plain(told["description"]), _bodies(told), ", ".join(told.get("headers", ()))


def _errors(description: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for item in description["paths"].values():
        for operation in item.values():
            for status, told in operation["responses"].items():
                if status >= "400":
                    yield status, plain(told["description"]), ", ".join(told.get("headers", ()))


def _documents(schemas: Mapping[str, Any]) -> Iterator[str]:
    yield DOCUMENTS
    wording = _wording("")
    for name, schema in schemas.items():
        yield from ("", f"## {name}", "", plain(schema.get("description", "")))
        if name in FIELDS_OF:
            yield f"[Its fields]({FIELDS_OF[name]})."
        elif "properties" in schema:
            rows = (
                (
                    code(field),
                    wording.kind(one),
                    "" if field in schema.get("required", ()) else "optional",
                    plain(one.get("description", "")),
                    wording.limits(one),
                )
                for field, one in schema["properties"].items()
            )
            yield from table(("field", "type", "", "what", "limits"), rows)
        elif "enum" in schema:
            yield f"One of {wording.kind(schema)}."


def _operations(description: Mapping[str, Any], noun: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for path, item in description["paths"].items():
        for method, one in item.items():
            if noun in one["tags"]:
                yield f"{method.upper()} {path}", one


def _scope(operation: Mapping[str, Any]) -> str:
    asked = [scopes or [scheme] for one in operation["security"] for scheme, scopes in one.items()]
    if not asked:
        return "-"
    return {"token": "anything", "jobToken": "a job's own"}.get(asked[0][0], asked[0][0])


def _access(operation: Mapping[str, Any]) -> str:
    scope = _scope(operation)
    known = {"-": "Needs no token.", "anything": "Needs a token.", "a job's own": "Needs the token of the running job."}
    return known.get(scope, f"Needs a token that is good for `{scope}`.")


def _example(label: str, operation: Mapping[str, Any]) -> str:
    """What somebody would type."""
    method, path = label.split()
    needed = [one for one in operation["parameters"] if one["required"]]
    for one in needed:
        path = path.replace(f"{{{one['name']}}}", str(one["example"]))
    query = "&".join(f"{one['name']}={_in_query(one['example'])}" for one in needed if one["in"] == "query")
    parts = [HEAD if operation["security"] else "curl", *_sent(method, operation)]
    return " ".join([*parts, f'"$PROMINENCE_URL{path}{"?" if query else ""}{query}"'])


def _sent(method: str, operation: Mapping[str, Any]) -> list[str]:
    """The options for a body, and for a method that curl would not take by itself."""
    contents = operation.get("requestBody", {}).get("content", {})
    if JSON in contents:
        body = shlex.quote(_written(contents[JSON]["example"]))
        usual = [] if method == "POST" else [f"-X {method}"]
        return [*usual, '-H "Content-Type: application/json"', "\\\n    -d", f"{body} \\\n   "]
    if BYTES in contents:
        return ["-T data.tgz"]
    if contents:
        return ["-d 0.93"]
    return [] if method == "GET" else [f"-X {method}"]


def _written(body: Any) -> str:
    """On one line, if it is short."""
    line = json.dumps(body)
    return line if len(line) <= LONGEST_BODY else json.dumps(body, indent=2)


def _in_query(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _parameter(parameter: Mapping[str, Any]) -> tuple[str, ...]:
    wording = _wording("documents.md")
    name = code(parameter["name"]) + (", required" if parameter["required"] and parameter["in"] != "path" else "")
    schema = parameter["schema"]
    return (
        name,
        parameter["in"],
        wording.kind(schema),
        plain(parameter["description"]),
        wording.limits(schema),
    )


def _bodies(told: Mapping[str, Any]) -> str:
    wording = _wording("documents.md")
    contents = told.get("content", {}).items()
    return " or ".join(
        wording.kind(content["schema"]) if media_type == JSON else media_type for media_type, content in contents
    )


def _wording(page: str) -> Wording:
    return Wording(lambda name: f"[{name}]({FIELDS_OF.get(name) or page + anchor(name)})", code, plain)
