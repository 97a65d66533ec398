"""udocker's command line, as its version 1.3 takes it. Its engine is fetched from places that tests do not reach."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from builders_executor import a_container
from hypothesis import given
from hypothesis import strategies as st

from prominence.core.plan import RegistryCredential
from prominence.executor.adapters.udocker import Udocker, load_command, pull_command, run_command
from prominence.executor.ports import FetchFailed, RuntimeFailed, RuntimeUnavailable, Stop

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


def a_udocker(directory: Path, script: str) -> Udocker:
    """With a program of that name that notes its arguments and does this."""
    program = directory / "bin/udocker"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> {directory}/arguments\n{script}\n')
    program.chmod(0o755)
    return Udocker(directory / "udocker", {"PATH": f"{program.parent}:{os.environ['PATH']}"})


def test_an_image_is_fetched_once_by_the_job(tmp_path: Path) -> None:
    udocker = a_udocker(tmp_path, "exit 0")
    assert not udocker.has("busybox:1")
    udocker.fetch("busybox:1", 10, Stop())
    assert udocker.has("busybox:1")
    assert (tmp_path / "arguments").read_text().splitlines() == pull_command("busybox:1")[1:]
    assert (tmp_path / "udocker").is_dir()


def test_why_it_could_not_be_fetched_is_told(tmp_path: Path) -> None:
    udocker = a_udocker(tmp_path, "echo 'Error: manifest unknown' >&2; exit 1")
    with pytest.raises(FetchFailed, match="there is no such image"):
        udocker.fetch("busybox:1", 10, Stop())
    with pytest.raises(FetchFailed, match="private"):
        udocker.fetch("busybox:1", 10, Stop(), RegistryCredential("alice", "secret"))
    assert "secret" not in (tmp_path / "arguments").read_text()


def test_its_version_shows_that_it_is_there(tmp_path: Path) -> None:
    assert a_udocker(tmp_path, "echo 'version: 1.3.17'; echo 'tarball: x'").version() == "1.3.17"
    with pytest.raises(RuntimeUnavailable):
        Udocker(tmp_path / "none", {"PATH": str(tmp_path)}).version()


def test_the_container_gets_the_jobs_directories_and_its_command() -> None:
    container = a_container(command=("sh", "-c", "x"), mounts=(("/sandbox/m", "/data"),), workdir="/data")
    command = run_command(container, "c", "/tmp/env")
    options, rest = command[: command.index("busybox:1")], command[command.index("busybox:1") :]
    assert rest == ["busybox:1", "-c", "x"]
    assert options[:3] == ["udocker", "--quiet", "run"]
    assert {
        "--rm",
        "--name=c",
        f"--user={os.getuid()}:{os.getgid()}",
        "--volume=/sandbox/home:/home/user",
        "--volume=/sandbox/tmp:/tmp",
        "--volume=/sandbox/m:/data",
        "--workdir=/data",
        "--env-file=/tmp/env",
        "--entrypoint=sh",
    } <= set(options)
    assert load_command(Path("/a.tar"), "prominence/file:0")[2:] == ["load", "-i", "/a.tar", "prominence/file:0"]


@given(st.lists(texts, min_size=1), st.dictionaries(texts.filter(bool), texts))
def test_no_text_of_a_job_becomes_an_option(command: list[str], env: dict[str, str]) -> None:
    made = run_command(a_container(command=tuple(command), env=env), "c", "/tmp/env")
    usual = run_command(a_container(command=("true",)), "c", "/tmp/env")
    given_options = [one for one in made[: len(made) - len(command)] if not one.startswith(("--env=", "--entrypoint="))]
    assert given_options == [one for one in usual[:-1] if not one.startswith("--entrypoint=")]
    assert made[len(made) - len(command) + 1 :] == command[1:]


def test_gpus_and_what_needs_more_are_refused(tmp_path: Path) -> None:
    udocker = a_udocker(tmp_path, "exit 0")
    with pytest.raises(RuntimeFailed, match="GPUs"):
        udocker.accompany(a_container(gpus=True), None, None, Stop(), lambda: None)  # type: ignore[arg-type]
