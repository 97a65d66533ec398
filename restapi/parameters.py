"""What may stand behind the ? in an address, each parameter with its type and meaning. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from prominence.core.errors import Rejected
from prominence.core.states import Status
from prominence.core.validation import parse
from prominence.restapi import legacy, presentation
from prominence.restapi.paging import Key

MOST = 10_000
"""How many finished jobs are looked at at most."""

LAST_ID = 2**31 - 1
"""HTCondor counts its jobs in 32 bits."""

LONGEST_WAIT_S = 60
"""How long a request may wait for news."""

_REPEATED = "constraint"
_EVER = 10**11


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
    return legacy.says_yes([text])


def _there(text: str) -> bool:
    return True


def _moment(text: str) -> int:
    """An epoch, a date or a date and a time."""
    if re.fullmatch(r"[0-9]{1,11}", text):
        return int(text)
    try:
        moment = datetime.fromisoformat(text) if re.match(r"[0-9]{4}-", text) else None
        if moment is not None:
            found = int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp())
            if 0 <= found < _EVER:
                return found
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


Moment = Annotated[int, BeforeValidator(_moment)]


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
                found[field.alias or name] = values if name == _REPEATED else values[-1]
        return parse(cls, found)


class DescribeParameters(Parameters):
    """Of one job."""

    wait: Annotated[int, BeforeValidator(_seconds)] = Field(
        default=0,
        description="For so many seconds wait until the job is not the one of If-None-Match any more; 60 at most.",
    )
    stdout: Annotated[int, BeforeValidator(_bytes)] | None = Field(
        default=None, description="Wait no longer either when its standard output has not this many bytes any more."
    )
    stderr: Annotated[int, BeforeValidator(_bytes)] | None = Field(
        default=None, description="The same of its standard error."
    )

    @property
    def reads(self) -> bool:
        """Whether it is about the job's output, too."""
        return self.stdout is not None or self.stderr is not None


class OutputParameters(Parameters):
    """Of a job's output."""

    node: Annotated[int, BeforeValidator(_node)] = Field(default=0, description="Which of the job's nodes.")
    offset: Annotated[int, BeforeValidator(_bytes)] = Field(
        default=0, description="From which character on, as old clients count."
    )
    byte: Annotated[int, BeforeValidator(_bytes)] | None = Field(
        default=None, description="From which byte on; the header X-Prominence-Offset says where to go on."
    )


class ListParameters(Parameters):
    """Of a list of jobs."""

    status: Annotated[tuple[Status, ...], BeforeValidator(_statuses)] | None = Field(
        default=None, description="Jobs with one of these statuses, with commas between them."
    )
    name: str | None = Field(default=None, description="Jobs with exactly this name.")
    constraint: Annotated[tuple[tuple[str, str], ...], BeforeValidator(_labels)] = Field(
        default=(), description="LABEL=VALUE: jobs with this label. Given several times, all must fit."
    )
    id: Annotated[tuple[int, ...], BeforeValidator(_job_ids)] | None = Field(
        default=None, description="Jobs with these ids, with commas between them, whether they have ended or not."
    )
    workflow: Annotated[int | Literal["true"], BeforeValidator(_workflow)] | None = Field(
        default=None, description="Jobs of the workflow with this id; true: the id is in the parameter id."
    )
    created_after: Moment | None = Field(default=None, description="Created at this moment or later.")
    created_before: Moment | None = Field(default=None, description="Created before this moment.")
    started_after: Moment | None = Field(default=None, description="Started at this moment or later.")
    started_before: Moment | None = Field(default=None, description="Started before this moment.")
    ended_after: Moment | None = Field(default=None, description="Ended at this moment or later.")
    ended_before: Moment | None = Field(default=None, description="Ended before this moment.")
    completed: Annotated[bool, BeforeValidator(_yes)] = Field(
        default=False, description="Jobs that have ended and left the queue, in place of those in the queue."
    )
    all: Annotated[bool, BeforeValidator(_there)] = Field(
        default=False, description="Those in the queue and those that have left it. Its presence counts."
    )
    num: Annotated[int, BeforeValidator(_num)] | None = Field(
        default=None, description="With completed: how many, those that ended last. -1: all there are."
    )
    detail: Annotated[bool, BeforeValidator(_there)] = Field(
        default=False, description="All that is known of each job. Its presence counts."
    )
    fields: Annotated[frozenset[str], BeforeValidator(_fields)] | None = Field(
        default=None, description="What to tell of each job, with commas between the names; id is always told."
    )
    sort: Annotated[str, BeforeValidator(_sort)] | None = Field(
        default=None,
        description="id, createTime, name or, with completed, endTime; with a - before it the greatest first.",
    )
    limit: Annotated[int, BeforeValidator(_limit)] | None = Field(
        default=None, description="How many jobs a page has at most, from 1 to 1000."
    )
    cursor: str | None = Field(default=None, description="Where to go on, as the answer to the page before said.")
    user: str | None = Field(default=None, description="Jobs of this user, for those who may see them.")
    group: str | None = Field(default=None, description="Jobs that are charged to this group.")
    everyone: Annotated[bool, BeforeValidator(_yes)] = Field(
        default=False, description="Jobs of all users, for those who may see them."
    )

    @property
    def is_paged(self) -> bool:
        """Whether a page is asked for, and not all there is."""
        return any(given is not None for given in (self.sort, self.limit, self.cursor))
