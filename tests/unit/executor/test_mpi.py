from __future__ import annotations

import pytest
from builders_executor import a_plan, a_planned_task

from prominence.executor import mpi


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("openmpi", "mpirun --host localhost:4 -np 4 --bind-to none fit --fast"),
        ("mpich", "mpirun -launcher fork -n 4 fit --fast"),
        ("intelmpi", "mpirun -bootstrap fork -n 4 -ppn 4 fit --fast"),
    ],
)
def test_each_mpi_is_launched_in_its_own_way_with_a_process_for_each_core(kind: str, words: str) -> None:
    task = a_planned_task(command=("fit", "--fast"), mpi=kind)
    assert " ".join(mpi.command(task, a_plan(task, cpus=4))) == words


def test_fewer_processes_leave_cores_for_threads() -> None:
    task = a_planned_task(command=("fit",), mpi="mpich", processes=2)
    assert mpi.command(task, a_plan(task, cpus=8)) == ("mpirun", "-launcher", "fork", "-n", "2", "fit")


def test_other_tasks_are_run_as_they_are() -> None:
    task = a_planned_task(command=("fit",))
    assert mpi.command(task, a_plan(task)) == ("fit",)


APART, TOGETHER = (("a", 1), ("10.0.0.2", 1)), (("a", 2), ("10.0.0.2", 1))


@pytest.mark.parametrize(
    ("kind", "hosts", "words"),
    [
        ("openmpi", APART, "--leave-session-attached --host a:2,10.0.0.2:2 -np 4 --bind-to none"),
        ("openmpi", TOGETHER, "--leave-session-attached --host a:4,10.0.0.2:2 -np 6 --bind-to none"),
        ("mpich", APART, "-localhost 10.0.0.1 -hosts 10.0.0.1:2,10.0.0.2:2 -n 4"),
        ("mpich", TOGETHER, "-localhost 10.0.0.1 -hosts 10.0.0.1:4,10.0.0.2:2 -n 6"),
        ("intelmpi", APART, "-hosts 10.0.0.1:2,10.0.0.2:2 -n 4"),
    ],
)
def test_on_several_nodes_each_has_its_processes(kind: str, hosts: tuple[tuple[str, int], ...], words: str) -> None:
    task = a_planned_task(command=("fit",), mpi=kind)
    assert " ".join(mpi.command(task, a_plan(task, cpus=2), hosts, "10.0.0.1")) == f"mpirun {words} fit"


def test_every_launcher_is_told_what_stands_in_for_ssh() -> None:
    told = mpi.environment("/tmp/agent")
    assert [name for name, value in told.items() if value == "/tmp/agent"] == [
        "PRTE_MCA_plm_ssh_agent",
        "OMPI_MCA_plm_rsh_agent",
        "HYDRA_LAUNCHER_EXEC",
        "I_MPI_HYDRA_BOOTSTRAP_EXEC",
    ]
