"""Which jobs a constraint means, asked of HTCondor's own library."""

from __future__ import annotations

import classad2
import pytest
from builders import a_job
from builders_restapi import SITE, uids
from hypothesis import given, settings
from hypothesis import strategies as st

from prominence.core.errors import Rejected
from prominence.core.states import JobStatus
from prominence.restapi.adapters.memory import MemoryQueue
from prominence.restapi.identity import Account
from prominence.restapi.selection import Selection
from prominence.restapi.translate.constraint import constraint
from prominence.restapi.translate.submit import describe


def test_a_whole_constraint() -> None:
    text = constraint(
        Selection(
            user='eve"',
            ids=(1, 2),
            uid="u",
            statuses=(JobStatus.IDLE, JobStatus.HELD),
            name="a b",
            labels=(("app", "fit"), ("run", "1")),
        )
    )
    assert text == (
        "((ClusterId >= 1 && ClusterId <= 2 && member(ClusterId, {1,2})"
        ' && ProminenceType =?= "job"))'
        ' && (ProminenceJobUniqueIdentifier =?= "u") && (ProminenceIdentity =?= "eve%22")'
        " && (JobStatus >= 1 && JobStatus <= 5 && member(JobStatus, {1,5}))"
        ' && (ProminenceName =?= "a b") && (ProminenceUserMetadata_app =?= "fit")'
        ' && (ProminenceUserMetadata_run =?= "1")'
    )


def test_no_jobs_are_asked_for_by_an_expression_that_is_never_true() -> None:
    assert classad2.ExprTree(constraint(Selection(ids=()))).eval(classad2.ClassAd({"ProminenceType": "job"})) is False


def test_any_number_of_jobs_can_be_asked_for_at_once() -> None:
    expression = classad2.ExprTree(constraint(Selection(ids=tuple(range(1, 2002)))))
    for job, is_meant in ((1, True), (2001, True), (2002, False)):
        assert expression.eval(classad2.ClassAd({"ProminenceType": "job", "ClusterId": job})) is is_meant


@pytest.mark.parametrize("key", ["a b", "", "x || true", "Owner =?= 1) || (true"])
def test_a_label_that_cannot_be_is_no_constraint(key: str) -> None:
    with pytest.raises(Rejected):
        constraint(Selection(labels=((key, "x"),)))


names = st.one_of(st.text(), st.sampled_from(["alice", "Alice", 'x" || true || "', "x\\", 'x\\" || true']))


@settings(max_examples=30, deadline=None)
@given(names, names)
def test_a_user_is_found_by_their_own_name_and_by_no_other(one: str, other: str) -> None:
    queue = MemoryQueue()
    queue.submit(describe(a_job(), next(uids()), Account(one), "/jobs", SITE))
    assert bool(queue.find(Selection(user=other))) == (one == other)
    assert len(queue.find(Selection(user=one))) == 1


@settings(max_examples=30, deadline=None)
@given(st.text(), st.text())
def test_words_to_look_for_can_match_nothing_but_themselves(name: str, label: str) -> None:
    queue = MemoryQueue()
    queue.submit(describe(a_job(name="a", labels={"app": "b"}), next(uids()), Account("alice"), "/jobs", SITE))
    assert bool(queue.find(Selection(name=name))) == (name == "a")
    assert bool(queue.find(Selection(labels=(("app", label),)))) == (label == "b")
