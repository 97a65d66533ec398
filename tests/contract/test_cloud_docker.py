"""What the Docker cloud promises beyond a cloud's promise, on the engine of this machine."""

from __future__ import annotations

import itertools
import os
import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from builders import a_size
from builders_imc import CONTRACT_POOL, the_docker_engine
from cloud_servers import FILES
from docker_cloud import Docker, docker_settings, remove_containers
from file_server import a_tar
from saved_images import Picture, saved

from prominence.core.errors import CloudError, NoSuchImage, Unavailable
from prominence.core.machines import Flavour
from prominence.imc.adapters import docker as docker_cloud_module
from prominence.imc.adapters.docker import DockerCloud
from prominence.imc.ports import Cloud, NodeState


@pytest.fixture(scope="module")
def engine() -> Iterator[tuple[docker.DockerClient, str]]:
    with the_docker_engine() as found:
        yield found


@pytest.fixture
def on_docker(engine: tuple[docker.DockerClient, str], tmp_path: Path) -> Iterator[Docker]:
    client, image = engine
    made: list[Docker] = []
    yield Docker(client, image, tmp_path, made)
    for one in made:
        one.cloud.close()
    remove_containers(client)


def create(on_docker: Docker, flavour: Flavour | None = None) -> None:
    on_docker.cloud.create("w-1", flavour or on_docker.cloud.flavours()[0], FILES)


class TestDockerWorker:
    def test_it_finds_its_files_with_their_modes(self, on_docker: Docker) -> None:
        create(on_docker)
        assert on_docker.run_in("cat", "/etc/condor/tokens.d/pool") == "the token\n"
        assert on_docker.run_in("stat", "-c", "%a %u", "/etc/condor/tokens.d/pool") == "600 0\n"
        assert on_docker.run_in("stat", "-c", "%a %u", "/etc/prominence/broker.json") == "644 0\n"

    def test_its_token_is_neither_in_the_environment_nor_in_the_image(self, on_docker: Docker) -> None:
        create(on_docker)
        assert "the token" not in str(on_docker.worker().attrs)

    def test_it_has_its_own_name_and_no_published_port(self, on_docker: Docker) -> None:
        create(on_docker)
        attributes = on_docker.worker().attrs
        assert attributes["Config"]["Hostname"] == "w-1"
        assert not attributes["HostConfig"]["PortBindings"]
        assert "w-1" in attributes["NetworkSettings"]["Networks"][CONTRACT_POOL]["Aliases"]
        assert attributes["HostConfig"]["RestartPolicy"]["Name"] in ("", "no")

    def test_it_gets_no_more_than_apptainer_needs(self, on_docker: Docker) -> None:
        create(on_docker)
        host = on_docker.worker().attrs["HostConfig"]
        assert not host["Privileged"]
        assert [capability.removeprefix("CAP_") for capability in host["CapAdd"]] == ["SYS_ADMIN", "NET_ADMIN"]

    def test_more_cores_than_the_host_has_are_capped_and_weighted(self, on_docker: Docker) -> None:
        huge = on_docker.cloud.flavours()[0].model_copy(update={"size": a_size(512, 256, 0)})
        create(on_docker, huge)
        host = on_docker.worker().attrs["HostConfig"]
        assert host["NanoCpus"] == on_docker.engine.info()["NCPU"] * 10**9
        assert host["CpuShares"] == 256 * 1024
        assert host["Memory"] == (256 + 256) * 1024 * 1024

    def test_its_directories_have_the_same_path_as_on_the_host(self, on_docker: Docker) -> None:
        create(on_docker)
        layout = on_docker.cloud.layout("w-1")
        on_docker.run_in("touch", f"{layout.execute_dir}/from-inside", f"{layout.tasks_dir}/too")
        assert Path(layout.execute_dir, "from-inside").exists() and Path(layout.tasks_dir, "too").exists()

    def test_the_docker_socket_is_behind_a_directory_that_root_alone_enters(self, on_docker: Docker) -> None:
        create(on_docker)
        path = Path(on_docker.cloud.layout("w-1").docker_socket)
        assert on_docker.run_in("stat", "-c", "%a %u", str(path.parent)) == "700 0\n"
        assert on_docker.run_in("stat", "-c", "%F", str(path)) == "socket\n"

    def test_without_docker_tasks_there_is_no_socket(self, on_docker: Docker) -> None:
        plain = on_docker.otherwise(docker_tasks=False)
        create(plain)
        assert plain.cloud.layout("w-1").docker_socket == ""
        assert not [mount for mount in plain.worker().attrs["Mounts"] if "docker.sock" in mount["Source"]]

    def test_one_that_was_made_and_never_started_is_finished(self, on_docker: Docker) -> None:
        on_docker.cloud._make_directories("w-1")
        on_docker.cloud._make_container("w-1", on_docker.cloud.flavours()[0])
        assert states(on_docker.cloud) == {"w-1": NodeState.UNFINISHED}
        create(on_docker)
        assert states(on_docker.cloud) == {"w-1": NodeState.RUNNING}
        assert on_docker.run_in("cat", "/etc/condor/tokens.d/pool") == "the token\n"

    def test_its_exit_code_is_told(self, on_docker: Docker) -> None:
        create(on_docker)
        on_docker.worker().kill()
        assert [node.detail for node in on_docker.cloud.nodes()] == ["exit code 137"]

    def test_an_image_that_is_not_there_is_named_and_leaves_nothing(self, on_docker: Docker) -> None:
        other = on_docker.otherwise("no-such-image-prominence")
        with pytest.raises(NoSuchImage, match="no-such-image-prominence"):
            create(other)
        assert not any((on_docker.state / "workers").iterdir())

    def test_a_refusal_at_the_start_leaves_nothing(self, on_docker: Docker) -> None:
        other = on_docker.otherwise(network="no-such-network-prominence")
        with pytest.raises(CloudError, match="no-such-network-prominence"):
            create(other)
        assert states(other.cloud) == {}
        assert not any((on_docker.state / "workers").iterdir())


class TestDockerDeletion:
    def test_it_takes_the_tasks_and_the_directories_along(self, on_docker: Docker) -> None:
        create(on_docker)
        layout = on_docker.cloud.layout("w-1")
        for number in range(2):
            task(on_docker, number, "w-1")
        on_docker.run_in("mkdir", "-p", f"{layout.execute_dir}/dir_1/sub")
        on_docker.cloud.delete("w-1")
        assert containers(on_docker) == []
        assert not Path(layout.execute_dir).parent.exists()

    def test_it_leaves_another_workers_tasks(self, on_docker: Docker) -> None:
        create(on_docker)
        other = task(on_docker, 0, "w-10")
        on_docker.cloud.delete("w-1")
        assert containers(on_docker) == [other]

    def test_images_that_its_jobs_have_brought_go_too(self, on_docker: Docker) -> None:
        brought = {name: brought_image(on_docker, name) for name in ("w-1", "w-10")}
        on_docker.cloud.delete("w-1")
        assert images(on_docker) == [brought["w-10"]]
        on_docker.cloud.delete("w-10")
        assert images(on_docker) == []

    def test_tasks_of_a_vanished_worker_go_too(self, on_docker: Docker) -> None:
        create(on_docker)
        task(on_docker, 0, "w-1")
        on_docker.worker().remove(force=True)
        on_docker.cloud.delete("w-1")
        assert containers(on_docker) == []
        assert not (on_docker.state / "workers" / "w-1").exists()

    def test_it_takes_the_private_images_of_its_jobs_along_and_no_others(self, on_docker: Docker) -> None:
        def kept(session: str, worker: str) -> str:
            return f"localhost/prominence-private/{session}-0:{CONTRACT_POOL}.{worker}"

        names = [kept("a", "w-1"), kept("b", "w-1"), kept("a", "w-10")]
        image = on_docker.engine.images.get(on_docker.image)
        for name in names:
            image.tag(name)
        create(on_docker)
        on_docker.cloud.delete("w-1")
        left = set(on_docker.engine.images.get(on_docker.image).tags)
        on_docker.engine.images.remove(names[2])
        assert left & set(names) == {names[2]}
        assert on_docker.image in left

    def test_links_that_a_job_made_are_not_followed(self, on_docker: Docker, tmp_path: Path) -> None:
        precious = tmp_path / "precious"
        precious.mkdir()
        (precious / "file").write_text("keep me")
        create(on_docker)
        execute = Path(on_docker.cloud.layout("w-1").execute_dir)
        (execute / "link").symlink_to(precious)
        (execute / "dangling").symlink_to("/nowhere")
        on_docker.cloud.delete("w-1")
        assert (precious / "file").read_text() == "keep me"
        assert not execute.exists()

    def test_any_depth_is_removed(self, on_docker: Docker) -> None:
        create(on_docker)
        directory = os.open(on_docker.cloud.layout("w-1").execute_dir, os.O_DIRECTORY)
        for _ in range(3000):
            os.mkdir("d", dir_fd=directory)
            below = os.open("d", os.O_DIRECTORY, dir_fd=directory)
            os.close(directory)
            directory = below
        os.close(directory)
        on_docker.cloud.delete("w-1")
        assert not (on_docker.state / "workers" / "w-1").exists()

    def test_a_container_that_is_not_ours_is_left_alone(self, on_docker: Docker) -> None:
        stranger = on_docker.engine.containers.create(
            on_docker.image,
            name=f"prominence-{CONTRACT_POOL}-w-1",
            labels={"prominence.pool": CONTRACT_POOL, "prominence.role": "something else"},
        )
        assert states(on_docker.cloud) == {}
        with pytest.raises(Unavailable, match="same name"):
            create(on_docker)
        on_docker.cloud.delete("w-1")
        assert containers(on_docker) == [stranger.id]

    def test_what_is_no_name_of_a_worker_is_no_path_either(self, on_docker: Docker, tmp_path: Path) -> None:
        (tmp_path / "precious").mkdir()
        create(on_docker)
        for name in ("../precious", "..", "", "w-1/../../precious"):
            with pytest.raises(CloudError, match="no name of a worker"):
                on_docker.cloud.delete(name)
        assert (tmp_path / "precious").exists()
        assert states(on_docker.cloud) == {"w-1": NodeState.RUNNING}

    def test_it_is_quick(self, on_docker: Docker) -> None:
        create(on_docker)
        begun = time.monotonic()
        on_docker.cloud.delete("w-1")
        assert time.monotonic() - begun < 5


def test_an_engine_that_hangs_is_left_alone_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker_cloud_module, "_TIMEOUT_S", 0.2)
    moments = itertools.count(0, 10)  # each look takes 10 s, and there is nothing between two
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(str(tmp_path / "docker.sock"))
        engine.listen(16)
        settings = docker_settings("any", tmp_path, socket=tmp_path / "docker.sock")
        cloud = DockerCloud("docker", settings, CONTRACT_POOL, lambda: next(moments))
        asked = []
        for _ in range(4):
            with pytest.raises(Unavailable, match="Docker does not answer"):
                cloud.nodes()
            asked.append(_is_asked(engine))
    assert asked == [True, False, False, True]


def _is_asked(engine: socket.socket) -> bool:
    """Whether somebody has come since this was asked before."""
    came = 0
    while select.select([engine], [], [], 0)[0]:
        engine.accept()[0].close()
        came += 1
    return came > 0


def task(on_docker: Docker, number: int, worker: str) -> str:
    """What a worker's broker starts."""
    container = on_docker.engine.containers.run(
        on_docker.image,
        name=f"prominence-{CONTRACT_POOL}-task-{number}",
        labels={"prominence.pool": CONTRACT_POOL, "prominence.role": "task", "prominence.worker": worker},
        network_mode="none",
        detach=True,
    )
    return str(container.id)


def brought_image(on_docker: Docker, worker: str) -> str:
    """What a worker's broker makes of a job's file."""
    labels = {"prominence.pool": CONTRACT_POOL, "prominence.role": "image", "prominence.worker": worker}
    [image] = on_docker.engine.images.load(saved(Picture([a_tar({"file": b""})], config={"Labels": labels})))
    return str(image.id)


def images(on_docker: Docker) -> list[str]:
    label = [f"prominence.pool={CONTRACT_POOL}", "prominence.role=image"]
    return [str(image["Id"]) for image in on_docker.engine.api.images(filters={"label": label})]


def containers(on_docker: Docker) -> list[str]:
    found = on_docker.engine.containers.list(all=True, filters={"label": f"prominence.pool={CONTRACT_POOL}"})
    return [str(container.id) for container in found]


def states(cloud: Cloud) -> dict[str, NodeState]:
    return {node.name: node.state for node in cloud.nodes()}
