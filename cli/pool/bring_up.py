"""`pool up` from start to end: settings, secrets, images, containers, and waiting until the API is well."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import docker
import requests
from docker.models.containers import Container

from prominence.cli.pool.configuration import write_configuration
from prominence.cli.pool.containers import (
    ACCESS_POINT,
    FENCE,
    IMC,
    containers,
    ensure_access_point,
    ensure_imc,
    ensure_networks,
    mounted_directories,
    refuse_anothers,
)
from prominence.cli.pool.engine import own_socket
from prominence.cli.pool.errors import PoolError
from prominence.cli.pool.fence import ensure_fence, fence_complaint
from prominence.cli.pool.layout import API_PATH, FIRST_PORT, LAYOUT, RESTORING, Pool, PoolSettings
from prominence.cli.pool.recipes import ensure_images, proxies
from prominence.cli.pool.secrets import ensure_secrets, local_user, user_token, write_environment, write_proxies
from prominence.cli.pool.site import cache
from prominence.cli.turns import one_at_a_time
from prominence.core.errors import Rejected
from prominence.core.validation import parse

Say = Callable[[str], None]

READY_TIMEOUT_S = 120
MOST_RESTARTS = 2
"""Of a container while we wait: the engine starts one that ends anew, again and again."""


@dataclass(frozen=True)
class Wishes:
    """What the caller of `up` said; None: as before, else the default."""

    port: int | None = None
    idle_time: int | None = None
    max_workers: int | None = None
    task_network: str | None = None
    mail_server: str | None = None
    mail_to: str | None = None
    webhooks: str | None = None
    shares: dict[str, float] | None = None
    ca_bundle: Path | None = None


def bring_up(engine: docker.DockerClient, pool: Pool, wishes: Wishes, say: Say) -> PoolSettings:
    """The pool runs and its API answers when this returns; may be repeated. Raises PoolError."""
    socket_path = own_socket(engine)
    if not pool.state.exists():  # of a pool that is refused nothing is left
        refuse_anothers(engine, pool)
        _wanted(engine, pool, wishes)
    pool.state.mkdir(mode=0o755, parents=True, exist_ok=True)
    with alone(pool), readable_by_services():
        refuse_anothers(engine, pool)
        _refuse_a_half(pool)
        with one_at_a_time(cache() / "ports.lock"):  # two pools that come up at once do not choose one port
            settings = _settle(engine, pool, wishes)
        images = ensure_images(engine, say, wishes.ca_bundle)
        ensure_secrets(pool)
        write_proxies(pool, proxies(os.environ))
        for folder in mounted_directories(pool):
            folder.mkdir(parents=True, exist_ok=True)
        told = write_configuration(pool, settings, images, socket_path)
        ensure_networks(engine, pool)
        ensure_fence(engine, pool, images["worker"], settings)
        say("Starting the access point (HTCondor, etcd, REST API, scaler) and imc")
        ensure_access_point(engine, pool, images["access-point"], settings, f"{told['restapi']} {told['scaler']}")
        ensure_imc(engine, pool, images["imc"], told["imc"], socket_path)
        wait_until_well(engine, pool, settings)
        token = user_token(pool, local_user(), datetime.now(UTC))
        write_environment(pool, settings.port, token)
    return settings


def read_settings(pool: Pool) -> PoolSettings | None:
    """What the last `up` settled; None when there never was one. Raises PoolError for an unknown layout."""
    try:
        text = pool.settings_file.read_text()
    except FileNotFoundError:
        return None
    try:
        document = json.loads(text)
        layout = document["layout"]
    except (ValueError, KeyError, TypeError) as error:
        raise PoolError(f"{pool.settings_file} cannot be read: {error}") from error
    if layout != LAYOUT:
        raise PoolError(
            f"The state in {pool.state} has layout {layout}, this version works with {LAYOUT}. "
            f"Use the version that made it, or start anew: `{pool.command('down --purge')}`."
        )
    try:
        return parse(PoolSettings, document)
    except Rejected as error:
        raise PoolError(f"{pool.settings_file} is wrong: {error}") from error


def _refuse_a_half(pool: Pool) -> None:
    if (pool.state / RESTORING).exists():
        raise PoolError(
            f"A restore of {pool.name!r} has begun and has not ended: repeat `{pool.command('restore FILE')}`, or "
            f"start anew: `{pool.command('down --purge')}`."
        )


def _settle(engine: docker.DockerClient, pool: Pool, wishes: Wishes) -> PoolSettings:
    """What is wanted, kept for the next time. Raises PoolError."""
    settings = _wanted(engine, pool, wishes)
    pool.settings_file.write_text(settings.model_dump_json(indent=1) + "\n")
    return settings


def _wanted(engine: docker.DockerClient, pool: Pool, wishes: Wishes) -> PoolSettings:
    """Old settings with the new wishes over them. Raises PoolError."""
    before = read_settings(pool)
    values = before.model_dump() if before else {}
    for name in ("port", "idle_time", "max_workers", "task_network", "mail_server", "mail_to", "webhooks", "shares"):
        if (wish := getattr(wishes, name)) is not None:
            values[name] = wish
    if "port" not in values:
        kept = _ports_of_others(pool)
        values["port"] = next(port for port in range(FIRST_PORT, 65536) if port not in kept and _is_free(port))
    try:
        settings = parse(PoolSettings, values)
    except Rejected as error:
        raise PoolError(str(error)) from error
    is_running = any(c.status == "running" for c in containers(engine, pool, ACCESS_POINT))
    if not (is_running and before and before.port == settings.port) and not _is_free(settings.port):
        raise PoolError(
            f"Port {settings.port} on 127.0.0.1 is taken by another program. Stop that, or choose another: --port."
        )
    return settings


def _ports_of_others(pool: Pool) -> set[int]:
    """Which this user's other pools have, or will want again when they are brought up."""
    kept = set()
    for file in pool.settings_file.parent.parent.glob(f"*/{pool.settings_file.name}"):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # that pool's own `up` will say so
            kept.add(int(json.loads(file.read_text())["port"]))
    return kept


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@contextlib.contextmanager
def alone(pool: Pool) -> Iterator[None]:
    """One `up`, `down`, `backup` or `restore` at a time for a pool: a second waits for the first."""
    if not pool.state.exists():  # there never was an `up`, or all of it is gone
        yield
        return
    with one_at_a_time(pool.state / "lock"):
        yield


@contextlib.contextmanager
def readable_by_services() -> Iterator[None]:
    """Whatever the user's umask: the services' accounts are others. Secrets have modes of their own."""
    before = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(before)


def wait_until_well(engine: docker.DockerClient, pool: Pool, settings: PoolSettings) -> None:
    """Return once API, imc and fence are well. Raises PoolError if that takes too long or a container cannot live."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    own = (ACCESS_POINT, IMC, FENCE)
    restarts = {container.id: _restarts(container) for container in containers(engine, pool, *own)}
    complaint = ""
    while time.monotonic() < deadline:
        complaint = (
            fence_complaint(engine, pool, settings) or api_complaint(settings.port) or imc_complaint(engine, pool)
        )
        if not complaint:
            return
        for container in containers(engine, pool, *own):
            restarted = _restarts(container) - restarts.get(container.id, 0)
            if container.status in ("exited", "dead") or restarted > MOST_RESTARTS:
                last = b"".join(container.logs(tail=15, stream=True, follow=False))
                words = last.decode(errors="replace")
                raise PoolError(f"{container.name} ended by itself. Its last words:\n{words}")
        time.sleep(0.25)
    raise PoolError(
        f"The pool is not well after {READY_TIMEOUT_S} s: {complaint}. Its logs: `prominence pool logs`, "
        f"or the files in {pool.state / 'log'}."
    )


def _restarts(container: Container) -> int:
    return int(container.attrs["RestartCount"])


def api_complaint(port: int) -> str:
    """What is wrong with the API; "" when it is well."""
    try:
        with requests.Session() as session:
            session.trust_env = False  # a proxy in the environment is for the world outside
            answer = session.get(f"http://127.0.0.1:{port}{API_PATH}/health", timeout=5, allow_redirects=False)
    except requests.RequestException:
        return "the API does not answer yet"
    if answer.status_code == 204:
        return ""
    try:
        return f"the API says that these do not work: {answer.json()['errors']}"
    except (ValueError, KeyError, TypeError):
        return f"the API's health check answers {answer.status_code}"


def imc_complaint(engine: docker.DockerClient, pool: Pool) -> str:
    """What is wrong with imc; "" when it is well. imc is on a network that this machine is not part of."""
    for container in containers(engine, pool, IMC):
        if container.status != "running":
            return f"imc's container is {container.status}"
        probe = container.exec_run(["/opt/prominence/bin/probe-imc"])
        if probe.exit_code == 0:
            return ""
        said = probe.output.decode(errors="replace").strip() if isinstance(probe.output, bytes) else ""
        return f"imc is not well: {said}"
    return "imc has no container"
