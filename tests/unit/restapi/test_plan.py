"""What the executor is told to do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from builders import a_job, a_task
from builders_restapi import SITE, uids

from prominence.core import document
from prominence.core.job import JobSpec
from prominence.core.plan import ExecutionPlan, PlannedImage, PlannedTask
from prominence.restapi.translate.plan import plan

UID = next(uids())


def planned(**changes: object) -> PlannedTask:
    [task] = plan(a_job(tasks=[a_task(**changes)]), UID, SITE).tasks
    return task


def test_the_kind_of_a_task_is_passed_on() -> None:
    kinds: list[dict[str, Any]] = [{"type": "sidecar"}, {"type": "openmpi", "procsPerNode": 2}, {}]
    tasks = plan(a_job(tasks=[a_task(**kind) for kind in kinds], cpus=4), UID, SITE).tasks
    assert [(task.beside, task.mpi, task.processes) for task in tasks] == [
        (True, None, None),
        (False, "openmpi", 2),
        (False, None, None),
    ]


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
                runtimes=("docker", "podman", "apptainer", "udocker"),
                command=("run", "two words", "x"),
                env={"A": "1"},
                workdir="/home/user/sub",
            ),
            PlannedTask(image="busybox", runtimes=("apptainer", "docker", "podman", "udocker")),
        ),
        cpus=4,
        memory_mib=1500,
        walltime_s=1800,
        grace_s=10,
        farewell_s=60,
        disk_mib=10240,
        pull_limit_s=3600,
        live_s=30,
    )


RUNTIMES = [
    (None, ("apptainer", "docker", "podman", "udocker")),
    ("apptainer", ("apptainer", "docker", "podman", "udocker")),
    ("singularity", ("apptainer", "docker", "podman", "udocker")),
    ("docker", ("docker", "podman", "apptainer", "udocker")),
    ("udocker", ("docker", "podman", "apptainer", "udocker")),
    ("podman", ("podman", "docker", "apptainer", "udocker")),
]


def test_no_container_at_all_is_more_than_a_wish() -> None:
    assert planned(runtime="process", image="scratch", cmd="true").runtimes == ("process",)


@pytest.mark.parametrize(("wish", "order"), RUNTIMES)
def test_a_runtime_is_a_wish(wish: str | None, order: tuple[str, ...]) -> None:
    assert planned(runtime=wish).runtimes == order


@pytest.mark.parametrize("wish", [None, "apptainer", "singularity"])
def test_an_app_is_apptainers(wish: str | None) -> None:
    task = planned(runtime=wish, app="a")
    assert (task.app, task.runtimes) == ("a", ("apptainer",))


@pytest.mark.parametrize(("asked", "given"), [(None, ""), ("a/b", "/home/user/a/b"), ("/data/a", "/data/a")])
def test_output_goes_into_a_file_as_the_task_would_find_it(asked: str | None, given: str) -> None:
    job = a_job(tasks=[a_task(stdout=asked)], artifacts=[{"url": "d.tgz", "mountpoint": "d:/data"}])
    assert plan(job, UID, SITE).tasks[0].stdout == given


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


CHECKSUM = "0" * 64


@pytest.mark.parametrize(
    ("image", "wish", "runtimes"),
    [
        ("tool.sif", None, ("apptainer",)),
        ("tool.sif", "docker", ("apptainer",)),
        ("https://example.org/tool.simg", "udocker", ("apptainer",)),
        ("tool.tar", None, ("apptainer", "docker", "udocker")),
        ("tool.tar", "udocker", ("docker", "apptainer", "udocker")),
        ("tool.tar", "podman", ("docker", "apptainer", "udocker")),
    ],
)
def test_an_image_that_is_a_file_runs_with_what_can_run_it(
    image: str, wish: str | None, runtimes: tuple[str, ...]
) -> None:
    assert planned(image=image, runtime=wish).runtimes == runtimes


def test_with_gpus_it_runs_with_what_can_show_them() -> None:
    job = a_job(tasks=[a_task(image="tool.tar", runtime="docker")], resources={"gpus": {"count": 2}})
    assert plan(job, UID, SITE).tasks[0].runtimes == ("apptainer",)


def test_the_executor_is_told_where_the_file_is_and_people_no_secret() -> None:
    task = planned(image="https://example.org/tool.sif?signature=secret", imageSha256=CHECKSUM)
    assert task.image == "https://example.org/tool.sif"
    assert task.file == PlannedImage("https://example.org/tool.sif?signature=secret", False, CHECKSUM)
    assert planned(image="physics/tool.tar").file == PlannedImage("physics/tool.tar", True)
    assert planned(image="docker://example.org/tool.tar").file is None


def test_a_job_whose_image_is_an_object_may_ask_for_it() -> None:
    site = replace(SITE, api="http://api")
    asking = [plan(a_job(tasks=[a_task(image=image)]), UID, site).api for image in ("tool.sif", "http://a/tool.sif")]
    assert asking == ["http://api", ""]


def test_the_plan_of_such_a_job_travels_as_it_is() -> None:
    whole = plan(a_job(tasks=[a_task(image="tool.sif", imageSha256=CHECKSUM)]), UID, SITE)
    assert document.loads(ExecutionPlan, document.dumps(whole)) == whole
