"""What hostile tasks try from inside their containers, and that they get nothing.

The attempts themselves are in tests/hostile_attempts.py: all of them run in one job for each runtime and each setting
of the pool's `--task-network`, next to neighbours on the same worker and after an earlier job of the same account.
Here is what must hold for each. CONTROLS are attempts that must succeed, or the others would prove nothing.
"""

from __future__ import annotations

import shlex
import uuid
from collections.abc import Iterator
from typing import Any

import docker
import hostile_attempts
import pytest
from builders_hostile import Scene, Verdict, a_scene
from real_executor import processes_with
from real_parts import until

from prominence.core import classads

CONTROLS = [name for name in hostile_attempts.ATTEMPTS if name.startswith("control_")]
ATTEMPTS = [name for name in hostile_attempts.ATTEMPTS if name not in (*CONTROLS, "reaches_the_world")]
RUNTIMES = ["docker", "apptainer"]
SMALL = {"cpus": 1, "memory": 0.5, "disk": 0.2}

KNOWN = {
    ("outbound", "apptainer", "reaches_the_collector_by_name"): "HTCondor's port, where it is nobody",
    ("outbound", "apptainer", "reaches_condor_by_address"): "HTCondor's port, where it is nobody",
    ("outbound", "apptainer", "reaches_the_api"): "the API's port, where it is nobody",
    ("outbound", "apptainer", "reaches_an_abstract_socket"): "HTCondor's port by another way",
    ("outbound", "apptainer", "reaches_a_service_of_the_machine"): "the worker's network is not fenced off from it",
    ("outbound", "apptainer", "reaches_a_neighbours_port"): "they share the worker's network",
}
"""What does get something: each is said under "Known limits" in docs/security.md."""


@pytest.fixture(scope="module", params=["none", "outbound"])
def scene(
    request: pytest.FixtureRequest, engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    with a_scene(engine, tmp_path_factory.mktemp("state"), task_network=request.param) as scene:
        yield scene


@pytest.fixture(params=RUNTIMES)
def verdicts(request: pytest.FixtureRequest, scene: Scene) -> dict[str, Verdict]:
    return scene.verdicts[request.param]


@pytest.mark.parametrize("control", CONTROLS)
def test_what_a_task_may_do_works(verdicts: dict[str, Verdict], control: str) -> None:
    assert verdicts[control].got, verdicts[control]


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_a_task_gets_nothing(scene: Scene, verdicts: dict[str, Verdict], attempt: str) -> None:
    verdict = verdicts[attempt]
    assert not verdict.broken, verdict
    known = (scene.task_network, verdict.runtime, attempt) in KNOWN
    assert bool(verdict.got) is known, verdict


def test_a_task_reaches_the_world_only_where_the_pool_lets_it(scene: Scene, verdicts: dict[str, Verdict]) -> None:
    assert bool(verdicts["reaches_the_world"].got) is (scene.task_network == "outbound")


def test_htcondor_was_asked_and_refused(scene: Scene) -> None:
    """The control for `is_told_by_htcondor_without_a_token`: the question came, from an address of the pool."""
    if scene.task_network == "none":
        return
    log = (scene.pool.state / "log" / "condor" / "CollectorLog").read_text()
    assert "PERMISSION DENIED for 5 (QUERY_STARTD_ADS)" in log


def test_neighbours_are_as_they_were(scene: Scene) -> None:
    assert {scene.pool.describe(job)["status"] for job in scene.neighbours} == {"running"}


ONE_SCENE = pytest.mark.parametrize("scene", ["none"], indirect=True)
"""For what has nothing to do with the network."""


def _together(scene: Scene, *commands: str, **changes: Any) -> dict[str, dict[str, Any]]:
    """What becomes of a job of these commands, for each runtime; both run at the same time."""
    jobs = {runtime: scene.submit(runtime, *commands, **changes) for runtime in RUNTIMES}
    return {runtime: {**scene.finish(job), "stdout": scene.pool.output(job)} for runtime, job in jobs.items()}


def _shell(script: str) -> str:
    return f"sh -c {shlex.quote(script)}"


SLOW = [pytest.mark.slow]
FILLINGS = [
    # by what, and the reason with which that ends on Docker and on Apptainer; TaskFailed: it found it full
    pytest.param(
        "exec /usr/bin/python3 -c 'import time; held = 900_000_000 * b\"x\"; time.sleep(90)'",
        *["MemoryExceeded"] * 2,
        id="memory",
    ),
    pytest.param("fill /home/user/f", *["DiskExceeded"] * 2, id="home"),
    pytest.param("fill /dev/shm/f", "TaskFailed", "DiskExceeded", id="shared memory"),
    pytest.param("fill /tmp/f", *["DiskExceeded"] * 2, id="tmp", marks=SLOW),
    pytest.param("mkdir d; fill d/f; chmod 0 d", *["DiskExceeded"] * 2, id="what its owner cannot read", marks=SLOW),
    pytest.param("fill /var/tmp/f", "DiskExceeded", "TaskFailed", id="what is neither home nor tmp", marks=SLOW),
    pytest.param("fill /dev/f", *["TaskFailed"] * 2, id="devices", marks=SLOW),
    pytest.param("fill /f", *["TaskFailed"] * 2, id="the root", marks=SLOW),
]


@ONE_SCENE
@pytest.mark.parametrize(("script", "by_docker", "by_apptainer"), FILLINGS)
def test_who_fills_what_others_need_is_stopped_and_told(
    scene: Scene, script: str, by_docker: str, by_apptainer: str
) -> None:
    fill = "fill() { head -c 400000000 /dev/zero > $1 || exit 9; }"
    ended = _together(scene, _shell(f"{fill}; {script}; sleep 90"), resources=SMALL)
    reasons = {runtime: one["statusReasonCode"] for runtime, one in ended.items()}
    assert reasons == {"docker": by_docker, "apptainer": by_apptainer}, ended
    assert {scene.pool.describe(job)["status"] for job in scene.neighbours} == {"running"}


PROCESSES = 4096


@ONE_SCENE
@pytest.mark.slow
def test_processes_without_end_end_at_the_limit_and_leave_the_neighbours_alone(scene: Scene) -> None:
    look = "ulimit -u; cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max; true"
    limited = _together(scene, _shell(look))
    for runtime, one in limited.items():  # before any bomb goes off
        assert str(PROCESSES) in one["stdout"].split(), (runtime, one)
    marker = str(uuid.uuid4().int % 10**9 + 10**9)
    bomb = f"i=0; while [ $i -lt {2 * PROCESSES} ]; do sleep {marker} & i=$((i+1)); done; echo no limit"
    ended = _together(scene, _shell(bomb), resources={**SMALL, "memory": 2})
    for one in ended.values():
        assert one["status"] in ("failed", "killed") and "no limit" not in one["stdout"], one
    until(lambda: not processes_with(marker), 60)
    assert {scene.pool.describe(job)["status"] for job in scene.neighbours} == {"running"}
    assert _together(scene, "true")["docker"]["status"] == "completed"


SWAPS = ["/", "../../../../../../..", "/proc/1/root", "/proc/self/cwd/../../../../..", "/tmp/../../../.."]
LOOK = "cat etc/hostile-image; cat etc/shadow etc/condor/tokens.d/* run/prominence/*; ls etc/condor; true"


@ONE_SCENE
def test_a_directory_that_a_task_swaps_for_a_link_shows_the_next_task_its_own_files_only(scene: Scene) -> None:
    """Task after task puts another link where the next one works, which looks around there."""
    cannot = "mv /home/user /gone; rmdir /home/user /tmp; mv /tmp /gone; ln -s / /home/user; ln -s / /tmp"
    commands = [(_shell(f"({cannot}) 2>/dev/null; true"), ".")]
    for link in SWAPS:
        commands += [(_shell(f"rm -rf /home/user/work; ln -s {link} /home/user/work"), "."), (_shell(LOOK), "work")]
    jobs = {
        runtime: scene.pool.submit(
            *[{**scene.task(runtime), "cmd": command, "workdir": workdir} for command, workdir in commands],
            resources=SMALL,
        )
        for runtime in RUNTIMES
    }
    for runtime, job in jobs.items():
        described, said = scene.finish(job), scene.pool.output(job)
        assert described["status"] == "completed", (runtime, described, scene.pool.output(job, "stderr"))
        assert said == "to see that a file can be read\n" * len(SWAPS), (runtime, said)


@ONE_SCENE
@pytest.mark.parametrize("workdir", [f"/proc/self/fd/{number}" for number in (3, 5, 7, 8, 9)])
@pytest.mark.slow
def test_no_descriptor_of_the_runtimes_is_a_way_out(scene: Scene, workdir: str) -> None:
    ended = _together(scene, _shell("cat ../../../../../etc/hostile-image; pwd -P; ls"), task={"workdir": workdir})
    for one in ended.values():
        lines = one["stdout"].splitlines()
        assert one["status"] == "failed" or lines[0] == "to see that a file can be read", ended


@ONE_SCENE
def test_what_leaves_its_session_ends_with_its_job(scene: Scene) -> None:
    marker = str(uuid.uuid4().int % 10**9 + 10**9)
    fork = f'trap "" TERM HUP INT; (setsid sleep {marker} &); setsid sh -c "sleep {marker} & sleep {marker}" & sleep 1'
    ended = _together(scene, _shell(fork))
    assert {one["status"] for one in ended.values()} == {"completed"}, ended
    until(lambda: not processes_with(marker), 20)


FILES = [
    "output = /tmp/planted\nstream_output = true",
    "input = /etc/passwd\nstream_input = true",
    "input = /etc/passwd",
]


@ONE_SCENE
@pytest.mark.slow
@pytest.mark.parametrize("files", FILES)
def test_a_worker_gets_no_file_of_the_access_point_but_those_of_jobs(scene: Scene, files: str) -> None:
    """What a worker asks the access point to open while a job runs; here a job says it in the worker's place.

    Of what it may open it says what every job of the API's says: its own directory.
    """
    (access_point,) = scene.pool.containers("access-point")
    lines = ["executable = /bin/cat", "transfer_executable = false", "should_transfer_files = YES", *files.splitlines()]
    lines += [f'My.{classads.MAY_OPEN} = "{scene.pool.state}/jobs/its-own,/opt/prominence"']
    lines += ["initialdir = /tmp", "request_memory = 100", "request_disk = 1000", "accounting_group_user = x", "queue"]
    submit = f"printf '%s\\n' {shlex.join(lines)} | condor_submit -terse"
    done = access_point.exec_run(["sh", "-c", submit], user="prominence", workdir="/tmp")
    assert done.exit_code == 0, done.output
    job = done.output.decode().split(".")[0]
    try:
        held = ["condor_q", job, "-constraint", "JobStatus == 5", "-af", "HoldReason"]
        reason = until(lambda: scene.pool.inside("access-point", *held), 60)
        assert "Permission denied" in reason or "unable to establish standard output" in reason
        assert access_point.exec_run(["test", "-e", "/tmp/planted"]).exit_code == 1
    finally:
        scene.pool.inside("access-point", "condor_rm", job)
