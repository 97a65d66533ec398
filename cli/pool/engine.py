"""The Docker engine: the connection, and sentences for when there is none."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping

import docker
from docker.context import ContextAPI
from docker.errors import APIError, DockerException
from requests import RequestException

from prominence.cli.pool.errors import PoolError


def connect() -> docker.DockerClient:
    """A client whose engine answers. Raises PoolError."""
    try:
        client = docker.from_env(environment={**os.environ, "DOCKER_HOST": host(os.environ)}, timeout=120)
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


def host(environment: Mapping[str, str]) -> str:
    """Where the docker command would find its engine: what the environment says, else the context in use.

    Raises PoolError for a context that is not there.
    """
    if environment.get("DOCKER_HOST"):
        return environment["DOCKER_HOST"]
    name = environment.get("DOCKER_CONTEXT") or None
    context = ContextAPI.get_context(name)
    if context is None:
        raise PoolError(f"There is no Docker context {name or 'of the name that is set'}: `docker context ls` has all.")
    return str(context.Host).removeprefix("http+")  # the SDK's own way to say it


def own_socket(client: docker.DockerClient, environment: Mapping[str, str] = os.environ) -> str:
    """The socket that imc and the workers get. Raises PoolError where it is not that of this machine's own engine.

    A pool's containers share directories with this machine, and run as root.
    """
    where = host(environment)
    rootless = any("rootless" in option for option in client.info().get("SecurityOptions") or ())
    if not where.startswith("unix://") or rootless:
        raise PoolError(
            f"The Docker engine at {where} is {'not run by root' if rootless else 'not on this machine'}, as a pool "
            "needs it. Unset DOCKER_HOST, or take another context: `docker context use default`."
        )
    return where.removeprefix("unix://")


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
