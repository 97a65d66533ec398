"""The files that DAGMan reads: exactly the nodes and edges that are asked for, whatever things are called."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import classad2
import pytest
from builders import job_json
from builders_restapi import SITE
from hypothesis import given
from hypothesis import strategies as st

from prominence.core import classads, workflow_problems
from prominence.core.errors import Rejected
from prominence.core.states import JobStatus
from prominence.core.substitution import read_values
from prominence.core.validation import parse
from prominence.core.workflow import WorkflowSpec
from prominence.restapi.identity import Account
from prominence.restapi.translate import dag

ALICE = Account("alice", "physics")
UID = "00000000-0000-4000-8000-000000000001"
LINE = re.compile(
    r"JOB n\d+_\d+ \d+/job\.sub"
    r'|VARS n\d+_\d+ instance="\d+" parameters="[ -!#%-\[\]-~]*"'
    r"|RETRY n\d+_\d+ \d+"
    r"|PARENT n\d+_\d+( n\d+_\d+)* CHILD n\d+_\d+( n\d+_\d+)*"
)
"""All that a DAG file of ours may hold: no quotation mark, backslash or $ within a value."""


SANDBOX = f"/sandboxes/{UID}"


def spec(*names: str, **fields: Any) -> WorkflowSpec:
    return parse(WorkflowSpec, {"jobs": [job_json(name=name) for name in names], **fields})


def zipped(job: str, *values: str) -> dict[str, Any]:
    return {"type": "zip", "jobs": [job], "parameters": [{"name": "x", "values": list(values)}]}


def job_commands(of: WorkflowSpec, place: int = 0) -> dict[str, str]:
    return dict(dag.describe_job(of, place, UID, ALICE, SANDBOX, SITE).commands)


def test_every_instance_of_a_parent_comes_before_every_instance_of_its_children() -> None:
    of = spec("a", "b/c", factories=[zipped("a", "1", "2")], dependencies={"a": ["b/c"]})
    assert dag.dag(of).splitlines() == [
        "JOB n0_0 0/job.sub",
        'VARS n0_0 instance="0" parameters="{%22x%22:%221%22}"',
        "JOB n0_1 0/job.sub",
        'VARS n0_1 instance="1" parameters="{%22x%22:%222%22}"',
        "JOB n1_0 1/job.sub",
        'VARS n1_0 instance="0" parameters=""',
        "PARENT n0_0 n0_1 CHILD n1_0",
    ]


def passing(*artifacts: dict[str, Any], **fields: Any) -> list[str]:
    """The edges, where b is passed this by a, of which there is an output o."""
    jobs = [job_json(name="a", outputFiles=["o"]), job_json(name="b", artifacts=list(artifacts))]
    lines = dag.dag(parse(WorkflowSpec, {"jobs": jobs, **fields})).splitlines()
    return [line for line in lines if line.startswith("PARENT")]


def test_who_is_passed_something_waits_for_those_who_pass_it() -> None:
    both = {**zipped("a", "1", "2"), "jobs": ["a", "b"]}
    takes = {"from": "a"}
    assert passing(takes) == ["PARENT n0_0 CHILD n1_0"]
    assert passing(takes, {**takes, "directory": "d"}) == ["PARENT n0_0 CHILD n1_0"]
    assert passing(takes, dependencies={"a": ["b"]}) == ["PARENT n0_0 CHILD n1_0"]
    assert passing(takes, factories=[zipped("a", "1", "2")]) == ["PARENT n0_0 n0_1 CHILD n1_0"]
    assert passing(takes, factories=[zipped("b", "1", "2")]) == ["PARENT n0_0 CHILD n1_0 n1_1"]
    assert passing(takes, factories=[both]) == ["PARENT n0_0 CHILD n1_0", "PARENT n0_1 CHILD n1_1"]
    assert passing(takes, factories=[both], dependencies={"a": ["b"]}) == ["PARENT n0_0 n0_1 CHILD n1_0 n1_1"]


@given(data=st.data(), count=st.integers(1, 6), many=st.sets(st.integers(0, 5)), instances=st.integers(1, 3))
def test_exactly_those_wait_that_are_passed_something_or_depend(
    data: st.DataObject, count: int, many: set[int], instances: int
) -> None:
    many &= set(range(count))
    before = [data.draw(st.sets(st.integers(0, place - 1))) if place else set() for place in range(count)]
    passed = [data.draw(st.sets(st.sampled_from(sorted(some)))) if some else set() for some in before]
    waits = {place: before[place] - passed[place] for place in range(count)}
    jobs = [
        job_json(
            name=f"j{place}",
            outputFiles=[f"o{place}"],
            artifacts=[{"from": f"j{giver}", "select": f"o{giver}"} for giver in sorted(passed[place])],
        )
        for place in range(count)
    ]
    factories = (
        [{"type": "repeat", "jobs": [f"j{place}" for place in sorted(many)], "number": instances}] if many else []
    )
    children = {f"j{one}": [f"j{place}" for place in range(count) if one in waits[place]] for one in range(count)}
    of = parse(WorkflowSpec, {"jobs": jobs, "factories": factories, "dependencies": children})
    assert list(workflow_problems.problems(of, 1000)) == []
    edges = {
        (parent, child)
        for line in dag.dag(of).splitlines()
        if line.startswith("PARENT")
        for parent in line[len("PARENT ") :].split(" CHILD ")[0].split()
        for child in line.split(" CHILD ")[1].split()
    }

    def nodes(place: int) -> range:
        return range(instances if place in many else 1)

    assert edges == {
        (f"n{giver}_{one}", f"n{place}_{other}")
        for place in range(count)
        for giver in before[place]
        for one in nodes(giver)
        for other in nodes(place)
        if one == other or giver in waits[place] or not {giver, place} <= many
    }


@given(
    select=st.text(st.sampled_from('ab*?[$/" \\\n'), min_size=1, max_size=20),
    directory=st.text(st.sampled_from('ab$(){}" \\;\n'), min_size=1, max_size=20),
)
def test_what_is_selected_adds_no_line_and_no_word(select: str, directory: str) -> None:
    taker = job_json(name="b", artifacts=[{"from": "a", "select": select, "directory": directory}])
    giver = job_json(name="a", outputFiles=["*"])
    try:
        of = parse(WorkflowSpec, {"jobs": [giver, taker], "factories": [zipped("b", "1")]})
    except Rejected:
        return
    assert [line for line in dag.dag(of).splitlines() if not LINE.fullmatch(line)] == []
    bare = parse(WorkflowSpec, {"jobs": [giver, {**taker, "artifacts": [{"from": "a"}]}], "factories": of.factories})
    assert job_commands(of, 1) == job_commands(bare, 1)


def at_the_end(*fields: str) -> list[str]:
    of = spec("a", **{field: job_json(name=field) for field in fields})
    return dag.dag(of).splitlines()[2:]


def test_what_runs_at_the_end_is_the_last_node_unless_the_workflow_was_deleted() -> None:
    first = 'VARS n1_0 instance="0" parameters=""'
    assert at_the_end("finally") == [
        "FINAL n1_0 1/job.sub", first, "SCRIPT PRE n1_0 /usr/bin/test $DAG_STATUS -ne 4", "PRE_SKIP n1_0 1",
    ]  # fmt: skip
    assert at_the_end("onFailure") == [
        "FINAL n1_0 1/job.sub",
        first,
        "SCRIPT PRE n1_0 /usr/bin/test $DAG_STATUS -ne 4 -a $DAG_STATUS -ne 0",
        "PRE_SKIP n1_0 1",
    ]
    commands = job_commands(spec("a", onFailure=job_json(name="z")), 1)
    assert commands["My.ProminenceWorkflowEnd"] == '"$(DAG_STATUS) $(FAILED_COUNT)"'
    assert "My.ProminenceWorkflowEnd" not in job_commands(spec("a", onFailure=job_json(name="z")))


def ends(line: str, **known: int) -> int:
    """The exit code of a program before or after a node."""
    words = [str(known[word[1:]]) if word.startswith("$") else word for word in line.split()[3:]]
    return subprocess.run(words, capture_output=True, check=False).returncode


@pytest.mark.parametrize(
    ("changed", "ends_it"),
    [
        ({}, True),
        ({"DAG_NodesDone": 2, "DAG_NodesQueued": 1}, False),  # the last node's job runs
        ({"DAG_NodesDone": 2}, False),  # the last node is about to begin
        ({"EnteredCurrentStatus": 950}, False),
        ({"JobStatus": JobStatus.HELD}, False),
        ({"DAG_NodesTotal": None}, False),
    ],
)
def test_a_dagman_that_does_not_see_that_all_has_ended_is_ended(changed: dict[str, int | None], ends_it: bool) -> None:
    of = spec("a", "b", "c", dependencies={"b": ["c"]}, **{"finally": job_json(name="z")})
    commands = dag.describe_workflow(of, UID, ALICE, "/j", SITE, "").commands
    counts = {"DAG_NodesDone": 3, "DAG_NodesFailed": 1, "DAG_NodesFutile": 1, "DAG_NodesTotal": 5, "DAG_NodesQueued": 0}
    ad = {"JobStatus": JobStatus.RUNNING, "EnteredCurrentStatus": 900, **counts, **changed}
    policy = classad2.ExprTree(commands["periodic_remove"].replace("time()", "1000"))
    known = classad2.ClassAd({name: int(value) for name, value in ad.items() if value is not None})
    assert (policy.eval(known) is True) == ends_it
    assert "periodic_remove" not in dag.describe_workflow(spec("a"), UID, ALICE, "/j", SITE, "").commands


def test_the_program_before_it_says_whether_it_runs() -> None:
    skipped = {
        ("finally",): [4],
        ("onFailure",): [0, 4],
    }
    for fields, statuses in skipped.items():
        [before] = [line for line in at_the_end(*fields) if line.startswith("SCRIPT PRE ")]
        assert {status: ends(before, DAG_STATUS=status) for status in (0, 1, 2, 3, 4)} == {
            status: int(status in statuses) for status in (0, 1, 2, 3, 4)
        }


def test_more_than_dagman_is_to_read_is_refused_while_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    of = spec("a", "b", factories=[zipped("a", "1", "2")], dependencies={"a": ["b"]})
    monkeypatch.setattr(dag, "LONGEST_DAG", len(dag.dag(of)))
    assert dag.dag(of)
    monkeypatch.setattr(dag, "LONGEST_DAG", dag.LONGEST_DAG - 1)
    with pytest.raises(Rejected, match="too much for one workflow"):
        dag.dag(of)


def test_reruns_are_retries_of_nodes() -> None:
    assert "RETRY n0_0 3" in dag.dag(spec("a", policies={"maximumReruns": 3})).splitlines()


def test_node_names_lead_back_and_no_others_do() -> None:
    assert dag.node_of(dag.node_name(3, 17)) == (3, 17)
    assert [dag.node_of(name) for name in ("n3", "n3_", "n03_1", "a_1", "n1_1\n", "")] == [None] * 6


def test_an_instance_has_its_number_and_values_from_variables_and_all_else_from_its_job() -> None:
    commands = job_commands(spec("a", name="w", factories=[zipped("a", "1")]))
    assert commands["initialdir"] == "0.$(instance)"
    assert commands["transfer_input_files"] == "../0/plan.json"
    assert commands["My.ProminenceJobUniqueIdentifier"] == f'"{UID}/0.$(instance)"'
    assert commands["My.ProminenceName"] == '"w/a/$(instance)"'
    assert commands["My.ProminenceParameters"] == '"$(parameters)"'
    assert job_commands(spec("b", name="w"))["My.ProminenceName"] == '"w/b"'
    assert job_commands(spec("b"))["My.ProminenceName"] == '"b"'


def test_a_job_that_htcondor_holds_has_failed_and_does_not_keep_its_workflow_waiting() -> None:
    own = {"maximumTimeInQueue": 5}
    held = "(JobStatus == 5 && HoldReasonCode =!= 1)"
    assert job_commands(spec("a"))["periodic_remove"] == held
    of = parse(WorkflowSpec, {"jobs": [job_json(name="a", policies=own)]})
    assert job_commands(of)["periodic_remove"].endswith(f" || {held}")


def test_nodes_of_a_job_that_have_done_their_part_are_not_removed_since_dagman_would_take_that_for_a_failure() -> None:
    of = parse(WorkflowSpec, {"jobs": [job_json(name="a", nodes=2), job_json(name="b")]})
    rule = job_commands(of)[f"My.{classads.REMOVES_OTHERS}"].replace("$(Cluster)", "7")
    for node in (0, 1):
        done, failed = (
            classad2.ClassAd({classads.NODE: node, "JobStatus": int(JobStatus.COMPLETED), "ExitCode": code})
            for code in (0, 1)
        )
        assert classad2.ExprTree(rule).eval(done) == "false"
        assert classad2.ExprTree(rule).eval(failed) != "false"
    assert f"My.{classads.REMOVES_OTHERS}" not in job_commands(of, 1)


def test_what_the_workflow_says_counts_for_jobs_that_say_nothing() -> None:
    placement = {"requirements": {"sites": ["here"]}}
    policies = {"maximumRetries": 7, "priority": 5, "placement": placement}
    jobs = [job_json(name="a"), job_json(name="b", policies={"maximumRetries": 0, "priority": 1, "placement": {}})]
    of = parse(WorkflowSpec, {"jobs": jobs, "policies": policies})
    first, second = (dag.treated(of, place).policies for place in range(2))
    assert (first.maximumRetries, first.priority, first.placement.requirements.sites) == (7, 5, ("here",))
    assert (second.maximumRetries, second.priority, second.placement.requirements.sites) == (0, 1, ())


def test_dagman_is_held_back_as_the_workflow_and_the_site_say() -> None:
    def arguments(**policies: int) -> str:
        of = spec("a", policies=policies)
        return dag.describe_workflow(of, UID, ALICE, "/jobs/uid", SITE, "").commands["arguments"]

    assert arguments().endswith(" -MaxIdle 1000")
    assert arguments(maximumIdle=7, maximumRunning=9).endswith(" -MaxIdle 7 -MaxJobs 9")
    assert arguments(maximumIdle=5000).endswith(" -MaxIdle 1000")
    environment = dag.describe_workflow(spec("a", policies={"maximumIdle": 7}), UID, ALICE, "/j", SITE, "").commands
    assert " _CONDOR_DAGMAN_MAX_SUBMITS_PER_INTERVAL=7" in environment["environment"]


def test_dagman_puts_nodes_of_its_own_between_jobs_only_where_there_are_very_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    of = spec(
        "a", "b", "c", factories=[zipped("a", "1", "2"), zipped("b", "1", "2", "3")], dependencies={"a": ["b", "c"]}
    )

    def environment() -> str:
        return dag.describe_workflow(of, UID, ALICE, "/j", SITE, "").commands["environment"]

    assert dag.edges(of) == 8
    assert "_CONDOR_DAGMAN_USE_JOIN_NODES=False" in environment()
    monkeypatch.setattr(dag, "MOST_EDGES", 7)
    assert "JOIN_NODES" not in environment()


def test_what_the_site_does_not_give_is_told_with_its_job() -> None:
    with pytest.raises(Rejected) as refusal:
        dag.check(parse(WorkflowSpec, {"jobs": [job_json(name="a", labels={"a": "1", "A": "1"})]}), SITE)
    assert str(refusal.value).startswith("jobs[0].labels.A: differs from a")


_names = st.text(st.sampled_from("ab09_./ -"), min_size=1, max_size=255)
_hostile = st.text(max_size=20) | st.sampled_from(
    ['"', "\\", "$(HOME)", "$ENV(HOME)", "a\nJOB evil evil.sub", 'x" y="z', "%22", '\\"\nqueue', "\r\n", "\u2028", "'"]
)


@given(
    names=st.lists(_names, min_size=1, max_size=5, unique=True), values=st.lists(_hostile, min_size=1), data=st.data()
)
def test_hostile_names_and_values_add_no_line_and_come_back_as_they_were(
    names: list[str], values: list[str], data: st.DataObject
) -> None:
    values = [text.replace("\0", "") for text in values]
    wait = {
        name: tuple(data.draw(st.sets(st.sampled_from(names[place + 1 :])))) for place, name in enumerate(names[:-1])
    }
    of = spec(
        *names, name=names[0], dependencies={k: list(v) for k, v in wait.items()}, factories=[zipped(names[0], *values)]
    )
    assert list(workflow_problems.problems(of, 1000)) == []
    lines = dag.dag(of).split("\n")
    assert lines.pop() == ""
    assert all(LINE.fullmatch(line) for line in lines)
    nodes = [line.split()[1] for line in lines if line.startswith("JOB")]
    assert nodes == [f"n0_{index}" for index in range(len(values))] + [f"n{place}_0" for place in range(1, len(names))]
    given_values = [re.fullmatch(r'.* parameters="(.*)"', line)[1] for line in lines if line.startswith("VARS n0_")]  # type: ignore[index]
    assert [read_values(classads.original(text))["x"] for text in given_values] == values
    edges = {
        (parent.partition("_")[0], child.partition("_")[0])
        for line in lines
        if line.startswith("PARENT")
        for parent in line[len("PARENT ") :].split(" CHILD ")[0].split()
        for child in line.split(" CHILD ")[1].split()
    }
    place = {name: f"n{number}" for number, name in enumerate(names)}
    assert edges == {(place[parent], place[child]) for parent, children in wait.items() for child in children}
    for number in range(len(names)):
        text = dag.describe_job(of, number, UID, ALICE, SANDBOX, SITE).text()
        assert len(text.splitlines()) == len(job_commands(of, number))
        assert set(re.findall(r"\$\(\w+\)?", text)) <= {"$(instance)", "$(parameters)"}
