"""What several files here need."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from real_executor import HeldRegistry
from real_machines import Machines
from real_parts import RealPool


@pytest.fixture
def held_registry(engine: docker.DockerClient) -> Iterator[HeldRegistry]:
    """Where an image comes from that nobody has fetched before, and that does not come before it is released."""
    registry = HeldRegistry(mark=uuid.uuid4().hex)
    yield registry
    registry.close()
    for image in engine.images.list(name=f"{registry.host}/tiny"):
        engine.images.remove(image.id, force=True)


@pytest.fixture
def machines(pool: RealPool, engine: docker.DockerClient, tmp_path: Path) -> Iterator[Machines]:
    found = Machines(pool, engine, tmp_path)
    yield found
    found.close()
