"""The promise of imc's Cloud port, held by each adapter. The Docker engine of this machine takes part."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest
from builders_imc import CONTRACT_POOL, SMALL, the_docker_engine
from cloud_servers import FILES
from docker_cloud import docker_settings, remove_containers
from infrastructure_manager import Managed, manager
from slurm_cluster import OnSlurm

from prominence.core.errors import Unavailable
from prominence.core.machines import Flavour
from prominence.imc.adapters.docker import DockerCloud
from prominence.imc.adapters.memory import MemoryCloud
from prominence.imc.ports import Cloud, NodeState


@dataclass
class Subject:
    """A cloud, and how the world changes it behind its back."""

    cloud: Cloud
    stop: Callable[[str], Any]
    vanish: Callable[[str], Any]
    break_down: Callable[[], Any]


def memory_subject() -> Subject:
    cloud = MemoryCloud("docker", [SMALL])

    def break_down() -> None:
        for verb in ("nodes", "create", "delete"):
            cloud.faults.next(verb, Unavailable("down"))

    return Subject(cloud, lambda name: cloud.turn(name, NodeState.STOPPED), cloud.machines.pop, break_down)


def docker_subject(engine: docker.DockerClient, image: str, state: Path) -> Subject:
    settings = docker_settings(image, state)
    cloud = DockerCloud("docker", settings, CONTRACT_POOL)

    def break_down() -> None:
        cloud.close()
        cloud._settings = settings.model_copy(update={"socket": state / "no-such.sock"})

    return Subject(
        cloud,
        lambda name: engine.containers.get(f"prominence-{CONTRACT_POOL}-{name}").kill(),
        lambda name: engine.containers.get(f"prominence-{CONTRACT_POOL}-{name}").remove(force=True),
        break_down,
    )


@pytest.fixture(scope="module")
def engine() -> Iterator[tuple[docker.DockerClient, str]]:
    with the_docker_engine() as found:
        yield found


def managed_subject(url: str, home: Path) -> Subject:
    here = Managed(url, home)

    def stop(name: str) -> None:
        here.ask("PUT", f"/infrastructures/{here.infrastructure(name)}/stop")

    def vanish(name: str) -> None:
        here.ask("DELETE", f"/infrastructures/{here.infrastructure(name)}")

    return Subject(here.cloud, stop, vanish, here.break_down)


@pytest.fixture(scope="module")
def island() -> Iterator[str]:
    with manager() as url:
        yield url


@pytest.fixture(params=["memory", "docker", "ec2", "google", "azure", "nova", "im", "slurm"])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    if request.param == "memory":
        yield memory_subject()
    elif request.param == "im":
        yield managed_subject(request.getfixturevalue("island"), tmp_path)
    elif request.param == "slurm":
        cluster = OnSlurm(request.getfixturevalue("slurm"))
        yield Subject(cluster.cloud, cluster.stop, cluster.vanish, cluster.break_down)
        cluster.clear()
    elif request.param == "docker":
        client, image = request.getfixturevalue("engine")
        subject = docker_subject(client, image, tmp_path)
        yield subject
        assert isinstance(subject.cloud, DockerCloud)
        subject.cloud.close()
        remove_containers(client)
    else:
        here = request.getfixturevalue(request.param)
        yield Subject(here.cloud, here.stop, here.vanish, here.break_down)


def states(cloud: Cloud) -> dict[str, NodeState]:
    return {node.name: node.state for node in cloud.nodes()}


class TestCloud:
    def test_what_it_offers_bears_its_name(self, subject: Subject) -> None:
        assert subject.cloud.flavours()
        assert {flavour.cloud for flavour in subject.cloud.flavours()} == {subject.cloud.name}
        assert subject.cloud.terms.limit >= 1

    def test_every_worker_has_directories_of_its_own(self, subject: Subject) -> None:
        one, other = subject.cloud.layout("w-1"), subject.cloud.layout("w-2")
        assert len({one.execute_dir, one.tasks_dir, other.execute_dir, other.tasks_dir}) == 4

    def test_a_created_node_runs_and_a_deleted_one_is_gone(self, subject: Subject) -> None:
        subject.cloud.create("w-1", a_small(subject), FILES)
        assert states(subject.cloud) == {"w-1": NodeState.RUNNING}
        subject.cloud.delete("w-1")
        assert states(subject.cloud) == {}

    def test_creating_twice_makes_one(self, subject: Subject) -> None:
        subject.cloud.create("w-1", a_small(subject), FILES)
        subject.cloud.create("w-1", a_small(subject), FILES)
        assert states(subject.cloud) == {"w-1": NodeState.RUNNING}

    def test_deleting_what_is_not_there_is_fine(self, subject: Subject) -> None:
        subject.cloud.delete("w-1")
        subject.cloud.create("w-1", a_small(subject), FILES)
        subject.cloud.delete("w-1")
        subject.cloud.delete("w-1")

    def test_deleting_one_leaves_the_others(self, subject: Subject) -> None:
        for name in ("w-1", "w-10"):
            subject.cloud.create(name, a_small(subject), FILES)
        subject.cloud.delete("w-1")
        assert states(subject.cloud) == {"w-10": NodeState.RUNNING}

    def test_a_node_that_ended_is_shown_as_stopped_until_it_is_deleted(self, subject: Subject) -> None:
        subject.cloud.create("w-1", a_small(subject), FILES)
        subject.stop("w-1")
        assert states(subject.cloud) == {"w-1": NodeState.STOPPED}
        subject.cloud.delete("w-1")
        assert states(subject.cloud) == {}

    def test_a_vanished_node_is_not_shown_and_can_be_deleted(self, subject: Subject) -> None:
        subject.cloud.create("w-1", a_small(subject), FILES)
        subject.vanish("w-1")
        assert states(subject.cloud) == {}
        subject.cloud.delete("w-1")

    # The SDK leaves the socket of a failed connection to the garbage collector, which is called before the test ends.
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    @pytest.mark.filterwarnings("ignore::ResourceWarning")
    @pytest.mark.parametrize("verb", ["nodes", "create", "delete"])
    def test_a_silent_cloud_is_unavailable_and_not_empty(self, subject: Subject, verb: str) -> None:
        subject.break_down()
        arguments = {"nodes": (), "create": ("w-1", SMALL, FILES), "delete": ("w-1",)}[verb]
        with pytest.raises(Unavailable) as caught:
            getattr(subject.cloud, verb)(*arguments)
        del caught
        gc.collect()


def a_small(subject: Subject) -> Flavour:
    return subject.cloud.flavours()[0]
