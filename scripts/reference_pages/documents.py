"""The pages of what people write, field by field: jobs and workflows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from prominence.core.validation import IS_ADDED
from prominence.restapi.wording import SHARED, Wording, alternatives
from reference_pages.tables import anchor, code, plain, table

JOB = """# Fields of a job

<!-- Made by scripts/reference from core/job.py and what it names; changes here are lost. -->

All that a job may hold, as the service checks it; what is not here is refused. [Jobs](../jobs.md) explains what it is
good for. A number's unit stands beside its type. Where no default is shown, a field that is left out is empty, or as
the site's [settings](../settings.md#restapi) have it (`jobs.default_...`); `null` is as if it were left out. What is
*added* was not in the service whose API this is, and its clients do not know it; the same goes for the runtimes
`apptainer`, `docker`, `podman` and `process`, notifications of the type `webhook`, and fractions of memory and disk."""

WORKFLOW = """# Fields of a workflow

<!-- Made by scripts/reference from core/workflow.py and what it names; changes here are lost. -->

All that a workflow may hold, as the service checks it; what is not here is refused. [Workflows](../workflows.md)
explains what it is good for. The columns are those of [the fields of a job](job.md), which are not told once more: what
is said here of jobs and tasks is what is different in a workflow."""

ARRAY = """
## An array

The body of `POST /arrays`, as [the guide](../api.md#arrays) explains it."""

Schema = Mapping[str, Any]
HEADS = ("field", "type", "default", "what", "limits", "added")


@dataclass
class Document:
    """How a document is told of. elsewhere: by the name of a schema, where it is told of, which grows as that is done.
    like: by the name of a schema the one of which it is a kind; what both have is not told again."""

    schemas: Mapping[str, Schema]
    elsewhere: dict[str, str]
    like: Mapping[str, str] = field(default_factory=dict)
    page: str = ""

    def sections(self, name: str, path: str = "", kind: str = "", added: bool = False) -> Iterator[str]:
        """The table of its own fields, and a section for each that is an object of its own. kind: what its heading
        says behind the path, where there are several of one path."""
        new: list[tuple[str, str, str, bool]] = []
        rows = []
        for field_name, schema in self._own_fields(name).items():
            here = f"{path}{field_name}{'[]' if _is_list(schema) else ''}"
            among = named(schema)
            for one in among:
                if one not in self.elsewhere:
                    kind_of_one = kind if len(among) == 1 else self._kind(one)
                    self.elsewhere[one] = self.page + anchor(f"{here}{kind_of_one}")
                    new.append((one, here, kind_of_one, added or IS_ADDED in schema))
            rows.append(self._row(name, path, field_name, added))
        yield from table(HEADS, rows)
        for one, here, kind_of_one, is_added in new:
            yield from ("", f"## {code(here)}{kind_of_one}", "", plain(self.schemas[one]["description"]))
            yield from self.sections(one, f"{here}.", kind_of_one, is_added)

    def _own_fields(self, name: str) -> dict[str, Schema]:
        fields = self.schemas[name]["properties"]
        other = self.schemas[self.like[name]]["properties"] if name in self.like else {}
        return {one: schema for one, schema in fields.items() if schema != other.get(one)}

    def _row(self, name: str, path: str, field_name: str, added: bool) -> tuple[str, ...]:
        schema = self.schemas[name]["properties"][field_name]
        several = len(named(schema)) > 1
        wording = Wording(
            lambda one: f"[object{self._kind(one) if several else ''}]({self.elsewhere[one]})", code, plain
        )
        return (
            code(path + field_name),
            wording.kind(schema),
            self._default(name, field_name, schema),
            plain(schema["description"]),
            wording.limits(schema),
            "yes" if added or IS_ADDED in schema else "",
        )

    def _kind(self, name: str) -> str:
        """One of several of a path: by its type, or else by the first field that it must have."""
        kind = self.schemas[name]["properties"].get("type", {}).get("const")
        return f" of the type {code(kind)}" if kind else f" with {code(self.schemas[name]['required'][0])}"

    def _default(self, name: str, field_name: str, schema: Schema) -> str:
        if field_name in self.schemas[name].get("required", ()):
            return "required"
        value = schema.get("default")
        return "" if value in (None, "", [], {}) else code(value if isinstance(value, str) else json.dumps(value))


def job(schemas: Mapping[str, Schema]) -> Iterator[str]:
    """The lines of its page. schemas: those of the API's description."""
    of_a_job = Document(schemas, {"JobSpec": "#fields-of-a-job"})
    yield JOB
    yield from of_a_job.sections("JobSpec")
    yield ARRAY
    yield from of_a_job.sections("ArraySpec")


def workflow(schemas: Mapping[str, Schema]) -> Iterator[str]:
    """The same of a workflow."""
    of_a_job = Document(schemas, {}, page="job.md")
    for _ in of_a_job.sections("JobSpec"):
        pass
    yield WORKFLOW
    yield from Document(schemas, of_a_job.elsewhere, {"JobOfMany": "JobSpec", "TaskOfMany": "Task"}).sections(
        "WorkflowSpec"
    )


def named(schema: Schema) -> list[str]:
    """The schemas that a field's value is one of, or each item of its list."""
    found = [schema["$ref"].removeprefix(SHARED)] if "$ref" in schema else []
    either = [name for one in alternatives(schema) for name in named(one)]
    return [*found, *either, *(named(schema["items"]) if "items" in schema else [])]


def _is_list(schema: Schema) -> bool:
    return schema.get("type") == "array"
