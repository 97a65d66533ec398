"""Our cloud of containers on the Docker engine of this machine, and the engine to see what it did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import docker
from builders_imc import CONTRACT_POOL

from prominence.imc.adapters.docker import DockerCloud
from prominence.imc.declared import DockerSettings, FlavourSettings


class Docker:
    """The Docker cloud, and the engine to look at what it did."""

    def __init__(
        self, engine: docker.DockerClient, image: str, state: Path, made: list[Docker], **changes: Any
    ) -> None:
        made.append(self)
        self.made = made
        self.engine = engine
        self.image = image
        self.state = state
        self.cloud = DockerCloud("docker", docker_settings(image, state, **changes), CONTRACT_POOL)

    def worker(self, name: str = "w-1") -> Any:
        return self.engine.containers.get(f"prominence-{CONTRACT_POOL}-{name}")

    def otherwise(self, image: str = "", **changes: Any) -> Docker:
        """The same with other settings."""
        return Docker(self.engine, image or self.image, self.state, self.made, **changes)

    def run_in(self, *command: str) -> str:
        code, output = self.worker().exec_run(list(command))
        text: str = output.decode()
        assert code == 0, text
        return text


def docker_settings(image: str, state: Path, **changes: Any) -> DockerSettings:
    """For the pool of these tests."""
    return DockerSettings(
        **{
            "type": "docker",
            "image": image,
            "network": CONTRACT_POOL,
            "state_dir": state,
            "flavours": (FlavourSettings(name="small", cpus=2, memory_mib=256),),
            "devices": (),
            **changes,
        }
    )


def remove_containers(client: docker.DockerClient) -> None:
    """All of that pool's."""
    for container in client.containers.list(all=True, filters={"label": f"prominence.pool={CONTRACT_POOL}"}):
        container.remove(force=True, v=True)
