"""The requests of the broker's protocol, one class a verb, and how a line is read that may come from anybody."""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass
from typing import Any, Dict, Tuple, Type, Union

from prominence.core import document
from prominence.executor.broker.protocol import MOST_MOUNTS

_IMAGE = r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,510}"
_LEAST_MEMORY_MIB = 6  # Docker's own limit


@dataclass(frozen=True)
class Version:
    """The engine's version; anybody may ask. Answer: version."""


@dataclass(frozen=True)
class Session:
    """Begin the job's session. Answer: home and tmp, absolute paths on the worker, owned by the caller; and mounts.

    sandbox: the job's, as HTCondor made it. mounts: how many more directories of this kind are wanted.
    """

    sandbox: str = ""
    mounts: int = 0


@dataclass(frozen=True)
class Has:
    """Whether the engine holds an image. Answer: has."""

    image: str


@dataclass(frozen=True)
class Pull:
    """Fetch an image."""

    image: str


@dataclass(frozen=True)
class Run:
    """Run a container with the session's directories to its end.

    Answer: exit_code, oom, disk, image_digest, last_words, cut.
    command: empty for the image's own. memory_mib, cpus: limits. The two descriptors get its output; last_words is
    the end of its stderr. targets: where the session's further directories are seen, in their order. disk: whether it
    was killed because the session kept more than its slot's disk. cut: some of its output was lost, as the disk that a
    descriptor leads to is full.
    """

    image: str
    command: Tuple[str, ...]
    env: Dict[str, str]
    workdir: str
    cpus: int
    memory_mib: int
    targets: Tuple[str, ...] = ()


@dataclass(frozen=True)
class Enter:
    """Run a command in the container that the same process has running in a session of its own. Answer: exit_code.

    The two descriptors get its output. It has the container's user, environment and working directory.
    """

    command: Tuple[str, ...]


@dataclass(frozen=True)
class Signal:
    """Send a signal to the session's running container, if there is one. No answer."""

    name: str


Request = Union[Version, Session, Has, Pull, Run, Enter, Signal]
VERBS: Dict[str, Type[Any]] = {
    "version": Version,
    "session": Session,
    "has": Has,
    "pull": Pull,
    "run": Run,
    "enter": Enter,
    "signal": Signal,
}
SIGNALS = ("TERM", "KILL")


class BadRequest(ValueError):
    """Not a request of this protocol; the text says why."""


def parse(text: bytes) -> Request:
    """A request from its line, complete and without anything that it should not hold. Raises BadRequest."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadRequest("not a line of JSON") from error
    if not isinstance(data, dict):
        raise BadRequest("not an object")
    verb = data.pop("verb", None)
    cls = VERBS.get(verb) if isinstance(verb, str) else None
    if cls is None:
        raise BadRequest(f"no such verb; there are {', '.join(VERBS)}")
    unknown = set(data) - {field.name for field in dataclasses.fields(cls)}
    if unknown:
        raise BadRequest(f"{verb} has no {', '.join(sorted(unknown))}")
    try:
        request: Request = document.loads(cls, json.dumps(data))
    except (document.BadDocument, RecursionError) as error:
        raise BadRequest(str(error)) from error
    _check(request)
    return request


def _check(request: Request) -> None:
    if isinstance(request, (Has, Pull, Run)) and not re.fullmatch(_IMAGE, request.image):
        raise BadRequest("image: not the name of an image")
    if isinstance(request, Signal) and request.name not in SIGNALS:
        raise BadRequest(f"name: there are {', '.join(SIGNALS)}")
    if isinstance(request, Session) and not _can_be_passed(request.sandbox):
        raise BadRequest("sandbox: not a path")
    if isinstance(request, Session) and not 0 <= request.mounts <= MOST_MOUNTS:
        raise BadRequest(f"mounts: at most {MOST_MOUNTS}")
    if isinstance(request, Run):
        _check_run(request)
    if isinstance(request, Enter) and not (request.command and all(map(_can_be_passed, request.command))):
        raise BadRequest("command: not one that can be passed to a program")


def _check_run(run: Run) -> None:
    if not run.workdir.startswith("/"):
        raise BadRequest("workdir: not an absolute path")
    if not all(_can_be_mounted_at(target) for target in run.targets):
        raise BadRequest("targets: not a path that anything can be mounted at")
    if run.cpus < 1:
        raise BadRequest("cpus: at least 1")
    if run.memory_mib < _LEAST_MEMORY_MIB:
        raise BadRequest(f"memory_mib: at least {_LEAST_MEMORY_MIB}")
    if any(not name or "=" in name for name in run.env):
        raise BadRequest("env: a name is empty or has an = in it")
    for text in (run.workdir, *run.command, *run.env, *run.env.values()):
        if not _can_be_passed(text):
            raise BadRequest("a text cannot be passed to a program")


def _can_be_mounted_at(target: str) -> bool:
    parts = target.split("/")
    whole = target.startswith("/") and not {"", ".", ".."} & set(parts[1:]) and _can_be_passed(target)
    return whole and parts[1] not in ("proc", "sys", "dev") and target not in ("/home", "/home/user", "/tmp")


def _can_be_passed(text: str) -> bool:
    if "\0" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can hold
        return False
    return True
