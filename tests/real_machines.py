"""Machines that join a pool without imc: of users, or of a site."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import docker
from builders_imc import CONTRACT_POOL, a_bootstrap
from pydantic import SecretStr
from real_parts import RealPool

from prominence.imc import userdata
from prominence.imc.adapters.docker import DockerCloud
from prominence.imc.adapters.htcondor import Run, run_here
from prominence.imc.declared import DockerSettings, FlavourSettings
from prominence.imc.ports import File

CPUS = 48
"""Of such a machine: more than a worker of the pool's own can have."""


class Machines:
    """Made of the pool's image of a worker."""

    def __init__(self, pool: RealPool, engine: docker.DockerClient, state: Path) -> None:
        image = next(image.tags[0] for image in engine.images.list(name="prominence-worker") if image.tags)
        settings = DockerSettings(
            type="docker",
            image=image,
            network=f"prominence-{pool.name}",
            state_dir=state,
            flavours=(FlavourSettings(name="large", cpus=CPUS, memory_mib=2000),),
        )
        self._cloud = DockerCloud("docker", settings, CONTRACT_POOL)
        self._engine = engine
        self._started: list[str] = []

    def start(self, machine: str, host: str, token: str, *allowed: str) -> None:
        """It calls itself `host` in the pool. allowed: runtimes that isolate nothing."""
        layout, flavour = self._cloud.layout(machine), self._cloud.flavours()[0]
        bootstrap = a_bootstrap(
            name=machine,
            pool=CONTRACT_POOL,
            token=SecretStr(token),
            flavour=flavour,
            execute_dir=layout.execute_dir,
            runtimes_allowed=allowed,
        )
        told = f"NETWORK_HOSTNAME = {machine}\n"
        files = [
            File(file.path, file.mode, file.text.replace(told, f"NETWORK_HOSTNAME = {host}\n"))
            for file in userdata.files(bootstrap, layout)
        ]
        self._started.append(machine)
        self._cloud.create(machine, flavour, files)

    def stop(self, machine: str) -> None:
        """As an operator does: HTCondor there says good-bye."""
        self._engine.containers.get(f"prominence-{CONTRACT_POOL}-{machine}").stop(timeout=30)

    def close(self) -> None:
        for machine in self._started:
            self._cloud.delete(machine)
        self._cloud.close()


def inside(container: str) -> Run:
    """HTCondor's tools where imc runs them."""

    def run(command: Sequence[str], environment: Mapping[str, str], stdin: str) -> str:
        variables = [part for name, value in environment.items() for part in ("--env", f"{name}={value}")]
        return run_here(["docker", "exec", "-i", *variables, container, *command], {}, stdin)

    return run
