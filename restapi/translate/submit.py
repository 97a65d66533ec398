"""JobSpec -> SubmitDescription: a job in the words of HTCondor's submit language. Pure.

Text of users goes in as ClassAd literals of portable text, or as names for accounting; neither can hold a line
break, a quotation mark or a `$`, so that no value ends early and nothing in it is expanded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from prominence.core import classads, plan, report, states, units, verdict
from prominence.core.errors import Mistake, Rejected
from prominence.core.job import JobSpec
from prominence.core.policies import Policies
from prominence.restapi import summary
from prominence.restapi.identity import Account
from prominence.restapi.translate.needs import Needs, beyond, needs
from prominence.restapi.translate.plan import uses_objects
from prominence.restapi.translate.site import Site

_MOST_OUTPUT_MB = 16
STDOUT, STDERR = "stdout", "stderr"

JOB = "job"
"""ProminenceType of a job."""

LONGEST_IN_QUEUE_S = 90 * 24 * 3600
"""How long a job that has ended may stay in the queue."""

_IN_THE_POOL = f'regexp("^[^@]+@{classads.WORKER_DOMAIN}$", TARGET.{classads.AUTHENTICATED_IDENTITY})'
"""A slot of one of the pool's own workers: the collector notes who advertised it."""

_WAITS = f"{classads.JOB_STATUS} == {states.JobStatus.IDLE:d}"


@dataclass(frozen=True)
class SubmitDescription:
    """Submit commands by name, in order; those that start with "My." set an attribute of the job."""

    commands: Mapping[str, str]

    def text(self) -> str:
        """As a submit file, without its last line."""
        return "".join(f"{name} = {value}\n" for name, value in self.commands.items())


def describe(spec: JobSpec, uid: str, account: Account, sandbox: str, site: Site) -> SubmitDescription:
    """How to submit this job, whose files are in the directory `sandbox`, on this account. Raises Rejected."""
    mistakes = [*beyond(spec.resources, site), *_alike(spec.labels)]
    if mistakes:
        raise Rejected(mistakes)
    return SubmitDescription(
        {
            **_program(spec, sandbox, site),
            **_needs(needs(spec.resources, site)),
            **_policy(spec, site),
            **_accounting(account),
            **_attributes(spec, uid, account, site),
        }
    )


def _program(spec: JobSpec, sandbox: str, site: Site) -> dict[str, str]:
    """What runs, and which files travel. The executor comes from here, so that it understands our plan."""
    return {
        "universe": "vanilla",
        "executable": _path(site.executor),
        "transfer_executable": "true",
        "arguments": plan.FILE_NAME,
        "initialdir": _path(sandbox),
        "should_transfer_files": "YES",
        "when_to_transfer_output": "ON_EXIT",
        "transfer_input_files": ",".join([plan.FILE_NAME, *([plan.TOKEN_FILE] if uses_objects(spec) else [])]),
        "transfer_output_files": report.FILE_NAME,
        # Whatever a worker says that its report is.
        "max_transfer_output_mb": str(_MOST_OUTPUT_MB),
        # As they are written, so that a user can watch.
        "output": STDOUT,
        "error": STDERR,
        # By which the executor looks for orders, over the connection that HTCondor holds anyway.
        "want_io_proxy": "true",
        "stream_output": "true",
        "stream_error": "true",
    }


def _needs(of_job: Needs) -> dict[str, str]:
    commands = {
        **of_job.commands(),
        "requirements": " && ".join([_IN_THE_POOL, *of_job.requirements()]),
        # Where it ran is asked for long after the machine is gone.
        "job_machine_attrs": classads.CLOUD,
    }
    if of_job.most_cpus is not None:
        commands["rank"] = classads.REQUEST_CPUS  # as many as it would get
    return commands


def _policy(spec: JobSpec, site: Site) -> dict[str, str]:
    allowed_s = site.walltime_s(spec) + site.pull_limit_s + site.overhead_s
    retries = spec.policies.maximumRetries
    return {
        **_queueing(spec.policies),
        # A job that takes its workers down with it must not do so for ever. One that runs is left to run.
        "periodic_hold": f"{classads.STARTS} >= {site.max_attempts + retries} && {_WAITS}",
        "periodic_hold_reason": classads.quote("the job was started too often"),
        "periodic_hold_subcode": str(states.TOO_MANY_ATTEMPTS),
        "on_exit_remove": _is_over(retries),
        # Behind the executor's own clock. Not allowed_execute_duration: HTCondor 23.9 does not enforce that one.
        "allowed_job_duration": str(allowed_s),
        "job_lease_duration": str(site.job_lease_s),
        # Deleted or preempted, the executor is warned and has time to end its containers.
        "kill_sig": "SIGTERM",
        "want_graceful_removal": "true",
        "job_max_vacate_time": str(site.grace_s + site.vacate_margin_s),
        "leave_in_queue": _stays(spec.policies),
        "notification": "never",
    }


def _queueing(policies: Policies) -> dict[str, str]:
    """For how long the job waits, and before whom."""
    commands = {"priority": str(policies.priority)} if policies.priority else {}
    if policies.maximumTimeInQueue > 0:
        limit_s = units.seconds(policies.maximumTimeInQueue)
        commands["periodic_remove"] = f"{_WAITS} && time() - {classads.ENTERED_STATUS_AT} > {limit_s}"
        commands[f"My.{classads.PERIODIC_REMOVE_REASON}"] = classads.quote(verdict.TOO_LONG_IN_QUEUE)
    return commands


def _stays(policies: Policies) -> str:
    """Whether the job stays in the queue although it has ended by itself."""
    if not policies.leaveInQueue:
        return "false"
    has_ended = f"{classads.JOB_STATUS} == {states.JobStatus.COMPLETED:d}"
    return f"{has_ended} && time() - {classads.FINISHED_AT} < {LONGEST_IN_QUEUE_S}"


def _is_over(retries: int) -> str:
    """Whether a job whose executor has ended is not to run again."""
    # An executor whose worker has failed it ends by this signal, and the job runs elsewhere.
    handed_back = f"{classads.EXIT_BY_SIGNAL} && {classads.EXIT_SIGNAL} == {report.HANDED_BACK_BY}"
    is_final = f"({handed_back}) =!= true"
    if retries == 0:
        return is_final
    return f"{is_final} && ({classads.EXIT_CODE} =?= 0 || {classads.COMPLETIONS} > {retries})"


def _accounting(account: Account) -> dict[str, str]:
    commands = {"accounting_group_user": classads.accounting_name(account.user)}
    if account.group:
        commands["accounting_group"] = classads.accounting_name(account.group)
    return commands


def _attributes(spec: JobSpec, uid: str, account: Account, site: Site) -> dict[str, str]:
    texts = {
        classads.JOB_TYPE: JOB,
        classads.JOB_UID: uid,
        classads.JOB_NAME: spec.name,
        classads.IDENTITY: account.user,
        classads.GROUP: account.group,
        **{classads.label(key): value for key, value in spec.labels.items()},
    }
    short = summary.write(summary.summary(spec))
    if short is not None:
        texts[classads.SUMMARY] = short
    attributes = {f"My.{name}": classads.text_literal(text) for name, text in texts.items()}
    return {**attributes, f"My.{classads.WALLTIME}": str(site.walltime_s(spec))}


def _alike(labels: Iterable[str]) -> Iterator[Mistake]:
    """ClassAds do not tell Upper case from lower: of two labels that differ in nothing else one would be lost."""
    seen: dict[str, str] = {}
    for key in labels:
        if key.lower() in seen:
            yield Mistake(f"labels.{key}", f"differs from {seen[key.lower()]} in upper and lower case only")
        seen.setdefault(key.lower(), key)


def _path(path: str) -> str:
    """An operator's path, where it can be said in the submit language as it is."""
    if "$" in path or not path.isprintable():
        raise ValueError(f"{path!r} cannot be given to HTCondor: it holds a $ or a line break")
    return path
