"""Which of the machines that hold a job our negotiator takes, by HTCondor's own reading of its configuration."""

from __future__ import annotations

import builders_negotiator
import classad2
from builders import a_size
from builders_simulate import a_kind
from hypothesis import given
from hypothesis import strategies as st

from prominence.core import classads
from prominence.core.machines import Size, WorkerRequest
from prominence.scaler.simulate.load import Cloud
from prominence.scaler.simulate.machine import Machine

RANK = classad2.ExprTree(builders_negotiator.rank())

AMOUNTS = st.builds(
    lambda cores, mib, gpus: a_size(cores, mib, gpus=gpus),
    st.integers(0, 1024),
    st.integers(0, 16 * 1024 * 1024),
    st.integers(0, 64),
)


def ranked(free: Size) -> int:
    """HTCondor says nothing of GPUs where a machine has none."""
    ad = {classads.CPUS: free.cpus, classads.MEMORY: free.memory_mib}
    found = RANK.eval(classad2.ClassAd({**ad, classads.GPUS: free.gpus} if free.gpus else ad))
    assert isinstance(found, int)
    return found


def in_the_simulator(free: Size) -> tuple[int | str, ...]:
    flavour = a_kind(free.cpus, 1, 1.0)
    request = WorkerRequest(size=free, cloud="near", flavour=flavour.name, reason="", fence=0)
    return Machine("w-1", Cloud("near", (flavour,), 1), flavour, request, 0.0, free).rank


@given(st.tuples(AMOUNTS, AMOUNTS))
def test_the_simulator_has_the_order_of_the_negotiator(two: tuple[Size, Size]) -> None:
    # A slot has one core at least, the simulator's sizes too.
    one, other = (free.model_copy(update={"cpus": max(1, free.cpus)}) for free in two)
    assert (ranked(one) > ranked(other)) == (in_the_simulator(one) < in_the_simulator(other))


def test_a_machine_without_free_gpus_comes_before_one_that_is_fuller() -> None:
    assert ranked(a_size(128, 4 * 1024 * 1024)) > ranked(a_size(1, 1, gpus=1))
    assert ranked(a_size(64, 1, gpus=1)) > ranked(a_size(1, 1, gpus=4))
