"""What a running job of a workflow is passed by other jobs of it: what there is, and where to get it.

The record of the job in the ledger says of which jobs and which outputs; the names of those are known when they have
been kept, so they are looked for when they are asked for. Whoever passes something has succeeded by then; only of what
is passed at the end of a workflow there may be less, or nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from prominence.core import logs
from prominence.core.errors import Forbidden, Rejected
from prominence.core.validation import WHOLE, Strict, parse
from prominence.restapi import areas, members
from prominence.restapi.grants import ADDRESS_S, Input, running_job
from prominence.restapi.ledger import Source
from prominence.restapi.objects import Reach
from prominence.restapi.outputs import matches
from prominence.restapi.ports import READ_INPUTS
from prominence.restapi.services import Services

log = logs.get(__name__)

AT_ONCE = 1000
"""Names that are told in one answer."""

ARCHIVE = ".tgz"
"""Behind the path of a directory that was kept: the name of its archive."""


Number = Annotated[int, Field(ge=0), WHOLE]


class WantedNames(Strict):
    """Of which job's outputs a job wants to know the names."""

    number: Number = Field(description="Which of those artifacts that other jobs pass, counted from 0.")
    instance: Number = Field(default=0, description="Of the other job; nobody asks where each has its own.")
    after: str = Field(default="", max_length=areas.LONGEST_NAME, description="The last name that is known already.")


class WantedPassed(Strict):
    """An output of another job that a job wants to read."""

    number: Number = Field(description="As it was asked for.")
    instance: Number = Field(default=0, description="As it was asked for.")
    name: str = Field(description="As it was told.", json_schema_extra=areas.SCHEMA)


@dataclass(frozen=True)
class Names:
    """In their order. directories: whether each is a directory's archive. more: whether there are others behind."""

    names: tuple[str, ...]
    directories: tuple[bool, ...]
    more: bool


def names(token: str, body: object, services: Services) -> Names:
    """What there is for the running job. Raises Unauthenticated, Forbidden, Rejected, Unavailable."""
    uid, passed = _asked(token, services)
    wanted = parse(WantedNames, body)
    source = _source(passed, wanted.number)
    folder = areas.outputs(_giver(uid, source, wanted.instance))
    there = sorted(one.name.removeprefix(f"{folder}/") for one in services.objects.list(folder))
    found = [name for name in there if name > wanted.after and is_passed(name, source)]
    told = tuple(found[:AT_ONCE])
    return Names(told, tuple(_is_directory(name, source) for name in told), len(found) > AT_ONCE)


def address(token: str, body: object, services: Services) -> Input:
    """Where the running job gets one of them. Raises as above."""
    uid, passed = _asked(token, services)
    wanted = parse(WantedPassed, body)
    source = _source(passed, wanted.number)
    if not is_passed(wanted.name, source):
        raise Forbidden(f"{ascii(wanted.name)} is not passed to this job.")
    stored_as = areas.output(_giver(uid, source, wanted.instance), wanted.name)
    stored = services.objects.stat(stored_as)
    if stored is None:
        raise Rejected.because(f"The output {wanted.name} is no longer there.")
    log.info("address of an output given to another job", uid=uid, name=stored_as)
    return Input(services.objects.url_to_get(stored_as, ADDRESS_S, Reach.WORKERS), stored.size, stored.sha256)


def is_passed(name: str, source: Source) -> bool:
    """Whether an output of this name is."""
    if not source.select or matches(name, source.select):
        return True
    return _is_directory(name, source) and matches(name.removesuffix(ARCHIVE), source.select)


def _is_directory(name: str, source: Source) -> bool:
    return any(matches(name, f"{directory}{ARCHIVE}") for directory in source.directories)


def _asked(token: str, services: Services) -> tuple[str, tuple[Source, ...]]:
    uid, record = running_job(token, READ_INPUTS, services)
    return uid, record.passed


def _source(passed: tuple[Source, ...], number: int) -> Source:
    if number >= len(passed):
        raise Forbidden("That is not passed to this job.")
    return passed[number]


def _giver(uid: str, source: Source, instance: int) -> str:
    """The uid of the instance that passes it: of the same workflow, whoever asks for whatever."""
    if source.in_pairs:
        instance = members.instance_of(uid)
    elif instance >= source.instances:
        raise Forbidden("There is no such instance of that job.")
    return members.node_uid(members.whole(uid), source.giver, instance)
