from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from builders_executor import (
    Clock,
    PretendedFiles,
    PretendedRuntime,
    PretendedStorage,
    PretendedWorker,
    a_plan,
    a_planned_task,
)

from prominence.core import document
from prominence.core.document import BadDocument
from prominence.core.plan import (
    CREDENTIALS_FILE,
    STORAGE_FILE,
    Credentials,
    ExecutionPlan,
    PlannedStorage,
    RegistryCredential,
    StorageSecret,
)
from prominence.core.reasons import Reason
from prominence.core.report import ExecutionReport, Outcome
from prominence.executor import exits
from prominence.executor.condor import Surroundings
from prominence.executor.failures import Failure
from prominence.executor.machine import Machine
from prominence.executor.ports import (
    Attached,
    Cause,
    Ended,
    Farewell,
    Stop,
    WorkerLost,
)
from prominence.executor.run import fitted, run
from prominence.executor.worker import Found


def attempt(
    plan: ExecutionPlan | Callable[[], ExecutionPlan], worker: PretendedWorker, room_for: int = 1000
) -> tuple[int, list[ExecutionReport]]:
    """The exit code and what was reported, on a disk that has room for so many reports."""
    reports: list[ExecutionReport] = []

    def publish(report: ExecutionReport) -> bool:
        if len(reports) == room_for:
            return False
        reports.append(report)
        return True

    times = iter([100.0, 160.0])
    read_plan = plan if callable(plan) else lambda: plan
    exit_code = run(read_plan, worker, publish, Stop(), lambda: next(times))
    return exit_code, reports


def test_the_first_report_says_that_nothing_is_finished() -> None:
    _, reports = attempt(a_plan(), PretendedWorker(PretendedRuntime()))
    assert reports[0] == ExecutionReport(Outcome.UNFINISHED, 100.0, host="worker-1", cpu_model="Zilog Z80")


def test_the_last_report_tells_all_of_it() -> None:
    exit_code, reports = attempt(a_plan(), PretendedWorker(PretendedRuntime()))
    last = reports[-1]
    assert (exit_code, last.exit_code, last.outcome, last.reason) == (0, 0, Outcome.SUCCESS, None)
    assert (last.started_at, last.finished_at) == (100.0, 160.0)
    assert last.runtime_versions == {"apptainer": "apptainer 1"}
    assert len(last.tasks) == 1


def test_each_task_that_has_ended_is_reported_before_the_next_begins() -> None:
    _, reports = attempt(a_plan(a_planned_task(), a_planned_task()), PretendedWorker(PretendedRuntime()))
    assert [len(report.tasks) for report in reports] == [0, 0, 1, 2, 2]
    assert {report.outcome for report in reports[:-1]} == {Outcome.UNFINISHED}


def test_a_failing_task_gives_its_exit_code_to_the_job() -> None:
    runtime = PretendedRuntime(ends=[Ended(Cause.EXITED, 42)])
    exit_code, reports = attempt(a_plan(), PretendedWorker(runtime))
    assert (exit_code, reports[-1].exit_code, reports[-1].reason) == (42, 42, Reason.TASK_FAILED)


def test_a_plan_that_cannot_be_read_is_reported() -> None:
    def bad() -> ExecutionPlan:
        raise BadDocument("ExecutionPlan.tasks: missing")

    exit_code, reports = attempt(bad, PretendedWorker())
    assert exit_code == exits.SYSTEM_FAILED
    assert reports[-1].details == {"detail": "ExecutionPlan.tasks: missing"}
    assert reports[-1].finished_at == 160.0


@pytest.mark.parametrize("exit_code", [0, 42])
def test_a_job_whose_end_cannot_be_told_has_not_ended(exit_code: int) -> None:
    runtime = PretendedRuntime(ends=[Ended(Cause.EXITED, exit_code)])
    assert attempt(a_plan(), PretendedWorker(runtime), room_for=2)[0] == exits.HANDED_BACK


def test_a_workspace_that_cannot_be_had_is_reported() -> None:
    exit_code, reports = attempt(a_plan(), PretendedWorker(PretendedRuntime(), refuses="the disk is full"))
    assert (exit_code, reports[-1].outcome) == (exits.SYSTEM_FAILED, Outcome.SYSTEM_FAILED)
    assert reports[-1].details == {"detail": "the disk is full"}


def test_a_mistake_of_ours_is_reported_with_what_was_done_before_it() -> None:
    runtime = PretendedRuntime(ends=[Ended(Cause.EXITED, 0), ZeroDivisionError("oh")])
    exit_code, reports = attempt(a_plan(a_planned_task(), a_planned_task()), PretendedWorker(runtime))
    assert exit_code == exits.SYSTEM_FAILED
    assert reports[-1].details == {"detail": "ZeroDivisionError: oh"}
    assert len(reports[-1].tasks) == 1


def test_only_runtimes_that_the_plan_names_are_looked_for() -> None:
    worker = PretendedWorker(PretendedRuntime())
    plan = a_plan(a_planned_task(runtimes=("docker", "apptainer")), a_planned_task(runtimes=("apptainer", "podman")))
    attempt(plan, worker)
    assert list(worker.asked_for) == ["docker", "apptainer", "podman"]


def test_a_job_that_its_worker_fails_is_handed_back_and_what_happened_is_reported() -> None:
    runtime = PretendedRuntime(ends=[WorkerLost("the worker's broker has hung up")])
    exit_code, reports = attempt(a_plan(a_planned_task(), a_planned_task()), PretendedWorker(runtime))
    assert exit_code == reports[-1].exit_code == exits.HANDED_BACK
    assert reports[-1].details == {"detail": "the worker's broker has hung up"}
    assert len(reports[-1].tasks) == 1


def test_a_worker_without_a_runtime_that_it_promised_does_not_fail_the_job() -> None:
    class Forgetful(PretendedWorker):
        def find(self, wanted: Sequence[str]) -> Found:
            raise WorkerLost("the worker's docker does not answer any more")

    exit_code, reports = attempt(a_plan(), Forgetful())
    assert (exit_code, reports[-1].reason) == (exits.HANDED_BACK, Reason.EXECUTOR_FAILED)


MISSING = Failure(Outcome.SYSTEM_FAILED, Reason.ARTIFACT_NOT_FOUND, 250, {"name": "data", "detail": "lost"})
LOST = Failure(Outcome.SYSTEM_FAILED, Reason.OUTPUT_NOT_FOUND, 250, {"name": "out", "detail": "lost"})


def with_files(files: PretendedFiles, *ends: Ended) -> tuple[PretendedFiles, ExecutionReport, PretendedRuntime]:
    runtime = PretendedRuntime(ends=list(ends))
    worker = PretendedWorker(runtime)
    worker.staging = files
    return files, attempt(a_plan(), worker)[1][-1], runtime


def test_files_come_before_the_tasks_and_are_kept_after_them() -> None:
    files, last, _ = with_files(PretendedFiles("a", "b"))
    assert files.done == ["in", "out"]
    assert last.outcome is Outcome.SUCCESS
    assert ([one.name for one in last.stage_in], [one.name for one in last.stage_out]) == (["a", "b"], ["a", "b"])


def test_without_its_files_no_task_runs() -> None:
    files, last, runtime = with_files(PretendedFiles(missing=MISSING))
    assert (files.done, runtime.ran) == (["in"], [])
    assert last.reason is Reason.ARTIFACT_NOT_FOUND


def test_what_a_failed_task_left_is_kept_and_the_task_stays_the_reason() -> None:
    files, last, _ = with_files(PretendedFiles(lost=LOST), Ended(Cause.EXITED, 3))
    assert files.done == ["in", "out"]
    assert (last.reason, last.exit_code) == (Reason.TASK_FAILED, 3)


def test_a_job_whose_outputs_are_lost_has_failed() -> None:
    _, last, _ = with_files(PretendedFiles(lost=LOST))
    assert (last.outcome, last.reason, last.exit_code) == (Outcome.SYSTEM_FAILED, Reason.OUTPUT_NOT_FOUND, 250)


def test_a_job_that_was_stopped_keeps_what_there_is() -> None:
    files, last, _ = with_files(PretendedFiles("a"), Ended(Cause.STOPPED, 143))
    assert files.done == ["in", "out"]
    assert [one.status for one in last.stage_out] == ["success"]
    assert last.reason is Reason.INTERRUPTED


def test_a_job_that_begins_anew_elsewhere_keeps_nothing() -> None:
    worker = PretendedWorker(PretendedRuntime(ends=[WorkerLost("the broker has hung up")]))
    attempt(a_plan(), worker)
    assert worker.staging.done == ["in"]


def test_who_is_told_to_stop_has_some_time_for_what_is_still_to_be_done() -> None:
    stop, clock = Stop(), Clock()
    farewell = Farewell(stop, 60, clock)
    clock.advance(1000)
    assert not farewell.requested
    stop.request()
    for seconds, over in ((0, False), (59, False), (1, True)):
        clock.advance(seconds)
        assert farewell.requested is over


@pytest.mark.parametrize(
    ("slot_cpus", "cpus", "memory_mib"), [(None, 2, 3000), (1, 2, 3000), (3, 3, 4500), (4, 4, 6000), (9, 4, 6000)]
)
def test_a_job_takes_of_its_slot_what_it_may(slot_cpus: int | None, cpus: int, memory_mib: int) -> None:
    plan = a_plan(cpus=2, most_cpus=4, memory_mib=3000, memory_mib_per_cpu=1500)
    got = fitted(plan, slot_cpus)
    assert (got.cpus, got.memory_mib) == (cpus, memory_mib)


def test_a_job_that_asks_for_a_number_of_cores_gets_no_more() -> None:
    assert fitted(a_plan(cpus=2), 8) == a_plan(cpus=2)
    assert fitted(a_plan(cpus=2, most_cpus=4, memory_mib=500), 8).memory_mib == 500


PRIVATE = a_plan(a_planned_task(image="busybox:2", private=True), a_planned_task())


def test_each_image_is_fetched_with_its_own_tasks_credential() -> None:
    runtime = PretendedRuntime()
    attempt(PRIVATE, PretendedWorker(runtime))
    assert runtime.shown == [RegistryCredential("alice", "a token"), None]


WITH_STORAGE = a_plan(storage=PlannedStorage("webdav", "/data"))
NOT_WRITTEN = Failure(Outcome.SYSTEM_FAILED, Reason.STORAGE_NOT_WRITTEN, exits.SYSTEM_FAILED, {"detail": "no room"})


def test_storage_is_there_while_tasks_run_and_let_go_afterwards() -> None:
    runtime = PretendedRuntime("docker")
    worker = PretendedWorker(runtime)
    assert attempt(WITH_STORAGE, worker)[0] == 0
    assert worker.mounted.done == ["mount", "end"]
    assert [one.storage for one, _ in runtime.ran] == [Attached(42, "/seen", "/data", "/kept")]
    assert worker.staging.done == ["in", "out"]


def test_what_is_not_written_to_it_makes_the_job_fail_where_nothing_else_has() -> None:
    worker = PretendedWorker(PretendedRuntime("docker"))
    worker.mounted = PretendedStorage(lost=NOT_WRITTEN)
    code, reports = attempt(WITH_STORAGE, worker)
    assert (code, reports[-1].reason, reports[-1].details) == (250, Reason.STORAGE_NOT_WRITTEN, {"detail": "no room"})


def test_without_it_no_task_is_started() -> None:
    runtime = PretendedRuntime("docker")
    worker = PretendedWorker(runtime)
    worker.mounted = PretendedStorage(missing=NOT_WRITTEN._replace(reason=Reason.STORAGE_MOUNT_FAILED))
    code, reports = attempt(WITH_STORAGE, worker)
    assert (code, reports[-1].reason, runtime.ran) == (250, Reason.STORAGE_MOUNT_FAILED, [])
    assert worker.mounted.done == ["mount", "end"]


def test_its_secret_is_taken_out_of_the_sandbox_before_anything_is_mounted(tmp_path: Path) -> None:
    machine = Machine(Surroundings(tmp_path, "17", "worker-1", "none"), "")
    (tmp_path / STORAGE_FILE).write_text(document.dumps(StorageSecret("5eCret")))
    assert machine.storage(PlannedStorage("webdav", "/data"), 1.0).attached is None
    assert list(tmp_path.iterdir()) == []
    (tmp_path / STORAGE_FILE).write_text('{"secret": 1}')
    with pytest.raises(BadDocument):
        machine.storage(PlannedStorage("webdav", "/data"), 1.0)


def test_a_broker_is_waited_for_where_the_worker_has_not_told_yet_what_runs_there(tmp_path: Path) -> None:
    new = Surroundings(tmp_path, "17", "worker-1", "none")
    assert Machine(new, "").patience_s > 0
    assert Machine(new._replace(runtimes=("apptainer",)), "").patience_s == 0
    assert Machine(new._replace(job_id=""), "").patience_s == 0, "nobody is about to start one"


def test_credentials_are_taken_out_of_the_sandbox_before_a_task_runs(tmp_path: Path) -> None:
    machine = Machine(Surroundings(tmp_path, "17", "worker-1", "none"), "")
    credentials = (RegistryCredential("alice", "a token"), None)
    (tmp_path / CREDENTIALS_FILE).write_text(document.dumps(Credentials(credentials)))
    assert machine.credentials(PRIVATE) == credentials
    assert list(tmp_path.iterdir()) == []
    assert machine.credentials(a_plan()) == (), "nothing is looked for where no task has any"
    with pytest.raises(FileNotFoundError):
        machine.credentials(PRIVATE)


@pytest.mark.parametrize("text", ["", "[]", '{"of_tasks": []}', '{"of_tasks": [null]}', '{"of_tasks": [{"token": 1}]}'])
def test_what_holds_no_credentials_of_this_plan_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / CREDENTIALS_FILE).write_text(text)
    with pytest.raises(BadDocument):
        Machine(Surroundings(tmp_path, "17", "worker-1", "none"), "").credentials(PRIVATE)
