from __future__ import annotations

from pathlib import Path

import pytest
from builders_executor import a_container

from prominence.core.plan import RegistryCredential
from prominence.executor.adapters.apptainer import container_environment, login, pull_command, run_command
from prominence.executor.ports import Attached, RuntimeFailed

SIF = Path("/sandbox/apptainer/x.sif")
SHARED = "/sandbox/apptainer/shm"


def test_a_container_sees_its_two_directories_and_nothing_else_of_the_worker() -> None:
    command = run_command(a_container(command=("python", "-c", "print('a b')")), SIF, SHARED, "none")
    assert command == [
        *("apptainer", "--silent", "exec", "--containall", "--no-privs", "--no-eval", "--net", "--network", "none"),
        *("--home", "/sandbox/home:/home/user", "--bind", "/sandbox/tmp:/tmp"),
        *("--bind", "/sandbox/apptainer/shm:/dev/shm", "--pwd", "/home/user"),
        *("/sandbox/apptainer/x.sif", "python", "-c", "print('a b')"),
    ]


def test_only_a_job_with_gpus_sees_them() -> None:
    assert "--nv" in run_command(a_container(gpus=True), SIF, SHARED, "none")
    assert "--app" not in run_command(a_container(), SIF, SHARED, "none")
    command = run_command(a_container(app="greet"), SIF, SHARED, "none")
    assert command[command.index("--app") + 1] == "greet"
    assert "--nv" not in run_command(a_container(), SIF, SHARED, "none")


def test_what_is_mounted_for_the_job_is_seen_by_entering_where_it_is_mounted() -> None:
    storage = Attached(42, "/sandbox/storage/seen", "/data", "/sandbox/storage")
    command = run_command(a_container(storage=storage), SIF, SHARED, "none")
    entering = ["nsenter", "--preserve-credentials", "--target=42", "--user", "--mount", "--"]
    plain = run_command(a_container(), SIF, SHARED, "none")
    assert command[: len(entering) + 1] == [*entering, "apptainer"]
    assert "/sandbox/storage/seen:/data" in command
    assert [word for word in command[len(entering) :] if word != "/sandbox/storage/seen:/data"].count("--bind") == 3
    assert set(command) - set(entering) - set(plain) == {"/sandbox/storage/seen:/data"}


def test_without_a_command_the_images_own_is_run() -> None:
    command = run_command(a_container(command=()), SIF, SHARED, "none")
    assert command[2] == "run"
    assert command[-1] == str(SIF)


def test_the_workers_network_is_shared_only_where_the_worker_says_so() -> None:
    assert "--net" not in run_command(a_container(), SIF, SHARED, "outbound")


@pytest.mark.parametrize("image", ["busybox:1", "docker://busybox:1"])
def test_images_come_from_registries(image: str) -> None:
    command = pull_command(image, SIF)
    assert command == ["apptainer", "pull", "--force", "--disable-cache", str(SIF), "docker://busybox:1"]


def test_the_environment_is_passed_by_the_environment() -> None:
    env = {"A": 'x "y"\n$z', "HOME": "/home/user", "PATH": "/bin"}
    assert container_environment(env) == {"APPTAINERENV_A": 'x "y"\n$z', "APPTAINERENV_PATH": "/bin"}


@pytest.mark.parametrize("name", ["a.b", "1A", "A-B", "A B", "$(id)", "é"])
def test_a_name_that_apptainer_would_lose_is_refused(name: str) -> None:
    with pytest.raises(RuntimeFailed, match="cannot pass the environment variable"):
        container_environment({name: "1"})


def test_a_credential_is_shown_by_the_environment_of_the_pull_alone() -> None:
    shown = {"APPTAINER_DOCKER_USERNAME": "alice", "APPTAINER_DOCKER_PASSWORD": "a token"}
    assert (login(RegistryCredential("alice", "a token")), login(None)) == (shown, {})
