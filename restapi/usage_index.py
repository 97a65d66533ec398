"""How usage is kept in Elasticsearch, and what is asked of it: documents, their fields, queries. Pure.

A document is an attempt of a job. What HTCondor knows of it is in the fields that HTCondor's own condor_adstash fills,
by their names and types, so that dashboards that were made for those show it; what is ours begins with "Prominence".

Sums are made of whole numbers: thousandths of seconds, millionths of the site's currency. Elasticsearch adds in 64-bit
floating point, in which whole numbers are exact up to 2^53: 285,000 core years, or 9,000,000,000 of the currency.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from prominence.restapi.booking import Run
from prominence.restapi.usage import By, Key, Period, Sum, UsageRecord, Whose

JOBS_OF_AN_INDEX = 1_000_000
"""An index has the attempts of so many jobs: by the job's number, which never changes, so that an attempt that is told
again, with another end, is in the same one."""

COUNTED = {
    "jobs": "ProminenceJobs",
    "core_ms": "ProminenceCoreMs",
    "cpu_ms": "ProminenceCpuMs",
    "wall_ms": "ProminenceWallMs",
    "units_ms": "ProminenceUnitsMs",
    "cost": "ProminenceCostMicros",
}
"""Fields of `Sum`, without the number of attempts."""

ENDED = "RecordTime"
_LABELS, _LABEL_NAMES = "ProminenceLabels", "ProminenceLabelNames"
_NAMES = {
    Key.USER: "ProminenceUser",
    Key.GROUP: "ProminenceGroup",
    Key.WORKFLOW: "ProminenceWorkflow",
    Key.CLOUD: "ProminenceCloud",
    Key.REGION: "ProminenceRegion",
    Key.FLAVOUR: "ProminenceFlavour",
    Key.OUTCOME: "ProminenceOutcome",
    Key.BLAME: "ProminenceBlame",
}
_DATES = {Key.DAY: ("day", "yyyy-MM-dd"), Key.MONTH: ("month", "yyyy-MM")}

_KEYWORD, _WHOLE, _NUMBER = {"type": "keyword"}, {"type": "long"}, {"type": "double"}
_DATE = {"type": "date", "format": "epoch_second"}
PROPERTIES: dict[str, dict[str, str]] = {
    **dict.fromkeys((ENDED, "CompletionDate", "JobCurrentStartDate", "QDate"), _DATE),
    **dict.fromkeys(("Owner", "AcctGroup", "AcctGroupUser", "StartdName", "Status", "Universe"), _KEYWORD),
    **dict.fromkeys(("ClusterId", "ProcId", "DAGManJobId", "JobStatus", "NumShadowStarts"), _WHOLE),
    **dict.fromkeys(("RemoteWallClockTime", "CumulativeSlotTime"), _WHOLE),
    **dict.fromkeys(("RequestCpus", "RequestMemory", "RequestGpus"), _WHOLE),
    **dict.fromkeys((*_NAMES.values(), "ProminenceJobId", _LABELS, _LABEL_NAMES), _KEYWORD),
    **dict.fromkeys((*COUNTED.values(), "ProminenceWaitMs"), _WHOLE),
    **dict.fromkeys(("ProminenceCost", "ProminenceEfficiency"), _NUMBER),
}
"""Of documents. Others than these are kept, and not found."""

_STATUSES = {3: "Removed", 4: "Completed"}

PAGE = 1000
Body = dict[str, Any]


def index_of(run: Run, prefix: str) -> str:
    """Where its document is."""
    return f"{prefix}-usage-{run.job.cluster // JOBS_OF_AN_INDEX:04d}"


def first_index(prefix: str) -> str:
    """Which is always there."""
    return f"{prefix}-usage-0000"


def id_of(run: Run) -> str:
    """Of its document, in its index: the same each time that the attempt is told."""
    return f"{run.job}{'-node' if run.is_part else ''}-{run.number}"


def document(record: UsageRecord) -> Body:
    """Of an attempt."""
    run, used, machine = record.run, record.used, record.machine
    told: Body = {
        **_as_htcondor_has_it(record),
        "ProminenceJobId": str(run.job),
        "ProminenceUser": run.user,
        "ProminenceGroup": run.group,
        "ProminenceWorkflow": "" if run.workflow is None else str(run.workflow),
        "ProminenceCloud": machine.cloud if machine else "",
        "ProminenceRegion": machine.region if machine else "",
        "ProminenceFlavour": machine.flavour if machine else "",
        "ProminenceOutcome": run.outcome,
        "ProminenceBlame": run.blame,
        _LABELS: [f"{name.lower()}={value}" for name, value in run.labels.items()],
        _LABEL_NAMES: [name.lower() for name in run.labels],
        "ProminenceJobs": record.jobs,
        "ProminenceWallMs": used.wall_ms,
        "ProminenceCoreMs": used.core_ms,
        "ProminenceCpuMs": used.cpu_ms,
        "ProminenceUnitsMs": record.units_ms,
        "ProminenceCostMicros": record.cost,
        "ProminenceCost": record.cost / 1e6,
    }
    if run.number == 1 and run.queued and run.started >= run.queued:
        told["ProminenceWaitMs"] = 1000 * (run.started - run.queued)
    if used.core_ms:
        told["ProminenceEfficiency"] = used.cpu_ms / used.core_ms
    return told


def _as_htcondor_has_it(record: UsageRecord) -> Body:
    """The fields of condor_adstash that are known. Owner is the user: HTCondor has one account for all of them."""
    run, used = record.run, record.used
    told: Body = {
        ENDED: run.ended,
        "CompletionDate": run.ended if run.has_left else None,
        "JobCurrentStartDate": run.started or None,
        "QDate": run.queued or None,
        "ClusterId": run.job.cluster,
        "ProcId": 0 if run.job.index is None else run.job.index,
        "DAGManJobId": run.workflow,
        "JobStatus": run.status or None,
        "Status": _STATUSES.get(run.status),
        "Universe": "Vanilla",
        "Owner": run.user,
        "AcctGroup": run.group or None,
        "AcctGroupUser": run.user,
        "StartdName": run.worker or None,
        "NumShadowStarts": run.number,
        "RemoteWallClockTime": round(used.wall_ms / 1000),
        "CumulativeSlotTime": round(used.core_ms / 1000),
        "RequestCpus": round(used.core_ms / used.wall_ms) if used.wall_ms else None,
        "RequestMemory": run.memory_mib,
        "RequestGpus": run.gpus,
    }
    return {name: value for name, value in told.items() if value is not None}


def template(prefix: str, policy: str | None) -> Body:
    """Of all indices that are made. policy: the name of the one by which they age, where the server has such."""
    settings: Body = {"index": {"number_of_shards": 1, "auto_expand_replicas": "0-1", "refresh_interval": "1s"}}
    if policy is not None:
        settings["index"]["lifecycle"] = {"name": policy}
    return {
        "index_patterns": [f"{prefix}-usage-*"],
        "priority": 200,
        "template": {"settings": settings, "mappings": {"dynamic": False, "properties": PROPERTIES}},
    }


POLICY: Body = {
    "phases": {
        "hot": {"actions": {"set_priority": {"priority": 100}}},
        "warm": {"min_age": "180d", "actions": {"set_priority": {"priority": 50}}},
    }
}
"""How an index ages: it moves to cheaper machines where there are some. Nothing is deleted: accounts are for ever."""


def of_period(period: Period) -> Body:
    """Attempts that ended then."""
    return {"range": {ENDED: {"gte": max(period.since, 0), "lt": min(period.until, _END), "format": "epoch_second"}}}


_END = 253_402_300_800  # of the year 9999; no attempt ends later


def of_whom(whose: Whose, also_nobodys: bool = False) -> list[Body]:
    """Attempts that are theirs, as clauses of a filter. also_nobodys: a user without a name is one, too."""
    if whose.groups is None:
        return []
    either: list[Body] = [{"terms": {_NAMES[Key.GROUP]: sorted(whose.groups - {""})}}]
    if whose.user != "" or also_nobodys:
        either.append({"term": {_NAMES[Key.USER]: whose.user}})
    return [{"bool": {"should": either, "minimum_should_match": 1}}]


class Question:
    """Sums told apart by fields, and by labels of which attempts have some (present) and do not have others.

    An attempt has a list of "name=value". Told apart by that list it counts once under each of its labels; of these
    only the label that is asked for is looked at, of which it has one value.
    """

    def __init__(self, by: Sequence[By], present: Sequence[int]) -> None:
        self._by = by
        self._present = {at: f"{by[at].label.lower()}=" for at in present}
        self._absent = [at for at, one in enumerate(by) if one.key is Key.LABEL and at not in self._present]
        # Present labels come first: so reading can begin, and end, with those of one name.
        others = [at for at, one in enumerate(by) if one.key is not Key.LABEL]
        self._order = [*self._present, *others]

    @property
    def is_whole(self) -> bool:
        """Whether there is one sum and nothing to tell apart."""
        return not self._order

    def filter(self) -> Body:
        """Clauses of a bool query."""
        has = [{"term": {_LABEL_NAMES: name[:-1]}} for name in self._present.values()]
        not_ = [{"term": {_LABEL_NAMES: self._by[at].label.lower()}} for at in self._absent]
        return {"filter": has, "must_not": not_}

    def sources(self) -> list[Body]:
        """Of a composite aggregation."""
        return [{str(at): self._source(self._by[at])} for at in self._order]

    def first(self) -> Body | None:
        """The key behind which reading begins; None: at the first."""
        if not self._present:
            return None
        start: Body = {str(at): self._lowest(self._by[at]) for at in self._order}
        return {**start, str(self._order[0]): _just_before(self._present[self._order[0]])}

    def is_past(self, key: Mapping[str, Any]) -> bool:
        """Whether behind this key comes nothing that is asked for."""
        if not self._present:
            return False
        prefix = self._present[self._order[0]]
        value = str(key[str(self._order[0])])
        return value > prefix and not value.startswith(prefix)

    def names(self, key: Mapping[str, Any]) -> tuple[str, ...] | None:
        """One for each of what is told apart; None for a label that was not asked for."""
        found = {at: str(key[str(at)]) for at in self._order}
        for at, prefix in self._present.items():
            if not found[at].startswith(prefix):
                return None
            found[at] = found[at].removeprefix(prefix)
        return tuple(found.get(at, "") for at in range(len(self._by)))

    @staticmethod
    def _source(one: By) -> Body:
        if one.key in _DATES:
            interval, form = _DATES[one.key]
            return {"date_histogram": {"field": ENDED, "calendar_interval": interval, "format": form}}
        return {"terms": {"field": _LABELS if one.key is Key.LABEL else _NAMES[one.key]}}

    @staticmethod
    def _lowest(one: By) -> str:
        return {Key.DAY: "1970-01-01", Key.MONTH: "1970-01"}.get(one.key, "")


def questions(by: Sequence[By]) -> Iterator[Question]:
    """All that must be asked: each label may be there or not."""
    labels = [at for at, one in enumerate(by) if one.key is Key.LABEL]
    for there in product((True, False), repeat=len(labels)):
        yield Question(by, [at for at, is_there in zip(labels, there, strict=True) if is_there])


SUMS: Body = {name: {"sum": {"field": field}} for name, field in COUNTED.items()}
"""Aggregations."""


def sum_of(bucket: Mapping[str, Any], attempts: int) -> Sum:
    """What they found."""
    return Sum(attempts=attempts, **{name: round(bucket[name]["value"]) for name in COUNTED})


def _just_before(prefix: str) -> str:
    """What is sorted before all that begins with "name=", and behind all other names' labels that come before it."""
    return prefix[:-1] + chr(ord("=") - 1)
