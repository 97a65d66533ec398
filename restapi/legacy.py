"""The quarantine: what the published client and its users' files force on us, rule by rule with its reason.

Nothing else in the API knows these; each can be deleted here when nobody needs it any more. The rest of what old
clients may write (runtimes by their old names, memory such as 16.0, numbers as values of env) is part of the job
model, since it is no trouble there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, BinaryIO

from prominence.restapi.text import byte_of

NOT_FOUND = 400
"""Any 404 makes the published client say that PROMINENCE_URL is wrong, whatever the body tells."""

CALLED = frozenset(
    {
        "POST /jobs",
        "GET /jobs",
        "GET /jobs/<job>",
        "DELETE /jobs/<job>",
        "DELETE /jobs",
        "PUT /jobs/<job>/remove",
        "PUT /jobs/<job>/clone",
        "POST /jobs/<job>/exec",
        "GET /jobs/<job>/stdout",
        "GET /jobs/<job>/stderr",
        "POST /data/upload",
        "POST /data",
        "GET /data",
        "GET /data/<name>",
        "DELETE /data/<name>",
        "POST /token",
    }
)
"""The operations for which that holds: those that the published client calls.

A key that is not there it knows by 404, when "No such key" is said.
"""


def not_found(operation: str) -> int:
    """The status of what is not there, in the answer to this operation; "" for an address that leads nowhere."""
    return NOT_FOUND if not operation or operation in CALLED else 404


OF_A_WORKFLOW = "true"
"""As the value of `workflow`: `list jobs N` asks for the jobs of workflow N by `workflow=true&id=N`."""

_SAID_BY_US = frozenset({"statusReason", "statusReasonCode", "exitCode"})

_NOT_HERE: Mapping[str, Any] = {"notifications": [], "storage": {}}
"""Sections of a job that do not exist here, as they are when nothing is in them."""


def token(authorization: str) -> str:
    """The token in an Authorization header; "" for none.

    The scheme is not looked at: clients say "Bearer", "token" and "Token".
    """
    words = authorization.split()
    return words[1] if len(words) == 2 else ""


def command(joined: str) -> dict[str, list[str]]:
    """A command as it is asked for today. The published client puts commas between words, which may have some."""
    return {"command": joined.split(",")}


_SPELLED_OTHERWISE = {"ignoreTaskTailures": "ignoreTaskFailures"}
"""As the published client's library writes a policy."""

_AS_WITHOUT_IT: Mapping[str, Any] = {
    "autoScalingType": (None, "none"),
    "maximumIdleTimePerResource": (0,),
    "preemptible": (False,),
    "runSerialTasksOnAllNodes": (False,),
}
"""Policies that do not exist here, with the values that ask for what happens anyway: jobs in files hold them."""


def job(body: Any) -> Any:
    """A job as old clients and files spell it, in our spelling. What is no job at all is left as it is."""
    if not isinstance(body, dict):
        return body
    said = {key: value for key, value in body.items() if not _says_nothing(key, value)}
    if isinstance(said.get("policies"), dict):
        said["policies"] = _policies(said["policies"])
    return said


def _policies(written: Mapping[str, Any]) -> dict[str, Any]:
    """The right spelling counts where both are there."""
    said = {key: value for key, value in written.items() if not _asks_for_nothing(key, value)}
    others = {right: said.pop(wrong) for wrong, right in _SPELLED_OTHERWISE.items() if wrong in said}
    return {**others, **said}


def _asks_for_nothing(policy: str, value: Any) -> bool:
    return any(type(value) is type(nothing) and value == nothing for nothing in _AS_WITHOUT_IT.get(policy, ()))


def upload(parameters: Mapping[str, list[str]]) -> dict[str, str]:
    """The name and the checksum of an upload used to be in the address, where there was no body."""
    names = {"name": "filename", "checksum": "checksum"}
    return {new: parameters[old][-1] for old, new in names.items() if parameters.get(old)}


def _says_nothing(key: str, value: Any) -> bool:
    """What `describe -i` prints is meant to be submitted again, but leaves some of the server's words in.

    And scripts write every section of a job, those that they do not use with nothing in them.
    """
    return key in _SAID_BY_US or (key in _NOT_HERE and value == _NOT_HERE[key])


def first_byte(file: BinaryIO, offset: int, byte: int | None) -> int:
    """Where to read a job's output from: `offset` is the number of characters that an old client has printed so far.

    Bytes were meant once, but it counts what it has decoded, and on accented text it would get some of it twice.
    """
    return byte_of(file, offset) if byte is None else byte


def lists_keys(key: str, said: bool) -> bool:
    """The same address is a key or the beginning of many; `list` tells which, with any value or none."""
    return said or not key.strip("/")
