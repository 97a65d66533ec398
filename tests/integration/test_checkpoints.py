"""A job goes on from its last checkpoint when its worker has died, on real parts."""

from __future__ import annotations

from pathlib import Path

from counting import begun, counting
from real_parts import RealPool, until


def test_a_job_whose_worker_is_killed_goes_on_where_its_last_checkpoint_was(pool: RealPool, tiny_image: str) -> None:
    objects = pool.state / "objects"
    others = set(checkpoints(objects))
    task = {"image": tiny_image, "cmd": counting(60), "runtime": "docker"}
    job = pool.submit(task, policies={"checkpoint": {"path": "state", "interval": 0.1}}, outputFiles=["state/n"])
    pool.wait_for(job, "running")
    until(lambda: {*checkpoints(objects)} - others, 90, lambda: str(pool.describe(job)))
    until(lambda: "at 12\n" in pool.output(job), 60)
    name = pool.describe(job)["execution"]["worker"]
    (worker,) = (one for one in pool.containers("worker") if one.labels["prominence.worker"] == name)
    worker.kill()
    described = pool.finish(job, timeout_s=300)
    assert described["status"] == "completed", described
    starts = begun(pool.output(job))
    assert starts[-1].endswith("restart=1"), starts
    assert 6 <= int(starts[-1].split()[1]) < 60, starts
    assert described["execution"]["checkpoint"]["restored"] is True
    assert described["execution"]["retries"] == 1
    # The latest alone is kept.
    kept = {*checkpoints(objects)} - others
    assert len(kept) == 1, kept


def checkpoints(objects: Path) -> list[Path]:
    """All that there are, of whichever jobs."""
    return [path for path in objects.rglob("-*") if "checkpoints" in str(path)]
