from __future__ import annotations

import os

import pytest
from builders_executor import a_container
from hypothesis import given
from hypothesis import strategies as st

from prominence.executor.adapters.docker import create_arguments, ended, environment_file, reference
from prominence.executor.ports import Cause, Ended, RuntimeFailed
from prominence.executor.process import Finished


def finished(cause: Cause = Cause.EXITED, stderr: str = "") -> Finished:
    return Finished(cause, 0, None, 0.1, 1000, "", stderr)


def value_of(option: str, arguments: list[str]) -> str:
    return arguments[arguments.index(option) + 1]


def test_everything_that_isolates_a_container_is_in_its_command() -> None:
    arguments = create_arguments("docker", a_container(memory_mib=500), "c", "/tmp/env", "none")
    assert value_of("--network", arguments) == "none"
    assert value_of("--cap-drop", arguments) == "ALL"
    assert value_of("--security-opt", arguments) == "no-new-privileges"
    assert value_of("--memory", arguments) == value_of("--memory-swap", arguments) == "500m"
    assert value_of("--user", arguments) == f"{os.getuid()}:{os.getgid()}"
    assert int(value_of("--pids-limit", arguments)) > 0


def test_its_command_replaces_the_images_own() -> None:
    arguments = create_arguments("docker", a_container(command=("sh", "-c", "x")), "c", "/tmp/env", "none")
    assert value_of("--entrypoint", arguments) == "sh"
    assert arguments[-3:] == ["busybox:1", "-c", "x"]


def test_without_a_command_the_image_is_the_last_word() -> None:
    arguments = create_arguments("docker", a_container(command=()), "c", "/tmp/env", "none")
    assert "--entrypoint" not in arguments
    assert arguments[-1] == "busybox:1"


def test_more_cores_than_there_are_cannot_be_asked_for() -> None:
    arguments = create_arguments("docker", a_container(cpus=10_000), "c", "/tmp/env", "none")
    assert value_of("--cpus", arguments) == str(os.cpu_count())


@given(st.dictionaries(st.text("AB#= \té", min_size=1).filter(lambda name: "=" not in name), st.text()))
def test_each_variable_goes_one_way_and_lines_hold_one_each(env: dict[str, str]) -> None:
    lines = environment_file(env).splitlines()
    given_singly = [
        argument.partition("=")[2]
        for argument in create_arguments("docker", a_container(env=env), "c", "/tmp/env", "none")
        if argument.startswith("--env=")
    ]
    assert sorted(lines + given_singly) == sorted(f"{name}={value}" for name, value in env.items())
    assert not any(line.startswith("#") for line in lines)


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("busybox", "docker.io/library/busybox"),
        ("docker://grp/tool:1", "docker.io/grp/tool:1"),
        ("registry.example.org/grp/tool", "registry.example.org/grp/tool"),
        ("localhost/tool", "localhost/tool"),
        ("registry:5000/tool", "registry:5000/tool"),
    ],
)
def test_podman_is_told_the_registry(image: str, name: str) -> None:
    assert reference("podman", image) == name


def test_docker_knows_its_registry() -> None:
    assert reference("docker", "docker://busybox") == "busybox"


def test_the_engines_exit_code_counts() -> None:
    assert ended(a_container(), finished(), {"ExitCode": 3}) == Ended(Cause.EXITED, 3)


def test_out_of_memory_is_a_fact_of_the_engine_and_no_failure_of_who_survived_it() -> None:
    assert ended(a_container(), finished(), {"ExitCode": 137, "OOMKilled": True}).cause is Cause.OUT_OF_MEMORY
    assert ended(a_container(), finished(), {"ExitCode": 0, "OOMKilled": True}).cause is Cause.EXITED


def test_a_start_that_failed_is_told_by_the_engine_or_by_the_containers_init() -> None:
    said = 'exec: "x": executable file not found in $PATH'
    assert ended(a_container(), finished(), {"ExitCode": 127, "Error": said}).cause is Cause.NOT_STARTED
    said = "[FATAL tini (7)] exec x failed: No such file or directory"
    assert ended(a_container(), finished(stderr=said), {"ExitCode": 127}).cause is Cause.NOT_STARTED
    assert ended(a_container(), finished(stderr="x: not found"), {"ExitCode": 127}) == Ended(Cause.EXITED, 127)


def test_another_failure_of_the_engine_is_the_runtimes() -> None:
    with pytest.raises(RuntimeFailed, match="no space"):
        ended(a_container(), finished(), {"ExitCode": 128, "Error": "mount: no space left"})


def test_a_container_that_was_never_started_did_not_succeed() -> None:
    state = {"ExitCode": 0, "Status": "created", "Error": ""}
    with pytest.raises(RuntimeFailed, match="unknown flag"):
        ended(a_container(), finished(stderr="unknown flag\n"), state)


def test_what_had_to_be_killed_ended_by_the_kill() -> None:
    state = {"ExitCode": 0, "Running": True}
    assert ended(a_container(), finished(Cause.OUT_OF_TIME), state) == Ended(Cause.OUT_OF_TIME, 137)
