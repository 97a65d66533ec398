"""What schemathesis may find in the API and we leave as it is, each with its reason.

FORCED is what the published client forces on us, on the operations that it calls and no others. UNSAYABLE is what a
description in OpenAPI has no words for: rules between two fields, values that only the service can have given out.
Anything else that it finds is mended in the API.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from prominence.restapi import legacy


@dataclass(frozen=True)
class Waiver:
    """check: schemathesis's name for it. operations: such as "GET /jobs". answer: a pattern for status and body."""

    check: str
    operations: frozenset[str]
    answer: str
    reason: str

    def covers(self, check: str, operation: str, answer: str) -> bool:
        """Whether this is what is waived. answer: its status and its body."""
        return check == self.check and operation in self.operations and bool(re.search(self.answer, answer))


_ACCEPTED = "positive_data_acceptance"
_WORKFLOWS = frozenset({"POST /workflows"})
_SUBMITS = frozenset({"POST /jobs", "POST /arrays"}) | _WORKFLOWS
_CHANGES = _SUBMITS | {"PATCH /jobs/<job>"}
_STREAMS = frozenset({"GET /jobs/<job>/stdout", "GET /jobs/<job>/stderr"})
_LISTS = frozenset({"GET /jobs", "GET /arrays/<array>/jobs", "GET /workflows"})
_NODES = frozenset({"GET /workflows/<workflow>/nodes"})
_NAMES = frozenset(
    {
        "GET /data/<name>",
        "DELETE /data/<name>",
        "POST /data",
        "POST /data/upload",
        "POST /data/input",
        "POST /data/passed/input",
        "POST /data/output",
    }
)
_USAGE = frozenset({"GET /accounting", "GET /usage"})
_KEYS = frozenset({"GET /kv/<key>", "POST /kv/<key>", "DELETE /kv/<key>"})

FOR_JOBS = frozenset(
    {
        "POST /data/input",
        "POST /data/passed",
        "POST /data/passed/input",
        "POST /data/output",
        "POST /data/checkpoint",
        "POST /data/checkpoint/latest",
        "POST /data/checkpoint/restore",
    }
)
"""What running jobs call, at addresses that the published client may take for names of objects."""

FORCED = [
    Waiver(
        _ACCEPTED,
        legacy.CALLED,
        "^400 .*(There is no (job|snapshot|workflow)|has no job|not been submitted yet|None of .* is queued"
        "|no longer kept|there is no object)",
        "To any 404 the published client says that its address is wrong; so what is not there is answered by 400.",
    ),
    Waiver(
        "use_after_free",
        frozenset({"GET /jobs/<job>", "GET /jobs/<job>/stdout", "GET /jobs/<job>/stderr", "GET /workflows/<workflow>"}),
        "^200 ",
        "A job that was deleted can still be described, and its output read: the published client expects 200.",
    ),
    Waiver(
        _ACCEPTED,
        frozenset({"POST /kv/<key>"}),
        "^400 .*has another value by now",
        "The published client knows a compare-and-swap that failed by 400.",
    ),
    Waiver(
        "allow_header_conformance",
        frozenset({"POST /data/upload"}) | FOR_JOBS,
        "^405 ",
        "The published client deletes an object that is called upload by DELETE /data/upload: the addresses overlap.",
    ),
]

UNSAYABLE = [
    Waiver(
        _ACCEPTED,
        _SUBMITS,
        "^400 .*(needed for a task of the type|is put before it; write|is for tasks of the types|that is no sidecar"
        "|can be sidecars|must be at most resources.cpus)",
        "What a task of one type needs, or may not have, and how many of a job's tasks may be sidecars.",
    ),
    Waiver(
        _ACCEPTED,
        _SUBMITS,
        "^400 .*(a task with the runtime .*process|process.* gives no GPUs|process.* can have a mountpoint)",
        "What a task without a container has not, and needs.",
    ),
    Waiver(
        "ensure_resource_availability",
        frozenset({"PUT /jobs/<job>/hold", "PUT /jobs/<job>/release", "PATCH /jobs/<job>"}),
        "^404 .*There is no job",
        "A job that was made before may have been deleted by DELETE /jobs, whose ids are no link.",
    ),
    Waiver(
        "use_after_free",
        frozenset({"GET /arrays/<array>", "GET /arrays/<array>/jobs"}),
        "^200 ",
        "An array that was deleted can still be described, as its members can.",
    ),
    Waiver(_ACCEPTED, frozenset({"POST /arrays"}), "^400 .*count: this site takes at most", "The site's own limit."),
    Waiver(_ACCEPTED, frozenset({"POST /arrays"}), "^400 .*job.notifications: is for single", "What arrays have not."),
    Waiver(
        _ACCEPTED,
        frozenset({"POST /arrays", "POST /workflows"}),
        "^400 .*there is no object",
        "What objects there are is known to the service alone.",
    ),
    Waiver(_ACCEPTED, _USAGE, "^400 .*end: must not be before start", "start and end."),
    Waiver(
        _ACCEPTED,
        _USAGE,
        "^403 .*Only operators and managers",
        "Who is more than a user is known to the service alone.",
    ),
    Waiver(
        _ACCEPTED,
        frozenset({"POST /budgets/<group>/adjustments"}),
        "^403 .*Only operators may adjust budgets",
        "Who is an operator is known to the service alone.",
    ),
    Waiver(_ACCEPTED, _WORKFLOWS, "^400 .*(there is no job|is the name of another|for ever|another factory)", "Names."),
    Waiver(
        _ACCEPTED,
        _WORKFLOWS,
        "^400 .*(to pass|has no such output|is the job itself|no directory can be called|say with directory"
        "|runs when all others have ended|cannot be beside onFailure)",
        "What jobs pass to each other, and what runs at the end.",
    ),
    Waiver(_ACCEPTED, _WORKFLOWS, "^400 .*(is for single jobs|of the workflow as a whole)", "What its jobs have not."),
    Waiver(_ACCEPTED, _WORKFLOWS, "^400 .*(either step or number|step must not|never reached)", "step and number."),
    Waiver(_ACCEPTED, _WORKFLOWS, "^400 .*(same number of values|at most .* in one workflow|instances)", "How many."),
    Waiver(
        _ACCEPTED, _WORKFLOWS, "^400 .*(15 digits|characters|NUL)", "Of numbers their digits, of texts their length."
    ),
    Waiver(
        _ACCEPTED, _WORKFLOWS, "^400 .*not the name of a container image", "An image whose parameters are filled in."
    ),
    Waiver(_ACCEPTED, _LISTS | _NODES, "^400 .*cursor: is (not one|of another list)", "Cursors come from the service."),
    Waiver(_ACCEPTED, _LISTS, "^400 .*cursor: is of a list in another order", "cursor and sort."),
    Waiver(_ACCEPTED, _LISTS, "^400 .*sort: endTime orders completed", "sort and completed."),
    Waiver(_ACCEPTED, frozenset({"POST /tokens"}), "^400 .*groups: a token of yours", "groups and service."),
    Waiver(_ACCEPTED, _CHANGES, "^400 .*cannot be given together with", "cpus, cpusRange and cpusOptions; memory too."),
    Waiver(_ACCEPTED, _CHANGES, "^400 .*the smaller one first", "Two numbers in order."),
    Waiver(_ACCEPTED, _CHANGES, "^400 .*GB for all .* cores together", "memoryPerCpu and cpus."),
    Waiver(_ACCEPTED, _SUBMITS, "^400 .*(is there twice|can be mounted)", "Names that must not be the same."),
    Waiver(
        _ACCEPTED,
        _CHANGES,
        "^400 .*(has one node|is for jobs of one node|on several nodes)",
        "What several nodes lack.",
    ),
    Waiver(
        _ACCEPTED, _CHANGES, "^400 .*(the cores of each node|cores each has|nodes would be needed)", "cpus and nodes."
    ),
    Waiver(_ACCEPTED, _STREAMS, "^400 .*node: must be less than [0-9]+, the number of", "How many nodes a job has."),
    Waiver(_ACCEPTED, _SUBMITS, "^400 .*(is not a web address|the name of a file)", "What a URL is, to its last sign."),
    Waiver(
        _ACCEPTED,
        _SUBMITS,
        "^400 .*storage.*(needs the section|is not for the type|an artifact is mounted at|must say neither"
        "|cannot be split into words|no storage can be mounted)",
        "Which section goes with which type of storage, where else something is mounted, and words of options.",
    ),
    Waiver(_ACCEPTED, _SUBMITS, "^400 .*app: is for Apptainer", "app and runtime."),
    Waiver(_ACCEPTED, _SUBMITS, "^400 .*stdout: is for tasks that are no sidecars", "stdout and type."),
    Waiver(_ACCEPTED, _SUBMITS, "^400 .*stdout: nothing that the job fetches", "stdout and artifacts."),
    Waiver(_ACCEPTED, _SUBMITS, "^400 .*imageSha256: is for an image that is a file", "image and imageSha256."),
    Waiver(
        _ACCEPTED, _SUBMITS, "^400 .*imagePullCredential: is for an image in a registry", "The same of its credential."
    ),
    Waiver(_ACCEPTED, _SUBMITS, "^400 .*no webhook is registered for", "Which webhooks there are."),
    Waiver(_ACCEPTED, frozenset({"POST /webhooks"}), "^400 .*events: .* is of a group", "events and group."),
    Waiver(
        _ACCEPTED,
        frozenset({"POST /webhooks"}),
        "^403 .*Managers of a group",
        "Who manages which group is known to the service alone.",
    ),
    Waiver(_ACCEPTED, _SUBMITS, "^400 .*group: you are not in this group", "Whose groups are which."),
    Waiver(_ACCEPTED, _NAMES | _SUBMITS, "^400 .*composed form", "Unicode's forms."),
    Waiver(_ACCEPTED, _NAMES | _KEYS | _SUBMITS, "^400 .*bytes", "Lengths are in bytes, and a schema's in characters."),
]
