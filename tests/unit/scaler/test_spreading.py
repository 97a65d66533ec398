"""Jobs over equal machines: nothing is placed twice, no machine is too full, and the room that is left is filled."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from prominence.scaler.batches import Batches
from prominence.scaler.spreading import spread

_ROOM = np.array([16, 64_000, 100_000, 0])
_KINDS = st.lists(
    st.tuples(st.integers(1, 20), st.integers(0, 80_000), st.integers(0, 20), st.integers(0, 20)),
    min_size=1,
    max_size=8,
)


def _spread(machines: int, *kinds: tuple[int, int, int, int]) -> Batches:
    """kinds: cores, memory, jobs and fillers of each."""
    cpus, memory, jobs, fillers = np.array(kinds, dtype=np.int64).T
    needs = np.stack([cpus, memory, np.full_like(cpus, 10), np.zeros_like(cpus)], axis=1)
    return spread(0, _ROOM, machines, np.arange(len(kinds)), needs, jobs, fillers)


@given(kinds=_KINDS, machines=st.integers(1, 10))
def test_no_machine_is_too_full_and_no_job_has_room_twice(
    kinds: list[tuple[int, int, int, int]], machines: int
) -> None:
    found = _spread(machines, *kinds)

    assert found.machines.sum() <= machines
    assert all(found.jobs(len(kinds)) <= [jobs + fillers for _, _, jobs, fillers in kinds])
    for _, _, of_kinds, counts in found:
        assert sum(kinds[kind][0] * count for kind, count in zip(of_kinds, counts, strict=True)) <= _ROOM[0]
        assert sum(kinds[kind][1] * count for kind, count in zip(of_kinds, counts, strict=True)) <= _ROOM[1]


def test_room_that_jobs_leave_is_filled() -> None:
    found = _spread(3, (10, 1_000, 3, 0), (4, 1_000, 0, 100), (2, 1_000, 0, 100))

    assert found.jobs(3).tolist() == [3, 3, 3]
