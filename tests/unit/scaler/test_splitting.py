"""Jobs over flavours, as if they were liquid: every job goes to one that runs it, and dear flavours are left alone."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from prominence.scaler import splitting
from prominence.scaler.amounts import Numbers, Reals
from prominence.scaler.splitting import Task

_KINDS = st.lists(st.tuples(st.integers(1, 16), st.integers(0, 64_000), st.integers(1, 1_000)), min_size=1, max_size=12)
_FLAVOURS = st.lists(st.tuples(st.integers(16, 64), st.floats(0.1, 10.0)), min_size=1, max_size=12)


def _task(kinds: list[tuple[int, int, int]], flavours: list[tuple[int, float]], memory_mib: int = 4_000) -> Task:
    """kinds: cores, memory and number of jobs; flavours: cores and price, with so much memory for each core."""
    needs = np.array([(cpus, memory, 10, 0) for cpus, memory, _ in kinds], dtype=np.int64)
    rooms = np.array([(cpus, cpus * memory_mib, 100_000, 0) for cpus, _ in flavours], dtype=np.int64)
    prices = np.array([price for _, price in flavours])
    runs = (rooms >= needs[:, None]).all(axis=2)
    return Task(needs, np.array([jobs for _, _, jobs in kinds], dtype=np.int64), rooms, prices, runs)


def _split(task: Task) -> tuple[Numbers, Reals]:
    active = np.flatnonzero(task.runs.any(axis=1))
    return splitting.split(task, active, task.jobs[active], splitting.worth(task, task.jobs), 0.1)


@given(kinds=_KINDS, flavours=_FLAVOURS)
def test_every_job_goes_to_one_flavour_that_runs_it(
    kinds: list[tuple[int, int, int]], flavours: list[tuple[int, float]]
) -> None:
    task = _task(kinds, flavours)

    shares, machines = _split(task)

    assert shares.sum(axis=1).tolist() == task.jobs.tolist()
    assert not shares[~task.runs].any()
    takes = np.einsum("jf,jfk->fk", shares, task.needs[:, None] / np.maximum(task.rooms, 1)).max(axis=1)
    # Jobs are whole: a flavour may take one of each kind more than the programme says.
    assert (takes <= machines + len(kinds) + 1e-6).all()


def test_a_flavour_that_is_cheap_beside_others_only_is_found() -> None:
    """Jobs with much memory pay for machines on which jobs with little are then nearly free."""
    kinds = [(1, 7_000 + n, 100) for n in range(5)] + [(7, 100 + n, 100) for n in range(5)]
    small = [(16, 1.0 + n / 100) for n in range(8)]
    task = _task(kinds, [*small, (64, 3.0)], memory_mib=1_000)

    _, machines = _split(task)

    assert machines[-1] > 0
    assert machines @ task.prices < 1.02 * (task.jobs @ task.needs[:, 0]) / 64 * 3.0
