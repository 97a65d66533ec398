"""The Docker engine: the connection, and sentences for when there is none."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping

import docker
from docker.errors import APIError, DockerException
from requests import RequestException

from prominence.cli.pool.containers import DOCKER_SOCKET
from prominence.cli.pool.errors import PoolError


def connect() -> docker.DockerClient:
    """A client whose engine answers. Raises PoolError."""
    try:
        client = docker.from_env(timeout=120)
        client.ping()
    except (DockerException, RequestException) as error:
        raise PoolError(_advice(str(error))) from error
    return client


@contextlib.contextmanager
def engine() -> Iterator[docker.DockerClient]:
    """A client for the length of a command; whatever the engine refuses meanwhile becomes a PoolError."""
    client = connect()
    try:
        yield client
    except APIError as error:
        raise PoolError(f"The Docker engine refused: {error.explanation or error}") from error
    except (DockerException, RequestException) as error:
        raise PoolError(f"The Docker engine failed: {error}") from error
    finally:
        client.close()


def refuse_elsewhere(environment: Mapping[str, str] = os.environ) -> None:
    """A pool's containers share directories and the usual socket with this machine. Raises PoolError for another's."""
    host = environment.get("DOCKER_HOST", "")
    if host and os.path.realpath(host.removeprefix("unix://")) != os.path.realpath(DOCKER_SOCKET):
        raise PoolError(
            f"DOCKER_HOST is {host}, but a pool needs the Docker engine of this machine, run by root, at "
            f"{DOCKER_SOCKET}: unset DOCKER_HOST."
        )


def _advice(message: str) -> str:
    if "Permission denied" in message:
        return (
            "The Docker engine does not let you in. Add yourself to its group with "
            "`sudo usermod -aG docker $USER`, log in again, or run this as root."
        )
    return (
        "No Docker engine answers. Install it (Debian: `apt install docker.io`) and start it "
        f"(`systemctl start docker`, or `dockerd &` where there is no systemd). It said: {message}"
    )
