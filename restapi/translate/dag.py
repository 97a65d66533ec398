"""WorkflowSpec -> the files that HTCondor's DAGMan reads, and how to submit DAGMan itself. Pure.

A job of a workflow becomes one submit description, and each of its instances a node of one job, so that a rerun
repeats what has failed and nothing else. What an instance has of its own, its number and its values, is given to the
description as variables of the node. Nodes are called by numbers, whatever the jobs are called; values are portable
text (`core.classads`), in which nothing is expanded and no line ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from prominence.core import classads, plan, verdict
from prominence.core.errors import Mistake, Rejected
from prominence.core.job import JobSpec
from prominence.core.passing import Passing, passings
from prominence.core.policies import Policies
from prominence.core.states import HoldCode, JobStatus
from prominence.core.substitution import write_values
from prominence.core.workflow import WorkflowPolicies, WorkflowSpec
from prominence.restapi.identity import Account
from prominence.restapi.members import node_place, node_uid
from prominence.restapi.selection import Kind
from prominence.restapi.translate.needs import beyond
from prominence.restapi.translate.site import Site
from prominence.restapi.translate.submit import SubmitDescription, alike, describe, path_text, removes_others, stays

DAG_FILE = "workflow.dag"
SUBMIT_FILE = "job.sub"
LOG_FILE = "dagman.out"

LONGEST_DAG = 30_000_000
"""Characters: ten times what as many jobs have as are usually taken, with values of a usual length."""

INSTANCE, VALUES = "instance", "parameters"
"""A node's variables."""

_SETTINGS = {
    # A level of a workflow takes as long as it takes DAGMan to see that the one before it has ended.
    "DAGMAN_USER_LOG_SCAN_INTERVAL": 1,
    "DAGMAN_SUBMIT_DELAY": 0,
    # In its ad DAGMan tells how many nodes are in which state; whoever asks for a workflow gets these.
    "DAGMAN_QUEUE_UPDATE_INTERVAL": 2,
    "DAGMAN_MAX_RESCUE_NUM": 100,
    "DAGMAN_PENDING_REPORT_INTERVAL": 600,
    "DAGMAN_VERBOSITY": 2,
    "DAGMAN_LOG": LOG_FILE,
    "MAX_DAGMAN_LOG": 10_000_000,
    # A warning, as that the files are below /tmp, is no reason to end.
    "DAGMAN_USE_STRICT": 0,
}
"""Of HTCondor's configuration, for it alone."""

MOST_EDGES = 250_000
"""Pairs of nodes that DAGMan keeps one by one: some ten megabytes. Between more of them it puts nodes of its own."""

_MOST_AT_ONCE = 500
"""Jobs that DAGMan submits before it looks into its log again, so that the schedd answers others in between."""

_ENVIRONMENT = "CONDOR_CONFIG,_CONDOR_*,PATH,PROMINENCE_STATE"
"""What DAGMan gets of ours: what HTCondor's own configuration may be made of."""

_NODE = re.compile(r"n(0|[1-9][0-9]*)_(0|[1-9][0-9]*)")

_HAS_ENDED_ON_HOLD = (
    f"{classads.JOB_STATUS} == {JobStatus.HELD:d} && {classads.HOLD_REASON_CODE} =!= {HoldCode.BY_HAND:d}"
)
"""A job that is held and not by hand has failed. DAGMan would wait for it for ever."""


_OF_SEVERAL_NODES = {f"My.{classads.REMOVES_OTHERS}": removes_others(goes_alone="true")}
"""For DAGMan a job has failed if a process of it was removed. Once the first ends well, others do by themselves."""

_IDLE_S = 60
_HAVE_ENDED = " + ".join((classads.DAG_DONE, classads.DAG_FAILED, classads.DAG_FUTILE))
_ENDS_BY_FORCE = {
    "periodic_remove": f"{classads.JOB_STATUS} == {JobStatus.RUNNING:d} && {classads.DAG_QUEUED} =?= 0 && "
    f"{_HAVE_ENDED} >= {classads.DAG_TOTAL} && time() - {classads.ENTERED_STATUS_AT} > {_IDLE_S}",
    f"My.{classads.PERIODIC_REMOVE_REASON}": classads.quote(verdict.CAME_TO_ITS_END),
}
"""A DAGMan that dies after it has submitted the last node, and is begun anew, does not know that this one was the last:
it sees it end, and waits for ever for a chance to run it."""


def node_name(job: int, instance: int) -> str:
    """Of an instance of a job, both by their numbers."""
    return f"n{job}_{instance}"


def node_of(name: str) -> tuple[int, int] | None:
    """The job's and the instance's number of a node; None for what is no name of ours."""
    found = _NODE.fullmatch(name)
    return None if found is None else (int(found[1]), int(found[2]))


def shown_name(workflow: str, job: str, instance: int | str | None) -> str:
    """What people are told a job of a workflow is called. instance: None where the job has one."""
    return "/".join(str(part) for part in (workflow, job, instance) if part not in ("", None))


def dag(spec: WorkflowSpec) -> str:
    """The nodes, and which of them wait for which. Raises Rejected before it is longer than DAGMan is to read."""
    lines, left = [], LONGEST_DAG
    for line in _lines(spec):
        left -= len(line) + 1
        if left < 0:
            raise Rejected.because("its instances, their values and what waits for them are too much for one workflow")
        lines.append(line)
    return "".join(f"{line}\n" for line in lines)


def edges(spec: WorkflowSpec) -> int:
    """How many pairs of nodes there are of which one waits for the other."""
    counts = spec.counts()
    of = {job.name: count for job, count in zip(spec.jobs, counts, strict=False)}
    said = sum(of[parent] * of[child] for parent, children in spec.dependencies.items() for child in children)
    return said + sum(counts[place] * (1 if way.in_pairs else counts[way.giver]) for place, way in _only_passed(spec))


def check(spec: WorkflowSpec, site: Site) -> None:
    """Raises Rejected for what this site does not give to a job of it."""
    mistakes = [
        Mistake(f"{spec.path_of(place)}.{one.path}", one.message)
        for place, job in enumerate(spec.every)
        for one in [*beyond(job.resources, site), *alike(job.labels)]
    ]
    mistakes += alike(spec.labels)
    if mistakes:
        raise Rejected(mistakes)


def describe_job(
    spec: WorkflowSpec, place: int, uid: str, account: Account, sandbox: str, site: Site
) -> SubmitDescription:
    """How DAGMan, which works in the workflow's directory `sandbox`, submits an instance of the job of this number."""
    job = treated(spec, place)
    has_many = spec.factory_of(job.name) is not None
    instance = f"$({INSTANCE})"
    own = describe(job, uid, account, sandbox, site).commands
    files = own["transfer_input_files"].split(",")
    ends = " || ".join(f"({one})" for one in (own.get("periodic_remove"), _HAS_ENDED_ON_HOLD) if one)
    return SubmitDescription(
        {
            **own,
            "initialdir": node_place(place, instance),
            "transfer_input_files": ",".join(
                name if name == plan.TOKEN_FILE else f"../{place}/{name}" for name in files
            ),
            "periodic_remove": ends,
            f"My.{classads.JOB_UID}": classads.quote(node_uid(uid, place, instance)),
            f"My.{classads.JOB_NAME}": _with(
                classads.text_literal(shown_name(spec.name, job.name, None)), f"/{instance}" if has_many else ""
            ),
            f"My.{classads.PARAMETERS}": f'"$({VALUES})"',
            **({f"My.{classads.WORKFLOW_END}": '"$(DAG_STATUS) $(FAILED_COUNT)"'} if place >= len(spec.jobs) else {}),
            **(_OF_SEVERAL_NODES if job.resources.number_of_nodes > 1 else {}),
        }
    )


def describe_workflow(
    spec: WorkflowSpec, uid: str, account: Account, sandbox: str, site: Site, summary: str, expected_ms: int = 0
) -> SubmitDescription:
    """How to submit the DAGMan that runs it. summary: what lists show of it. expected_ms: what its jobs may use."""
    policies = spec.policies
    directory = path_text(sandbox)
    most_idle = min(policies.maximumIdle or site.max_idle, site.max_idle)
    texts = {
        classads.JOB_TYPE: Kind.WORKFLOW,
        classads.JOB_UID: uid,
        classads.JOB_NAME: spec.name,
        classads.IDENTITY: account.user,
        classads.GROUP: account.group,
        classads.SUMMARY: summary,
        **{classads.label(key): value for key, value in spec.labels.items()},
    }
    return SubmitDescription(
        {
            "universe": "scheduler",
            "executable": path_text(site.dagman),
            "transfer_executable": "false",
            "arguments": " ".join(_arguments(policies, most_idle, site)),
            "environment": f'"{" ".join(f"_CONDOR_{name}={value}" for name, value in _settings(spec, most_idle))}"',
            "getenv": _ENVIRONMENT,
            "initialdir": directory,
            "output": "dagman.lib.out",
            "error": "dagman.lib.err",
            "log": "dagman.log",
            "remove_kill_sig": "SIGUSR1",
            # Its jobs do not outlive it.
            "My.OtherJobRemoveRequirements": classads.quote(f"{classads.DAGMAN_ID} =?= $(Cluster)"),
            # By any other code than these it has not ended: it goes on where it was.
            "on_exit_remove": "ExitSignal =?= 11 || (ExitCode =!= undefined && ExitCode >= 0 && ExitCode <= 2)",
            **(_ENDS_BY_FORCE if spec.at_the_end else {}),
            "leave_in_queue": stays(Policies(leaveInQueue=policies.leaveInQueue)),
            "notification": "never",
            "accounting_group_user": classads.accounting_name(account.user),
            **({"accounting_group": classads.accounting_name(account.group)} if account.group else {}),
            **{f"My.{name}": classads.text_literal(text) for name, text in texts.items()},
            f"My.{classads.NODES}": str(sum(spec.counts())),
            f"My.{classads.EXPECTED}": str(expected_ms),
        }
    )


def treated(spec: WorkflowSpec, place: int) -> JobSpec:
    """The job of this number with what the workflow says of all its jobs."""
    job, policies = spec.every[place], spec.policies
    ours = {"maximumRetries": policies.maximumRetries, "priority": policies.priority}
    given = {name: value for name, value in ours.items() if value and name not in job.policies.model_fields_set}
    if policies.placement is not None and "placement" not in job.policies.model_fields_set:
        given["placement"] = policies.placement  # type: ignore[assignment]
    return job.model_copy(update={"policies": job.policies.model_copy(update=given)})


def _lines(spec: WorkflowSpec) -> Iterator[str]:
    counts = spec.counts()
    for place, job in enumerate(spec.jobs):
        factory = spec.factory_of(job.name)
        for index in range(counts[place]):
            values = classads.portable(write_values(factory.values(index))) if factory is not None else ""
            yield f"JOB {node_name(place, index)} {place}/{SUBMIT_FILE}"
            yield f'VARS {node_name(place, index)} {INSTANCE}="{index}" {VALUES}="{values}"'
            if spec.policies.maximumReruns:
                yield f"RETRY {node_name(place, index)} {spec.policies.maximumReruns}"
    yield from _lines_of_waits(spec, counts)
    yield from _lines_of_the_end(spec)


def _lines_of_waits(spec: WorkflowSpec, counts: tuple[int, ...]) -> Iterator[str]:
    for parent, children in spec.dependencies.items():
        if children:
            yield f"PARENT {_nodes(spec, [parent], counts)} CHILD {_nodes(spec, children, counts)}"
    yield from _lines_of_passing(spec, counts)


def _lines_of_passing(spec: WorkflowSpec, counts: tuple[int, ...]) -> Iterator[str]:
    for place, way in _only_passed(spec):
        if way.in_pairs:
            for index in range(counts[place]):
                yield f"PARENT {node_name(way.giver, index)} CHILD {node_name(place, index)}"
        else:
            giver, taker = (_nodes(spec, [spec.jobs[one].name], counts) for one in (way.giver, place))
            yield f"PARENT {giver} CHILD {taker}"


def _only_passed(spec: WorkflowSpec) -> Iterator[tuple[int, Passing]]:
    """Who waits for what it is passed, by its number, where no dependency says so."""
    for place, job in enumerate(spec.jobs):
        ways = {way.giver: way for way in passings(spec, job)}  # of one job there may be several
        for giver, way in ways.items():
            if job.name not in spec.dependencies.get(spec.jobs[giver].name, ()):
                yield place, way


def _lines_of_the_end(spec: WorkflowSpec) -> Iterator[str]:
    """The last node. A program of the machine decides whether it runs, by DAGMan's numbers alone: a script in the
    workflow's directory would be where workers write. What is skipped counts as done.
    """
    for place in range(len(spec.jobs), len(spec.every)):
        node = node_name(place, 0)
        yield f"FINAL {node} {place}/{SUBMIT_FILE}"
        yield f'VARS {node} {INSTANCE}="0" {VALUES}=""'
        yield f"SCRIPT PRE {node} /usr/bin/test {_NOT_DELETED if spec.onFailure is None else _HAS_FAILED}"
        yield f"PRE_SKIP {node} 1"


_NOT_DELETED = "$DAG_STATUS -ne 4"
_HAS_FAILED = f"{_NOT_DELETED} -a $DAG_STATUS -ne 0"


def _nodes(spec: WorkflowSpec, jobs: Iterable[str], counts: tuple[int, ...]) -> str:
    places = {job.name: place for place, job in enumerate(spec.jobs)}
    return " ".join(node_name(places[job], index) for job in jobs for index in range(counts[places[job]]))


def _settings(spec: WorkflowSpec, most_idle: int) -> Iterator[tuple[str, object]]:
    yield from _SETTINGS.items()
    # Nodes of its own are counted among those that are done, and nobody can tell from the count which those are.
    if edges(spec) <= MOST_EDGES:
        yield "DAGMAN_USE_JOIN_NODES", "False"
    # How many wait it sees when it next looks into its log: until then it may submit no more than may wait.
    yield "DAGMAN_MAX_SUBMITS_PER_INTERVAL", min(most_idle, _MOST_AT_ONCE)


def _arguments(policies: WorkflowPolicies, most_idle: int, site: Site) -> Iterator[str]:
    """As condor_submit_dag gives them."""
    yield from ("-p", "0", "-f", "-l", ".", "-Lockfile", f"{DAG_FILE}.lock", "-AutoRescue", "1", "-DoRescueFrom", "0")
    yield from ("-Dag", DAG_FILE, "-Suppress_notification", "-AllowVersionMismatch", "-Dagman", path_text(site.dagman))
    yield from ("-MaxIdle", str(most_idle))
    if policies.maximumRunning is not None:
        yield from ("-MaxJobs", str(policies.maximumRunning))


def _with(literal: str, text: str) -> str:
    """The literal with a text of ours at its end."""
    return f'{literal.removesuffix(chr(34))}{text}"'
