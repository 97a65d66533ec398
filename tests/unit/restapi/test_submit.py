"""A job in the submit language: the whole text of one, and hostile words in all the others."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from pathlib import Path

import builders_hostile_text as hostile_text
import classad2
import htcondor2
import pytest
from builders import a_job, a_task
from builders_restapi import SITE, uids
from hypothesis import given, settings
from hypothesis import strategies as st

from prominence.core import classads, verdict
from prominence.core.errors import Rejected
from prominence.core.states import JobStatus
from prominence.restapi import summary
from prominence.restapi.identity import Account
from prominence.restapi.translate.site import Site
from prominence.restapi.translate.submit import SubmitDescription, describe, of_array

GOLDEN = Path(__file__).parent / "golden" / "submit.txt"
UID = next(uids())
ALICE = Account("alice", "physics")
SANDBOX = f"/var/lib/prominence/jobs/{UID}"

hostile = st.one_of(
    st.text(min_size=1),
    st.lists(
        st.sampled_from(["$(HOME)", "$$(Name)", "$ENV(PATH)", '"', "\\", "\n", "queue 9", "My.A = 1", "x"]), min_size=1
    ).map("".join),
)


def submitted(account: Account = ALICE, **changes: object) -> SubmitDescription:
    return describe(a_job(**changes), UID, account, SANDBOX, SITE)


def test_the_whole_text_of_a_job() -> None:
    text = submitted(
        name="fit 1/a",
        labels={"app": "fit", "run": "1.0"},
        tasks=[a_task(), a_task(cmd="true")],
        cpus=2,
        memory=2.5,
        disk=20,
        walltime=90,
    ).text()
    assert text == GOLDEN.read_text()


def test_each_node_writes_to_files_of_its_own_and_the_first_to_the_jobs() -> None:
    commands = dict(submitted(nodes=3).commands)
    assert commands["initialdir"] == SANDBOX
    files = []
    for process in "012":
        described = htcondor2.Submit({**commands, "Process": process})
        files.append(
            [described.expand(name) for name in ("output", "error", "transfer_output_remaps", "My.ProminenceType")]
        )
    assert files == [
        ["stdout", "stderr", '"none = nowhere"', '"job"'],
        ["stdout.node-1", "stderr.node-1", '"report.json = report.json.node-1"', '"node"'],
        ["stdout.node-2", "stderr.node-2", '"report.json = report.json.node-2"', '"node"'],
    ]


@pytest.mark.parametrize(
    ("starts", "unmet", "removed"), [(5, None, True), (5, 1, False), (6, 1, True), (499, 499, False), (500, 500, True)]
)
def test_a_start_in_which_the_others_were_not_met_is_no_attempt_up_to_a_limit(
    starts: int, unmet: int | None, removed: bool
) -> None:
    ad = classad2.ClassAd({"NumJobStarts": starts, "JobStatus": int(JobStatus.IDLE)})
    if unmet is not None:
        ad[classads.UNMET] = unmet
    commands = submitted(nodes=2).commands
    assert classad2.ExprTree(commands["periodic_remove"]).eval(ad) is removed
    reason = classad2.ExprTree(commands[f"My.{classads.PERIODIC_REMOVE_REASON}"]).eval(ad)
    assert reason == (verdict.STARTED_TOO_OFTEN if removed else verdict.TOO_LONG_IN_QUEUE)
    assert "periodic_hold" not in commands


@pytest.mark.parametrize(("code", "removed"), [(1, False), (3, True), (34, True)])
def test_a_node_that_htcondor_holds_is_removed_with_all_others(code: int, removed: bool) -> None:
    ad = classad2.ClassAd({"NumJobStarts": 1, "JobStatus": int(JobStatus.HELD), "HoldReasonCode": code})
    commands = submitted(nodes=2).commands
    assert classad2.ExprTree(commands["periodic_remove"]).eval(ad) is removed


@pytest.mark.parametrize(
    ("node", "status", "exit_code", "removed"),
    [
        (0, JobStatus.COMPLETED, 0, {1, 2}),  # the job is done: nothing of it is left behind
        (0, JobStatus.COMPLETED, 1, {1, 2}),
        (0, JobStatus.REMOVED, None, {1, 2}),
        (1, JobStatus.COMPLETED, 0, set()),  # it may be faster than the first, which has files to bring home
        (1, JobStatus.COMPLETED, 70, {0, 2}),
        (1, JobStatus.REMOVED, None, {0, 2}),
        (1, JobStatus.REMOVED, 0, {0, 2}),
    ],
)
def test_a_node_that_leaves_takes_others_with_it_unless_it_has_done_its_part(
    node: int, status: JobStatus, exit_code: int | None, removed: set[int]
) -> None:
    taken = _taken_along(node, status, exit_code)
    others = {number: JobStatus.RUNNING for number in (0, 1, 2) if number != node}
    assert {number for number, its in {**others, 3: JobStatus.REMOVED}.items() if taken(number, its)} == removed


def test_a_job_that_is_done_and_stays_in_the_queue_stays_done_whatever_becomes_of_its_nodes() -> None:
    assert not _taken_along(1, JobStatus.REMOVED, None)(0, JobStatus.COMPLETED)


def _taken_along(node: int, status: JobStatus, exit_code: int | None) -> Callable[[int, JobStatus], bool]:
    """Whether another node of the same job, in its status, is removed when this one leaves the queue."""
    rule = submitted(nodes=4).commands[f"My.{classads.REMOVES_OTHERS}"].replace("$(Cluster)", "7")
    leaving = classad2.ClassAd({classads.NODE: node, "JobStatus": int(status)})
    if exit_code is not None:
        leaving["ExitCode"] = exit_code
    constraint = classad2.ExprTree(str(classad2.ExprTree(rule).eval(leaving)))
    return lambda number, its: (
        constraint.eval(classad2.ClassAd({"ClusterId": 7, classads.NODE: number, "JobStatus": int(its)})) is True
    )


@pytest.mark.parametrize(
    ("nodes", "kind", "needed"), [(2, "openmpi", True), (2, "mpich", True), (2, "basic", False), (1, "openmpi", False)]
)
def test_an_mpi_goes_where_the_containers_of_its_nodes_reach_each_other(nodes: int, kind: str, needed: bool) -> None:
    described = submitted(tasks=[a_task(type=kind)], resources={"nodes": nodes, "cpus": 1, "memory": 1, "disk": 1})
    told = {None: not needed, False: not needed, True: True}
    clauses = [one for one in described.commands["requirements"].split(" && ") if classads.BETWEEN_NODES in one]
    for value, fits in told.items():
        machine = classad2.ClassAd({} if value is None else {classads.BETWEEN_NODES: value})
        job = classad2.ClassAd({"Fits": classad2.ExprTree(clauses[0].replace("TARGET.", "") if clauses else "true")})
        machine.update(job)
        assert machine.eval("Fits") is fits, value


def test_a_user_without_a_group_is_charged_alone() -> None:
    commands = submitted(Account("bob")).commands
    assert "accounting_group" not in commands
    assert commands["accounting_group_user"] == "bob"


def test_a_job_that_names_no_walltime_gets_the_sites() -> None:
    commands = submitted().commands
    assert commands[f"My.{classads.WALLTIME}"] == str(720 * 60)
    assert commands["allowed_job_duration"] == str(720 * 60 + SITE.pull_limit_s + SITE.overhead_s)


@pytest.mark.parametrize(
    ("starts", "status", "held"),
    [
        (SITE.max_attempts - 1, JobStatus.IDLE, False),
        (SITE.max_attempts, JobStatus.RUNNING, False),
        (SITE.max_attempts, JobStatus.IDLE, True),
    ],
)
def test_a_job_is_held_when_its_last_attempt_is_over_and_not_while_it_runs(
    starts: int, status: JobStatus, held: bool
) -> None:
    ad = classad2.ClassAd({classads.STARTS: starts, classads.JOB_STATUS: int(status)})
    ad["Hold"] = classad2.ExprTree(submitted().commands["periodic_hold"])
    assert ad.eval("Hold") is held


def test_labels_that_htcondor_would_take_for_one_are_refused() -> None:
    with pytest.raises(Rejected, match="labels.APP: differs from app in upper and lower case only"):
        submitted(labels={"app": "a", "APP": "b"})


@settings(max_examples=40, deadline=None)
@given(hostile, hostile)
def test_a_hostile_user_or_group_is_a_text_to_htcondor_and_nothing_else(user: str, group: str) -> None:
    description = submitted(Account(user, group))
    expected = submitted().commands
    # Written and read again, as the bindings do it themselves before they submit.
    read = htcondor2.Submit(description.text())
    assert set(read.keys()) <= {*expected, "queue"}
    assert read.expand(f"My.{classads.IDENTITY}") == classads.text_literal(user)
    assert read.expand(f"My.{classads.GROUP}") == classads.text_literal(group)
    assert read.expand("accounting_group_user") == classads.accounting_name(user)
    for name in ("executable", "periodic_hold", f"My.{classads.JOB_TYPE}", f"My.{classads.JOB_UID}"):
        assert read.expand(name) == expected[name]
    alices, theirs = (classads.owner(one) for one in ("alice", user))
    assert read.expand("requirements") == expected["requirements"].replace(f'"{alices}@', f'"{theirs}@')


@settings(max_examples=40, deadline=None)
@given(hostile_text.names, hostile_text.labels, st.lists(hostile_text.texts, min_size=1), hostile_text.variables)
def test_whatever_a_job_holds_it_is_one_job_with_the_attributes_of_any(
    name: str, labels: dict[str, str], words: list[str], env: dict[str, str]
) -> None:
    tasks = [a_task(cmd=shlex.join(words), env=env, workdir=words[0][:1000] or None)]
    description = submitted(name=name, labels=labels, tasks=tasks)
    plain = submitted().commands
    attributes = {f"My.{classads.LABEL_PREFIX}{key}": classads.text_literal(value) for key, value in labels.items()}
    expected = {**plain, f"My.{classads.JOB_NAME}": classads.text_literal(name), **attributes}
    short = f"My.{classads.SUMMARY}"
    assert {**description.commands, short: ""} == {**expected, short: ""}
    read = htcondor2.Submit(description.text())
    assert set(read.keys()) <= {*expected, "queue"}
    if short in description.commands:
        told = classads.original(classad2.ExprTree(read.expand(short)).eval())
        assert summary.read(told) == summary.Summary(labels, ({"image": "python:3.12", "cmd": shlex.join(words)},))
    for key in (f"My.{classads.JOB_NAME}", *attributes):
        assert classads.original(classad2.ExprTree(read.expand(key)).eval()) in (name, *labels.values())


def test_the_members_of_an_array_differ_in_nothing_but_what_is_each_ones_own() -> None:
    job = submitted(outputFiles=["out.txt"])
    array = of_array(job, UID, SANDBOX, 20)
    changed = {name: text for name, text in array.commands.items() if job.commands.get(name) != text}
    assert changed == {
        "initialdir": f"{SANDBOX}/$(Process)",
        "transfer_input_files": "../plan.json,job.token",
        "My.ProminenceType": '"member"',
        "My.ProminenceJobUniqueIdentifier": f'"{UID}/$(Process)"',
        "My.ProminenceArrayIndex": "$(Process)",
        "My.ProminenceArrayCount": "20",
    }


@pytest.mark.parametrize("path", ["/a b/c", "/a#b", "/a;b/%41"])
def test_a_path_is_taken_as_it_is(path: str) -> None:
    read = htcondor2.Submit(describe(a_job(), UID, ALICE, path, Site(executor=f"{path}/x")).text())
    assert read.expand("initialdir") == path
    assert read.expand("executable") == f"{path}/x"
    assert read.expand("My.LimitDirectoryAccess") == f'"{path},{path}"'


@pytest.mark.parametrize("path", ["/a\nqueue 9", "/a/$(HOME)", "/a/$$(Name)", "/a,/"])
def test_a_path_that_htcondor_would_change_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="cannot be given to HTCondor"):
        describe(a_job(), UID, ALICE, path, SITE)


def test_of_a_task_only_what_a_list_shows_reaches_htcondor() -> None:
    """The rest travels in the plan, as a file."""
    task = a_task(image="busybox:1", cmd='"x" y', env={"SECRET": "secret"}, workdir="secret")
    commands = dict(submitted(tasks=[task]).commands)
    summary = commands.pop("My.ProminenceSummary")
    assert summary == '"[{},[{%22image%22:%22busybox:1%22,%22cmd%22:%22%5C%22x%5C%22 y%22}]]"'
    assert not any("secret" in text.lower() or "busybox" in text for text in commands.values())


def test_what_is_too_long_for_an_ad_is_left_out() -> None:
    assert "My.ProminenceSummary" not in submitted(tasks=[a_task(cmd="x" * 20_000)]).commands


@pytest.mark.parametrize(
    ("preemptible", "market", "lands"),
    [
        (False, '"spot"', False),
        (False, '"on-demand"', True),
        (False, "undefined", True),
        (True, '"spot"', True),
    ],
)
def test_a_job_that_may_not_be_interrupted_takes_no_slot_that_can_be_taken_away(
    preemptible: bool, market: str, lands: bool
) -> None:
    commands = submitted(policies={"preemptible": preemptible}).commands
    [clause] = [part for part in commands["requirements"].split(" && ") if classads.MARKET in part]
    known = {classads.MARKET: classad2.ExprTree(market)}
    if said := commands.get(f"My.{classads.PREEMPTIBLE}"):
        known[classads.PREEMPTIBLE] = classad2.ExprTree(said)
    expression = clause.replace("TARGET.", "").replace("MY.", "")
    assert classad2.ExprTree(expression).eval(classad2.ClassAd(known)) is lands
    assert (commands[f"My.{classads.REQUIRES}"] == submitted().commands[f"My.{classads.REQUIRES}"]) is preemptible


def test_a_job_that_is_to_stay_in_the_queue_does_so_once_it_has_ended_and_not_for_ever() -> None:
    stays = classad2.ExprTree(submitted(policies={"leaveInQueue": True}).commands["leave_in_queue"])
    now = int(classad2.ExprTree("time()").eval())
    for status, ended_at, is_left in (
        (JobStatus.COMPLETED, now, True),
        (JobStatus.COMPLETED, now - 91 * 86400, False),
        (JobStatus.REMOVED, now, False),
    ):
        assert stays.eval(classad2.ClassAd({"JobStatus": int(status), "CompletionDate": ended_at})) is is_left


def test_no_environment_of_the_server_goes_with_a_job() -> None:
    assert not {"getenv", "environment", "env"} & set(submitted().commands)


def evaluated(expression: str, **attributes: object) -> object:
    ad = classad2.ClassAd(attributes)
    ad["It"] = classad2.ExprTree(expression)
    return ad.eval("It")


SUCCESS = {"ExitBySignal": False, "ExitCode": 0}
FAILURE = {"ExitBySignal": False, "ExitCode": 3}
KILLED = {"ExitBySignal": True, "ExitSignal": 9}
HANDED_BACK = {"ExitBySignal": True, "ExitSignal": 1}


@pytest.mark.parametrize(
    ("retries", "ended", "completions", "is_over"),
    [
        (0, FAILURE, 1, True),
        (0, HANDED_BACK, 1, False),
        (2, SUCCESS, 1, True),
        (2, FAILURE, 2, False),
        (2, KILLED, 2, False),
        (2, FAILURE, 3, True),
        (2, KILLED, 3, True),
        (2, HANDED_BACK, 9, False),
    ],
)
def test_a_job_that_has_failed_runs_again_as_often_as_it_may(
    retries: int, ended: dict[str, object], completions: int, is_over: bool
) -> None:
    policy = submitted(policies={"maximumRetries": retries}).commands["on_exit_remove"]
    assert evaluated(policy, **ended, NumJobCompletions=completions) is is_over


def test_a_job_that_may_run_again_may_be_started_as_much_more_often() -> None:
    policy = submitted(policies={"maximumRetries": 2}).commands["periodic_hold"]
    most = SITE.max_attempts + 2
    assert evaluated(policy, NumJobStarts=most - 1, JobStatus=1) is False
    assert evaluated(policy, NumJobStarts=most, JobStatus=1) is True


@pytest.mark.parametrize(("status", "waits_s", "removed"), [(1, 119, False), (1, 130, True), (2, 130, False)])
def test_a_job_that_waits_longer_than_it_may_is_removed(status: int, waits_s: int, removed: bool) -> None:
    commands = submitted(policies={"maximumTimeInQueue": 2}).commands
    since = int(time.time()) - waits_s
    assert evaluated(commands["periodic_remove"], JobStatus=status, EnteredCurrentStatus=since) is removed
    assert "waited longer" in str(evaluated(commands["My.PeriodicRemoveReason"]))


@pytest.mark.parametrize("minutes", [0, -1])
def test_a_job_may_wait_for_as_long_as_it_takes(minutes: int) -> None:
    assert "periodic_remove" not in submitted(policies={"maximumTimeInQueue": minutes}).commands


def test_a_priority_is_htcondors() -> None:
    assert submitted(policies={"priority": 7}).commands["priority"] == "7"
    assert "priority" not in submitted().commands
