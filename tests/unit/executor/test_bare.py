"""Tasks without a container."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from builders_executor import a_container

from prominence.executor.adapters.bare import BareProcess, here
from prominence.executor.ports import Cause, Container, Ended, FetchFailed, Limits, NotRunning, RuntimeFailed, Stop


@pytest.fixture
def runtime() -> BareProcess:
    return BareProcess(os.environ)


def a_task(tmp_path: Path, *command: str, **changes: object) -> Container:
    for name in ("home", "tmp"):
        (tmp_path / name).mkdir(exist_ok=True)
    return a_container(
        command=command, home=str(tmp_path / "home"), tmp=str(tmp_path / "tmp"), **{"memory_mib": 4000, **changes}
    )


def ran(runtime: BareProcess, container: Container) -> Ended:
    return runtime.run(container, Limits(30, 1), Stop())


def test_it_runs_in_its_home_and_is_told_where_that_is(
    runtime: BareProcess, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    env = {"HOME": "/home/user", "TMPDIR": "/tmp", "A": "b\nc"}
    command = ("sh", "-c", 'pwd; echo "$HOME $TMPDIR $A"; exit 3')
    ended = ran(runtime, a_task(tmp_path, *command, env=env))
    assert (ended.cause, ended.exit_code) == (Cause.EXITED, 3)
    home, tmp = tmp_path / "home", tmp_path / "tmp"
    assert capfd.readouterr().out == f"{home}\n{home} {tmp} b\nc\n"


def test_nothing_of_the_executors_own_environment_is_handed_on(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    runtime = BareProcess({**os.environ, "SECRET_OF_THE_WORKER": "x"})
    ran(runtime, a_task(tmp_path, "env"))
    assert {line.partition("=")[0] for line in capfd.readouterr().out.splitlines()} <= {"PATH"}


@pytest.mark.parametrize(
    ("command", "workdir", "code", "detail"),
    [
        (("no-such-program",), "/home/user", 127, "the worker has no no-such-program"),
        (("./script",), "/home/user", 126, "./script cannot be executed"),
        (("./none",), "/home/user", 127, "the worker has no ./none"),
        (("true",), "/home/user/none", 126, "there is no directory /home/user/none"),
    ],
)
def test_what_cannot_be_started_is_told_as_of_a_container(
    runtime: BareProcess, tmp_path: Path, command: tuple[str, ...], workdir: str, code: int, detail: str
) -> None:
    container = a_task(tmp_path, *command, workdir=workdir)
    (tmp_path / "home/script").write_text("not executable")
    assert ran(runtime, container) == Ended(Cause.NOT_STARTED, code, detail=detail)


def test_it_is_ended_when_its_time_is_up_with_all_that_it_has_started(runtime: BareProcess, tmp_path: Path) -> None:
    container = a_task(tmp_path, "sh", "-c", "setsid sleep 1000 & sleep 1000")
    ended = runtime.run(container, Limits(0.3, 0.1), Stop())
    assert ended.cause is Cause.OUT_OF_TIME
    with pytest.raises(NotRunning):
        runtime.usage()


def test_it_has_no_image_and_nothing_that_only_a_container_could_give_it(runtime: BareProcess, tmp_path: Path) -> None:
    assert runtime.has("scratch")
    with pytest.raises(FetchFailed):
        runtime.load(None, None, Stop())  # type: ignore[arg-type]  # whichever
    for wanting in ({"mounts": (("/a", "/b"),)}, {"gpus": True}):
        with pytest.raises(RuntimeFailed):
            ran(runtime, a_task(tmp_path, "true", **wanting))
    with pytest.raises(RuntimeFailed):
        ran(runtime, a_task(tmp_path))


@pytest.mark.parametrize(
    ("path", "place"),
    [("/home/user", "/sandbox/home"), ("/home/user/a", "/sandbox/home/a"), ("/tmp/b", "/sandbox/tmp/b")],
)
def test_paths_of_a_container_are_the_jobs_own_directories(path: str, place: str) -> None:
    assert here(path, a_container()) == place


@pytest.mark.parametrize("path", ["/home/users", "/tmpfiles", "/usr"])
def test_other_paths_are_the_workers(path: str) -> None:
    assert here(path, a_container()) == path
