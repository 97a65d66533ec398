"""Arrays: many equal jobs under one number. What users ask of them and do to them as a whole.

What is asked of a single member is asked as of any job, by its own number.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from prominence.core import logs
from prominence.core.errors import Conflict, NotFound
from prominence.core.states import HELD_BY_OPERATOR, HELD_BY_USER, JobStatus
from prominence.core.verdict import DELETED_BY_OPERATOR, DELETED_BY_USER
from prominence.core.view import JobAd
from prominence.restapi import audit, listing, query
from prominence.restapi.actions import ALIVE, HELD
from prominence.restapi.finished import Finished
from prominence.restapi.identity import Account, Act, Identity, Role, may
from prominence.restapi.presentation import Job, owner_of, present_array
from prominence.restapi.selection import Kind, Selection
from prominence.restapi.services import Services

log = logs.get(__name__)

_RELEASED_BY = {True: (HELD_BY_USER,), False: (HELD_BY_USER, HELD_BY_OPERATOR)}
"""By its owner or not: whose holds are ended."""


def list_arrays(most: int, caller: Identity, services: Services) -> list[dict[str, Any]]:
    """The newest of the caller's."""
    return _look(Selection(user=caller.user, kinds=(Kind.MEMBER,)), most, services)


def describe(array: int, caller: Identity, services: Services) -> dict[str, Any]:
    """One of them. Raises NotFound."""
    _visible(array, "describe array", caller, services)
    found = _look(Selection(array=array), 1, services)
    if not found:
        raise NotFound(f"There is no array {array}.")
    return found[0]


def list_members(array: int, parameters: Mapping[str, list[str]], caller: Identity, services: Services) -> query.Listed:
    """The members that are asked for. Raises NotFound; Rejected."""
    owner = _visible(array, "list members", caller, services)
    return query.list_jobs(listing.read_members(parameters, array, owner.user), caller, services)


def delete(array: int, caller: Identity, services: Services) -> None:
    """Take all members out of the queue, ending those that run. Raises NotFound when none is there."""
    role = _queued(array, Act.REMOVE, "delete array", caller, services)
    reason = DELETED_BY_USER if role is Role.OWNER else DELETED_BY_OPERATOR
    removed = services.queue.remove(Selection(array=array), reason)
    log.info("array deleted", array=array, removed=removed, user=caller.user)
    if not removed:
        raise _not_queued(array)


def hold(array: int, caller: Identity, services: Services) -> None:
    """Let no member start; those that run begin anew when they are released. Raises NotFound; Conflict."""
    role = _queued(array, Act.CHANGE, "hold array", caller, services)
    reason, subcode = HELD[role is Role.OWNER]
    held = services.queue.hold(Selection(array=array, statuses=ALIVE), reason, subcode)
    log.info("array held", array=array, held=held, user=caller.user)
    if not held:
        raise Conflict(f"No member of array {array} can be put on hold: none waits or runs.")


def release(array: int, caller: Identity, services: Services) -> None:
    """Let all members start again that were put on hold. Raises NotFound; Conflict."""
    role = _queued(array, Act.CHANGE, "release array", caller, services)
    by = _RELEASED_BY[role is Role.OWNER]
    released = services.queue.release(Selection(array=array, statuses=(JobStatus.HELD,), held=by))
    log.info("array released", array=array, released=released, user=caller.user)
    if not released:
        only = "; what an operator put on hold they alone can release" if role is Role.OWNER else ""
        raise Conflict(f"No member of array {array} is on hold{only}.")


def _look(selection: Selection, most: int, services: Services) -> list[dict[str, Any]]:
    """The newest arrays of which a member is selected, wherever their members are."""
    queued: defaultdict[int, list[Job]] = defaultdict(list)
    for job in query.look_at(services.queue.find(selection), services):
        queued[job.job_id.cluster].append(job)
    # Asked in this order no member is missed, and one that leaves the queue meanwhile is counted once.
    left = services.archive.arrays(selection, most, [job.job_id for jobs in queued.values() for job in jobs])
    specs, found = query.specs_of(services), []
    for array in sorted({*queued, *left}, reverse=True)[:most]:
        statuses = Counter(job.view.status for job in queued.get(array, ()))
        if array in left:
            statuses.update(left[array].statuses)
        one = queued[array][0] if array in queued else query.of_finished(Finished(left[array].ad), specs)
        found.append(present_array(one, statuses))
    return found


def _visible(array: int, word: str, caller: Identity, services: Services) -> Account:
    """Whose an array is that the caller may see. Another user's is not there for them."""
    ad = services.queue.one(Selection(array=array))
    if ad is None:
        left = services.archive.arrays(Selection(array=array), 1)
        ad = left[array].ad if array in left else None
    return _permitted(array, ad, Act.SEE, word, caller, NotFound(f"There is no array {array}."))[0]


def _queued(array: int, act: Act, word: str, caller: Identity, services: Services) -> Role:
    """As what the caller acts on an array of which members are in the queue."""
    ad = services.queue.one(Selection(array=array))
    return _permitted(array, ad, act, word, caller, _not_queued(array))[1]


def _permitted(
    array: int, ad: JobAd | None, act: Act, word: str, caller: Identity, refusal: NotFound
) -> tuple[Account, Role]:
    owner = None if ad is None else owner_of(ad)
    role = None if owner is None else may(caller, act, owner)
    if owner is None or role is None:
        raise refusal
    if role is not Role.OWNER:
        audit.record(word, caller, array=array, user=owner.user, role=role)
    return owner, role


def _not_queued(array: int) -> NotFound:
    return NotFound(f"There is no array {array} in the queue.")
