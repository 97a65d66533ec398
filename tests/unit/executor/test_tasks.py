from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from builders_executor import TOO_LONG, Clock, PretendedRuntime, a_plan, a_planned_task
from hypothesis import given
from hypothesis import strategies as st

from prominence.core.plan import ExecutionPlan
from prominence.core.reasons import Reason, explain
from prominence.core.report import Outcome, TaskReport
from prominence.executor import exits
from prominence.executor.ports import Cause, Ended, RuntimeFailed, Stop
from prominence.executor.sandbox import Workspace
from prominence.executor.tasks import Bench, Failure, judge, run_tasks


def run(
    plan: ExecutionPlan, *runtimes: PretendedRuntime, stop: Stop | None = None, clock: Any = None
) -> tuple[Failure | None, tuple[TaskReport, ...]]:
    """The failure, and the last that was told of the tasks."""
    told: list[tuple[TaskReport, ...]] = []
    bench = Bench(
        {runtime.name: runtime for runtime in runtimes},
        Workspace(Path("/nowhere/home"), Path("/nowhere/tmp")),
        "17",
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
        (Ended(Cause.OUT_OF_TIME, 143), Outcome.OUT_OF_TIME, 251, "The job ran longer than its walltime of 2 min."),
        (Ended(Cause.OUT_OF_MEMORY, 137), Outcome.OUT_OF_MEMORY, 252, "The job needed more than its memory of 1 GB."),
        (
            Ended(Cause.OUT_OF_DISK, 137),
            Outcome.OUT_OF_DISK,
            254,
            "The job kept more than its disk of 2 GB on the worker.",
        ),
        (Ended(Cause.STOPPED, 143), Outcome.REMOVED, 253, "The job was told to stop before it had finished."),
    ],
)
def test_each_end_has_its_outcome_its_exit_code_and_its_sentence(
    ended: Ended, outcome: Outcome, exit_code: int, words: str
) -> None:
    failure = judge(a_plan(walltime_s=120), 0, ended, 2 * 1024 * 1024)
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
