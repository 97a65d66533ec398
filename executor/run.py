"""One attempt of a job, from the plan to the report: the steps, and a finish that reports whatever happened."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, Mapping, NamedTuple, Optional, Protocol, Sequence, Tuple

from prominence.core.document import BadDocument
from prominence.core.plan import ExecutionPlan
from prominence.core.reasons import Reason
from prominence.core.report import ExecutionReport, Outcome, TransferReport
from prominence.executor import exits
from prominence.executor.ports import ContainerRuntime, RuntimeTrouble, Stop, WorkerLost
from prominence.executor.sandbox import Workspace
from prominence.executor.tasks import Bench, Failure, handed_back, run_tasks

Publish = Callable[[ExecutionReport], bool]
"""Whether it could be kept."""
Progress = Callable[[Tuple[TransferReport, ...]], None]


class Found(NamedTuple):
    """The runtimes that work here and their versions, both by name."""

    runtimes: Dict[str, ContainerRuntime]
    versions: Dict[str, str]


class Files(Protocol):
    """The job's files, on their way in and out. Either tells why it did not work."""

    def stage_in(self, stop: Stop, progress: Progress) -> Optional[Failure]:
        """Before the tasks."""

    def stage_out(self, stop: Stop, progress: Progress) -> Optional[Failure]:
        """After the tasks, also when one has failed, since what they left may tell why."""


class NoFiles:
    """`Files` of a job that is given none and keeps none."""

    def stage_in(self, stop: Stop, progress: Progress) -> Optional[Failure]:
        return None

    def stage_out(self, stop: Stop, progress: Progress) -> Optional[Failure]:
        return None


class Worker(Protocol):
    """The machine we are on. `main` makes one of real parts."""

    @property
    def job_id(self) -> str:
        """HTCondor's ClusterId."""

    @property
    def host(self) -> str:
        """The execute point's name."""

    @property
    def cpu_model(self) -> str:
        """For people."""

    @property
    def disk_kib(self) -> Optional[int]:
        """What the job may keep on its disk; None: nobody knows."""

    @property
    def cpus(self) -> Optional[int]:
        """The cores of the job's slot; None: nobody knows."""

    @property
    def gpus(self) -> Mapping[str, str]:
        """Of `environment.OF_GPUS` what HTCondor has set."""

    def find(self, wanted: Sequence[str]) -> Found:
        """Which of these runtimes work here. Raises WorkerLost where one does not that is known to have worked."""

    def files(self, plan: ExecutionPlan, workspace: Workspace) -> Files:
        """What the job is given and what it keeps."""

    def attend(self, runtimes: Mapping[str, ContainerRuntime], over: threading.Event) -> None:
        """Carry out the orders that the job is given, until it is over."""

    def workspace(self, runtimes: Dict[str, ContainerRuntime], mounts: int) -> Workspace:
        """The directories of this job, such that all of these runtimes can show them, with so many to be mounted.

        Raises RuntimeTrouble.
        """


def run(
    read_plan: Callable[[], ExecutionPlan],
    worker: Worker,
    publish: Publish,
    stop: Stop,
    now: Callable[[], float] = time.time,
) -> int:
    """Do what the plan says; the exit code, or HANDED_BACK. Each report that is published replaces the one before.

    A job of which nobody could be told how it ended has not ended: it is handed back.
    """
    story = _Story(worker, publish, now())
    failure: Optional[Failure] = None
    try:
        plan = fitted(read_plan(), worker.cpus)
        found = worker.find(_wanted(plan))
        story.tell(runtime_versions=found.versions)
        workspace = worker.workspace(found.runtimes, len(plan.mounts))
        bench = Bench(found.runtimes, workspace, worker.job_id, worker.disk_kib, worker.gpus)
        files = worker.files(plan, bench.workspace)
        failure = files.stage_in(stop, lambda done: story.tell(stage_in=done))
        if failure is None:
            with _attended(worker, found):
                failure = run_tasks(plan, bench, stop, lambda tasks: story.tell(tasks=tasks))
            if _has_left_something(failure) and not stop.requested:
                kept = files.stage_out(stop, lambda done: story.tell(stage_out=done))
                failure = failure or kept
    except WorkerLost as error:
        failure = handed_back(error)
    except (BadDocument, RuntimeTrouble, OSError) as error:
        failure = _failed(str(error))
    except Exception as error:  # noqa: BLE001 - whatever happened, there is a report
        import traceback  # rarely: each import keeps jobs waiting

        traceback.print_exc()
        failure = _failed(f"{type(error).__name__}: {error}")
    return story.end(failure, now())


def fitted(plan: ExecutionPlan, cpus: Optional[int]) -> ExecutionPlan:
    """The plan with the cores, and the memory that goes with them, that the job has got of a slot of so many."""
    if plan.most_cpus is None or cpus is None:
        return plan
    got = max(plan.cpus, min(cpus, plan.most_cpus))
    per_cpu = plan.memory_mib_per_cpu
    return plan._replace(cpus=got, memory_mib=plan.memory_mib if per_cpu is None else got * per_cpu)


@contextmanager
def _attended(worker: Worker, found: Found) -> Iterator[None]:
    """Meanwhile orders are carried out."""
    over = threading.Event()
    threading.Thread(target=worker.attend, args=(found.runtimes, over), name="orders", daemon=True).start()
    try:
        yield
    finally:
        over.set()


class _Story:
    """The report as far as it is known, published with each turn."""

    def __init__(self, worker: Worker, publish: Publish, started_at: float) -> None:
        self._publish = publish
        self._report = ExecutionReport(
            outcome=Outcome.UNFINISHED, started_at=started_at, host=worker.host, cpu_model=worker.cpu_model
        )
        self._told = publish(self._report)

    def tell(self, **news: Any) -> None:
        self._report = self._report._replace(**news)
        self._told = self._publish(self._report)

    def end(self, failure: Optional[Failure], finished_at: float) -> int:
        if failure is None:
            self.tell(outcome=Outcome.SUCCESS, exit_code=0, finished_at=finished_at)
        else:
            self.tell(
                outcome=failure.outcome,
                reason=failure.reason,
                details=failure.details,
                exit_code=failure.exit_code,
                finished_at=finished_at,
            )
        exit_code = 0 if failure is None else failure.exit_code
        return exit_code if self._told else exits.HANDED_BACK


def _has_left_something(failure: Optional[Failure]) -> bool:
    """Of a job that is begun anew elsewhere, nothing is kept."""
    return failure is None or failure.exit_code not in (exits.HANDED_BACK, exits.STOPPED)


def _wanted(plan: ExecutionPlan) -> Sequence[str]:
    return list(dict.fromkeys(name for task in plan.tasks for name in task.runtimes))


def _failed(detail: str) -> Failure:
    return Failure(Outcome.SYSTEM_FAILED, Reason.EXECUTOR_FAILED, exits.SYSTEM_FAILED, {"detail": detail})
