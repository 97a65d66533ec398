"""What every level of tests may use. The pool is started by the first test that asks for it."""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Iterator
from pathlib import Path

import docker
import hypothesis
import pytest
from mail_server import MailServer
from real_parts import MAIL_TO, RealPool, ensure_tiny_image, gateway, new_pool, published_client

# Few examples on every change, many in `make test-slow`; no deadlines, since a busy machine is not a mistake.
# What CI says depends on the change alone; everybody else tries new examples each time.
SAME = bool(os.environ.get("CI"))
hypothesis.settings.register_profile("quick", max_examples=20, deadline=None, derandomize=SAME)
hypothesis.settings.register_profile("thorough", max_examples=300, deadline=None, derandomize=SAME)
hypothesis.settings.load_profile("quick")


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, object, object]:
    """A failure that shows half a character must not end the run: the way between its processes knows UTF-8 alone."""
    report = yield
    return json.loads(json.dumps(report, ensure_ascii=False).encode(errors="replace"))


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    """The Docker engine of this machine."""
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture(scope="session")
def tiny_image(engine: docker.DockerClient) -> str:
    """Name of an image of 2 MB that holds busybox."""
    return ensure_tiny_image(engine)


@pytest.fixture(scope="session")
def mail_server(engine: docker.DockerClient) -> MailServer:
    """The mail server of the pool, where its containers reach it; tests that want messages start it, and stop it."""
    return MailServer(host=gateway(engine))


@pytest.fixture(scope="session")
def pool(
    engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory, mail_server: MailServer
) -> Iterator[RealPool]:
    """A personal pool on real parts, shared by all tests that leave it as they found it."""
    mail = ["--mail-server", f"{mail_server.host}:{mail_server.port}", "--mail-to", MAIL_TO]
    hooks = ["--webhooks", f"{gateway(engine)}/32"]
    real = new_pool(tmp_path_factory.mktemp("state"), engine, "--idle-time", "8", "--max-workers", "2", *mail, *hooks)
    try:
        real.up()
        yield real
    finally:
        real.down("--purge")


@pytest.fixture(scope="session")
def old_client() -> Path:
    """The published client's command."""
    return published_client()
