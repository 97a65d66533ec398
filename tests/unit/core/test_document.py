"""Documents that travel with a job: nothing is lost on the way, nothing wrong gets in."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prominence.core.document import BadDocument, dumps, loads
from prominence.core.plan import ExecutionPlan, PlannedCheckpoint, PlannedTask
from prominence.core.reasons import Reason
from prominence.core.report import CheckpointReport, ExecutionReport, NodeReport, Outcome, TaskReport, TransferReport

TEXT = st.text(max_size=8)
COUNT = st.none() | st.integers(0, 2**40)
SECONDS = st.none() | st.floats(0, 1e12)
PLANS = st.builds(
    ExecutionPlan,
    job=TEXT,
    name=TEXT,
    tasks=st.lists(
        st.builds(
            PlannedTask,
            image=TEXT,
            runtimes=st.lists(TEXT, max_size=2).map(tuple),
            command=st.lists(TEXT, max_size=3).map(tuple),
            env=st.dictionaries(TEXT, TEXT, max_size=2),
            workdir=TEXT,
        ),
        max_size=2,
    ).map(tuple),
    cpus=st.integers(1),
    memory_mib=st.integers(1),
    walltime_s=COUNT,
    grace_s=st.integers(0),
    checkpoint=st.none() | st.builds(PlannedCheckpoint, path=TEXT, interval_s=st.floats(0, 1e12)),
)
TRANSFERS = st.lists(
    st.builds(TransferReport, name=TEXT, status=TEXT, seconds=st.floats(0, 1e12), size=COUNT), max_size=2
).map(tuple)
RAN = st.lists(
    st.builds(
        TaskReport,
        image=TEXT,
        runtime=TEXT,
        exit_code=COUNT,
        signal=COUNT,
        pull_s=SECONDS,
        image_digest=st.none() | TEXT,
        wall_s=SECONDS,
        cpu_s=SECONDS,
        max_rss_kib=COUNT,
    ),
    max_size=2,
).map(tuple)
NODES = st.lists(
    st.builds(
        NodeReport,
        number=st.integers(1),
        outcome=st.sampled_from(Outcome),
        host=TEXT,
        reason=st.none() | st.sampled_from(Reason),
        details=st.dictionaries(TEXT, TEXT, max_size=2),
        exit_code=COUNT,
        tasks=RAN,
        stage_in=TRANSFERS,
        cpu_model=TEXT,
    ),
    max_size=2,
).map(tuple)
REPORTS = st.builds(
    ExecutionReport,
    outcome=st.sampled_from(Outcome),
    started_at=st.floats(0, 1e12),
    finished_at=SECONDS,
    reason=st.none() | st.sampled_from(Reason),
    details=st.dictionaries(TEXT, TEXT, max_size=2),
    exit_code=COUNT,
    tasks=RAN,
    sidecars=RAN,
    stage_in=TRANSFERS,
    stage_out=TRANSFERS,
    nodes=NODES,
    host=TEXT,
    cpu_model=TEXT,
    checkpoint=st.none() | st.builds(CheckpointReport, saved=st.integers(0), restored=st.booleans(), trouble=TEXT),
    runtime_versions=st.dictionaries(TEXT, TEXT, max_size=2),
)

PLAN = ExecutionPlan(
    job="j", name="", tasks=(PlannedTask("busybox", ("docker",)),), cpus=1, memory_mib=1000, walltime_s=None
)


def changed(path: tuple[Any, ...], value: Any) -> str:
    """PLAN as JSON with one value replaced."""
    data = json.loads(dumps(PLAN))
    inner = data
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = value
    return json.dumps(data)


@given(PLANS)
def test_a_plan_arrives_as_it_was_sent(plan: ExecutionPlan) -> None:
    assert loads(ExecutionPlan, dumps(plan)) == plan


@given(REPORTS)
def test_a_report_arrives_as_it_was_sent(report: ExecutionReport) -> None:
    assert loads(ExecutionReport, dumps(report)) == report


def test_what_is_no_character_is_written_as_a_question_mark() -> None:
    report = ExecutionReport(Outcome.SUCCESS, 0.0, stage_out=(TransferReport("caf\udce9", "success", 1.0),))
    [arrived] = loads(ExecutionReport, dumps(report).encode().decode()).stage_out
    assert arrived.name == "caf?"


def test_what_a_newer_writer_adds_is_ignored() -> None:
    assert loads(ExecutionPlan, changed(("tasks", 0, "mounts"), ["/data"])) == PLAN


def test_what_an_older_writer_left_out_has_its_default() -> None:
    data = json.loads(dumps(PLAN))
    del data["grace_s"], data["version"], data["tasks"][0]["workdir"]
    assert loads(ExecutionPlan, json.dumps(data)) == PLAN


def test_what_has_no_default_must_be_there() -> None:
    data = json.loads(dumps(PLAN))
    del data["tasks"][0]["image"]
    with pytest.raises(BadDocument, match=r"ExecutionPlan\.tasks\[0\]\.image: missing"):
        loads(ExecutionPlan, json.dumps(data))


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        (("cpus",), "1", r"ExecutionPlan\.cpus: int is needed, not str"),
        (("cpus",), True, r"ExecutionPlan\.cpus: int is needed, not bool"),
        (("cpus",), None, r"ExecutionPlan\.cpus: int is needed, not NoneType"),
        (("tasks",), {}, r"ExecutionPlan\.tasks: a list is needed"),
        (("tasks", 0), "busybox", r"ExecutionPlan\.tasks\[0\]: an object is needed"),
        (("tasks", 0, "env"), [], r"ExecutionPlan\.tasks\[0\]\.env: an object is needed"),
        (("tasks", 0, "command"), [1], r"ExecutionPlan\.tasks\[0\]\.command\[0\]: str is needed, not int"),
    ],
)
def test_a_wrong_type_is_refused_with_its_path(path: tuple[Any, ...], value: Any, complaint: str) -> None:
    with pytest.raises(BadDocument, match=complaint):
        loads(ExecutionPlan, changed(path, value))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"', '{"outcome": "luck", "started_at": 1}'])
def test_what_is_no_report_is_refused(text: str) -> None:
    with pytest.raises(BadDocument, match="ExecutionReport"):
        loads(ExecutionReport, text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
ALMOST_REPORTS = st.dictionaries(
    st.sampled_from(["outcome", "started_at", "tasks", "details", "reason"]), JSON | st.just("success")
)


@given(st.text(max_size=20) | (JSON | ALMOST_REPORTS).map(json.dumps))
def test_anything_else_is_refused_and_nothing_else_happens(text: str) -> None:
    try:
        report = loads(ExecutionReport, text)
    except BadDocument:
        return
    assert isinstance(report, ExecutionReport)
