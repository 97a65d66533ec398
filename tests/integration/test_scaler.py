"""The scaler's process on real parts: what wakes it, what it tells Prometheus, what it leaves alone."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families
from real_machines import CPUS, Machines
from real_parts import RealPool, until

from prominence.core.machines import WorkerPhase
from prominence.scaler.adapters.events import EventLog


def test_a_job_that_is_submitted_or_released_is_heard_of_in_htcondors_log(pool: RealPool, tiny_image: str) -> None:
    events = EventLog(pool.state / "condor" / "events" / "jobs")
    task = {"image": tiny_image, "cmd": "true"}
    job = pool.submit(task, policies={"placement": {"requirements": {"sites": ["mars"]}}})
    until(events.heard, 30)
    for act in ("hold", "release"):
        pool.inside("access-point", f"condor_{act}", str(job))
    until(events.heard, 30)
    pool.run("delete", "job", str(job))


READ = "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:9702/metrics').read().decode())"


def _figures(pool: RealPool) -> dict[tuple[str, ...], float]:
    """By name and the values of the labels, in the order of these."""
    text = pool.inside("access-point", "/usr/bin/python3", "-c", READ)
    families = text_string_to_metric_families(text)
    return {
        (sample.name.removeprefix("prominence_scaler_"), *(sample.labels[label] for label in sorted(sample.labels))): (
            sample.value
        )
        for family in families
        for sample in family.samples
    }


def test_prometheus_reads_how_the_scaler_does(pool: RealPool, tiny_image: str) -> None:
    nowhere = pool.submit(
        {"image": tiny_image, "cmd": "true"}, policies={"placement": {"requirements": {"sites": ["mars"]}}}
    )
    pool.finish(pool.submit({"image": tiny_image, "cmd": "true"}))
    told = until(lambda: (found := _figures(pool)).get(("waiting_jobs", "NoSuchPlace")) and found, 30)
    pool.run("delete", "job", str(nowhere))
    assert told["leader",] == 1
    assert told["demand", "cpus"] >= 1
    assert told["room_total", "cpus"] >= 1
    assert told["actions_total", "create", "agreed", "jobs"] >= 1
    assert told["join_seconds_count", "docker"] >= 1
    assert told["decide_seconds_count",] >= 1
    assert 0 <= told["snapshot_age_seconds", "execute_points"] < 60


def test_a_machine_of_the_sites_own_is_drained_on_request_and_otherwise_left_alone(
    pool: RealPool, machines: Machines, tiny_image: str
) -> None:
    rights = ("-authz", "ADVERTISE_STARTD", "-authz", "ADVERTISE_MASTER", "-lifetime", "3600")
    token = pool.inside("access-point", "condor_token_create", "-identity", "static-1@workers", *rights)
    machines.start("static-1", "static-1", token)
    until(lambda: _statics(pool) == "static-1: takes jobs, 0 running", 60)
    ordered = pool.workers().keys()
    first = _large(pool, tiny_image, "sh -c 'while [ ! -e go ]; do sleep 1; done'")
    pool.wait_for(first, "running")
    pool.inside("imc", "prominence-imc", "static", "drain", "static-1", "--reason", "new disks")
    until(lambda: _statics(pool) == "static-1: takes no new jobs, 1 running", 30)
    second = _large(pool, tiny_image, "true")
    pool.run("exec", str(first), "touch", "go")
    assert pool.finish(first)["status"] == "completed"
    until(lambda: _statics(pool) == "static-1: takes no new jobs, 0 running", 60)
    assert pool.describe(second)["status"] == "waiting"
    assert _figures(pool)["execute_points", "yes", "static"] == 1

    pool.inside("imc", "prominence-imc", "static", "undrain", "static-1")
    assert pool.finish(second)["status"] == "completed"
    for job in (first, second):
        assert pool.history(job)["LastRemoteHost"].endswith("@static-1")
    assert pool.workers().keys() == ordered
    machines.stop("static-1")
    until(lambda: _statics(pool) == "", 30)


def test_a_worker_that_keeps_failing_its_jobs_is_drained_and_others_run_them(pool: RealPool, tiny_image: str) -> None:
    task = {"image": tiny_image, "cmd": "sleep 600", "runtime": "docker"}
    size = {"cpus": 1, "memory": 0.2, "disk": 0.1}
    jobs = [pool.submit(task, resources=size) for _ in range(4)]
    pool.wait_for(jobs[0], "running")
    bad = pool.inside("access-point", "condor_q", str(jobs[0]), "-af", "RemoteHost").strip().rpartition("@")[2]
    (worker,) = [one for one in pool.containers("worker") if one.labels["prominence.worker"] == bad]

    def has_noticed() -> bool:
        if sum(task.labels["prominence.worker"] == bad for task in pool.containers("task")) > 1:
            worker.exec_run(["pkill", "-KILL", "-f", "^python3 -I -S /opt/prominence/broker.pyz"])
        return "jobs in a row" in pool.workers()[bad].request.reason

    until(has_noticed, 120, lambda: str(pool.workers()[bad]))
    pool.wait_for(jobs[0], "running")
    elsewhere = pool.inside("access-point", "condor_q", str(jobs[0]), "-af", "RemoteHost").strip().rpartition("@")[2]
    assert elsewhere != bad
    for job in jobs:
        pool.run("delete", "job", str(job))
    until(lambda: pool.workers()[bad].phase is WorkerPhase.DELETED, 60, lambda: str(pool.workers()[bad]))


def test_a_job_that_requires_what_no_machine_has_is_told_so_and_no_machine_is_kept_for_it(
    pool: RealPool, tiny_image: str
) -> None:
    storage = {"type": "onedata", "mountpoint": "/data", "onedata": {"provider": "one.example.org", "token": "x"}}
    job = pool.submit({"image": tiny_image, "cmd": "true"}, storage=storage)
    # Unless one is there, it takes a machine to see that none can mount it.
    told = until(lambda: "storage of type onedata" in (found := pool.run("why", str(job)).stdout) and found, 180)
    assert "NoFlavourFits" in told
    like_it = pool.submit({"image": tiny_image, "cmd": "true"})
    assert pool.finish(like_it)["status"] == "completed"
    pool.run("delete", "job", str(job))


def _statics(pool: RealPool) -> str:
    return pool.inside("imc", "prominence-imc", "static").strip()


def _large(pool: RealPool, image: str, command: str) -> int:
    return pool.submit({"image": image, "cmd": command}, resources={"cpus": CPUS, "memory": 0.2, "disk": 0.1})
