"""The parameters of a list."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders_restapi import ALICE
from hypothesis import given, settings
from hypothesis import strategies as st

from prominence.core.errors import Forbidden, Rejected
from prominence.core.states import JobStatus, Status
from prominence.restapi import listing
from prominence.restapi.identity import Identity, Scope
from prominence.restapi.listing import USUAL, Listing
from prominence.restapi.paging import Key, Order, Page, cursor
from prominence.restapi.parameters.jobs import DescribeParameters, ListParameters
from prominence.restapi.parameters.output import OutputParameters
from prominence.restapi.parameters.words.numbers import MOST
from prominence.restapi.selection import Event, Selection, Span

IDLE = (JobStatus.IDLE,)
RUNNING = (JobStatus.RUNNING, JobStatus.TRANSFERRING_OUTPUT, JobStatus.SUSPENDED)
WAITS = frozenset({Status.IDLE, Status.DEPLOYING, Status.WAITING})


def read(query: str, caller: Identity = ALICE) -> Listing:
    """Of what stands behind the ? in an address."""
    parameters: dict[str, list[str]] = {}
    for pair in filter(None, query.split("&")):
        key, _, value = pair.partition("=")
        parameters.setdefault(key, []).append(value)
    return listing.read(parameters, caller)


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
    ("id=1,2", True, MOST),
    ("status=idle", True, 0),
    ("status=running", True, 0),
    ("status=failed", True, MOST),
    ("status=completed&completed=true&num=2", False, 2),
    ("workflow=true&id=3&num=-1", True, 0),
    ("all&limit=5", True, None),
    ("completed=true&limit=5", False, None),
    ("limit=5", True, 0),
]


@pytest.mark.parametrize(("query", "queue", "finished"), WHERE)
def test_where_is_looked(query: str, queue: bool, finished: int | None) -> None:
    found = read(query)
    assert (found.queue, found.finished) == (queue, finished)


STATUSES = [
    ("idle", IDLE, WAITS),
    ("deploying", IDLE, {Status.DEPLOYING}),
    ("waiting", (JobStatus.IDLE, JobStatus.HELD), {Status.WAITING}),
    ("running", RUNNING, {Status.RUNNING}),
    ("completed", (JobStatus.REMOVED, JobStatus.COMPLETED), {Status.COMPLETED}),
    ("failed", (JobStatus.REMOVED, JobStatus.COMPLETED, JobStatus.HELD), {Status.FAILED}),
    ("killed", (JobStatus.REMOVED, JobStatus.COMPLETED, JobStatus.HELD), {Status.KILLED}),
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


@pytest.mark.parametrize("query", ["workflow=true&id=7&num=-1", "workflow=7"])
def test_the_jobs_of_a_workflow_are_not_those_with_its_number(query: str) -> None:
    """The published client asks for them with the same parameter as for jobs by their ids."""
    found = read(query).selection
    assert (found.ids, found.workflow) == (None, 7)


def test_of_no_workflow_there_are_no_jobs() -> None:
    assert read("workflow=true").selection.ids == ()


@pytest.mark.parametrize(
    ("query", "span"),
    [
        ("createdAfter=100&createdBefore=200", Span(Event.CREATED, 100, 200)),
        ("createdAfter=0001-01-01", Span(Event.CREATED, 0, None)),
        ("createdBefore=9999-12-31T23:59:59-23:59", Span(Event.CREATED, None, 10**11 - 1)),
        ("startedAfter=2026-05-01", Span(Event.STARTED, 1777593600, None)),
        ("endedBefore=2026-05-01T02:00:00%2B02:00", Span(Event.ENDED, None, 1777593600)),
        ("endedAfter=2026-05-01T00:00:00Z", Span(Event.ENDED, 1777593600, None)),
    ],
)
def test_times_are_epochs_dates_or_both_with_a_time_of_day(query: str, span: Span) -> None:
    assert read(query.replace("%2B", "+")).selection.spans == (span,)


@pytest.mark.parametrize(
    ("query", "order"),
    [
        ("limit=5", Order(Key.ID, descending=True)),
        ("completed=true&limit=5", Order(Key.ENDED, descending=True)),
        ("sort=createTime", Order(Key.CREATED)),
        ("sort=-name&limit=1", Order(Key.NAME, descending=True)),
        ("completed=true&sort=endTime", Order(Key.ENDED)),
    ],
)
def test_a_page_is_of_a_size_and_in_an_order(query: str, order: Order) -> None:
    page = read(query).page
    assert page.order == order
    assert page.limit == (int(query.partition("limit=")[2] or 100))


def test_old_lists_have_no_pages_and_are_by_id() -> None:
    assert read("all&detail&num=1").page == Page()


def test_a_cursor_says_in_which_order_it_goes_on() -> None:
    order = Order(Key.NAME, descending=True)
    where = cursor(order, ("fit", 7))
    assert read(f"cursor={where}").page == Page(order, 100, ("fit", 7))
    assert read(f"cursor={where}&sort=-name").page.after == ("fit", 7)
    with pytest.raises(Rejected):
        read(f"cursor={where}&sort=name")


def test_what_is_told_can_be_chosen() -> None:
    found = read("fields=status,events")
    assert (found.fields, found.detail) == ({"id", "array", "status", "events"}, False)
    assert read("fields=execution").detail


class TestJobsOfOthers:
    OPERATOR = replace(ALICE, operator=True)
    MANAGER = replace(ALICE, manages=frozenset({"physics", "art"}))

    @pytest.mark.parametrize("query", ["user=bob", "everyone=true", "user=bob&group=physics"])
    def test_are_not_for_everybody(self, query: str) -> None:
        with pytest.raises(Forbidden):
            read(query)
        with pytest.raises(Forbidden):
            read(query, replace(self.OPERATOR, scopes=frozenset({Scope.JOBS_READ})))

    def test_are_not_meant_where_nobody_says_so(self) -> None:
        assert read("", self.OPERATOR).selection.user == "alice"
        assert read("user=alice").selection.user == "alice"

    def test_are_seen_by_operators(self) -> None:
        assert read("everyone=true", self.OPERATOR).selection == Selection()
        assert read("user=bob&group=art", self.OPERATOR).selection == Selection(user="bob", groups=("art",))

    def test_are_seen_by_managers_where_their_groups_are_charged(self) -> None:
        assert read("everyone=true", self.MANAGER).selection == Selection(groups=("art", "physics"))
        assert read("user=bob&group=art", self.MANAGER).selection == Selection(user="bob", groups=("art",))
        assert read("user=bob&group=music", self.MANAGER).selection == Selection(user="bob", groups=())


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
        ("workflow=x", "workflow"),
        ("createdAfter=yesterday", "createdAfter"),
        ("createdAfter=-1", "createdAfter"),
        ("startedBefore=2026-13-01", "startedBefore"),
        ("completed=maybe", "completed"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=x", "limit"),
        ("sort=status", "sort"),
        ("sort=endTime", "sort"),
        ("cursor=", "cursor"),
        ("cursor=x", "cursor"),
        ("cursor=eyJhIjoxfQ", "cursor"),
        ("fields=", "fields"),
        ("fields=id,colour", "fields"),
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
        st.sampled_from(sorted(field.alias or "" for field in ListParameters.model_fields.values())),
        st.lists(st.one_of(st.text(), st.sampled_from(["1", "true", "-name", "2026-01-01"])), min_size=1),
    )
)
def test_any_parameters_are_read_or_refused(parameters: dict[str, list[str]]) -> None:
    try:
        assert isinstance(listing.read(parameters, replace(ALICE, operator=True)), Listing)
    except Rejected as error:
        assert error.mistakes


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, (0, None)),
        ({"offset": ["7"]}, (7, None)),
        ({"node": ["0"], "offset": ["0"], "byte": ["9"]}, (0, 9)),
    ],
)
def test_where_to_read_on(query: dict[str, list[str]], expected: tuple[int, int | None]) -> None:
    found = OutputParameters.read(query)
    assert (found.offset, found.byte) == expected


@pytest.mark.parametrize(
    "query", [{"offset": ["-1"]}, {"offset": ["x"]}, {"offset": [""]}, {"byte": ["9" * 19]}, {"node": ["100"]}]
)
def test_where_nothing_can_be_read(query: dict[str, list[str]]) -> None:
    with pytest.raises(Rejected):
        OutputParameters.read(query)


def test_nobody_waits_for_ever() -> None:
    assert DescribeParameters.read({"wait": ["5"], "stdout": ["3"]}) == DescribeParameters(wait="5", stdout="3")  # type: ignore[arg-type]
    assert DescribeParameters.read({"wait": ["999999"]}).wait == 60
    with pytest.raises(Rejected):
        DescribeParameters.read({"wait": ["-1"]})
