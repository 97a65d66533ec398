"""JobSpec -> SubmitDescription: a job in the words of HTCondor's submit language. Pure.

Text of users goes in as ClassAd literals of portable text, or as names for accounting; neither can hold a line
break, a quotation mark or a `$`, so that no value ends early and nothing in it is expanded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from posixpath import dirname

from prominence.core import classads, plan, report, states, units, verdict
from prominence.core.errors import Mistake, Rejected
from prominence.core.job import JobSpec
from prominence.core.policies import Policies
from prominence.restapi import summary
from prominence.restapi.identity import Account
from prominence.restapi.members import uid_of
from prominence.restapi.selection import Kind
from prominence.restapi.translate import requirements
from prominence.restapi.translate.needs import beyond, needs
from prominence.restapi.translate.plan import has_credentials, uses_objects
from prominence.restapi.translate.site import Site

_MOST_OUTPUT_MB = 16
STDOUT, STDERR = "stdout", "stderr"

PLACE = "$(Process)"
"""Of a member in its array, as the submit language has it."""

MOST_MEETINGS = 500
"""How often a node may be started, whatever comes of it."""

LONGEST_IN_QUEUE_S = 90 * 24 * 3600
"""How long a job that has ended may stay in the queue."""


_WAITS = f"{classads.JOB_STATUS} == {states.JobStatus.IDLE:d}"


_COMPLETIONS_OF_A_NODE = f"({classads.COMPLETIONS} - ifThenElse({classads.UNMET} =?= undefined, 0, {classads.UNMET}))"
_STARTS_OF_A_NODE = (
    f"({classads.STARTS} - ifThenElse({classads.UNMET} =?= undefined || {classads.STARTS} >= {MOST_MEETINGS},"
    f" 0, {classads.UNMET}))"
)
"""Without those in which it has not met the others, up to a limit: nothing may begin anew for ever."""


@dataclass(frozen=True)
class SubmitDescription:
    """Submit commands by name, in order; those that start with "My." set an attribute of the job."""

    commands: Mapping[str, str]

    def text(self) -> str:
        """As a submit file, without its last line."""
        return "".join(f"{name} = {value}\n" for name, value in self.commands.items())

    def of_request(self, request: str) -> SubmitDescription:
        """The same, with the id of the request that it comes of, if there is one."""
        told = {f"My.{classads.REQUEST_ID}": classads.text_literal(request)} if request else {}
        return SubmitDescription({**self.commands, **told})


def describe(spec: JobSpec, uid: str, account: Account, sandbox: str, site: Site) -> SubmitDescription:
    """How to submit this job, whose files are in the directory `sandbox`, on this account. Raises Rejected."""
    mistakes = [*beyond(spec.resources, site), *alike(spec.labels)]
    if mistakes:
        raise Rejected(mistakes)
    job = SubmitDescription(
        {
            **_program(spec, sandbox, site),
            **requirements.commands(needs(spec.resources, site), spec, account),
            **_policy(spec, site),
            **_accounting(account),
            **_attributes(spec, uid, account, site),
        }
    )
    return job if spec.resources.number_of_nodes == 1 else _of_nodes(job, spec.resources.number_of_nodes)


def of_array(job: SubmitDescription, uid: str, sandbox: str, count: int) -> SubmitDescription:
    """How to submit so many jobs like this one, as members of an array, whose files are in the directory `sandbox`.

    What is the same for all stays there. Each has a directory of its own in it, for what it alone gets and leaves.
    """
    files = job.commands["transfer_input_files"].split(",")
    return SubmitDescription(
        {
            **job.commands,
            "initialdir": f"{path_text(sandbox)}/{PLACE}",
            "transfer_input_files": ",".join(name if name == plan.TOKEN_FILE else f"../{name}" for name in files),
            f"My.{classads.JOB_TYPE}": classads.text_literal(Kind.MEMBER),
            f"My.{classads.JOB_UID}": classads.quote(uid_of(uid, PLACE)),
            f"My.{classads.ARRAY_INDEX}": PLACE,
            f"My.{classads.ARRAY_COUNT}": str(count),
        }
    )


def _of_nodes(job: SubmitDescription, count: int) -> SubmitDescription:
    """The same with so many nodes: as many processes, of which the first is the job.

    They share its directory, in which they meet.
    """
    others = range(1, count)

    def each(first: str, *rest: str) -> str:
        return f"$CHOICE(Process,{','.join((first, *rest))})"

    # HTCondor takes a file that is called as before for one that is renamed for ever.
    told = each("none", *(report.FILE_NAME for _ in others))
    kept = each("nowhere", *(report.of_node(report.FILE_NAME, number) for number in others))
    kinds = each(classads.text_literal(Kind.JOB), *(classads.text_literal(Kind.NODE) for _ in others))
    return SubmitDescription(
        {
            **{name: command for name, command in job.commands.items() if not name.startswith("periodic_hold")},
            "output": each(STDOUT, *(report.of_node(STDOUT, number) for number in others)),
            "error": each(STDERR, *(report.of_node(STDERR, number) for number in others)),
            "transfer_output_remaps": f'"{told} = {kept}"',
            **_end_of_one(job),
            "on_exit_remove": job.commands["on_exit_remove"].replace(classads.COMPLETIONS, _COMPLETIONS_OF_A_NODE),
            f"My.{classads.JOB_TYPE}": kinds,
            f"My.{classads.NODE}": PLACE,
            f"My.{classads.NODE_COUNT}": str(count),
        }
    )


def _end_of_one(job: SubmitDescription) -> dict[str, str]:
    """Of a node that is not to run again, whatever the reason is: it is removed, and all others with it."""
    too_often = job.commands["periodic_hold"].replace(classads.STARTS, _STARTS_OF_A_NODE, 1)
    is_held = f"{classads.JOB_STATUS} == {states.JobStatus.HELD:d}"
    terms = [too_often, f"{is_held} && {classads.HOLD_REASON_CODE} =!= {states.HoldCode.BY_HAND:d}"]
    if "periodic_remove" in job.commands:
        terms.append(job.commands["periodic_remove"])
    reasons = (classads.quote(reason) for reason in (verdict.STARTED_TOO_OFTEN, verdict.TOO_LONG_IN_QUEUE))
    return {
        "periodic_remove": " || ".join(f"({term})" for term in terms),
        f"My.{classads.PERIODIC_REMOVE_REASON}": f"ifThenElse({too_often}, {', '.join(reasons)})",
        f"My.{classads.REMOVES_OTHERS}": removes_others(goes_alone=f"{classads.NODE} > 0"),
    }


def removes_others(goes_alone: str) -> str:
    """Which other nodes HTCondor removes when one leaves the queue, whether it was removed or has ended by itself.

    One that has done its part takes nobody with it: it may be gone before the first, which has files to bring home.
    goes_alone: of which nodes that is so.
    """
    is_done = f"{classads.JOB_STATUS} == {states.JobStatus.COMPLETED:d}"
    # Those that are on their way out have a reason of their own, and the first that is done may be there to stay.
    others = (
        f"{classads.CLUSTER_ID} == $(Cluster) && {classads.JOB_STATUS} =!= {states.JobStatus.REMOVED:d}"
        f" && ({classads.NODE} > 0 || !({is_done}))"
    )
    return f'ifThenElse({goes_alone} && {is_done} && {classads.EXIT_CODE} =?= 0, "false", {classads.quote(others)})'


def _program(spec: JobSpec, sandbox: str, site: Site) -> dict[str, str]:
    """What runs, and which files travel. The executor comes from here, so that it understands our plan."""
    return {
        "universe": "vanilla",
        "executable": path_text(site.executor),
        "transfer_executable": "true",
        "arguments": plan.FILE_NAME,
        "initialdir": path_text(sandbox),
        "should_transfer_files": "YES",
        "when_to_transfer_output": "ON_EXIT",
        "transfer_input_files": ",".join(_files(spec)),
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
        # Of the access point's files its worker gets no others, whatever it says: all jobs belong to one account.
        f"My.{classads.MAY_OPEN}": classads.quote(f"{path_text(sandbox)},{path_text(dirname(site.executor))}"),
    }


def _files(spec: JobSpec) -> Iterator[str]:
    """What the executor needs; secrets in files of their own, since all else of a job can be seen in some place."""
    yield plan.FILE_NAME
    if uses_objects(spec):
        yield plan.TOKEN_FILE
    if has_credentials(spec):
        yield plan.CREDENTIALS_FILE
    if spec.storage is not None:
        yield plan.STORAGE_FILE


def _policy(spec: JobSpec, site: Site) -> dict[str, str]:
    allowed_s = site.walltime_s(spec) + site.pull_limit_s + site.overhead_s
    retries = spec.policies.maximumRetries
    return {
        **_queueing(spec.policies),
        # A job that takes its workers down with it must not do so for ever. One that runs is left to run.
        "periodic_hold": f"{classads.STARTS} >= {site.max_attempts + retries} && {_WAITS}",
        "periodic_hold_reason": classads.quote(verdict.STARTED_TOO_OFTEN),
        "periodic_hold_subcode": str(states.TOO_MANY_ATTEMPTS),
        "on_exit_remove": _is_over(retries),
        # Behind the executor's own clock. Not allowed_execute_duration: HTCondor 23.9 does not enforce that one.
        "allowed_job_duration": str(allowed_s),
        "job_lease_duration": str(site.job_lease_s),
        # Deleted or preempted, the executor is warned and has time to end its containers and to keep outputs.
        "kill_sig": "SIGTERM",
        "want_graceful_removal": "true",
        "job_max_vacate_time": str(site.vacate_s),
        "leave_in_queue": stays(spec.policies),
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


def stays(policies: Policies) -> str:
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
        classads.JOB_TYPE: Kind.JOB,
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


def alike(labels: Iterable[str]) -> Iterator[Mistake]:
    """ClassAds do not tell Upper case from lower: of two labels that differ in nothing else one would be lost."""
    seen: dict[str, str] = {}
    for key in labels:
        if key.lower() in seen:
            yield Mistake(f"labels.{key}", f"differs from {seen[key.lower()]} in upper and lower case only")
        seen.setdefault(key.lower(), key)


def path_text(path: str) -> str:
    """An operator's path, where it can be said in the submit language, and in a list there, as it is."""
    if "$" in path or "," in path or not path.isprintable():
        raise ValueError(f"{path!r} cannot be given to HTCondor: it holds a $, a comma or a line break")
    return path
