"""What a user's own worker offers to jobs, by its user, the batch job that it runs in, and the machine."""

from __future__ import annotations

import pytest
from builders_cli import NOON
from hypothesis import given
from hypothesis import strategies as st

from prominence.cli.errors import ClientError
from prominence.cli.worker import offer
from prominence.cli.worker.offer import FOR_DAEMONS_MIB, LABEL, BatchJob, Machine, Offer, Wanted
from prominence.cli.worker.resources import here

LAPTOP = Machine(8, 12_000)
HOUR = 3600

texts = st.text() | st.integers().map(str)
names = st.sampled_from(
    ["SLURM_JOB_ID", "SLURM_CPUS_ON_NODE", "SLURM_MEM_PER_NODE", "SLURM_MEM_PER_CPU", "SLURM_JOB_END_TIME"]
)


def test_a_laptop_offers_what_is_free_and_stays() -> None:
    assert offer.offer(Wanted(), None, LAPTOP, NOON) == Offer(8, 12_000)


def test_a_batch_job_offers_what_it_has_and_goes_with_it() -> None:
    environment = {
        "SLURM_JOB_ID": "77",
        "SLURM_CPUS_ON_NODE": "4",
        "SLURM_MEM_PER_CPU": "2000",
        "SLURM_JOB_END_TIME": str(NOON + HOUR),
    }
    job = offer.batch_job(environment)
    assert job == BatchJob("77", 4, 8000, NOON + HOUR)
    made = offer.offer(Wanted(), job, LAPTOP, NOON)
    assert (made.cpus, made.memory_mib, made.ends_at) == (4, 8000 - FOR_DAEMONS_MIB, NOON + HOUR)
    assert made.idle_s > 0 and made.lost_s > 0


def test_what_its_user_says_comes_first_but_no_machine_lives_longer_than_its_batch_job() -> None:
    job = BatchJob("77", 4, 8000, NOON + HOUR)
    said = Wanted(cpus=2, memory=1.5, walltime=30, idle_s=0, runtimes=("process",), task_network="outbound")
    made = offer.offer(said, job, LAPTOP, NOON)
    assert made == Offer(2, 1500, NOON + HOUR // 2, 0, made.lost_s, ("process",), "outbound")
    assert offer.offer(Wanted(walltime=600), job, LAPTOP, NOON).ends_at == NOON + HOUR


@pytest.mark.parametrize(
    ("wanted", "job", "machine"),
    [
        (Wanted(), None, Machine(8, 100)),
        (Wanted(), BatchJob("7", memory_mib=300), LAPTOP),
        (Wanted(walltime=1), None, LAPTOP),
        (Wanted(), BatchJob("7", ends_at=NOON - 5), LAPTOP),
    ],
)
def test_less_than_a_job_could_use_is_no_worker(wanted: Wanted, job: BatchJob | None, machine: Machine) -> None:
    with pytest.raises(ClientError):
        offer.offer(wanted, job, machine, NOON)


@given(st.dictionaries(names, texts))
def test_what_a_batch_system_says_may_be_anything(environment: dict[str, str]) -> None:
    job = offer.batch_job(environment)
    assert job is None or job.id.isdigit()
    try:
        made = offer.offer(Wanted(), job, LAPTOP, NOON)
    except ClientError:
        return
    assert made.cpus >= 1 and made.memory_mib >= 128
    assert made.ends_at is None or made.ends_at > NOON


@given(st.text(), st.none() | st.integers(0, 10**12).map(lambda number: BatchJob(str(number))))
def test_a_worker_without_a_name_gets_one_that_the_pool_takes(host: str, job: BatchJob | None) -> None:
    assert LABEL.fullmatch(offer.label(host, job))


def test_machines_in_one_cluster_have_names_of_their_own() -> None:
    assert offer.label("Node7.hpc.example.org", BatchJob("123")) == "node7-123"
    assert offer.label("laptop", None) == "laptop"


def test_this_machine_is_not_empty() -> None:
    assert here().cpus >= 1 and here().free_mib > 0
