"""What the executor is told to do."""

from __future__ import annotations

import pytest
from builders import a_job, a_task
from builders_restapi import SITE, uids

from prominence.core import document
from prominence.core.job import JobSpec
from prominence.core.plan import ExecutionPlan, PlannedTask
from prominence.restapi.translate.plan import plan

UID = next(uids())


def planned(**changes: object) -> PlannedTask:
    [task] = plan(a_job(tasks=[a_task(**changes)]), UID, SITE).tasks
    return task


def test_a_whole_plan() -> None:
    job = a_job(
        name="fit",
        tasks=[
            a_task(image="docker://a/b:1", cmd="run 'two words' \"x\"", env={"A": 1}, workdir="sub", runtime="docker"),
            a_task(image="busybox", cmd=None),
        ],
        cpus=4,
        memory=1.5,
        walltime=30,
    )
    assert plan(job, UID, SITE) == ExecutionPlan(
        job=UID,
        name="fit",
        tasks=(
            PlannedTask(
                image="a/b:1",
                runtimes=("docker", "podman", "apptainer"),
                command=("run", "two words", "x"),
                env={"A": "1"},
                workdir="/home/user/sub",
            ),
            PlannedTask(image="busybox", runtimes=("apptainer", "docker", "podman")),
        ),
        cpus=4,
        memory_mib=1500,
        walltime_s=1800,
        grace_s=10,
        disk_mib=10240,
        pull_limit_s=3600,
    )


RUNTIMES = [
    (None, ("apptainer", "docker", "podman")),
    ("apptainer", ("apptainer", "docker", "podman")),
    ("singularity", ("apptainer", "docker", "podman")),
    ("docker", ("docker", "podman", "apptainer")),
    ("udocker", ("docker", "podman", "apptainer")),
    ("podman", ("podman", "docker", "apptainer")),
]


@pytest.mark.parametrize(("wish", "order"), RUNTIMES)
def test_a_runtime_is_a_wish(wish: str | None, order: tuple[str, ...]) -> None:
    assert planned(runtime=wish).runtimes == order


def test_a_job_without_walltime_gets_the_sites() -> None:
    assert plan(a_job(), UID, SITE).walltime_s == 720 * 60


@pytest.mark.parametrize(("asked", "given"), [(None, "/home/user"), ("a/b", "/home/user/a/b"), ("/data", "/data")])
def test_a_relative_workdir_is_beneath_the_jobs_home(asked: str | None, given: str) -> None:
    assert planned(workdir=asked).workdir == given


HOSTILE = "a 'b' \"c\" $(id) `id` $HOME \\ ; | & \n ünïcode $$(Name) ${x} %"


def test_hostile_words_arrive_as_they_were_written() -> None:
    whole = plan(a_job(tasks=[a_task(cmd="printenv HOSTILE", env={"HOSTILE": HOSTILE})]), UID, SITE)
    assert document.loads(ExecutionPlan, document.dumps(whole)) == whole
    assert whole.tasks[0].env["HOSTILE"] == HOSTILE


def test_a_job_can_be_kept_as_a_file_and_read_again() -> None:
    job = a_job(name="x", labels={"a": "b"}, tasks=[a_task(env={"A": 1}), a_task(runtime="docker")], memory=0.5)
    assert JobSpec.model_validate_json(job.model_dump_json(exclude_none=True)) == job


def test_what_a_slot_decides_is_left_open() -> None:
    job = a_job(resources={"cpusRange": [2, 8], "memoryPerCpu": 1.5})
    whole = plan(job, UID, SITE)
    assert (whole.cpus, whole.most_cpus, whole.memory_mib, whole.memory_mib_per_cpu) == (2, 8, 3000, 1500)


def test_policies_about_tasks_reach_the_executor() -> None:
    job = a_job(
        policies={"maximumTaskRetries": 2, "ignoreTaskFailures": True, "reportJobSuccessOnTaskFailure": True},
    )
    whole = plan(job, UID, SITE)
    assert (whole.task_retries, whole.goes_on, whole.forgives) == (2, True, True)


def test_a_job_with_gpus_runs_with_the_runtime_that_can_show_them() -> None:
    job = a_job(tasks=[a_task(runtime="docker")], resources={"gpus": {"count": 2}})
    whole = plan(job, UID, SITE)
    assert (whole.gpus, whole.tasks[0].runtimes) == (2, ("apptainer",))
