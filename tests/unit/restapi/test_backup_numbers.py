"""A restored queue gives no number again that a job has had since the backup was made."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prominence.core.jobid import LAST_CLUSTER
from prominence.restapi.backup.numbers import STEP, Count, beyond, go_on, read

HEAD = b'107 3 CreationTimestamp 1796061333\n101 0.0 Job Machine\n103 0.0 MyType "Job"\n'
"""As a schedd begins the log of its queue."""


def submitted(number: int) -> bytes:
    """As it writes down that a job is given this number."""
    return b"105\n103 0.0 NextClusterNum %d\n106\n" % (
        number + 1
    ) + b'105\n101 0%d.-1 Job Machine\n103 0%d.-1 Owner "a"\n101 %d.0 Job Machine\n106\n' % (number, number, number)


def a_log(folder: Path, content: bytes) -> Path:
    file = folder / "job_queue.log"
    file.write_bytes(content)
    return file


def after(kept: bytes, tmp_path: Path, *there: bytes) -> int | None:
    """With which number a queue goes on, and that it says so."""
    others = []
    for place, content in enumerate(there):
        (tmp_path / str(place)).mkdir()
        others.append(a_log(tmp_path / str(place), content))
    log = a_log(tmp_path, kept)
    number = go_on(log, [*others, tmp_path / "none"])
    told = read(log)
    assert told is not None and told.next == (number or 0)
    return number


def test_where_the_queue_of_before_is_there_it_goes_on_with_its_numbers(tmp_path: Path) -> None:
    kept = HEAD + submitted(106)
    assert after(kept, tmp_path, kept + submitted(107) + submitted(108)) == 109


def test_where_nobody_knows_what_was_given_another_million_begins(tmp_path: Path) -> None:
    assert after(HEAD + submitted(106), tmp_path) == STEP


@pytest.mark.parametrize(
    "there",
    [
        HEAD.replace(b"1796061333", b"1796069999") + submitted(5000),  # that of a machine that was made anew
        HEAD + submitted(3),  # the same, as it was before the backup
        HEAD,
        b"",
        b"\xff\x00",
    ],
)
def test_another_queue_says_nothing(tmp_path: Path, there: bytes) -> None:
    assert after(HEAD + submitted(106), tmp_path, there) == STEP


def test_one_that_is_repeated_comes_to_the_same(tmp_path: Path) -> None:
    log = a_log(tmp_path, HEAD + submitted(106))
    first = go_on(log, [])
    again = tmp_path / "again"
    again.mkdir()
    assert go_on(a_log(again, HEAD + submitted(106)), [log]) == first


def test_a_queue_without_numbers_is_left_as_it_is(tmp_path: Path) -> None:
    content = b"107 1 CreationTimestamp 5\n103 1.0 Owner\n"
    assert after(content, tmp_path) is None
    assert (tmp_path / "job_queue.log").read_bytes() == content
    assert go_on(tmp_path / "none", []) is None


@pytest.mark.parametrize("end", [b"105\n103 0.0 NextClusterNum 108\n", b"105\n103 0.0 Nex", b"103 9.0 Cmd", b"105"])
def test_what_a_schedd_would_not_take_is_taken_away(tmp_path: Path, end: bytes) -> None:
    """Behind a transaction without an end, it would not see what is written."""
    kept = HEAD + submitted(106)
    number = after(kept + end, tmp_path)
    assert (tmp_path / "job_queue.log").read_bytes() == kept + b"103 0.0 NextClusterNum %d\n" % (number or 0)


@given(st.binary(max_size=500), st.lists(st.binary(max_size=500), max_size=2))
def test_whatever_stands_in_a_log_what_counts_stays(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, there: list[bytes]
) -> None:
    kept = HEAD + submitted(41)
    folder = tmp_path_factory.mktemp("log")
    number = after(kept + noise, folder, *there)
    assert number is not None and number >= 42
    assert (folder / "job_queue.log").read_bytes().startswith(kept)


count = st.builds(Count, st.integers(0, 3), st.integers(1, LAST_CLUSTER), st.just(0))


@given(count, st.lists(count, max_size=4))
def test_the_number_was_given_by_nobody_that_is_known(kept: Count, there: list[Count]) -> None:
    number = beyond(kept, there)
    assert kept.next <= number <= LAST_CLUSTER
    assert all(number >= one.next for one in there if one.begun == kept.begun)
    # As often as it is repeated.
    assert beyond(kept, [*there, Count(kept.begun, number, 0)]) == number
