"""How a task of several processes is launched: each MPI's own launcher, inside the task's container. Pure.

Open MPI counts cores and would start no more processes than it finds; a worker may have more than its machine.
"""

from __future__ import annotations

from typing import Dict, Sequence, Tuple

from prominence.core.plan import ExecutionPlan, PlannedTask

FIRST_PORT, LAST_PORT = 32768, 60999
"""At which nodes of a job reach each other: those that Linux gives to who asks for any."""
LAUNCHER = "mpirun"
"""Of every MPI, somewhere on the image's PATH."""


def command(
    task: PlannedTask, plan: ExecutionPlan, hosts: Sequence[Tuple[str, int]] = (), address: str = ""
) -> Tuple[str, ...]:
    """What is run for this task: its command as it is where it is no MPI's.

    hosts: the workers of a job of several nodes, each with how many, the first by its own host's name, as it calls
    itself. address: that of the first: nobody need be able to look its name up.
    """
    if task.mpi is None:
        return task.command
    return (LAUNCHER, *_words(task.mpi, task.processes or plan.cpus, hosts, address), *task.command)


def environment(agent: str) -> Dict[str, str]:
    """By which launchers find what stands in for ssh, where there are several nodes."""
    return {
        # No daemon starts others: only the first node's executor is asked for anything.
        "PRTE_MCA_plm_ssh_agent": agent,
        "PRTE_MCA_plm_ssh_no_tree_spawn": "1",
        "OMPI_MCA_plm_rsh_agent": agent,
        "OMPI_MCA_plm_rsh_no_tree_spawn": "1",
        # Its processes would listen at ports that the workers' packet filters keep closed.
        "OMPI_MCA_btl_tcp_port_min_v4": str(FIRST_PORT),
        "OMPI_MCA_btl_tcp_port_range_v4": str(LAST_PORT - FIRST_PORT + 1),
        "HYDRA_LAUNCHER": "ssh",
        "HYDRA_LAUNCHER_EXEC": agent,
        "I_MPI_HYDRA_BOOTSTRAP": "ssh",
        "I_MPI_HYDRA_BOOTSTRAP_EXEC": agent,
    }


def _words(mpi: str, each: int, hosts: Sequence[Tuple[str, int]], address: str) -> Tuple[str, ...]:
    number = str(each * max(1, sum(nodes for _, nodes in hosts)))
    if mpi == "openmpi":
        slots = ",".join(f"{host}:{each * nodes}" for host, nodes in hosts or (("localhost", 1),))
        # A daemon that leaves its command would be taken for one that has ended.
        stays = ("--leave-session-attached",) if hosts else ()
        return (*stays, "--host", slots, "-np", number, "--bind-to", "none")
    if hosts:
        first = ("-localhost", address) if mpi == "mpich" else ()
        named = ((address, hosts[0][1]), *hosts[1:])
        return (*first, "-hosts", ",".join(f"{host}:{each * nodes}" for host, nodes in named), "-n", number)
    return (
        ("-launcher", "fork", "-n", number) if mpi == "mpich" else ("-bootstrap", "fork", "-n", number, "-ppn", number)
    )
