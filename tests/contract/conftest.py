"""Real parts for contract tests, started by the test run itself and stopped by their process id."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import docker
import pytest
from cloud_servers import OnAzure, OnEC2, OnGoogle, OnOpenStack, OnServer, served
from etcd_servers import EtcdMember, in_one_cluster
from search_server import Disguise, SearchServer, disguised
from slurm_cluster import Cluster

from prominence.cli.pool.recipes import present_images

Here = TypeVar("Here", bound=OnServer)


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


@pytest.fixture(scope="module")
def search(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disguise]:
    """A search server, as the client of Elasticsearch sees it."""
    server = SearchServer(tmp_path_factory.mktemp("search"))
    try:
        server.start()
        with disguised(server) as disguise:
            yield disguise
    finally:
        server.kill()


@pytest.fixture
def etcd_cluster(tmp_path: Path) -> Iterator[list[EtcdMember]]:
    """Three members of one cluster."""
    with in_one_cluster([EtcdMember(tmp_path, name) for name in ("one", "two", "three")]) as members:
        yield members


@pytest.fixture(scope="session")
def condor_image(request: pytest.FixtureRequest) -> str:
    """An image with HTCondor's daemons: the one named in the environment, or what personal pools are made from."""
    if image := os.environ.get("PROMINENCE_TEST_CONDOR_IMAGE"):
        return image
    request.getfixturevalue("pool")
    images = present_images(request.getfixturevalue("engine"))
    return next(tag for tag in images if tag.startswith("prominence-base:"))


@pytest.fixture(scope="module")
def ec2_url() -> Iterator[str]:
    with served("ec2_server.py") as url:
        yield url


@pytest.fixture(scope="module")
def openstack_url() -> Iterator[str]:
    with served("openstack_server.py") as url:
        yield url


@pytest.fixture(scope="module")
def google_url() -> Iterator[str]:
    with served("google_server.py") as url:
        yield url


@pytest.fixture(scope="module")
def azure_url() -> Iterator[str]:
    with served("azure_server.py") as url:
        yield url


@pytest.fixture
def ec2(ec2_url: str, tmp_path: Path) -> OnEC2:
    return OnEC2(ec2_url, tmp_path)


@pytest.fixture
def nova(openstack_url: str, tmp_path: Path) -> OnOpenStack:
    return OnOpenStack(openstack_url, tmp_path)


@pytest.fixture
def google(google_url: str, tmp_path: Path) -> Iterator[OnGoogle]:
    yield from _cleaned(OnGoogle(google_url, tmp_path))


@pytest.fixture
def azure(azure_url: str, tmp_path: Path) -> Iterator[OnAzure]:
    yield from _cleaned(OnAzure(azure_url, tmp_path))


def _cleaned(here: Here) -> Iterator[Here]:
    yield here
    here.clean()


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster of one node."""
    client = docker.from_env()
    cluster = Cluster(client, tmp_path_factory.mktemp("slurm"))
    try:
        cluster.wait_until_ready()
        yield cluster
    finally:
        cluster.close()
        client.close()
