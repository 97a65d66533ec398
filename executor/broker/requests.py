"""The requests of the broker's protocol, one class a verb, and how a line is read that may come from anybody."""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass, field
from typing import Any, Dict, Tuple, Type, Union

from prominence.core import document
from prominence.core.pulled import PULLED
from prominence.executor.broker.protocol import (
    LONGEST_TOKEN,
    LONGEST_URL,
    LONGEST_USERNAME,
    MOST_BESIDE,
    MOST_MOUNTS,
    PRIVATE,
)

_IMAGE = r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,510}"
_SHA256 = r"[0-9a-f]{64}"
_BY_DIGEST = r"[^@]+@sha256:[0-9a-f]{64}"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ARCHITECTURE = r"[a-z0-9]{0,20}"
_MOST_LAYERS = 125  # Docker's own limit
_LARGEST_LAYER = 10**15
_LEAST_MEMORY_MIB = 6  # Docker's own limit


@dataclass(frozen=True)
class Version:
    """The engine's version; anybody may ask. Answer: version, between_nodes.

    between_nodes: whether a container may be on the worker's own network, where a job's other nodes reach it.
    """


@dataclass(frozen=True)
class Session:
    """Begin the job's session. Answer: home and tmp, absolute paths on the worker, owned by the caller; and mounts.

    sandbox: the job's, as HTCondor made it. mounts: how many more directories of this kind are wanted. beside: how many
    containers are to run beside the task's, with which it shares what it may have.
    """

    sandbox: str = ""
    mounts: int = 0
    beside: int = 0


@dataclass(frozen=True)
class Has:
    """Whether the engine holds an image for everybody, or for this session. Answer: has.

    private: whether only what this session has fetched with a credential counts.
    """

    image: str
    private: bool = False


@dataclass(frozen=True)
class Pull:
    """Fetch an image; with a username and a token for this session alone."""

    image: str
    username: str = ""
    token: str = field(default="", repr=False)


@dataclass(frozen=True)
class Image:
    """Have an image as a file of Apptainer's, for as long as the connection lasts. Answer: path.

    image: its name with its digest.
    """

    image: str


@dataclass(frozen=True)
class File:
    """Have a file that holds an image, for as long as the connection lasts. Answer: path, sha256, tag, fresh.

    url: where it is. sha256: of its content, where that is known; otherwise it is what was there last, unless that had
    the tag `stale`. tag: by which its server knows it, "" for none. fresh: whether it was fetched for this request.
    """

    url: str = field(repr=False)
    sha256: str = ""
    stale: str = ""


@dataclass(frozen=True)
class Made:
    """Have what Apptainer makes of such a file, if that is what docker has saved. Answer: path.

    sha256: of the file, which this worker keeps.
    """

    sha256: str


@dataclass(frozen=True)
class Piece:
    """Of a file."""

    offset: int
    size: int


@dataclass(frozen=True)
class Load:
    """Make an image for this session alone. Answer: image, what `run` is to call it.

    layers: uncompressed archives, the lowest first, in the file whose descriptor comes with it. program, arguments:
    what it runs by itself. env: NAME=VALUE.
    """

    layers: Tuple[Piece, ...]
    program: Tuple[str, ...] = ()
    arguments: Tuple[str, ...] = ()
    env: Tuple[str, ...] = ()
    architecture: str = ""


@dataclass(frozen=True)
class Run:
    """Run a container with the session's directories to its end.

    Answer: exit_code, oom, disk, disk_kib, cpu_s, max_rss_kib, image_digest, last_words, cut.
    command: empty for the image's own. memory_mib, cpus: limits. The two descriptors get its output; last_words is
    the end of its stderr. targets: where the session's further directories are seen, in their order. disk: whether it
    was killed because the session kept more than its slot's disk; disk_kib: as much was seen there. cut: some of its
    output was lost, as the disk that a descriptor leads to is full. cpu_s, max_rss_kib: null where nobody knows.
    between_nodes: whether it is to be on the worker's own network, where other nodes of the job reach it.
    """

    image: str
    command: Tuple[str, ...]
    env: Dict[str, str]
    workdir: str
    cpus: int
    memory_mib: int
    targets: Tuple[str, ...] = ()
    between_nodes: bool = False


@dataclass(frozen=True)
class Beside(Run):
    """The same beside the task's, in the session that the same process holds on another connection.

    There is an answer when it has been started, and another when it has ended.
    """


@dataclass(frozen=True)
class Enter:
    """Run a command in the container that the same process has running in a session of its own. Answer: exit_code.

    The two descriptors get its output. It has the container's user, environment and working directory.
    """

    command: Tuple[str, ...]


@dataclass(frozen=True)
class Usage:
    """What the container uses that the same process has running in a session of its own.

    Answer: cpu_s, memory_kib, disk_kib; null for what nobody knows.
    """


@dataclass(frozen=True)
class Signal:
    """Send a signal to the container that this connection has running, if there is one. No answer."""

    name: str


Request = Union[Version, Session, Has, Pull, Image, File, Made, Load, Run, Beside, Enter, Usage, Signal]
VERBS: Dict[str, Type[Any]] = {
    "version": Version,
    "session": Session,
    "has": Has,
    "pull": Pull,
    "image": Image,
    "file": File,
    "made": Made,
    "load": Load,
    "run": Run,
    "beside": Beside,
    "enter": Enter,
    "usage": Usage,
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
    if isinstance(request, (Has, Pull, Image, Run)) and not re.fullmatch(_IMAGE, request.image):
        raise BadRequest("image: not the name of an image")
    if isinstance(request, Image) and not re.fullmatch(_BY_DIGEST, request.image):
        raise BadRequest("image: not a name with a digest")
    if isinstance(request, File):
        _check_file(request)
    if isinstance(request, Made) and not re.fullmatch(_SHA256, request.sha256):
        raise BadRequest("sha256: not a checksum")
    if isinstance(request, (Has, Pull, Run)) and (PRIVATE in request.image or PULLED in request.image):
        raise BadRequest("image: not the name of an image")  # a session's own, and no other's
    if isinstance(request, Pull) and (request.username or request.token):
        _check_credential(request)
    if isinstance(request, Signal) and request.name not in SIGNALS:
        raise BadRequest(f"name: there are {', '.join(SIGNALS)}")
    if isinstance(request, Session) and not _can_be_passed(request.sandbox):
        raise BadRequest("sandbox: not a path")
    if isinstance(request, Session) and not 0 <= request.mounts <= MOST_MOUNTS:
        raise BadRequest(f"mounts: at most {MOST_MOUNTS}")
    if isinstance(request, Session) and not 0 <= request.beside <= MOST_BESIDE:
        raise BadRequest(f"beside: at most {MOST_BESIDE}")
    if isinstance(request, Run):
        _check_run(request)
    if isinstance(request, Load):
        _check_load(request)
    if isinstance(request, Enter) and not (request.command and all(map(_can_be_passed, request.command))):
        raise BadRequest("command: not one that can be passed to a program")


def _check_file(file: File) -> None:
    if not re.fullmatch(r"https?://[!-~]+", file.url) or len(file.url) > LONGEST_URL:
        raise BadRequest("url: not a web address")
    if file.sha256 and not re.fullmatch(_SHA256, file.sha256):
        raise BadRequest("sha256: not a checksum")


def _check_credential(pull: Pull) -> None:
    for name, text, most in (("username", pull.username, LONGEST_USERNAME), ("token", pull.token, LONGEST_TOKEN)):
        if not 0 < len(text) <= most or not _can_be_passed(text) or _CONTROL.search(text):
            raise BadRequest(f"{name}: not one that a registry can be told")
    if ":" in pull.username:
        raise BadRequest("username: not one that a registry can be told")


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


def _check_load(load: Load) -> None:
    if not 1 <= len(load.layers) <= _MOST_LAYERS:
        raise BadRequest(f"layers: 1 to {_MOST_LAYERS}")
    if any(layer.offset < 0 or not 0 <= layer.size <= _LARGEST_LAYER for layer in load.layers):
        raise BadRequest("layers: not a part of a file")
    if not re.fullmatch(_ARCHITECTURE, load.architecture):
        raise BadRequest("architecture: not the name of one")
    if not all(map(_can_be_passed, (*load.program, *load.arguments, *load.env))):
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
