from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast

import pytest
from builders_executor import PretendedRuntime, a_plan, a_planned_task

from prominence.core.plan import ExecutionPlan
from prominence.core.reasons import Reason
from prominence.executor.accesspoint import AccessPoint, AccessPointLost
from prominence.executor.bench import Bench
from prominence.executor.deadline import Walltime
from prominence.executor.ports import Stop
from prominence.executor.sandbox import Workspace
from prominence.executor.sidecars import LARGEST_OUTPUT, Letters, Sidecars

SIDECAR = a_planned_task(command=("serve",), beside=True)


class PretendedAccessPoint:
    """The job's directory there, in memory; lost: nobody passes anything on.

    breaks_off: what is longer comes no further, once.
    """

    def __init__(self, lost: bool = False) -> None:
        self.files: dict[str, bytes] = {"stdout.0": b"of an attempt before this one"}
        self._lost = lost
        self.breaks_off: int | None = None

    def extend(self, name: str, content: bytes, anew: bool) -> None:
        if self._lost:
            raise AccessPointLost("it has hung up")
        comes = content[: self.breaks_off]
        self.files[name] = comes if anew else self.files[name] + comes
        if comes != content:
            self.breaks_off = None
            raise AccessPointLost("it has hung up")


def reached(access_point: PretendedAccessPoint) -> Any:
    return lambda: cast(AccessPoint, access_point)


def a_bench(runtime: PretendedRuntime, plan: ExecutionPlan) -> Bench:
    workspace = Workspace(Path("/nowhere/home"), Path("/nowhere/tmp"))
    return Bench({runtime.name: runtime}, workspace, "17", Walltime(plan.walltime_s))


def test_they_are_started_and_ended_and_told_of() -> None:
    runtime, plan, access_point = PretendedRuntime(), a_plan(SIDECAR, a_planned_task(), SIDECAR), PretendedAccessPoint()
    sidecars = Sidecars(plan, a_bench(runtime, plan), reached(access_point))
    assert sidecars.start(Stop()) is None
    assert [container.command for container in runtime.accompanied] == [("serve",), ("serve",)]
    assert [report.exit_code for report in sidecars.end()] == [143, 143]
    assert access_point.files == {"stdout.0": b"beside\n", "stderr.0": b"", "stdout.2": b"beside\n", "stderr.2": b""}
    assert runtime.accompanied[1].env["PROMINENCE_TASK_NUM"] == "2"


def test_without_the_access_point_they_run_all_the_same() -> None:
    runtime, plan = PretendedRuntime(), a_plan(SIDECAR)
    sidecars = Sidecars(plan, a_bench(runtime, plan), reached(PretendedAccessPoint(lost=True)))
    assert sidecars.start(Stop()) is None
    assert len(sidecars.end()) == 1


def test_what_cannot_be_run_is_the_jobs_failure_and_ends_the_others() -> None:
    runtime = PretendedRuntime(fetching={"none:1": "there is no such image"})
    plan = a_plan(SIDECAR, a_planned_task(image="none:1", beside=True))
    sidecars = Sidecars(plan, a_bench(runtime, plan), reached(PretendedAccessPoint()))
    failure = sidecars.start(Stop())
    assert failure is not None and failure.reason is Reason.IMAGE_PULL_FAILED
    assert [report.exit_code for report in sidecars.end()] == [143]


def test_a_job_that_is_to_stop_starts_no_more_of_them() -> None:
    runtime, plan, stop = PretendedRuntime(), a_plan(SIDECAR, SIDECAR), Stop()
    stop.request()
    sidecars = Sidecars(plan, a_bench(runtime, plan), reached(PretendedAccessPoint()))
    failure = sidecars.start(stop)
    assert failure is not None and failure.reason is Reason.INTERRUPTED
    sidecars.end()
    assert len(runtime.accompanied) <= 1


def test_of_much_output_the_beginning_is_kept_and_it_says_so() -> None:
    access_point = PretendedAccessPoint()
    letters = Letters(reached(access_point))
    with open(letters.written_to("stdout.3"), "wb") as pipe:
        pipe.write(b"x" * (LARGEST_OUTPUT + 1))
        pipe.write(b"y" * 100_000)
    letters.close()
    kept = access_point.files["stdout.3"]
    assert kept[:LARGEST_OUTPUT] == b"x" * LARGEST_OUTPUT
    assert kept[LARGEST_OUTPUT:] == b"\n[what follows was left out]\n"


@pytest.mark.parametrize("every_s", [0.001, 1000])
def test_output_comes_whole_though_the_access_point_is_started_again(every_s: float) -> None:
    access_point = PretendedAccessPoint()
    access_point.breaks_off = 5
    letters = Letters(reached(access_point), every_s)
    with open(letters.written_to("stdout.1"), "wb") as pipe:
        pipe.write(b"before and after\n")
    letters.close()
    assert access_point.files["stdout.1"] == b"before and after\n"


def test_output_is_passed_on_while_it_grows() -> None:
    access_point = PretendedAccessPoint()
    letters = Letters(reached(access_point), every_s=0.001)
    descriptor = letters.written_to("stdout.1")
    for line in (b"one\n", b"two\n"):
        os.write(descriptor, line)
        while line not in access_point.files.get("stdout.1", b""):
            pass
    os.close(descriptor)
    letters.close()
    assert access_point.files["stdout.1"] == b"one\ntwo\n"
