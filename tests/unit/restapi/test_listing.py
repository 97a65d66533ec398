"""The parameters of a list."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prominence.core.errors import Rejected
from prominence.core.states import JobStatus, Status
from prominence.restapi import listing
from prominence.restapi.listing import MOST, USUAL, Listing

IDLE = (JobStatus.IDLE,)
RUNNING = (JobStatus.RUNNING, JobStatus.TRANSFERRING_OUTPUT, JobStatus.SUSPENDED)
WAITS = frozenset({Status.IDLE, Status.DEPLOYING, Status.WAITING})


def read(query: str) -> Listing:
    """Of what stands behind the ? in an address."""
    parameters: dict[str, list[str]] = {}
    for pair in filter(None, query.split("&")):
        key, _, value = pair.partition("=")
        parameters.setdefault(key, []).append(value)
    return listing.read(parameters, "alice")


WHERE = [
    ("", True, 0),
    ("num=1", True, 0),
    ("completed=true", False, USUAL),
    ("completed=true&num=3", False, 3),
    ("completed=true&num=-1", False, MOST),
    ("completed=true&num=0", False, 0),
    ("completed=true&num=999999999", False, MOST),
    ("completed", False, USUAL),
    ("completed=false&num=3", True, 0),
    ("all", True, MOST),
    ("all=true&num=1", True, MOST),
    ("id=1,2", True, 2),
    ("status=idle", True, 0),
    ("status=running", True, 0),
    ("status=failed", True, MOST),
    ("status=completed&completed=true&num=2", False, 2),
]


@pytest.mark.parametrize(("query", "queue", "history"), WHERE)
def test_where_is_looked(query: str, queue: bool, history: int) -> None:
    found = read(query)
    assert (found.queue, found.history) == (queue, history)


STATUSES = [
    ("idle", IDLE, WAITS),
    ("deploying", IDLE, {Status.DEPLOYING}),
    ("waiting", IDLE, {Status.WAITING}),
    ("running", RUNNING, {Status.RUNNING}),
    ("completed", (JobStatus.COMPLETED,), {Status.COMPLETED}),
    ("failed", (JobStatus.HELD, JobStatus.COMPLETED), {Status.FAILED}),
    ("killed", (JobStatus.HELD, JobStatus.COMPLETED), {Status.KILLED}),
    ("deleted", (JobStatus.REMOVED,), {Status.DELETED}),
]


@pytest.mark.parametrize(("word", "states", "shown"), STATUSES)
def test_a_status_word_means_these_states(word: str, states: tuple[JobStatus, ...], shown: set[Status]) -> None:
    found = read(f"status={word}")
    assert found.selection.statuses == states
    assert found.shown == shown


def test_every_status_word_can_be_asked_for() -> None:
    assert {word for word, _, _ in STATUSES} == set(Status)


def test_everything_at_once() -> None:
    found = read("id=3,4&name=a b&constraint=app=fit&constraint=run=1.0&detail")
    assert found.selection.user == "alice"
    assert found.selection.ids == (3, 4)
    assert found.selection.name == "a b"
    assert found.selection.labels == (("app", "fit"), ("run", "1.0"))
    assert found.detail


def test_an_empty_name_is_a_name() -> None:
    assert read("name=").selection.name == ""
    assert read("").selection.name is None


def test_the_jobs_of_a_workflow_are_none_of_those_with_its_number() -> None:
    """There are no workflows yet; the published client asks for their jobs with the same parameters."""
    assert read("workflow=true&id=7&num=-1").selection.ids == ()


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("status=asleep", "status"),
        ("id=", "id"),
        ("id=1,,2", "id"),
        ("id=one", "id"),
        ("id=0", "id"),
        ("id=99999999999", "id"),
        ("id=²", "id"),
        ("completed=true&num=few", "num"),
        ("num=-2", "num"),
        ("constraint=app", "constraint"),
        ("constraint=a=b=c", "constraint"),
        ("constraint==b", "constraint"),
        ("constraint=a b=c", "constraint"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_name(query: str, path: str) -> None:
    with pytest.raises(Rejected) as caught:
        read(query)
    assert [mistake.path for mistake in caught.value.mistakes] == [path]


def test_all_mistakes_are_named_at_once() -> None:
    with pytest.raises(Rejected) as caught:
        read("status=asleep&id=x&num=y&constraint=z")
    assert {mistake.path for mistake in caught.value.mistakes} == {"status", "id", "num", "constraint"}


@settings(max_examples=50)
@given(
    st.dictionaries(
        st.sampled_from(["status", "id", "num", "constraint", "name", "completed"]), st.lists(st.text(), min_size=1)
    )
)
def test_any_parameters_are_read_or_refused(parameters: dict[str, list[str]]) -> None:
    try:
        assert isinstance(listing.read(parameters, "alice"), Listing)
    except Rejected as error:
        assert error.mistakes


@pytest.mark.parametrize(
    ("query", "expected"), [({}, 0), ({"offset": ["7"]}, 7), ({"node": ["0"], "offset": ["0"]}, 0)]
)
def test_where_to_read_on(query: dict[str, list[str]], expected: int) -> None:
    assert listing.offset(query) == expected


@pytest.mark.parametrize(
    "query", [{"offset": ["-1"]}, {"offset": ["x"]}, {"offset": [""]}, {"offset": ["9" * 19]}, {"node": ["1"]}]
)
def test_where_nothing_can_be_read(query: dict[str, list[str]]) -> None:
    with pytest.raises(Rejected):
        listing.offset(query)
