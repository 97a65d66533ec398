from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from builders_executor import TOO_LONG, Clock, PretendedRuntime, a_plan, a_planned_task
from hypothesis import given
from hypothesis import strategies as st

from prominence.core.plan import ExecutionPlan, RegistryCredential
from prominence.core.reasons import Reason, explain
from prominence.core.report import Outcome, TaskReport
from prominence.executor import exits
from prominence.executor.bench import Bench
from prominence.executor.deadline import Walltime
from prominence.executor.failures import Failure, judge
from prominence.executor.ports import Cause, Ended, RuntimeFailed, Stop
from prominence.executor.sandbox import Workspace
from prominence.executor.tasks import run_tasks


def run(
    plan: ExecutionPlan,
    *runtimes: PretendedRuntime,
    stop: Stop | None = None,
    clock: Any = None,
    walltime: Walltime | None = None,
    credentials: tuple[RegistryCredential | None, ...] = (),
) -> tuple[Failure | None, tuple[TaskReport, ...]]:
    """The failure, and the last that was told of the tasks."""
    told: list[tuple[TaskReport, ...]] = []
    bench = Bench(
        {runtime.name: runtime for runtime in runtimes},
        Workspace(Path("/nowhere/home"), Path("/nowhere/tmp")),
        "17",
        walltime or Walltime(plan.walltime_s),
        credentials=credentials,
        clock=clock or Clock(),
    )
    failure = run_tasks(plan, bench, stop or Stop(), told.append)
    return failure, told[-1]


def sentence(failure: Failure | None) -> str:
    assert failure is not None
    return explain(failure.reason, **failure.details)


def test_all_tasks_run_in_order_with_one_home() -> None:
    runtime = PretendedRuntime()
    plan = a_plan(a_planned_task(command=("a",)), a_planned_task(command=("b",)))
    failure, tasks = run(plan, runtime)
    assert failure is None
    assert [container.command for container, _ in runtime.ran] == [("a",), ("b",)]
    assert {(container.home, container.tmp) for container, _ in runtime.ran} == {("/nowhere/home", "/nowhere/tmp")}
    assert [task.exit_code for task in tasks] == [0, 0]


def test_the_first_task_that_fails_is_the_last_that_runs() -> None:
    runtime = PretendedRuntime(ends=[Ended(Cause.EXITED, 0), Ended(Cause.EXITED, 3)])
    failure, tasks = run(a_plan(*[a_planned_task()] * 3), runtime)
    assert failure == Failure(Outcome.TASK_FAILED, Reason.TASK_FAILED, 3, {"task": "1", "exit_code": "3"})
    assert len(runtime.ran) == len(tasks) == 2


def test_a_runtime_that_holds_the_image_is_preferred() -> None:
    docker = PretendedRuntime("docker", held=["busybox:1"])
    _, tasks = run(a_plan(), PretendedRuntime("apptainer"), docker)
    assert tasks[0].runtime == "docker"
    assert tasks[0].pull_s is None


def test_of_two_that_hold_the_image_the_first_runs_it_and_the_other_is_not_asked() -> None:
    docker = PretendedRuntime("docker", held=["busybox:1"])
    docker.has = lambda *_: pytest.fail("it was asked")  # type: ignore[method-assign]
    _, tasks = run(a_plan(), PretendedRuntime("apptainer", held=["busybox:1"]), docker)
    assert tasks[0].runtime == "apptainer"


def test_where_one_runtime_cannot_fetch_the_image_the_next_one_may() -> None:
    apptainer = PretendedRuntime("apptainer", fetching={"busybox:1": "no"})
    docker = PretendedRuntime("docker")
    failure, tasks = run(a_plan(), apptainer, docker)
    assert failure is None
    assert tasks[0].runtime == "docker"


def test_an_image_that_nobody_can_fetch_is_named_with_the_cause() -> None:
    runtimes = [PretendedRuntime(name, fetching={"busybox:1": "no such image"}) for name in ("apptainer", "docker")]
    failure, tasks = run(a_plan(), *runtimes)
    assert failure and (failure.outcome, failure.exit_code) == (Outcome.SYSTEM_FAILED, exits.SYSTEM_FAILED)
    assert sentence(failure).startswith("The image busybox:1 could not be fetched: no such image.")
    assert tasks == (TaskReport("busybox:1"),)


def test_an_image_is_fetched_once_for_all_tasks_and_its_time_is_told() -> None:
    clock = Clock()
    runtime = PretendedRuntime(on_fetch=lambda: clock.advance(7))
    _, tasks = run(a_plan(a_planned_task(), a_planned_task()), runtime, clock=clock)
    assert runtime.fetched == ["busybox:1"]
    assert [task.pull_s for task in tasks] == [7, None]


def test_a_worker_without_an_acceptable_runtime_says_so() -> None:
    failure, _ = run(a_plan(a_planned_task(runtimes=("docker",))), PretendedRuntime("apptainer"))
    assert failure and failure.reason is Reason.NO_RUNTIME
    assert "it asks for docker, and the worker has apptainer" in sentence(failure)


def test_tasks_share_the_walltime_and_fetching_does_not_spend_it() -> None:
    clock = Clock()
    runtime = PretendedRuntime(on_fetch=lambda: clock.advance(500), on_run=lambda: clock.advance(40))
    plan = a_plan(a_planned_task(), a_planned_task(image="other"), walltime_s=60, grace_s=3)
    _, tasks = run(plan, runtime, clock=clock)
    assert [limits.timeout_s for _, limits in runtime.ran] == [60, 20]
    assert [limits.grace_s for _, limits in runtime.ran] == [3, 3]
    assert [task.wall_s for task in tasks] == [40, 40]


def test_a_walltime_that_changes_counts_from_then_on_and_is_the_one_that_is_told() -> None:
    clock, walltime = Clock(), Walltime(60)
    runtime = PretendedRuntime(ends=[Ended(Cause.EXITED, 0), Ended(Cause.OUT_OF_TIME, 143)])
    looked: list[float | None] = []

    def run_for_a_while() -> None:
        clock.advance(40)
        walltime.limit_s = 600
        looked.append(runtime.ran[-1][1].timeout_s)

    runtime.on_run = run_for_a_while
    failure, _ = run(a_plan(a_planned_task(), a_planned_task(), walltime_s=60), runtime, clock=clock, walltime=walltime)
    assert looked == [600, 560]
    assert sentence(failure).startswith("The job ran longer than its walltime: 10 min of 10 min")


def test_images_have_a_limit_of_their_own_which_all_of_them_share() -> None:
    clock = Clock()
    runtime = PretendedRuntime(on_fetch=lambda: clock.advance(50), fetching={"late": TOO_LONG})
    plan = a_plan(a_planned_task(), a_planned_task(image="late"), walltime_s=60, pull_limit_s=90)
    failure, tasks = run(plan, runtime, PretendedRuntime("docker"), clock=clock)
    assert runtime.given_s == [90, 40]
    assert failure and failure.reason is Reason.IMAGE_PULL_FAILED
    assert sentence(failure).startswith("The image late could not be fetched: it took longer than 90 s.")
    assert tasks[1].runtime == "", "nobody else is asked: no time is left"


def test_who_is_asked_second_for_an_image_has_what_the_first_has_left() -> None:
    clock = Clock()
    first = PretendedRuntime(on_fetch=lambda: clock.advance(50), fetching={"busybox:1": "no"})
    second = PretendedRuntime("docker")
    run(a_plan(pull_limit_s=90), first, second, clock=clock)
    assert (first.given_s, second.given_s) == ([90], [40])


def test_a_stop_during_the_fetch_starts_nothing() -> None:
    stop = Stop()
    runtime = PretendedRuntime(on_fetch=stop.request)
    failure, _ = run(a_plan(), runtime, stop=stop)
    assert failure and (failure.outcome, failure.exit_code) == (Outcome.REMOVED, exits.STOPPED)
    assert runtime.ran == []


def test_a_stop_between_two_tasks_starts_no_second_one() -> None:
    stop = Stop()
    runtime = PretendedRuntime(on_run=stop.request)
    failure, tasks = run(a_plan(a_planned_task(), a_planned_task()), runtime, stop=stop)
    assert failure and failure.reason is Reason.INTERRUPTED
    assert [task.exit_code for task in tasks] == [0, None]


def test_a_runtime_that_fails_is_not_the_tasks_fault() -> None:
    failure, tasks = run(a_plan(), PretendedRuntime(ends=[RuntimeFailed("no fuse")]))
    assert failure and failure.outcome is Outcome.SYSTEM_FAILED
    assert sentence(failure).startswith("The worker could not run the job: no fuse.")
    assert tasks[0].exit_code is None


@pytest.mark.parametrize(
    ("ended", "outcome", "exit_code", "words"),
    [
        (Ended(Cause.EXITED, 127), Outcome.TASK_FAILED, 127, "Task 0 ended with exit code 127."),
        (
            Ended(Cause.NOT_STARTED, 127, detail='the command "x" was not found in the image'),
            Outcome.TASK_FAILED,
            127,
            'Task 0: the command "x" was not found in the image.',
        ),
        (
            Ended(Cause.OUT_OF_TIME, 143),
            Outcome.OUT_OF_TIME,
            251,
            "The job ran longer than its walltime: 3 min of 2 min.",
        ),
        (
            Ended(Cause.OUT_OF_MEMORY, 137),
            Outcome.OUT_OF_MEMORY,
            252,
            "The job needed more than its memory: more than 1 GB of 1 GB.",
        ),
        (
            Ended(Cause.OUT_OF_MEMORY, 137, used_kib=1300 * 1024),
            Outcome.OUT_OF_MEMORY,
            252,
            "The job needed more than its memory: 1.3 GB of 1 GB.",
        ),
        (
            Ended(Cause.OUT_OF_MEMORY, 137, used_kib=1000 * 1024 + 1),
            Outcome.OUT_OF_MEMORY,
            252,
            "The job needed more than its memory: more than 1 GB of 1 GB.",
        ),
        (
            Ended(Cause.OUT_OF_DISK, 137),
            Outcome.OUT_OF_DISK,
            254,
            "The job kept more on the worker than its disk: more than 2 GB of 2 GB.",
        ),
        (
            Ended(Cause.OUT_OF_DISK, 137, used_kib=3 * 1024 * 1024),
            Outcome.OUT_OF_DISK,
            254,
            "The job kept more on the worker than its disk: 3 GB of 2 GB.",
        ),
        (Ended(Cause.STOPPED, 143), Outcome.REMOVED, 253, "The job was told to stop before it had finished."),
    ],
)
def test_each_end_has_its_outcome_its_exit_code_and_its_sentence(
    ended: Ended, outcome: Outcome, exit_code: int, words: str
) -> None:
    failure = judge(a_plan(walltime_s=120), 0, ended, 2 * 1024 * 1024, 170.5)
    assert failure and (failure.outcome, failure.exit_code) == (outcome, exit_code)
    assert sentence(failure).startswith(words)


def test_a_command_that_was_not_started_has_no_exit_code_of_its_own() -> None:
    _, tasks = run(a_plan(), PretendedRuntime(ends=[Ended(Cause.NOT_STARTED, 127)]))
    assert tasks[0].exit_code is None


@given(st.sampled_from(Cause), st.integers(0, 255))
def test_only_a_task_that_ended_by_itself_with_code_0_succeeded(cause: Cause, exit_code: int) -> None:
    failure = judge(a_plan(walltime_s=60), 0, Ended(cause, exit_code))
    assert (failure is None) == (cause is Cause.EXITED and exit_code == 0)
    if failure and cause is Cause.EXITED:
        assert failure.exit_code == exit_code


FAILED = Ended(Cause.EXITED, 3)


def test_a_task_that_fails_is_run_again_as_often_as_it_may() -> None:
    runtime = PretendedRuntime(ends=[FAILED, FAILED])
    failure, tasks = run(a_plan(task_retries=2), runtime)
    assert failure is None
    assert (tasks[0].retries, tasks[0].exit_code, len(runtime.ran)) == (2, 0, 3)


def test_a_task_that_fails_more_often_than_it_may_makes_the_job_fail() -> None:
    runtime = PretendedRuntime(ends=[FAILED, FAILED, FAILED])
    failure, tasks = run(a_plan(task_retries=2), runtime)
    assert failure and failure.exit_code == 3
    assert (tasks[0].retries, len(runtime.ran)) == (2, 3)


@pytest.mark.parametrize("cause", [Cause.OUT_OF_TIME, Cause.OUT_OF_MEMORY, Cause.STOPPED, Cause.NOT_STARTED])
def test_what_would_happen_again_is_not_tried_again(cause: Cause) -> None:
    runtime = PretendedRuntime(ends=[Ended(cause, 1)])
    failure, tasks = run(a_plan(task_retries=2), runtime)
    assert failure is not None
    assert (tasks[0].retries, len(runtime.ran)) == (0, 1)


def test_all_runs_of_a_task_count_against_the_walltime_and_are_added_up() -> None:
    clock = Clock()
    ends: list[Ended | Exception] = [
        Ended(Cause.EXITED, 3, cpu_s=1.5, max_rss_kib=70),
        Ended(Cause.EXITED, 0, cpu_s=1.0, max_rss_kib=60),
    ]
    runtime = PretendedRuntime(ends=ends, on_run=lambda: clock.advance(40))
    _, tasks = run(a_plan(task_retries=1, walltime_s=100), runtime, clock=clock)
    assert [limits.timeout_s for _, limits in runtime.ran] == [100, 60]
    assert (tasks[0].wall_s, tasks[0].cpu_s, tasks[0].max_rss_kib) == (80, 2.5, 70)


def test_the_first_run_tells_how_long_the_image_took_and_unknown_figures_stay_unknown() -> None:
    clock = Clock()
    runtime = PretendedRuntime(ends=[FAILED, Ended(Cause.EXITED, 0, cpu_s=1.0)], on_fetch=lambda: clock.advance(5))
    _, tasks = run(a_plan(task_retries=1), runtime, clock=clock)
    assert (tasks[0].pull_s, tasks[0].cpu_s) == (5, None)


def test_where_failures_are_ignored_all_tasks_run_and_the_first_failure_is_told() -> None:
    runtime = PretendedRuntime(ends=[Ended(Cause.EXITED, 0), Ended(Cause.EXITED, 3), Ended(Cause.OUT_OF_MEMORY, 137)])
    failure, tasks = run(a_plan(*[a_planned_task()] * 4, goes_on=True), runtime)
    assert failure == Failure(Outcome.TASK_FAILED, Reason.TASK_FAILED, 3, {"task": "1", "exit_code": "3"})
    assert len(tasks) == 4


@pytest.mark.parametrize("end", [Ended(Cause.OUT_OF_TIME, 1), Ended(Cause.STOPPED, 1), RuntimeFailed("no")])
def test_what_is_no_failure_of_a_task_ends_the_job_whatever_its_policies(end: Ended | Exception) -> None:
    runtime = PretendedRuntime(ends=[FAILED, end])
    failure, tasks = run(a_plan(*[a_planned_task()] * 3, goes_on=True, forgives=True), runtime)
    assert failure and failure.outcome in (Outcome.OUT_OF_TIME, Outcome.REMOVED, Outcome.SYSTEM_FAILED)
    assert len(tasks) == 2


@pytest.mark.parametrize(("goes_on", "ran"), [(False, 1), (True, 2)])
def test_a_job_that_forgives_its_tasks_succeeds_when_they_fail(goes_on: bool, ran: int) -> None:
    failure, tasks = run(
        a_plan(*[a_planned_task()] * 2, goes_on=goes_on, forgives=True), PretendedRuntime(ends=[FAILED])
    )
    assert failure is None
    assert [task.exit_code for task in tasks] == [3, 0][:ran]


def test_what_others_have_fetched_does_not_count_for_a_task_with_a_credential() -> None:
    credential = RegistryCredential("alice", "a token")
    plan = a_plan(a_planned_task(private=True), a_planned_task(private=True))
    docker = PretendedRuntime("docker", held=["busybox:1"])
    failure, _ = run(plan, docker, credentials=(credential, credential))
    assert failure is None
    assert docker.shown == [credential], "the registry is asked once for the same image"
