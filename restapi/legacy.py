"""The quarantine: what the published client and its users' files force on us, rule by rule with its reason.

Nothing else in the API knows these; each can be deleted here when nobody needs it any more. The rest of what old
clients may write (runtimes by their old names, memory such as 16.0, numbers as values of env) is part of the job
model, since it is no trouble there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, BinaryIO

from prominence.core.errors import Rejected
from prominence.core.workflow import MOST_JOBS
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
        "PUT /jobs/<job>/snapshot",
        "GET /jobs/<job>/snapshot",
        "GET /jobs/<job>/stdout",
        "GET /jobs/<job>/stderr",
        "POST /data/upload",
        "POST /data",
        "GET /data",
        "GET /data/<name>",
        "DELETE /data/<name>",
        "GET /accounting",
        "POST /token",
        "POST /workflows",
        "GET /workflows",
        "GET /workflows/<workflow>",
        "DELETE /workflows/<workflow>",
        "DELETE /workflows",
        "PUT /workflows/<workflow>",
        "PUT /workflows/<workflow>/clone",
        "PUT /workflows/<workflow>/remove",
        "GET /workflows/<workflow>/<step>/stdout",
        "GET /workflows/<workflow>/<step>/stderr",
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

_SAID_BY_US = frozenset(
    {
        "array",
        "statusReason",
        "statusReasonCode",
        "exitCode",
        "priority",
        "attempts",
        "workflow",
        "parameters",
        "requestId",
    }
)
"""What `describe -i` prints is meant to be submitted again, but leaves some of the server's words in."""


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
}
"""Policies that do not exist here, with the values that ask for what happens anyway: jobs in files hold them."""


def job(body: Any) -> Any:
    """A job as old clients and files spell it, in our spelling. What is no job at all is left as it is."""
    if not isinstance(body, dict):
        return body
    said = {key: value for key, value in body.items() if key not in _SAID_BY_US}
    if isinstance(said.get("policies"), dict):
        said["policies"] = _policies(said["policies"])
    return said


def workflow(body: Any) -> Any:
    """A workflow as old clients and files spell it, in our spelling. Raises Rejected for what has no place in it."""
    if not isinstance(body, dict):
        return body
    _refuse_old(body)
    said = {key: value for key, value in body.items() if key != "progress" and key not in _SAID_BY_US}
    if isinstance(said.get("jobs"), list):
        said["jobs"] = [job(one) for one in said["jobs"]]
    if isinstance(said.get("dependencies"), list):
        said["dependencies"] = _dependencies(said["dependencies"])
    if isinstance(said.get("factories"), list):
        said["factories"] = [_factory(one) for one in said["factories"]]
    if "maximumRetries" in said:
        retries = said.pop("maximumRetries")
        policies = said.get("policies", {})
        said["policies"] = {"maximumRetries": retries, **policies} if isinstance(policies, dict) else policies
    return said


def _refuse_old(body: Mapping[str, Any]) -> None:
    if "factory" in body:
        raise Rejected.because(
            'is an old form; write "factories": a list of objects with type, jobs and parameters, such as '
            '{"type": "parameterSweep", "jobs": ["JOB"], "parameters": [{"name": "x", "start": 0, "end": 9, '
            '"step": 1}]}',
            "factory",
        )


def _dependencies(written: Any) -> Any:
    """They used to be a list of parents with their children."""
    said: dict[str, list[Any]] = {}
    pairs = 0
    for one in written:
        match one:
            case {"parents": [*parents], "children": [*children], **rest} if not rest and _are_texts(parents):
                pairs += len(parents) * len(children)
                if pairs > MOST_JOBS**2:  # a short text may stand for any number of them
                    raise Rejected.because(f"are more than {MOST_JOBS} jobs can have", "dependencies")
                for parent in parents:
                    said.setdefault(parent, []).extend(children)
            case _:
                return written  # what is neither is refused, with its place
    return said


def _are_texts(values: Any) -> bool:
    return all(isinstance(value, str) for value in values)


def _factory(written: Any) -> Any:
    """The published client's library says `num` of a repetition."""
    if not isinstance(written, dict) or written.get("type") != "repeat" or "num" not in written:
        return written
    said = {key: value for key, value in written.items() if key != "num"}
    return {"number": written["num"], **said}


def step(said: str, node: str) -> str:
    """Which job of a workflow, and which instance, is asked for by a path and by `node`.

    Of stderr the published client puts the number of the node into the path, and the job's name into `node`.
    """
    if not node or node.isdecimal():
        return said
    first, _, rest = said.partition("/")
    return f"{node}/{rest}" if rest and first.isdecimal() else node if first.isdecimal() else said


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


def first_byte(file: BinaryIO, offset: int, byte: int | None) -> int:
    """Where to read a job's output from: `offset` is the number of characters that an old client has printed so far.

    Bytes were meant once, but it counts what it has decoded, and on accented text it would get some of it twice.
    """
    return byte_of(file, offset) if byte is None else byte


def lists_keys(key: str, said: bool) -> bool:
    """The same address is a key or the beginning of many; `list` tells which, with any value or none."""
    return said or not key.strip("/")
