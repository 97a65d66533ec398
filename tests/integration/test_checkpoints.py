"""A job goes on from its last checkpoint when its worker has died, on real parts."""

from __future__ import annotations

from real_parts import RealPool, until

COUNTING = (
    "n=$(cat state/n 2>/dev/null || echo 0); echo from $n restart=$PROMINENCE_RESTART; mkdir -p state; "
    "while [ $n -lt 60 ]; do n=$((n+1)); echo $n > state/n.new; mv state/n.new state/n; sleep 1; echo at $n; done"
)


def test_a_job_whose_worker_is_killed_goes_on_where_its_last_checkpoint_was(pool: RealPool, tiny_image: str) -> None:
    task = {"image": tiny_image, "cmd": "sh -c " + repr(COUNTING), "runtime": "docker"}
    job = pool.submit(task, policies={"checkpoint": {"path": "state", "interval": 0.1}}, outputFiles=["state/n"])
    pool.wait_for(job, "running")
    objects = pool.state / "objects"
    until(lambda: any("checkpoints" in str(path) for path in objects.rglob("-*")), 90, lambda: str(pool.describe(job)))
    until(lambda: "at 12\n" in pool.output(job), 60)
    name = pool.describe(job)["execution"]["worker"]
    (worker,) = (one for one in pool.containers("worker") if one.labels["prominence.worker"] == name)
    worker.kill()
    described = pool.finish(job, timeout_s=300)
    assert described["status"] == "completed", described
    begun = [line for line in pool.output(job).splitlines() if line.startswith("from ")]
    assert begun[-1].endswith("restart=1"), begun
    assert 6 <= int(begun[-1].split()[1]) < 60, begun
    assert described["execution"]["checkpoint"]["restored"] is True
    assert described["execution"]["retries"] == 1
    # The latest alone is kept.
    kept = [path for path in objects.rglob("-*") if "checkpoints" in str(path)]
    assert len(kept) == 1, kept
