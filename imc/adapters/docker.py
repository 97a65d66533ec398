"""Cloud whose machines are containers on this host, through the Docker SDK.

A worker is one container, the containers of its jobs' tasks beside it, and one directory of the host for both.
Deletion takes them in an order in which the worker's container, by which all of it is found, goes last.
"""

from __future__ import annotations

import io
import re
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, DockerException, ImageNotFound
from docker.types import LogConfig, Mount
from requests.exceptions import RequestException

from prominence.core.errors import (
    CloudError,
    CredentialsRefused,
    NoSuchImage,
    OutOfCapacity,
    ProminenceError,
    Unavailable,
)
from prominence.core.machines import NAME_PATTERN, Flavour
from prominence.imc.adapters.listing import Spared
from prominence.imc.adapters.named import NamedCloud
from prominence.imc.declared import DockerSettings
from prominence.imc.ports import About, File, Layout, Node, NodeState

POOL, WORKER, ROLE = "prominence.pool", "prominence.worker", "prominence.role"
"""Labels: our mark on workers (role worker), on the containers of their jobs (role task) and on the images that jobs
have brought as files (role image)."""

SOCKET = "/run/prominence/private/docker.sock"
"""Where a worker's broker finds the Docker socket: in a directory that root alone may enter."""

PRIVATE = "localhost/prominence-private/"
"""What the names of images begin with that a worker's broker keeps for one session; their tags are POOL.WORKER."""

_FOR_DAEMONS_MIB = 256
"""Memory of a worker's container beyond what its jobs may use: for HTCondor's own processes."""

_TIMEOUT_S = 30
_MIB = 1024 * 1024
_SHARES_PER_CPU = 1024
_MOST_SHARES = 262_144  # the kernel's limit
_STATES = {"created": NodeState.UNFINISHED, "exited": NodeState.STOPPED, "dead": NodeState.STOPPED}


class DockerCloud(NamedCloud):
    """Promise: see ports.Cloud. The engine is asked for the first time when the first verb is called.

    One that hangs is asked seldom what there is, so that imc keeps its lead; one that refuses is as often as another.
    """

    def __init__(
        self, name: str, settings: DockerSettings, pool: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(name, settings.terms)
        self._settings = settings
        self._pool = pool
        self._spared: Spared[list[Node]] = Spared(clock, least_s=0)
        self._lock = threading.Lock()
        self._known: docker.DockerClient | None = None

    def flavours(self) -> Sequence[Flavour]:
        return self._settings.catalogue(self._name)

    def about(self) -> About:
        return About(image=self._settings.image)

    def layout(self, name: str) -> Layout:
        home = self._home(name)
        return Layout(
            execute_dir=str(home / "execute"),
            tasks_dir=str(home / "tasks"),
            docker_socket=SOCKET if self._settings.docker_tasks else "",
            outbound_network=self._settings.outbound_network or f"prominence-{self._pool}-tasks",
            worker_network=f"container:{self._container_name(name)}",
        )

    def nodes(self) -> Sequence[Node]:
        return self._spared.ask(self._nodes)

    def _nodes(self) -> list[Node]:
        with _translated():
            return [_node(summary) for summary in self._containers(role="worker")]

    def create(self, name: str, flavour: Flavour, files: Sequence[File]) -> None:
        try:
            with _translated():
                self._create(name, flavour, files)
        except CloudError:
            with suppress(ProminenceError):
                self.delete(name)
            raise

    def thin_out(self, name: str) -> None:
        """Names are unique here."""

    def delete(self, name: str) -> None:
        home = self._home(name)
        with _translated():
            workers = self._containers(role="worker", name=name)
            for worker in workers:
                self._kill(worker["Id"])  # first, so that its broker starts no more tasks
            for task in self._containers(role="task", name=name):
                self._remove(task["Id"])
            for image in self._private_images(name):
                self._forget(image)
            for image in self._client().api.images(all=True, filters={"label": self._labels("image", name)}):
                with _fine_when(404, 409):  # gone, or in use, as ours is not any more: it only says that it is
                    self._client().api.remove_image(image["Id"], force=True)
            _remove_tree(home)
            for worker in workers:
                self._remove(worker["Id"])

    def close(self) -> None:
        """Give up the connection to the engine."""
        with self._lock:
            if self._known is not None:
                self._known.close()
                self._known = None

    def _create(self, name: str, flavour: Flavour, files: Sequence[File]) -> None:
        there = self._containers(role="worker", name=name)
        if there and there[0]["State"] != "created":
            return
        if there:
            container = str(there[0]["Id"])
        else:
            self._make_directories(name)
            try:
                container = self._make_container(name, flavour)
            except APIError as error:
                if error.status_code != 409:
                    raise
                raise Unavailable(f"somebody else makes a container of the same name: {error.explanation}") from error
        api = self._client().api
        api.put_archive(container, "/", _archive(files))
        api.start(container)

    def _make_directories(self, name: str) -> None:
        layout = self.layout(name)
        for directory, mode in ((layout.execute_dir, 0o755), (layout.tasks_dir, 0o711)):
            try:
                Path(directory).mkdir(parents=True, exist_ok=True)
                Path(directory).chmod(mode)
            except OSError as error:
                raise CloudError(f"cannot make {directory}: {error.strerror}") from error

    def _make_container(self, name: str, flavour: Flavour) -> str:
        client, settings = self._client(), self._settings
        info: dict[str, Any] = client.info()
        apparmor = any("name=apparmor" in option for option in info.get("SecurityOptions") or ())
        container = client.containers.create(
            settings.image,
            name=self._container_name(name),
            hostname=name,
            labels={POOL: self._pool, WORKER: name, ROLE: "worker"},
            network=settings.network,
            networking_config={settings.network: client.api.create_endpoint_config(aliases=[name])},
            # More than the host has is refused; the shares keep the proportion between workers.
            nano_cpus=min(flavour.size.cpus, int(info["NCPU"])) * 10**9,
            cpu_shares=min(flavour.size.cpus * _SHARES_PER_CPU, _MOST_SHARES),
            mem_limit=(flavour.size.memory_mib + _FOR_DAEMONS_MIB) * _MIB,
            memswap_limit=(flavour.size.memory_mib + _FOR_DAEMONS_MIB) * _MIB,
            # What Apptainer needs to mount its images, and what fences its jobs in; no more than that.
            cap_add=["SYS_ADMIN", "NET_ADMIN"],
            security_opt=["seccomp=unconfined", *(["apparmor=unconfined"] if apparmor else [])],
            devices=[f"{device}:{device}:rwm" for device in settings.devices],
            mounts=self._mounts(name),
            log_config=LogConfig(type="json-file", config={"max-size": "10m", "max-file": "3"}),
        )
        return str(container.id)

    def _container_name(self, name: str) -> str:
        return f"prominence-{self._pool}-{name}"

    def _mounts(self, name: str) -> list[Mount]:
        """The worker's directories at their paths on the host, so that the engine finds a job's sandbox there."""
        layout = self.layout(name)
        mounts = [Mount(path, path, type="bind") for path in (layout.execute_dir, layout.tasks_dir)]
        if layout.docker_socket:
            mounts.append(Mount(layout.docker_socket, str(self._settings.socket), type="bind"))
        return mounts

    def _home(self, name: str) -> Path:
        if not re.fullmatch(NAME_PATTERN, name):  # it becomes a path that is removed with all that is in it
            raise CloudError(f"{name!r} is no name of a worker")
        return self._settings.state_dir / "workers" / name

    def _containers(self, role: str, name: str | None = None) -> list[dict[str, Any]]:
        labels = self._labels(role, name)
        found: list[dict[str, Any]] = self._client().api.containers(all=True, filters={"label": labels})
        return found

    def _labels(self, role: str, name: str | None) -> list[str]:
        return [f"{POOL}={self._pool}", f"{ROLE}={role}"] + ([] if name is None else [f"{WORKER}={name}"])

    def _private_images(self, name: str) -> list[str]:
        """Names that jobs' sessions on a worker gave to images that are nobody else's: its broker takes most away."""
        mine = f"{PRIVATE}*:{self._pool}.{name}"
        found = self._client().api.images(filters={"reference": mine})
        return [str(tag) for one in found for tag in one["RepoTags"] or () if str(tag).startswith(PRIVATE)]

    def _forget(self, image: str) -> None:
        with _fine_when(404, 409):  # gone, or another's container runs it by its id
            self._client().api.remove_image(image)

    def _kill(self, container: str) -> None:
        with _fine_when(404, 409):  # gone, or does not run
            self._client().api.kill(container)
            self._client().api.wait(container, timeout=_TIMEOUT_S)

    def _remove(self, container: str) -> None:
        with _fine_when(404, 409):  # gone, or its removal is under way
            self._client().api.remove_container(container, v=True, force=True)

    def _client(self) -> docker.DockerClient:
        with self._lock:
            if self._known is None:
                self._known = docker.DockerClient(
                    base_url=f"unix://{self._settings.socket}", timeout=_TIMEOUT_S, max_pool_size=32
                )
            return self._known


def _node(summary: dict[str, Any]) -> Node:
    """Paused and restarting machines count as running: they may come back."""
    state = _STATES.get(summary["State"], NodeState.RUNNING)
    if summary["State"] == "removing":
        state = NodeState.STOPPED
    code = re.search(r"Exited \((\d+)\)", summary.get("Status", ""))
    return Node(summary["Labels"][WORKER], state, f"exit code {code[1]}" if code else "")


def _archive(files: Sequence[File]) -> bytes:
    """The files, and the directory of the Docker socket before the socket is put into it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        private = tarfile.TarInfo(str(Path(SOCKET).parent).lstrip("/"))
        private.type, private.mode = tarfile.DIRTYPE, 0o700
        tar.addfile(private)
        for file in files:
            content = file.text.encode()
            entry = tarfile.TarInfo(file.path.lstrip("/"))
            entry.mode, entry.size = file.mode, len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _remove_tree(directory: Path) -> None:
    """By rm, which follows no links and stands any depth: jobs have made what is in there."""
    command = ["rm", "-rf", "--one-file-system", "--", str(directory)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)
    except subprocess.CalledProcessError as error:
        raise Unavailable(f"cannot remove {directory}: {error.stderr.strip()[-200:]}") from error
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"removing {directory} takes very long") from error


@contextmanager
def _fine_when(*statuses: int) -> Iterator[None]:
    try:
        yield
    except APIError as error:
        if error.status_code not in statuses:
            raise


@contextmanager
def _translated() -> Iterator[None]:
    """Docker's errors as ours."""
    try:
        yield
    except ImageNotFound as error:
        raise NoSuchImage(f"Docker has no such image: {error.explanation}") from error
    except APIError as error:
        text = str(error.explanation or error)
        if "no space left" in text or "cannot allocate memory" in text:
            raise OutOfCapacity(f"Docker has no room: {text}") from error
        raise CloudError(f"Docker refuses: {text}") from error
    except (DockerException, RequestException) as error:
        if "Permission denied" in str(error):
            raise CredentialsRefused("the Docker socket may not be used by this user") from error
        raise Unavailable(f"Docker does not answer: {error}") from error
