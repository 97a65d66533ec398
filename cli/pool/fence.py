"""The fence around the jobs' network: a container on the machine's own network that keeps a packet filter.

Containers on a bridge of Docker's can reach all that the machine itself reaches. The fence takes away what is nobody's
business in a job: the machine's own services, a cloud's metadata service, and the pool's other networks. It is there
only while jobs may speak to the outside, and takes its filter away when it is stopped.
"""

from __future__ import annotations

from typing import Any

import docker

from prominence.cli.pool.containers import FENCE, LOGS_KEPT, RESTART, WORKER, containers, stop_and_remove
from prominence.cli.pool.layout import DIGEST_LABEL, POOL_LABEL, ROLE_LABEL, STATE_LABEL, Pool, PoolSettings

PROGRAM = "/opt/prominence/bin/fence-tasks"


def ensure_fence(engine: docker.DockerClient, pool: Pool, image: str, settings: PoolSettings) -> None:
    """It runs from this image where jobs may speak to the outside, else it is not there.

    Workers of a time when jobs might do so still let them: while there are any, it stays.
    """
    there = containers(engine, pool, FENCE)
    if settings.task_network != "outbound" and not (there and containers(engine, pool, WORKER)):
        for fence in there:
            stop_and_remove(fence)
        return
    command = [PROGRAM, *_bridge_and_networks(engine, pool)]
    digest = f"{image} {' '.join(command)}"
    for fence in there:
        if fence.labels.get(DIGEST_LABEL) == digest:
            fence.start()
            return
        stop_and_remove(fence)
    _run(engine, pool, image, command, digest)


def fence_complaint(engine: docker.DockerClient, pool: Pool, settings: PoolSettings) -> str:
    """What is wrong with it; "" when it stands, or is not needed."""
    if settings.task_network != "outbound":
        return ""
    for container in containers(engine, pool, FENCE):
        if container.status != "running":
            return f"the fence's container is {container.status}"
        check = container.exec_run([PROGRAM, "--check", container.attrs["Args"][0]])
        return "" if check.exit_code == 0 else "the fence does not stand"
    return "the fence has no container"


def _run(engine: docker.DockerClient, pool: Pool, image: str, command: list[str], digest: str) -> None:
    engine.containers.run(
        image,
        command,
        name=pool.container(FENCE),
        detach=True,
        labels={POOL_LABEL: pool.name, ROLE_LABEL: FENCE, DIGEST_LABEL: digest, STATE_LABEL: str(pool.state)},
        network_mode="host",
        cap_drop=["ALL"],
        cap_add=["NET_ADMIN"],
        read_only=True,
        restart_policy=RESTART,
        log_config=LOGS_KEPT,
    )


def _bridge_and_networks(engine: docker.DockerClient, pool: Pool) -> list[str]:
    """The bridge of the jobs' network, and the addresses of the pool's others."""
    tasks = engine.networks.get(pool.task_network)
    others = [engine.networks.get(name) for name in (pool.network, pool.control_network)]
    bridge = f"br-{str(tasks.id)[:12]}"  # as Docker names it
    return [bridge, *(subnet for network in others for subnet in _subnets(network.attrs))]


def _subnets(network: dict[str, Any]) -> list[str]:
    return [str(one["Subnet"]) for one in network["IPAM"]["Config"] or [] if ":" not in one["Subnet"]]
