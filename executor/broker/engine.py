"""What the Docker Engine's HTTP API calls things: the one file of the broker that knows it.

Its command line is not needed on the worker, nothing passes through argument lists, and the facts (exit code, out
of memory, why a start failed) come as data. Paths carry no API version: the engine's own is used.
"""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Mapping, Optional, Protocol, Sequence, Set, Tuple
from urllib.parse import quote, urlencode

from prominence.executor import usage
from prominence.executor.broker.enginesocket import Content, EngineSocket, HangUp, NotThere
from prominence.executor.broker.names import qualified, split_reference
from prominence.executor.usage import Usage

_PULL_TIMEOUT_S = 1800.0  # between two lines of progress


@dataclass(frozen=True)
class Host:
    """What the engine's machine has."""

    cpus: int
    memory_mib: int


@dataclass(frozen=True)
class State:
    """What became of a container. image: the engine's id for its image."""

    image: str
    exit_code: int
    out_of_memory: bool


class Reader(Protocol):
    """Where bytes come from."""

    def read(self, amount: int, /) -> bytes:
        """So many bytes, fewer at the end only."""


class Engine:
    """The engine behind a socket. Every verb raises EngineUnavailable, and EngineRefused where it may be refused."""

    def __init__(self, socket_path: str) -> None:
        self._socket = EngineSocket(socket_path)
        self._host: Host | None = None

    def version(self) -> str:
        with self._socket.answer("GET", "/_ping") as answer:
            answer.read()
            name, _, version = answer.headers.get("Server", "").partition(" ")[0].partition("/")
        # Docker tells it with every answer; asked outright, it runs programs first, while a job would wait.
        return version if name == "Docker" else str(self._socket.json("GET", "/version")["Version"])

    def host(self) -> Host:
        """What the engine's machine has. Asked once: the engine runs programs to answer, while a job would wait."""
        if self._host is None:
            info = self._socket.json("GET", "/info")
            self._host = Host(cpus=int(info["NCPU"]), memory_mib=int(info["MemTotal"]) // (1024 * 1024))
        return self._host

    def image_digest(self, image: str) -> str:
        """The registry's digest of an image that is here, else the engine's own id for it. Raises NotThere.

        image: what `qualified` gives, or an id.
        """
        found = self._socket.json("GET", f"/images/{quote(image, safe='/:@')}/json")
        digests = found.get("RepoDigests") or [found["Id"]]
        return str(digests[0]).rpartition("@")[2]

    def has(self, image: str) -> bool:
        """Whether there is an image of this name."""
        try:
            self.image_id(image)
        except NotThere:
            return False
        return True

    def image_id(self, image: str) -> str:
        """The id of what has this name. Raises NotThere."""
        return str(self._socket.json("GET", f"/images/{quote(image, safe='/:@')}/json")["Id"])

    def image_ids(self) -> Set[str]:
        """Of all images that are here, those without a name included."""
        return {str(one["Id"]) for one in self._socket.json("GET", "/images/json?all=1")}

    def digest_at_registry(self, image: str, credential: str) -> str:
        """The digest that the registry tells whom this credential belongs to."""
        path = f"/distribution/{quote(image, safe='/:@')}/json"
        return str(self._socket.json("GET", path, credential=credential)["Descriptor"]["digest"])

    def pull(self, image: str, hang_up: HangUp, credential: str = "") -> None:
        """Fetch an image, if it is not here or the registry has a newer one under its name.

        hang_up: when it is called the engine gives up, and this raises EngineUnavailable.
        """
        name, tag = split_reference(image)
        if "@" in image:
            # The engine keeps manifests: by a digest that it knows it would not ask who may have the image.
            self.digest_at_registry(image, credential)
        path = f"/images/create?{urlencode({'fromImage': name, 'tag': tag})}"
        with self._socket.answer(
            "POST", path, timeout_s=_PULL_TIMEOUT_S, hang_up=hang_up, credential=credential
        ) as answer:
            self._socket.follow(answer)

    def load(self, archive: Content, hang_up: HangUp) -> None:
        """Make images of an archive, under whatever names it holds. hang_up: as with `pull`."""
        with self._socket.answer(
            "POST", "/images/load?quiet=1", archive, timeout_s=_PULL_TIMEOUT_S, hang_up=hang_up
        ) as answer:
            self._socket.follow(answer)

    def images(self, labels: Mapping[str, str]) -> Dict[str, Dict[str, str]]:
        """All images that carry these labels, by id, with all the labels of each."""
        found = self._socket.json("GET", f"/images/json?{urlencode({'filters': _labelled(labels)})}")
        return {str(one["Id"]): dict(one["Labels"]) for one in found}

    def remove_image(self, image: str) -> None:
        """Not there is fine. Raises EngineRefused while a container uses it."""
        try:
            self._socket.json("DELETE", f"/images/{image}?force=1")
        except NotThere:
            return

    def tag(self, image: str, name: str) -> None:
        """Give an image one more name. Raises NotThere."""
        repo, tag = split_reference(name)
        self._socket.json("POST", f"/images/{quote(image, safe='/:@')}/tag?{urlencode({'repo': repo, 'tag': tag})}")

    def untag(self, name: str) -> None:
        """Take a name away, and with its last one the image. Not there is fine."""
        with suppress(NotThere):
            self._socket.json("DELETE", f"/images/{quote(name, safe='/:@')}")

    def names(self, pattern: str) -> List[str]:
        """Names of images that match."""
        query = urlencode({"filters": json.dumps({"reference": [pattern]})})
        return [
            str(name) for one in self._socket.json("GET", f"/images/json?{query}") for name in one.get("RepoTags") or ()
        ]

    def all_names(self, image: str) -> List[str]:
        """By which an image is known in full, those with a digest included; of one that is gone none."""
        try:
            found = self._socket.json("GET", f"/images/{quote(image, safe='/:@')}/json")
        except NotThere:
            return []
        return [qualified(str(name)) for kind in ("RepoTags", "RepoDigests") for name in found.get(kind) or ()]

    def sizes(self, pattern: str) -> Dict[str, Tuple[int, List[str]]]:
        """Images with names that match: by id the size in bytes, and those names."""
        query = urlencode({"filters": json.dumps({"reference": [pattern]})})
        found = self._socket.json("GET", f"/images/json?{query}")
        return {str(one["Id"]): (int(one["Size"]), list(map(str, one.get("RepoTags") or ()))) for one in found}

    def images_in_use(self) -> Set[str]:
        """The ids of images of which there is a container, whosever it is."""
        return {str(one["ImageID"]) for one in self._socket.json("GET", "/containers/json?all=1")}

    def create(self, name: str, spec: Mapping[str, Any]) -> str:
        """A container that does not run yet; its id."""
        return str(self._socket.json("POST", f"/containers/create?{urlencode({'name': name})}", spec)["Id"])

    @contextmanager
    def output(self, container: str) -> Iterator[Reader]:
        """Its stdout and stderr from the start, as frames; to be opened before it is started."""
        path = f"/containers/{container}/attach?stream=1&stdout=1&stderr=1"
        with self._socket.answer("POST", path, timeout_s=None) as answer:
            yield answer

    def start(self, container: str) -> None:
        """Let it run."""
        self._socket.json("POST", f"/containers/{container}/start")

    def entry(self, container: str, command: Sequence[str]) -> str:
        """A command that is to run in a running container as its user; its id."""
        spec = {"Cmd": list(command), "AttachStdout": True, "AttachStderr": True, "Privileged": False, "Tty": False}
        return str(self._socket.json("POST", f"/containers/{container}/exec", spec)["Id"])

    @contextmanager
    def entered(self, entry: str) -> Iterator[Reader]:
        """Start it; its stdout and stderr, as frames, until it ends."""
        body = {"Detach": False, "Tty": False}
        with self._socket.answer("POST", f"/exec/{entry}/start", body, timeout_s=None) as answer:
            yield answer

    def exit_code(self, entry: str) -> int | None:
        """Of a command that has ended; None: nobody knows."""
        code = self._socket.json("GET", f"/exec/{entry}/json")["ExitCode"]
        return None if code is None else int(code)

    def wait(self, container: str) -> None:
        """Until it runs no more."""
        self._socket.json("POST", f"/containers/{container}/wait", timeout_s=None)

    def state(self, container: str) -> State:
        """How it ended."""
        found = self._socket.json("GET", f"/containers/{container}/json")
        state = found["State"]
        return State(str(found["Image"]), int(state["ExitCode"]), bool(state["OOMKilled"]))

    def usage(self, container: str) -> Optional[Usage]:
        """What it uses; None: it does not run."""
        return usage.parse(self._socket.json("GET", f"/containers/{container}/stats?stream=0&one-shot=1"))

    def layer_kib(self, container: str) -> int:
        """What it has written beside what is mounted into it."""
        return int(self._socket.json("GET", f"/containers/{container}/json?size=1").get("SizeRw") or 0) // 1024

    def kill(self, container: str, signal: str) -> None:
        """Send a signal to its first process; KILL ends all of it."""
        self._socket.json("POST", f"/containers/{container}/kill?{urlencode({'signal': signal})}")

    def remove(self, container: str) -> None:
        """After this returns nothing of it is left, its own volumes included. Not there is fine."""
        try:
            self._socket.json("DELETE", f"/containers/{container}?force=1&v=1")
        except NotThere:
            return

    def labelled(self, labels: Mapping[str, str]) -> Dict[str, Dict[str, str]]:
        """All containers that carry these labels, by id, with all the labels of each."""
        found = self._socket.json("GET", f"/containers/json?{urlencode({'all': '1', 'filters': _labelled(labels)})}")
        return {str(one["Id"]): dict(one["Labels"]) for one in found}


def _labelled(labels: Mapping[str, str]) -> str:
    return json.dumps({"label": [f"{name}={value}" for name, value in labels.items()]})
