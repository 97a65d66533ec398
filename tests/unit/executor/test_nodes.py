"""Nodes of a job as threads, whose directory on the access point is a dictionary."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from builders_executor import PretendedRuntime, PretendedWorker, a_plan, a_planned_task
from patience import PATIENCE

from prominence.core import document
from prominence.core.plan import ExecutionPlan
from prominence.core.reasons import Reason
from prominence.core.report import UNMET, ExecutionReport, NodeReport, Outcome
from prominence.executor import exits, launch
from prominence.executor.accesspoint import AccessPointLost
from prominence.executor.bench import Bench
from prominence.executor.failures import STOPPED
from prominence.executor.firstnode import First
from prominence.executor.meeting import LARGEST, Circle, Notice, notice_file
from prominence.executor.nodes import NotMet, Pace, Seat
from prominence.executor.othernode import Other
from prominence.executor.ports import Cause, Ended, Interrupted, Stop
from prominence.executor.run import run
from prominence.executor.sandbox import Workspace
from prominence.executor.team import FirstTeam, OtherTeam
from prominence.executor.teams import Team

QUICK = Pace(beat_s=0.002, meet_s=5, silence_s=5, look_s=0.002)
HASTY = QUICK._replace(meet_s=0.02)
JOB = "17"


class Shared:
    """The directory of a job and the ads of its nodes. away: so many more times nobody reaches it.

    lost: what begins so cannot be written the first time.
    """

    def __init__(self, *lost: str) -> None:
        self.files: dict[str, bytes] = {}
        self.noted: list[tuple[str, int]] = []
        self.away = 0
        self.lost = list(lost)

    def read(self, name: str, most: int) -> bytes | None:
        self._be_away()
        return self.files.get(name)

    def write(self, name: str, content: bytes) -> None:
        self._be_away()
        for one in filter(name.startswith, list(self.lost)):
            self.lost.remove(one)
            raise AccessPointLost("it is restarted")
        self.files[name] = content

    def _be_away(self) -> None:
        if self.away > 0:
            self.away -= 1
            raise AccessPointLost("it is restarted")

    def note(self, name: str, value: int) -> bool:
        self.noted.append((name, value))
        return True


class NodeWorker(PretendedWorker):
    """A machine that has got a node of a job. walltime_s: what the job's is changed to; None: it is not."""

    walltime_s: int | None = None

    def __init__(
        self, shared: Shared, number: int, runtime: PretendedRuntime, tmp: Path, pace: Pace = QUICK, nodes: int = 2
    ) -> None:
        super().__init__(runtime)
        self.node = (number, nodes)
        self.host = f"worker-{number}"
        self._shared, self._tmp, self._pace = shared, tmp, pace

    def team(self, plan: ExecutionPlan) -> Team:
        number, nodes = self.node
        seat = Seat(JOB, number, nodes, self.host, f"10.0.0.{number}")
        if number:
            return OtherTeam(Other(lambda: self._shared, seat, self._pace), lambda: self._shared, 0)
        return FirstTeam(First(lambda: self._shared, seat, self._pace), plan, 0, lambda: self._shared, 3)

    def attend(self, bench: Bench, live_s: int | None, over: threading.Event) -> None:
        super().attend(bench, live_s, over)
        if self.walltime_s is not None:
            bench.walltime.limit_s = self.walltime_s

    def workspace(self, runtimes: object, mounts: int, beside: int = 0) -> Workspace:
        for name in ("home", "tmp"):
            (self._tmp / name).mkdir(parents=True, exist_ok=True)
        return Workspace(self._tmp / "home", self._tmp / "tmp")


class Attempt(threading.Thread):
    """One node's executor."""

    def __init__(self, plan: ExecutionPlan, worker: PretendedWorker, stop: Stop | None = None) -> None:
        super().__init__(daemon=True)
        self._plan, self.worker, self.stop = plan, worker, stop or Stop()
        self.report = ExecutionReport(Outcome.UNFINISHED, 0.0)
        self.exit_code: int | None = None
        self.start()

    def run(self) -> None:
        self.exit_code = run(lambda: self._plan, self.worker, self._publish, self.stop)

    def ended(self) -> int | None:
        self.join(10)
        return self.exit_code

    def _publish(self, report: ExecutionReport) -> bool:
        self.report = report
        return True


def launched(tmp: Path, host: str, command: str) -> Callable[[], None]:
    """What a launcher does in its container: it asks for a command on another host, and waits for its exit code."""

    def ask() -> None:
        asked = tmp / "tmp" / launch.DIRECTORY / "ask.1"
        asked.mkdir()
        (asked / "host").write_text(host)
        (asked / "command").write_text(command)
        (asked / "ready").touch()
        while not (asked / "code").exists():
            time.sleep(0.002)

    return ask


def code(tmp: Path) -> str:
    return (tmp / "tmp" / launch.DIRECTORY / "ask.1" / "code").read_text()


MPI = a_planned_task(command=("fit",), mpi="openmpi")


def test_what_an_mpi_starts_on_another_node_runs_in_its_container_there(tmp_path: Path) -> None:
    shared, here, there = Shared(), PretendedRuntime(), PretendedRuntime(ends=[Ended(Cause.EXITED, 7)])
    here.on_run = launched(tmp_path / "0", "10.0.0.1", "prted --name 1")
    plan = a_plan(MPI, cpus=2, nodes=2)
    first = Attempt(plan, NodeWorker(shared, 0, here, tmp_path / "0"))
    other = Attempt(plan, NodeWorker(shared, 1, there, tmp_path / "1"))
    assert (first.ended(), other.ended(), code(tmp_path / "0")) == (0, 0, "7")
    [(container, _)] = there.ran
    assert container.command == ("sh", "-c", "prted --name 1")
    assert (container.between_nodes, container.env["PROMINENCE_NODE_NUM"]) == (True, "1")
    [(container, _)] = here.ran
    assert container.between_nodes and container.env["PROMINENCE_NODES"] == "2"
    assert "10.0.0.1:2" in container.command[3] and container.command[5] == "4"
    [node] = first.report.nodes
    assert (node.number, node.host, node.outcome, [task.exit_code for task in node.tasks]) == (
        *(1, "worker-1", Outcome.SUCCESS),
        [7],
    )


def test_a_launch_and_its_end_are_told_once_more_where_the_access_point_was_away(tmp_path: Path) -> None:
    shared = Shared("launch-", "launched-")
    here, there = PretendedRuntime(), PretendedRuntime(ends=[Ended(Cause.EXITED, 7)])
    here.on_run = launched(tmp_path / "0", "10.0.0.1", "prted --name 1")
    plan = a_plan(MPI, nodes=2)
    first = Attempt(plan, NodeWorker(shared, 0, here, tmp_path / "0"))
    other = Attempt(plan, NodeWorker(shared, 1, there, tmp_path / "1"))
    assert (first.ended(), other.ended(), code(tmp_path / "0")) == (0, 0, "7")
    assert (shared.lost, len(there.ran)) == ([], 1)


def test_what_is_asked_for_on_no_node_of_the_job_is_refused(tmp_path: Path) -> None:
    shared, here, there = Shared(), PretendedRuntime(), PretendedRuntime()
    here.on_run = launched(tmp_path / "0", "10.9.9.9", "evil")
    plan = a_plan(MPI, nodes=2)
    first = Attempt(plan, NodeWorker(shared, 0, here, tmp_path / "0"))
    other = Attempt(plan, NodeWorker(shared, 1, there, tmp_path / "1"))
    assert (first.ended(), other.ended(), code(tmp_path / "0"), there.ran) == (0, 0, "255", [])


def test_other_tasks_run_on_the_first_node_alone(tmp_path: Path) -> None:
    shared, here, there = Shared(), PretendedRuntime(), PretendedRuntime()
    plan = a_plan(nodes=2)
    first = Attempt(plan, NodeWorker(shared, 0, here, tmp_path / "0"))
    other = Attempt(plan, NodeWorker(shared, 1, there, tmp_path / "1"))
    assert (first.ended(), other.ended()) == (0, 0)
    assert (len(here.ran), len(there.ran)) == (1, 0)
    assert (first.worker.staging.done, other.worker.staging.done) == (["in", "out"], ["in"])


def test_or_on_all_of_them_and_one_that_fails_anywhere_fails_the_job(tmp_path: Path) -> None:
    shared, here, there = Shared(), PretendedRuntime(), PretendedRuntime(ends=[Ended(Cause.EXITED, 42)])
    plan = a_plan(nodes=2, everywhere=True)
    first = Attempt(plan, NodeWorker(shared, 0, here, tmp_path / "0"))
    other = Attempt(plan, NodeWorker(shared, 1, there, tmp_path / "1"))
    assert (first.ended(), other.ended()) == (42, 0)
    assert first.report.reason is Reason.TASK_FAILED
    assert [node.exit_code for node in first.report.nodes] == [42]


def test_a_walltime_that_is_changed_while_the_job_runs_holds_on_all_nodes(tmp_path: Path) -> None:
    shared, here, there = Shared(), PretendedRuntime(), PretendedRuntime()
    left: list[float | None] = []

    def work() -> None:
        _, limits = there.ran[0]
        give_up_at = time.monotonic() + 10 * PATIENCE
        while limits.timeout_s == 60 and time.monotonic() < give_up_at:
            time.sleep(0.001)
        left.append(limits.timeout_s)

    there.on_run = work
    plan = a_plan(nodes=2, everywhere=True, walltime_s=60)
    changed = NodeWorker(shared, 0, here, tmp_path / "0")
    changed.walltime_s = 7200
    first = Attempt(plan, changed)
    other = Attempt(plan, NodeWorker(shared, 1, there, tmp_path / "1"))
    assert (first.ended(), other.ended(), left) == (0, 0, [7200])


def test_who_meets_nobody_gives_the_job_back_and_says_so(tmp_path: Path) -> None:
    shared = Shared()
    alone = Attempt(a_plan(nodes=2), NodeWorker(shared, 0, PretendedRuntime(), tmp_path, HASTY))
    assert (alone.ended(), shared.noted) == (exits.HANDED_BACK, [(UNMET, 4)])
    assert document.loads(Notice, shared.files[notice_file(JOB, 0)].decode()).left


def test_what_a_node_said_in_an_earlier_attempt_counts_for_nothing(tmp_path: Path) -> None:
    shared = Shared()
    shared.write(notice_file(JOB, 1), document.dumps(Notice("old", 17)).encode())
    alone = Attempt(a_plan(nodes=2), NodeWorker(shared, 0, PretendedRuntime(), tmp_path, HASTY))
    assert alone.ended() == exits.HANDED_BACK


def test_a_job_that_is_told_to_stop_waits_for_nobody(tmp_path: Path) -> None:
    stop = Stop()
    alone = Attempt(a_plan(nodes=2), NodeWorker(Shared(), 0, PretendedRuntime(), tmp_path), stop)
    stop.request()
    assert (alone.ended(), alone.report.outcome) == (exits.STOPPED, Outcome.REMOVED)


def test_a_node_that_begins_anew_makes_all_begin_anew(tmp_path: Path) -> None:
    shared, held = Shared(), threading.Event()

    def work() -> None:
        held.wait(10)

    here = PretendedRuntime(on_run=work)
    plan = a_plan(nodes=2)
    first = Attempt(plan, NodeWorker(shared, 0, here, tmp_path / "0"))
    lost = Other(lambda: shared, Seat(JOB, 1, 2, "worker-1", "10.0.0.1"), QUICK)
    lost.meet(Stop())
    lost.close()
    again = Other(lambda: shared, Seat(JOB, 1, 2, "worker-2", "10.0.0.2"), HASTY)
    with pytest.raises(NotMet):
        again.meet(Stop())
    held.set()
    assert first.ended() == exits.HANDED_BACK
    assert first.report.details == {"detail": "node 1 of the job has begun anew"}


def test_the_others_begin_anew_with_the_first(tmp_path: Path) -> None:
    shared, runs, goes_on = Shared(), threading.Event(), threading.Event()
    first = First(lambda: shared, Seat(JOB, 0, 2, "worker-0", "10.0.0.0"), QUICK)

    def work() -> None:
        runs.set()
        goes_on.wait(10)

    there = PretendedRuntime(on_run=work)
    other = Attempt(a_plan(nodes=2, everywhere=True), NodeWorker(shared, 1, there, tmp_path))
    first.meet(Stop())
    assert runs.wait(10)
    first.say(left=True)
    first.close()
    goes_on.set()
    assert other.ended() == exits.HANDED_BACK


def test_a_job_that_failed_and_is_to_be_repeated_is_so_on_all_nodes(tmp_path: Path) -> None:
    shared, here = Shared(), PretendedRuntime(ends=[Ended(Cause.EXITED, 42)])
    plan = a_plan(nodes=2, retries=1)
    first = Attempt(plan, NodeWorker(shared, 0, here, tmp_path / "0"))
    other = Attempt(plan, NodeWorker(shared, 1, PretendedRuntime(), tmp_path / "1"))
    assert (first.ended(), other.ended()) == (42, exits.HANDED_BACK)


def test_a_node_that_comes_after_the_end_has_nothing_to_do(tmp_path: Path) -> None:
    shared, there = Shared(), PretendedRuntime()
    shared.write(notice_file(JOB, 0), document.dumps(Notice("old", 17, over=True, final=True)).encode())
    late = Attempt(a_plan(nodes=2, everywhere=True), NodeWorker(shared, 1, there, tmp_path))
    assert (late.ended(), there.ran) == (0, [])


@pytest.mark.parametrize("ended", [Ended(Cause.EXITED, 0), Ended(Cause.EXITED, 42)])
def test_a_first_node_that_is_started_again_after_the_end_ends_as_it_has_ended(tmp_path: Path, ended: Ended) -> None:
    shared, plan = Shared(), a_plan(nodes=2)
    first = Attempt(plan, NodeWorker(shared, 0, PretendedRuntime(ends=[ended]), tmp_path / "0"))
    other = Attempt(plan, NodeWorker(shared, 1, PretendedRuntime(), tmp_path / "1"))
    assert (first.ended(), other.ended()) == (ended.exit_code, 0)
    here = PretendedRuntime()
    again = Attempt(plan, NodeWorker(shared, 0, here, tmp_path / "2"))
    assert (again.ended(), here.ran, again.worker.staging.done) == (ended.exit_code, [], [])
    assert again.report._replace(finished_at=None) == first.report._replace(finished_at=None)


def test_another_job_in_the_same_directory_begins_anew(tmp_path: Path) -> None:
    """As of a workflow one that is run in the place of another that has failed."""
    shared, here, there = Shared(), PretendedRuntime(), PretendedRuntime()
    for number in (0, 1):
        ended = Notice("old", 17, over=True, final=True)
        shared.write(notice_file("16", number), document.dumps(ended).encode())
    first = Attempt(a_plan(nodes=2, everywhere=True), NodeWorker(shared, 0, here, tmp_path / "0"))
    other = Attempt(a_plan(nodes=2, everywhere=True), NodeWorker(shared, 1, there, tmp_path / "1"))
    assert (first.ended(), other.ended()) == (0, 0)
    assert (len(here.ran), len(there.ran)) == (1, 1)


def test_how_the_job_has_ended_is_asked_until_the_access_point_is_there(tmp_path: Path) -> None:
    shared, here = Shared(), PretendedRuntime()
    result = ExecutionReport(Outcome.SUCCESS, 0.0, exit_code=0)
    shared.write(notice_file(JOB, 0), document.dumps(Notice("old", 17, over=True, final=True, result=result)).encode())
    shared.away = 3
    again = Attempt(a_plan(nodes=2), NodeWorker(shared, 0, here, tmp_path))
    assert (again.ended(), here.ran) == (0, [])
    shared.away = 10**9
    hasty = QUICK._replace(silence_s=0.02)
    again = Attempt(a_plan(nodes=2), NodeWorker(shared, 0, here, tmp_path, hasty))
    assert (again.ended(), here.ran) == (exits.HANDED_BACK, [])
    again = Attempt(a_plan(nodes=2), NodeWorker(shared, 0, here, tmp_path))
    again.stop.request()
    assert (again.ended(), here.ran) == (exits.STOPPED, [])
    assert document.loads(Notice, shared.files[notice_file(JOB, 0)].decode()).final


@pytest.mark.parametrize("number", [0, 1])
def test_what_was_stopped_since_another_was_lost_is_given_back_though_that_is_back(number: int) -> None:
    shared = Shared()
    seat, silences = Seat(JOB, number, 2, "worker", "10.0.0.1"), ["nothing is heard any more", *[""] * 10]
    node: First | Other = First(lambda: shared, seat, QUICK) if number == 0 else Other(lambda: shared, seat, QUICK)
    node.circle.lost = lambda now: silences.pop(0)  # type: ignore[method-assign]
    ad = Shared
    team: Team = FirstTeam(node, a_plan(), 0, ad, 0) if isinstance(node, First) else OtherTeam(node, ad, 0)
    assert team.watched(Stop()).requested
    failure, _ = team.settle(STOPPED, Stop())
    assert failure is not None
    assert (failure.exit_code, failure.details) == (exits.HANDED_BACK, {"detail": "nothing is heard any more"})


def test_one_whose_result_was_lost_fails_and_waits_for_nobody(tmp_path: Path) -> None:
    shared = Shared()
    shared.write(notice_file(JOB, 0), document.dumps(Notice("old", 17, over=True, final=True)).encode())
    again = Attempt(a_plan(nodes=2), NodeWorker(shared, 0, PretendedRuntime(), tmp_path))
    assert (again.ended(), again.report.reason) == (exits.SYSTEM_FAILED, Reason.EXECUTOR_FAILED)
    assert again.report.details == {"detail": "the job had ended, and what became of it was lost with its worker"}


def test_a_result_that_is_too_large_to_be_read_is_not_told(tmp_path: Path) -> None:
    shared = Shared()
    first = First(lambda: shared, Seat(JOB, 0, 2, "worker-0", "10.0.0.0"), HASTY)
    with pytest.raises(NotMet):
        first.meet(Stop())
    first.end(ExecutionReport(Outcome.SUCCESS, 0.0, details={"detail": "x" * LARGEST}))
    told = document.loads(Notice, shared.files[notice_file(JOB, 0)].decode())
    assert (told.final, told.result) == (True, None)
    assert first.earlier(Stop()) == told


def test_an_access_point_that_is_away_is_waited_for(tmp_path: Path) -> None:
    shared = Shared()
    here = PretendedRuntime()

    def away() -> None:
        shared.away = 5

    here.on_run = away
    plan = a_plan(nodes=2)
    first = Attempt(plan, NodeWorker(shared, 0, here, tmp_path / "0"))
    other = Attempt(plan, NodeWorker(shared, 1, PretendedRuntime(), tmp_path / "1"))
    assert (first.ended(), other.ended()) == (0, 0)
    assert shared.away <= 0


def test_that_the_job_is_over_is_said_when_the_access_point_is_back(tmp_path: Path) -> None:
    shared = Shared()
    first = First(lambda: shared, Seat(JOB, 0, 2, "worker-0", "10.0.0.0"), QUICK)
    other = Attempt(a_plan(nodes=2), NodeWorker(shared, 1, PretendedRuntime(), tmp_path))
    first.meet(Stop())
    [report] = first.gather(Stop(), 1, 10)
    assert report.outcome is Outcome.SUCCESS
    shared.away = 20
    first.end(ExecutionReport(Outcome.SUCCESS, 0.0))
    assert other.ended() == 0


def test_an_access_point_that_stays_away_is_not_waited_for_without_end() -> None:
    shared = Shared()
    first = First(lambda: shared, Seat(JOB, 0, 2, "worker-0", "10.0.0.0"), QUICK._replace(silence_s=0.02))
    other = Other(lambda: shared, Seat(JOB, 1, 2, "worker-1", "10.0.0.1"), QUICK)
    meeting = threading.Thread(target=other.meet, args=(Stop(),))
    meeting.start()
    first.meet(Stop())
    meeting.join()
    shared.away = 10**9
    first.end(ExecutionReport(Outcome.SUCCESS, 0.0))
    assert notice_file(JOB, 0) in shared.files
    assert not document.loads(Notice, shared.files[notice_file(JOB, 0)].decode()).final
    other.close()


def test_an_image_that_another_node_cannot_have_is_why_the_job_has_failed(tmp_path: Path) -> None:
    shared = Shared()
    here = PretendedRuntime(held=["busybox:1"])
    there = PretendedRuntime(fetching={"busybox:1": "no such image"})
    here.on_run = launched(tmp_path / "0", "10.0.0.1", "prted")
    plan = a_plan(MPI, nodes=2)
    first = Attempt(plan, NodeWorker(shared, 0, here, tmp_path / "0"))
    other = Attempt(plan, NodeWorker(shared, 1, there, tmp_path / "1"))
    assert (first.ended(), other.ended()) == (exits.SYSTEM_FAILED, 0)
    assert (first.report.reason, code(tmp_path / "0")) == (Reason.IMAGE_PULL_FAILED, "255")


def test_who_says_nothing_new_for_too_long_is_lost() -> None:
    circle = Circle(0, 2, silence_s=60)
    circle.hear(1, Notice("a", 1, host="worker-1"), 0.0)
    assert circle.missing(0.0) == [1]
    circle.hear(1, Notice("a", 2, host="worker-1"), 1.0)
    assert circle.missing(1.0) == []
    assert circle.join() == ("a",)
    circle.hear(1, Notice("a", 2, host="worker-1"), 61.0)
    assert circle.lost(61.0) == ""
    assert circle.lost(61.5) == "nothing is heard any more of node 1 of the job, on worker-1"
    circle.forgive(61.5)
    assert circle.lost(100.0) == ""


def test_who_has_done_its_part_may_be_silent() -> None:
    circle = Circle(0, 2, silence_s=60)
    for beat in (1, 2):
        circle.hear(1, Notice("a", beat), 0.0)
    circle.join()
    circle.hear(1, Notice("a", 3, report=NodeReport(1, Outcome.SUCCESS)), 1.0)
    assert circle.lost(1000.0) == ""


def test_what_another_worker_makes_of_its_notice_is_passed_over(tmp_path: Path) -> None:
    shared = Shared()
    shared.files[notice_file(JOB, 1)] = b"\xff{[" * 1000
    first = First(lambda: shared, Seat(JOB, 0, 2, "worker-0", "10.0.0.0"), HASTY)
    with pytest.raises(NotMet):
        first.meet(Stop())
    assert first.latest(1) is None
    first.close()


def test_a_node_that_is_stopped_while_it_waits_is_interrupted() -> None:
    stop = Stop()
    stop.request()
    other = Other(Shared, Seat(JOB, 1, 2, "worker-1", "10.0.0.1"), QUICK)
    with pytest.raises(Interrupted):
        other.meet(stop)
    other.close()


def test_nodes_on_one_worker_are_one_host_to_an_mpi() -> None:
    shared = Shared()
    first = First(lambda: shared, Seat(JOB, 0, 4, "worker-0", "10.0.0.9"), QUICK)
    for number, address in ((1, "10.0.0.9"), (2, "10.0.0.8"), (3, "10.0.0.8")):
        first.circle.hear(number, Notice("a", address=address), 0.0)
    assert first.hosts("w-0") == (("w-0", 2), ("10.0.0.8", 2))
    assert (first.node_at("10.0.0.8"), first.node_at("10.0.0.7")) == (2, None)


def test_what_each_of_several_tasks_launches_is_run_whichever_news_comes_first(tmp_path: Path) -> None:
    shared, here, there = Shared(), PretendedRuntime(), PretendedRuntime()
    asked: list[str] = []

    def ask() -> None:
        directory = tmp_path / "0" / "tmp" / launch.DIRECTORY / f"ask.{len(asked)}"
        asked.append(f"prted {len(asked)}")
        directory.mkdir()
        (directory / "host").write_text("10.0.0.1")
        (directory / "command").write_text(asked[-1])
        (directory / "ready").touch()
        while not (directory / "code").exists():
            time.sleep(0.001)
        assert (directory / "code").read_text() == "0"

    here.on_run = ask
    plan = a_plan(*[MPI] * 8, nodes=2)
    first = Attempt(plan, NodeWorker(shared, 0, here, tmp_path / "0"))
    other = Attempt(plan, NodeWorker(shared, 1, there, tmp_path / "1"))
    assert (first.ended(), other.ended()) == (0, 0)
    assert [container.command[2] for container, _ in there.ran] == asked
