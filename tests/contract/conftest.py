"""Real parts for contract tests, started by the test run itself and stopped by their process id."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from etcd_servers import EtcdMember

from prominence.cli.pool.recipes import present_images


@pytest.fixture(scope="module")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EtcdMember]:
    """One etcd."""
    member = EtcdMember(tmp_path_factory.mktemp("etcd"))
    member.start()
    try:
        member.wait_until_ready()
        yield member
    finally:
        member.kill()


@pytest.fixture
def etcd_cluster(tmp_path: Path) -> Iterator[list[EtcdMember]]:
    """Three members of one cluster."""
    members = [EtcdMember(tmp_path, name) for name in ("one", "two", "three")]
    try:
        for member in members:
            member.start(members)
        for member in members:
            member.wait_until_ready()
        yield members
    finally:
        for member in members:
            member.kill()


@pytest.fixture(scope="session")
def condor_image(request: pytest.FixtureRequest) -> str:
    """An image with HTCondor's daemons: the one named in the environment, or what personal pools are made from."""
    if image := os.environ.get("PROMINENCE_TEST_CONDOR_IMAGE"):
        return image
    request.getfixturevalue("pool")
    images = present_images(request.getfixturevalue("engine"))
    return next(tag for tag in images if tag.startswith("prominence-base:"))
