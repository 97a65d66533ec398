"""A Docker engine in dictionaries, as far as the personal pool needs one."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from itertools import count
from types import SimpleNamespace
from typing import Any

import requests
from docker.errors import APIError

_ids = count(1)


class FakeEngine:
    """What docker.DockerClient is to `prominence.cli.pool`. removed: names of containers, in that order."""

    def __init__(self) -> None:
        self.removed: list[str] = []
        self.networks = _Networks()
        self.containers = _Containers(self)
        self.api = _Api(self)


class _Api:
    api_version = "1.41"

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine
        self.labels_of_images: dict[str, list[str]] = {}
        self.names_of_images: list[str] = []

    def images(self, filters: dict[str, Any], all: bool = False) -> list[dict[str, Any]]:
        if "reference" in filters:
            return [{"RepoTags": ["any:1", *fnmatch.filter(self.names_of_images, filters["reference"])]}]
        wanted = set(filters["label"])
        return [{"Id": image} for image, labels in self.labels_of_images.items() if wanted <= set(labels)]

    def remove_image(self, image: str, force: bool = False) -> None:
        self._engine.removed.append(image)


class _Network:
    def __init__(self, networks: _Networks, name: str, labels: dict[str, str]) -> None:
        self._networks, self.name, self.labels = networks, name, labels
        self.id = f"network-{next(_ids)}"
        self.attrs = {"IPAM": {"Config": [{"Subnet": f"10.0.{len(networks.all)}.0/24"}]}}

    def connect(self, container: _Container, aliases: list[str]) -> None:
        container.attrs["NetworkSettings"]["Networks"][self.name] = {"NetworkID": self.id}

    def remove(self) -> None:
        self._networks.all.remove(self)


class _Networks:
    def __init__(self) -> None:
        self.all: list[_Network] = []

    def create(self, name: str, labels: dict[str, str], **_: Any) -> None:
        self.all.append(_Network(self, name, labels))

    def list(self, filters: dict[str, str]) -> list[_Network]:
        return [network for network in self.all if _has(network.labels, filters["label"])]

    def get(self, name: str) -> _Network:
        return next(network for network in self.all if network.name == name)


class _Container:
    def __init__(self, engine: FakeEngine, name: str, labels: dict[str, str], network: str) -> None:
        self._engine, self.name, self.labels = engine, name, labels
        self.id = f"container-{next(_ids)}"
        self.status = "created"
        self.last_words = b""
        self.is_being_removed = False
        self.exit_code_of_commands = 0
        self.commands: list[list[str]] = []
        self.archive: Iterable[bytes] = ()
        self.attrs: dict[str, Any] = {
            "NetworkSettings": {"Networks": {network: {"NetworkID": ""}}},
            "RestartCount": 0,
        }

    def start(self) -> None:
        self.status = "running"
        for name, connection in self.attrs["NetworkSettings"]["Networks"].items():
            connection["NetworkID"] = connection["NetworkID"] or self._engine.networks.get(name).id

    def exec_run(self, command: list[str]) -> Any:
        self.commands.append(command)
        return SimpleNamespace(exit_code=self.exit_code_of_commands, output=b"said")

    def get_archive(self, path: str) -> tuple[Iterable[bytes], dict[str, Any]]:
        self.commands.append(["get", path])
        return self.archive, {}

    def stop(self, timeout: int) -> None:
        self.status = "exited"

    def logs(self, **_: Any) -> list[bytes]:
        return [self.last_words]

    def remove(self, force: bool, v: bool) -> None:
        if self.is_being_removed:
            raise APIError("removal is already in progress", response=_Conflict())
        self._go()

    def wait(self, condition: str, timeout: int) -> None:
        assert (condition, self.is_being_removed) == ("removed", True)
        self._go()

    def _go(self) -> None:
        self._engine.containers.all.remove(self)
        self._engine.removed.append(self.name)


class _Conflict(requests.Response):
    def __init__(self) -> None:
        super().__init__()
        self.status_code = 409


class _Containers:
    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine
        self.all: list[_Container] = []

    def create(self, image: str, name: str, labels: dict[str, str], network: str = "", **_: Any) -> _Container:
        assert name not in [container.name for container in self.all], "the engine refuses a second one of the name"
        self.all.append(_Container(self._engine, name, labels, network))
        return self.all[-1]

    def run(self, image: str, command: list[str], name: str, labels: dict[str, str], **options: Any) -> _Container:
        container = self.create(image, name, labels)
        container.attrs |= {"Args": command[1:], "HostConfig": options, "NetworkSettings": {"Networks": {}}}
        container.start()
        return container

    def list(self, filters: dict[str, str], **_: Any) -> list[_Container]:
        return [container for container in self.all if _has(container.labels, filters["label"])]


def _has(labels: dict[str, str], wanted: str) -> bool:
    name, _, value = wanted.partition("=")
    return labels.get(name) == value
