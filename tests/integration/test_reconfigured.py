"""HTCondor told to read its configuration anew: what it runs for us, and the jobs, go on."""

from __future__ import annotations

from docker.models.containers import Container
from real_parts import RealPool, until


def test_condor_reconfig_ends_none_of_our_processes_and_no_job(pool: RealPool, tiny_image: str) -> None:
    job = pool.submit({"image": tiny_image, "cmd": "sleep 600"})
    worker = pool.wait_for(job, "running")["execution"]["worker"]
    [task] = until(lambda: pool.tasks_of(job), 30)
    machine = next(container for container in pool.containers("worker") if container.name.endswith(worker))
    machines = (machine, pool.containers("access-point")[0])
    before = [_processes(one) for one in machines]
    assert any("broker" in line for line in before[0])
    assert any("scaler" in line for line in before[1])
    masters = ("condor_status", "-master", "-af", "Name")
    until(lambda: {worker, "ap"} <= set(pool.inside("access-point", *masters).split()), 60)
    told = [_hangups(one) for one in machines]
    pool.inside("access-point", "condor_reconfig", "-all")
    until(lambda: all(_hangups(one) > count for one, count in zip(machines, told, strict=True)), 30)
    assert [_processes(one) for one in machines] == before, (pool.state / "log/imc/imc.log").read_text()[-6000:]
    assert pool.describe(job)["status"] == "running"
    assert [container.id for container in pool.tasks_of(job)] == [task.id]
    assert pool.request("DELETE", f"/jobs/{job}").status_code == 200


def _processes(machine: Container) -> list[str]:
    """Those of the master of a machine: HTCondor's own and ours."""
    return sorted(_said(machine, "pgrep", "-P", "1", "-a").splitlines())


def _hangups(machine: Container) -> int:
    """How often the master was told."""
    return int(_said(machine, "sh", "-c", "grep -c SIGHUP $(condor_config_val LOG)/MasterLog || true"))


def _said(machine: Container, *command: str) -> str:
    return str(machine.exec_run(list(command)).output.decode())
