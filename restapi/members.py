"""What jobs have in common that were submitted together, and what is each one's own, by their uids. Pure.

An array has a uid, and its directory holds what all members share: what was asked for, the plan. A member's uid is
that of the array and its place in it, UID/3; its directory is in that of the array.

A workflow has a uid, and in its directory each of its jobs has one, UID/2, with what that job's instances share. The
uid of an instance has both numbers, UID/2.17; so has its directory, which is in that of the workflow, too.
"""

from __future__ import annotations


def uid_of(array: str, place: int | str) -> str:
    """Of a member of the array with this uid."""
    return f"{array}/{place}"


def node_uid(workflow: str, job: int, instance: int | str) -> str:
    """Of an instance of a job of the workflow with this uid; both are counted from 0."""
    return f"{workflow}/{node_place(job, instance)}"


def node_place(job: int, instance: int | str) -> str:
    """The name of an instance's directory in that of its workflow."""
    return f"{job}.{instance}"


def numbers_of(uid: str) -> tuple[int, int]:
    """Of an instance of a workflow's job, by its uid: the job's and its own."""
    job, _, instance = uid.rpartition("/")[2].partition(".")
    return int(job), int(instance)


def instance_of(uid: str) -> int:
    """The number of an instance of a workflow's job, by its uid."""
    return numbers_of(uid)[1]


def shared(uid: str) -> str:
    """Where what a job does not have alone is found: by the uid of its array, or of its job of the workflow; for all
    others by their own."""
    if is_node(uid):
        return uid.partition(".")[0]
    return whole(uid)


def whole(uid: str) -> str:
    """The uid of all that was submitted together."""
    return uid.partition("/")[0]


def is_member(uid: str) -> bool:
    """Whether the uid is that of a member of an array or of an instance of a workflow's job."""
    return "/" in uid


def is_node(uid: str) -> bool:
    """Whether the uid is that of an instance of a workflow's job."""
    return "." in uid
