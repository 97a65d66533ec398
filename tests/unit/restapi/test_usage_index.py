"""What is said of attempts in Elasticsearch, and how sums of them are asked for."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from prominence.core.jobid import LAST_CLUSTER, JobId
from prominence.core.machines import Size
from prominence.restapi import usage_index
from prominence.restapi.booking import Machine, Run, Used
from prominence.restapi.usage import By, Key, UsageRecord

JOBS = st.one_of(
    st.integers(1, LAST_CLUSTER).map(JobId), st.builds(JobId.member, st.integers(1, LAST_CLUSTER), st.integers(0, 9999))
)
USED = st.builds(Used, *[st.integers(0, 10**13)] * 3)
LABELS = st.dictionaries(st.text("abcXYZ019", min_size=1, max_size=5), st.text(max_size=9), max_size=4)
RUNS = st.builds(
    Run,
    job=JOBS,
    number=st.integers(1, 2**31),
    user=st.text(max_size=9),
    group=st.text(max_size=9),
    workflow=st.none() | st.integers(1, 2**31),
    labels=LABELS,
    is_part=st.booleans(),
    worker=st.text(max_size=9),
    started=st.integers(0, 2**40),
    ended=st.integers(0, 2**37),
    memory_mib=st.integers(0, 2**40),
    gpus=st.integers(0, 2**20),
    after=st.none() | USED,
    queued=st.integers(0, 2**40),
    status=st.integers(0, 2**31),
)
WEST = Machine("w-1", "cloud", "west", "m.4", 0.4, Size(cpus=4, memory_mib=8192, disk_mib=10**4))
RECORDS = st.builds(
    UsageRecord, RUNS, USED, st.sampled_from([None, WEST]), st.integers(0, 10**15), st.integers(0, 10**15)
)
KINDS = {"keyword": str, "long": int, "double": float, "date": int}


@given(RECORDS)
def test_every_field_of_a_document_is_known_and_of_its_kind(record: UsageRecord) -> None:
    made = usage_index.document(record)
    for name, value in made.items():
        kind = KINDS[usage_index.PROPERTIES[name]["type"]]
        assert all(isinstance(one, kind) for one in (value if isinstance(value, list) else [value])), name
    assert json.loads(json.dumps(made)) == made


@given(st.lists(RUNS, max_size=9))
def test_each_attempt_has_a_place_of_its_own_and_the_same_each_time(runs: list[Run]) -> None:
    attempts = {(run.job, run.is_part, run.number) for run in runs}
    places = {(usage_index.index_of(run, "p"), usage_index.id_of(run)) for run in runs}
    assert len(places) == len(attempts)


def test_what_htcondor_knows_has_the_names_and_units_of_its_own_tool() -> None:
    run = Run(
        JobId.member(7, 3), 1, "alice", "physics", 17, {"App": "fit"}, worker="w-1", started=160, ended=200,
        memory_mib=2048, gpus=1, outcome="completed", after=Used(40_400, 80_800, 60_600), queued=100, status=4,
    )  # fmt: skip
    made = usage_index.document(UsageRecord(run, Used(40_400, 80_800, 60_600), WEST, 90_000, 1_250_000))
    ours = {name: value for name, value in made.items() if name.startswith("Prominence")}
    assert {name: value for name, value in made.items() if name not in ours} == {
        "RecordTime": 200, "CompletionDate": 200, "JobCurrentStartDate": 160, "QDate": 100, "ClusterId": 7, "ProcId": 3,
        "DAGManJobId": 17, "JobStatus": 4, "Status": "Completed", "Universe": "Vanilla", "Owner": "alice",
        "AcctGroup": "physics", "AcctGroupUser": "alice", "StartdName": "w-1", "NumShadowStarts": 1,
        "RemoteWallClockTime": 40, "CumulativeSlotTime": 81, "RequestCpus": 2, "RequestMemory": 2048, "RequestGpus": 1,
    }  # fmt: skip
    assert ours["ProminenceLabels"] == ["app=fit"]
    assert (ours["ProminenceWaitMs"], ours["ProminenceCost"], ours["ProminenceEfficiency"]) == (60_000, 1.25, 0.75)
    assert (ours["ProminenceWallMs"], ours["ProminenceUnitsMs"], ours["ProminenceJobs"]) == (40_400, 90_000, 1)


def test_of_an_attempt_that_is_not_its_jobs_last_no_end_of_the_job_is_told() -> None:
    made = usage_index.document(UsageRecord(Run(JobId(7), 2, started=150, ended=200, queued=100), Used(1000, 1000, 0)))
    assert {"CompletionDate", "JobStatus", "Status", "ProminenceWaitMs", "AcctGroup"}.isdisjoint(made)
    assert (made["ProminenceJobs"], made["RecordTime"]) == (0, 200)


@given(LABELS, LABELS, st.lists(st.sampled_from("abcXYZ019"), min_size=1, max_size=2, unique=True))
def test_each_attempt_is_counted_by_the_one_question_that_fits_it(
    first: dict[str, str], second: dict[str, str], asked: list[str]
) -> None:
    """As the server would: an attempt has each of its labels in turn, in the order of the alphabet."""
    by = [By(Key.USER), *(By(Key.LABEL, name) for name in dict.fromkeys(name.lower() for name in asked))]
    for labels in (first, second):
        record = UsageRecord(Run(JobId(1), 1, user="u", labels={k.lower(): v for k, v in labels.items()}), Used())
        made = usage_index.document(record)
        counted = [names for one in usage_index.questions(by) for names in _answers(one, made)]
        assert counted == [tuple(each.of(record) for each in by)]


def _answers(question: usage_index.Question, made: dict[str, object]) -> list[tuple[str, ...]]:
    clauses = question.filter()
    names = made["ProminenceLabelNames"]
    assert isinstance(names, list)
    wanted = [clause["term"]["ProminenceLabelNames"] in names for clause in clauses["filter"]]
    unwanted = [clause["term"]["ProminenceLabelNames"] in names for clause in clauses["must_not"]]
    if not all(wanted) or any(unwanted):
        return []
    keys: list[dict[str, str]] = [{}]
    for source in question.sources():
        [(name, told)] = source.items()
        value = made[told["terms"]["field"]]
        keys = [{**key, name: one} for key in keys for one in (value if isinstance(value, list) else [value])]
    order = [next(iter(source)) for source in question.sources()]
    keys.sort(key=lambda key: [key[name] for name in order])
    first = question.first()
    if first is not None:
        keys = [key for key in keys if [key[name] for name in order] > [first[name] for name in order]]
    past = next((at for at, key in enumerate(keys) if question.is_past(key)), len(keys))
    return [found for key in keys[:past] if (found := question.names(key)) is not None]


def test_sums_are_whole_numbers_as_long_as_floating_point_holds_them() -> None:
    bucket = {name: {"value": float(2**53 - 1)} for name in usage_index.COUNTED}
    assert usage_index.sum_of(bucket, 3).core_ms == 2**53 - 1
