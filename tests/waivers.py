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
_SUBMITS = frozenset({"POST /jobs"})
_CHANGES = frozenset({"POST /jobs", "PATCH /jobs/<job>"})
_NAMES = frozenset(
    {
        "GET /data/<name>",
        "DELETE /data/<name>",
        "POST /data",
        "POST /data/upload",
        "POST /data/input",
        "POST /data/output",
    }
)
_KEYS = frozenset({"GET /kv/<key>", "POST /kv/<key>", "DELETE /kv/<key>"})

FORCED = [
    Waiver(
        _ACCEPTED,
        legacy.CALLED,
        "^400 .*(There is no job|None of .* is queued|no longer kept|there is no object)",
        "To any 404 the published client says that its address is wrong; so what is not there is answered by 400.",
    ),
    Waiver(
        "use_after_free",
        frozenset({"GET /jobs/<job>", "GET /jobs/<job>/stdout", "GET /jobs/<job>/stderr"}),
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
        frozenset({"POST /data/upload", "POST /data/input", "POST /data/output"}),
        "^405 ",
        "The published client deletes an object that is called upload by DELETE /data/upload: the addresses overlap.",
    ),
]

UNSAYABLE = [
    Waiver(
        "ensure_resource_availability",
        frozenset({"PUT /jobs/<job>/hold", "PUT /jobs/<job>/release", "PATCH /jobs/<job>"}),
        "^404 .*There is no job",
        "A job that was made before may have been deleted by DELETE /jobs, whose ids are no link.",
    ),
    Waiver(_ACCEPTED, frozenset({"GET /jobs"}), "^400 .*cursor: is not one", "Cursors come from the service."),
    Waiver(_ACCEPTED, frozenset({"GET /jobs"}), "^400 .*cursor: is of a list in another order", "cursor and sort."),
    Waiver(_ACCEPTED, frozenset({"GET /jobs"}), "^400 .*sort: endTime orders completed", "sort and completed."),
    Waiver(_ACCEPTED, frozenset({"POST /tokens"}), "^400 .*groups: a token of yours", "groups and service."),
    Waiver(_ACCEPTED, _CHANGES, "^400 .*cannot be given together with", "cpus, cpusRange and cpusOptions; memory too."),
    Waiver(_ACCEPTED, _CHANGES, "^400 .*the smaller one first", "Two numbers in order."),
    Waiver(_ACCEPTED, _CHANGES, "^400 .*GB for all .* cores together", "memoryPerCpu and cpus."),
    Waiver(_ACCEPTED, _SUBMITS, "^400 .*(is there twice|can be mounted)", "Names that must not be the same."),
    Waiver(_ACCEPTED, _SUBMITS, "^400 .*(is not a web address|the name of a file)", "What a URL is, to its last sign."),
    Waiver(_ACCEPTED, _SUBMITS, "^400 .*group: you are not in this group", "Whose groups are which."),
    Waiver(_ACCEPTED, _NAMES | _SUBMITS, "^400 .*composed form", "Unicode's forms."),
    Waiver(_ACCEPTED, _NAMES | _KEYS | _SUBMITS, "^400 .*bytes", "Lengths are in bytes, and a schema's in characters."),
]
