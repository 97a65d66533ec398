"""The pool's own containers and networks: made by `up`, removed by `down`, found again by their labels."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, NotFound
from docker.models.containers import Container
from docker.models.networks import Network
from docker.types import EndpointConfig, LogConfig

from prominence.cli.pool.errors import PoolError
from prominence.cli.pool.layout import (
    API_PORT,
    DIGEST_LABEL,
    POOL_LABEL,
    PRIVATE_IMAGES,
    ROLE_LABEL,
    STATE_LABEL,
    Pool,
    PoolSettings,
)

Say = Callable[[str], None]

ACCESS_POINT, IMC, FENCE = "access-point", "imc", "fence"
WORKER, TASK = "worker", "task"
STOP_TIMEOUT_S = 15
REMOVAL_TIMEOUT_S = 60
CONFLICT = 409
LOGS_KEPT = LogConfig(type="json-file", config={"max-size": "10m", "max-file": "3"})
# Not "unless-stopped": an engine that was killed and comes back stops what outlived it, and takes that for our wish.
RESTART: Any = {"Name": "always"}  # the stubs want a count, which this policy does not have


def refuse_anothers(engine: docker.DockerClient, pool: Pool) -> None:
    """Users of one engine share its names: a pool of this name may be somebody else's. Raises PoolError then."""
    for container in containers(engine, pool, ACCESS_POINT, IMC):
        state = container.labels.get(STATE_LABEL)
        if state != str(pool.state):
            raise PoolError(
                f"A pool named {pool.name!r} with its state in {state} is on this Docker engine already. "
                "Choose another name for yours: --name."
            )


def ensure_networks(engine: docker.DockerClient, pool: Pool) -> None:
    """Make the networks that are missing."""
    wanted = {pool.network: False, pool.control_network: True, pool.task_network: False}
    present = {network.name for network in _networks(engine, pool)}
    for name, internal in wanted.items():
        if name not in present:
            # Containers on the jobs' network may speak to the outside, not to each other.
            options = {"com.docker.network.bridge.enable_icc": "false"} if name == pool.task_network else {}
            engine.networks.create(
                name, driver="bridge", internal=internal, labels={POOL_LABEL: pool.name}, options=options
            )


@dataclass(frozen=True)
class Wanted:
    """One of the pool's own containers, as it is to be. digest: another one means that it must be made anew.

    alias, control_alias: its names on the pool's network and on the other. mounts, readable: directories of the state
    that it may write to, and that it may read. socket: the engine's, if it gets that, at the same path inside.
    """

    role: str
    image: str
    digest: str
    alias: str
    control_alias: str
    mounts: tuple[str, ...]
    readable: tuple[str, ...] = ("config", "secrets")
    ports: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    socket: str = ""


def ensure_access_point(
    engine: docker.DockerClient, pool: Pool, image: str, settings: PoolSettings, configuration: str
) -> None:
    """The access point runs from this image with this port; a container that differs is replaced.

    configuration: the digest of what its services are told, which they read when they start.
    """
    wanted = Wanted(
        ACCESS_POINT,
        image,
        digest=f"{image} {settings.port} {configuration}",
        alias="ap",
        control_alias="etcd",
        mounts=("archive", "condor", "etcd", "jobs", "log", "objects"),
        ports={f"{API_PORT}/tcp": ("127.0.0.1", settings.port)},
    )
    _ensure(engine, pool, wanted)


def ensure_imc(engine: docker.DockerClient, pool: Pool, image: str, configuration: str, socket: str) -> None:
    """imc runs from this image; a container that differs is replaced.

    configuration: the digest of what it is told. socket: the engine's, at the same path inside.
    """
    wanted = Wanted(
        IMC,
        image,
        digest=f"{image} {configuration}",
        alias="imc",
        control_alias="imc-control",
        mounts=("condor", "log", "workers"),
        socket=socket,
    )
    _ensure(engine, pool, wanted)


def _ensure(engine: docker.DockerClient, pool: Pool, wanted: Wanted) -> None:
    name = pool.container(wanted.role)
    there = next((container for container in containers(engine, pool, wanted.role) if container.name == name), None)
    if there is not None and there.labels.get(DIGEST_LABEL) == wanted.digest and _is_connected(engine, pool, there):
        there.start()
        return
    if there is not None:
        stop_and_remove(there)
    container = _made(engine, pool, wanted)
    try:
        container.start()
    except APIError as error:
        container.remove(force=True)
        raise PoolError(_advice(error)) from error


def _made(engine: docker.DockerClient, pool: Pool, wanted: Wanted) -> Container:
    """On both networks, and not started."""
    labels = {POOL_LABEL: pool.name, ROLE_LABEL: wanted.role, DIGEST_LABEL: wanted.digest, STATE_LABEL: str(pool.state)}
    environment = {"PROMINENCE_STATE": str(pool.state), "PROMINENCE_COLLECTOR": "ap"}
    if wanted.socket:
        environment["PROMINENCE_DOCKER_SOCKET"] = wanted.socket
    container = engine.containers.create(
        wanted.image,
        name=pool.container(wanted.role),
        hostname=wanted.alias,
        labels=labels,
        environment=environment,
        network=pool.network,
        networking_config={pool.network: EndpointConfig(engine.api.api_version, aliases=[wanted.alias])},
        volumes=_volumes(pool, wanted),
        ports=dict(wanted.ports),
        restart_policy=RESTART,
        log_config=LOGS_KEPT,
    )
    engine.networks.get(pool.control_network).connect(container, aliases=[wanted.control_alias])
    return container


def _volumes(pool: Pool, wanted: Wanted) -> dict[str, dict[str, str]]:
    """All at the same path inside as on the host."""
    modes = {str(pool.state / name): "rw" for name in wanted.mounts}
    modes |= {str(pool.state / name): "ro" for name in wanted.readable}
    modes |= {wanted.socket: "rw"} if wanted.socket else {}
    return {path: {"bind": path, "mode": mode} for path, mode in modes.items()}


def _is_connected(engine: docker.DockerClient, pool: Pool, container: Container) -> bool:
    """To both of its networks as they are now: `up` may have been interrupted, or the networks pruned since."""
    present = {network.name: network.id for network in _networks(engine, pool)}
    connected = container.attrs["NetworkSettings"]["Networks"]
    # Before its first start a container may know a network by its name only.
    return all(
        name in connected and connected[name].get("NetworkID") in (None, "", present.get(name))
        for name in (pool.network, pool.control_network)
    )


def _advice(error: APIError) -> str:
    message = error.explanation or str(error)
    if "address already in use" in message or "port is already allocated" in message:
        return f"The API's port is taken by another program ({message}). Choose another with --port."
    return f"The container could not be started: {message}"


def containers(engine: docker.DockerClient, pool: Pool, *roles: str) -> list[Container]:
    """The pool's containers of these roles, running or not."""
    found = engine.containers.list(all=True, filters={"label": f"{POOL_LABEL}={pool.name}"}, ignore_removed=True)
    return [container for container in found if container.labels.get(ROLE_LABEL) in roles]


def remove_everything(engine: docker.DockerClient, pool: Pool, say: Say) -> bool:
    """No container and no network of the pool is left afterwards; whether there was any. What it kept on disk stays."""
    refuse_anothers(engine, pool)
    any_was_there = False
    # imc goes first: it would make up for workers that vanish. Workers go before their tasks: they would start others,
    # and a job that runs must not take its container's end for its own, but be queued again.
    for role in (IMC, WORKER, TASK, ACCESS_POINT, FENCE):
        for container in containers(engine, pool, role):
            say(f"Removing {container.name}")
            stop_and_remove(container, at_once=role in (TASK, WORKER))
            any_was_there = True
    _remove_images_of_jobs(engine, pool)
    for network in _networks(engine, pool):
        say(f"Removing network {network.name}")
        network.remove()
        any_was_there = True
    return any_was_there


def _remove_images_of_jobs(engine: docker.DockerClient, pool: Pool) -> None:
    """What jobs brought as files, or fetched for themselves: the workers that would have removed it are gone."""
    brought = engine.api.images(all=True, filters={"label": [f"{POOL_LABEL}={pool.name}", f"{ROLE_LABEL}=image"]})
    for image in brought:
        with contextlib.suppress(APIError):  # gone, or another's that only says that it is ours
            engine.api.remove_image(image["Id"], force=True)
    fetched = engine.api.images(filters={"reference": f"{PRIVATE_IMAGES}*:{pool.name}.*"})
    for name in (name for image in fetched for name in image["RepoTags"] or () if name.startswith(PRIVATE_IMAGES)):
        with contextlib.suppress(APIError):
            engine.api.remove_image(name)


def stop_and_remove(container: Container, at_once: bool = False) -> None:
    """Stop it with its time to say good-bye, and remove it with its anonymous volumes."""
    try:
        if not at_once:
            container.stop(timeout=STOP_TIMEOUT_S)
        container.remove(force=True, v=True)
    except NotFound:
        pass  # somebody else was faster, which is just as well
    except APIError as error:
        if error.status_code != CONFLICT:
            raise
        with contextlib.suppress(NotFound):  # somebody else has begun, imc before it was stopped: let that end
            container.wait(condition="removed", timeout=REMOVAL_TIMEOUT_S)


def remove_state(engine: docker.DockerClient, pool: Pool, image: str | None) -> None:
    """Delete the state directory. Parts of it belong to root and to accounts of the containers."""
    if not pool.state.exists():
        return
    if image is not None:
        parent, name = str(pool.state.parent), pool.state.name
        engine.containers.run(
            image,
            ["rm", "--recursive", "--force", "--one-file-system", f"/pools/{name}"],
            remove=True,
            network_mode="none",
            volumes={parent: {"bind": "/pools", "mode": "rw"}},
        )
    else:
        shutil.rmtree(pool.state, ignore_errors=True)  # which root can do without a container
    if pool.state.exists():
        raise PoolError(f"{pool.state} could not be deleted; delete it as root.")


def _networks(engine: docker.DockerClient, pool: Pool) -> list[Network]:
    return list(engine.networks.list(filters={"label": f"{POOL_LABEL}={pool.name}"}))


def mounted_directories(pool: Pool) -> list[Path]:
    """Directories that must exist before containers mount them, or the engine makes them as root's."""
    return [
        pool.state / name
        for name in ("archive", "condor", "config", "etcd", "jobs", "log", "objects", "secrets", "workers")
    ]
