from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prominence.core import classads
from prominence.core.jobid import LAST_CLUSTER, LAST_INDEX, JobId

clusters = st.integers(1, LAST_CLUSTER)
places = st.integers(0, LAST_INDEX)


@given(clusters, places)
def test_a_member_is_read_as_it_is_written(array: int, index: int) -> None:
    one = JobId.member(array, index)
    assert (one.cluster, one.index, str(one), f"{one}", one.shown) == (array, index, *[f"{array}.{index}"] * 3)
    assert JobId.parse(str(one)) == JobId(int(one)) == one
    assert JobId.of({classads.CLUSTER_ID: array, classads.ARRAY_INDEX: index}) == one


@given(clusters)
def test_a_job_of_its_own_has_its_clusters_number(cluster: int) -> None:
    one = JobId(cluster)
    assert (one.cluster, one.index, str(one), one.shown) == (cluster, None, str(cluster), cluster)
    assert JobId.parse(str(one)) == JobId.of({classads.CLUSTER_ID: cluster}) == cluster


@given(st.tuples(clusters, st.none() | places), st.tuples(clusters, st.none() | places))
def test_two_jobs_never_have_one_number(left: tuple[int, int | None], right: tuple[int, int | None]) -> None:
    one, other = (JobId(cluster) if index is None else JobId.member(cluster, index) for cluster, index in (left, right))
    assert (one == other) == (left == right)


@given(clusters, places, places)
def test_members_of_an_array_are_in_order(array: int, left: int, right: int) -> None:
    assert (JobId.member(array, left) < JobId.member(array, right)) == (left < right)


@given(clusters, places)
def test_what_is_stored_as_a_number_is_one(array: int, index: int) -> None:
    one = JobId.member(array, index)
    assert json.loads(json.dumps([one])) == [int(one)]
    assert int(one) < 2**63


@given(st.text(max_size=20) | st.from_regex(r"\A[0-9]{0,12}\.?[0-9]{0,8}\Z"))
def test_any_other_text_is_refused_or_says_the_same(text: str) -> None:
    try:
        found = JobId.parse(text)
    except ValueError as error:
        assert "is not the id of a job" in str(error)
    else:
        assert str(found) == text.lstrip("0")


@pytest.mark.parametrize("text", ["0", "0.1", "1.", ".1", "1.01", "1.2.3", "1.-1", "١", "2147483648", "1.1000000", ""])
def test_these_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="is not the id of a job"):
        JobId.parse(text)
