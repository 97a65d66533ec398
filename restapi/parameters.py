"""What may stand behind the ? in an address, in its gaps and in headers, each with its type and meaning. Pure.

How each looks on its way here is said beside the function that reads it, for the description of the API.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel

from prominence.core.errors import Rejected
from prominence.core.states import Status
from prominence.core.validation import parse
from prominence.restapi import areas, kv, legacy, presentation
from prominence.restapi.paging import Key

MOST = 10_000
"""How many finished jobs are looked at at most."""

LAST_ID = 2**31 - 1
"""HTCondor counts its jobs in 32 bits."""

LONGEST_WAIT_S = 60
"""How long a request may wait for news."""

REPEATED = frozenset({"constraint"})
"""Lists of which each item is given by itself; all others have commas between their items."""

_EVER = 10**11 - 1

_JOB: dict[str, Any] = {"type": "integer", "minimum": 1, "maximum": LAST_ID}
_TEXT: dict[str, Any] = {"type": "string"}

GAPS: Mapping[str, dict[str, Any]] = {
    "job": {**_JOB, "description": "The number of a job."},
    "key": {**kv.SCHEMA, "description": "A key; it may hold /."},
    "id": {**_TEXT, "minLength": 1, "description": "The id of a token, as it was told when the token was made."},
    "name": {**areas.SCHEMA, "description": "An object, or a group and a folder in it; it may hold /."},
}
"""What belongs into the gaps in addresses."""


def job_id(text: str) -> int:
    """The one job in an address. Raises Rejected."""
    found = _job_id(text)
    if found is None:
        raise Rejected.because(f"{ascii(text)} is not the number of a job")
    return found


def job_ids(text: str) -> tuple[int, ...]:
    """Several jobs, as in "1,2,30". Raises Rejected."""
    try:
        return _job_ids(text)
    except ValueError as error:
        raise Rejected.because(str(error), "id") from error


def _job_id(word: str) -> int | None:
    return int(word) if re.fullmatch(r"[0-9]{1,10}", word) and 0 < int(word) <= LAST_ID else None


def _job_ids(text: str) -> tuple[int, ...]:
    ids = [_job_id(word.strip()) for word in text.split(",")]
    if None in ids:
        raise ValueError("must be numbers of jobs with commas between them, such as 1,2")
    return tuple(dict.fromkeys(one for one in ids if one is not None))


def _statuses(text: str) -> tuple[Status, ...]:
    try:
        return tuple(dict.fromkeys(Status(word) for word in text.split(",")))
    except ValueError as error:
        raise ValueError(f"must be one of {', '.join(Status)}, or several with commas between them") from error


def _num(text: str) -> int:
    """Old clients say -1 for all there are."""
    if not re.fullmatch(r"-1|[0-9]{1,9}", text):
        raise ValueError("must be a whole number")
    return MOST if text == "-1" else min(int(text), MOST)


def _limit(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= 1000:
        raise ValueError("must be a whole number from 1 to 1000")
    return int(text)


def _labels(texts: list[str]) -> tuple[tuple[str, str], ...]:
    labels = [(key, value) for key, _, value in (text.partition("=") for text in texts)]
    for text, (key, _) in zip(texts, labels, strict=True):
        if text.count("=") != 1 or not re.fullmatch(r"[A-Za-z0-9]+", key):
            raise ValueError("must be a label and its value, such as app=fit")
    return tuple(labels)


def _workflow(text: str) -> int | Literal["true"]:
    if text == legacy.OF_A_WORKFLOW:
        return text  # type: ignore[return-value]
    found = _job_id(text)
    if found is None:
        raise ValueError("must be the number of a workflow")
    return found


def _yes(text: str) -> bool:
    """Old clients send `completed=true`, others the bare name."""
    if text.lower() not in (*_YES, *_NO):
        raise ValueError("must be true or false")
    return text.lower() in _YES


def _there(text: str) -> bool:
    return True


def _moment(text: str) -> int:
    """An epoch, a date or a date and a time."""
    if re.fullmatch(r"[0-9]{1,11}", text):
        return int(text)
    try:
        moment = datetime.fromisoformat(text) if re.match(r"[0-9]{4}-", text) else None
        if moment is not None:
            found = (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
            return min(max(int(found), 0), _EVER)  # no job is older than that
    except (ValueError, OverflowError):
        pass
    raise ValueError("must be a moment: 2026-05-01, 2026-05-01T12:00:00Z or seconds since 1970")


def _fields(text: str) -> frozenset[str]:
    names = frozenset(text.split(","))
    unknown = sorted(names - presentation.FIELDS)
    if unknown:
        known = ", ".join(sorted(presentation.FIELDS))
        raise ValueError(f"a job has no {', '.join(map(ascii, unknown))}; it has {known}")
    return names | {"id"}


def _sort(text: str) -> str:
    if text.removeprefix("-") not in Key.__members__.values():
        raise ValueError(f"must be one of {', '.join(Key)}, or with a - before it for the greatest first")
    return text


def _bytes(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise ValueError("must be a whole number, 0 or more")
    return int(text)


def _seconds(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise ValueError("must be a whole number of seconds")
    return min(int(text), LONGEST_WAIT_S)


def _node(text: str) -> int:
    if text != "0":
        raise ValueError("must be 0: the job has one node")
    return 0


_YES, _NO = ("", "true", "1", "yes"), ("false", "0", "no")

Moment = Annotated[
    int,
    BeforeValidator(_moment),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": _EVER},
                {"type": "string", "format": "date-time"},
                {"type": "string", "format": "date"},
            ]
        }
    ),
]
Bytes = Annotated[
    int, BeforeValidator(_bytes), WithJsonSchema({"type": "integer", "minimum": 0, "maximum": 10**18 - 1})
]
Seconds = Annotated[
    int, BeforeValidator(_seconds), WithJsonSchema({"type": "integer", "minimum": 0, "maximum": 10**9 - 1})
]
Number = Annotated[int, BeforeValidator(_num), WithJsonSchema({"type": "integer", "minimum": -1, "maximum": 10**9 - 1})]
Limit = Annotated[int, BeforeValidator(_limit), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 1000})]
Node = Annotated[int, BeforeValidator(_node), WithJsonSchema({"type": "integer", "enum": [0]})]
Yes = Annotated[bool, BeforeValidator(_yes), WithJsonSchema({"type": "boolean"})]
There = Annotated[bool, BeforeValidator(_there), WithJsonSchema(_TEXT)]
"""A flag that counts when it is there, with any value or none."""

Text = Annotated[str, WithJsonSchema(_TEXT)]
Statuses = Annotated[
    tuple[Status, ...],
    BeforeValidator(_statuses),
    WithJsonSchema({"type": "array", "minItems": 1, "items": {"type": "string", "enum": list(Status)}}),
]
LabelsOfJobs = Annotated[
    tuple[tuple[str, str], ...],
    BeforeValidator(_labels),
    WithJsonSchema({"type": "array", "items": {"type": "string", "pattern": "^[A-Za-z0-9]+=[^=]*$"}}),
]
JobIds = Annotated[
    tuple[int, ...], BeforeValidator(_job_ids), WithJsonSchema({"type": "array", "minItems": 1, "items": _JOB})
]
Workflow = Annotated[
    int | Literal["true"],
    BeforeValidator(_workflow),
    WithJsonSchema({"anyOf": [_JOB, {"type": "string", "enum": [legacy.OF_A_WORKFLOW]}]}),
]
Fields = Annotated[
    frozenset[str],
    BeforeValidator(_fields),
    WithJsonSchema({"type": "array", "minItems": 1, "items": {"type": "string", "enum": sorted(presentation.FIELDS)}}),
]
Sort = Annotated[
    str,
    BeforeValidator(_sort),
    WithJsonSchema({"type": "string", "enum": [f"{sign}{key}" for key in Key for sign in ("", "-")]}),
]


class Parameters(BaseModel):
    """One that is given twice counts as it was given last, but for those that are lists. Unknown ones are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, hide_input_in_errors=True)

    @classmethod
    def read(cls, parameters: Mapping[str, list[str]]) -> Self:
        """What is said. Raises Rejected with every mistake."""
        found: dict[str, Any] = {}
        for name, field in cls.model_fields.items():
            values = parameters.get(field.alias or name)
            if values:
                found[field.alias or name] = values if name in REPEATED else values[-1]
        return parse(cls, found)


class DescribeParameters(Parameters):
    """Of one job."""

    wait: Seconds = Field(
        default=0,
        description="For so many seconds wait until the job is not the one of If-None-Match any more; 60 at most.",
    )
    stdout: Bytes | None = Field(
        default=None, description="Wait no longer either when its standard output has not this many bytes any more."
    )
    stderr: Bytes | None = Field(default=None, description="The same of its standard error.")

    @property
    def reads(self) -> bool:
        """Whether it is about the job's output, too."""
        return self.stdout is not None or self.stderr is not None


class OutputParameters(Parameters):
    """Of a job's output."""

    node: Node = Field(default=0, description="Which of the job's nodes.")
    offset: Bytes = Field(default=0, description="From which character on, as old clients count.")
    byte: Bytes | None = Field(
        default=None, description="From which byte on; the header X-Prominence-Offset says where to go on."
    )


class ListParameters(Parameters):
    """Of a list of jobs."""

    status: Statuses | None = Field(
        default=None, description="Jobs with one of these statuses, with commas between them."
    )
    name: str | None = Field(default=None, description="Jobs with exactly this name.")
    constraint: LabelsOfJobs = Field(
        default=(), description="LABEL=VALUE: jobs with this label. Given several times, all must fit."
    )
    id: JobIds | None = Field(
        default=None, description="Jobs with these ids, with commas between them, whether they have ended or not."
    )
    workflow: Workflow | None = Field(
        default=None, description="Jobs of the workflow with this id; true: the id is in the parameter id."
    )
    created_after: Moment | None = Field(default=None, description="Created at this moment or later.")
    created_before: Moment | None = Field(default=None, description="Created before this moment.")
    started_after: Moment | None = Field(default=None, description="Started at this moment or later.")
    started_before: Moment | None = Field(default=None, description="Started before this moment.")
    ended_after: Moment | None = Field(default=None, description="Ended at this moment or later.")
    ended_before: Moment | None = Field(default=None, description="Ended before this moment.")
    completed: Yes = Field(
        default=False, description="Jobs that have ended and left the queue, in place of those in the queue."
    )
    all: There = Field(
        default=False, description="Those in the queue and those that have left it. Its presence counts."
    )
    num: Number | None = Field(
        default=None, description="With completed: how many, those that ended last. -1: all there are."
    )
    detail: There = Field(default=False, description="All that is known of each job. Its presence counts.")
    fields: Fields | None = Field(
        default=None, description="What to tell of each job, with commas between the names; id is always told."
    )
    sort: Sort | None = Field(
        default=None,
        description="id, createTime, name or, with completed, endTime; with a - before it the greatest first.",
    )
    limit: Limit | None = Field(default=None, description="How many jobs a page has at most, from 1 to 1000.")
    cursor: str | None = Field(default=None, description="Where to go on, as the answer to the page before said.")
    user: str | None = Field(default=None, description="Jobs of this user, for those who may see them.")
    group: str | None = Field(default=None, description="Jobs that are charged to this group.")
    everyone: Yes = Field(default=False, description="Jobs of all users, for those who may see them.")

    @property
    def is_paged(self) -> bool:
        """Whether a page is asked for, and not all there is."""
        return any(given is not None for given in (self.sort, self.limit, self.cursor))


class EnterParameters(Parameters):
    """Of a command that is to be run in a job, as the published client asks for it."""

    command: Text = Field(
        description="The program and its arguments, with commas between them.",
        json_schema_extra={"pattern": r"^[^\x00]*$"},
    )


class DeleteParameters(Parameters):
    """Of several jobs that are to be deleted."""

    id: JobIds = Field(description="The ids of the jobs, with commas between them.")


class ReadKeysParameters(Parameters):
    """Of a key, or of those that begin like it."""

    list: There = Field(default=False, description="The keys that begin like this, and not one key's value.")
    values: There = Field(default=False, description="With list: each key with its value.")


class WriteKeyParameters(Parameters):
    """Of a key that is to be set."""

    prev: Text | None = Field(
        default=None, description="Only if this is the value now; an empty one: if there is no such key."
    )


class DeleteKeysParameters(Parameters):
    """Of keys that are to be deleted."""

    prefix: There = Field(default=False, description="All that begin like this.")


class ListTokensParameters(Parameters):
    """Of a list of tokens."""

    all: There = Field(default=False, description="Everybody's, for operators.")


class SignedParameters(Parameters):
    """Of an address that the service has signed."""

    until: Text = Field(description="The moment when it expires.")
    signature: Text = Field(description="By which the service knows it.")
    largest: Text | None = Field(default=None, description="Bytes that may come at most.")
    size: Text | None = Field(default=None, description="Bytes that must come.")
    sha256: Text | None = Field(default=None, description="The checksum that the content must have.")
