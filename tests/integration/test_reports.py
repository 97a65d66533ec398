"""What is told of how a job has run, on real parts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from real_executor import Registry, trusted_registry
from real_parts import RealPool, until

WORK = "head -c 20000000 /dev/zero | tr '\\0' x > /tmp/x; x=$(cat /tmp/x); sha256sum /tmp/x; echo y > out.txt; sleep 1"


@pytest.fixture(scope="module")
def registry(pool: RealPool, tiny_image: str) -> Iterator[Registry]:
    with trusted_registry(pool, tiny_image) as registry:
        yield registry


LIVELY = "x=$(head -c 20000000 /dev/zero | tr '\\0' x); head -c 5000000 /dev/zero > f; sleep 600; echo ${#x}"


def images(registry: Registry, tiny_image: str) -> dict[str, str]:
    """By runtime: one that the engine has, one that Apptainer can fetch."""
    return {"docker": tiny_image, "apptainer": f"{registry.host}/tiny:1"}


def test_what_running_tasks_use_is_told(pool: RealPool, registry: Registry, tiny_image: str) -> None:
    jobs = []
    for runtime, image in images(registry, tiny_image).items():
        jobs.append(pool.submit({"image": image, "cmd": f"sh -c {LIVELY!r}", "runtime": runtime}))

    def live(job: int) -> Any:
        told = pool.describe(job)["execution"].get("live", {})
        return told if told.get("diskUsageKB", 0) > 4000 else None

    for job in jobs:
        told = until(partial(live, job), 150, lambda: str([pool.describe(one) for one in jobs]))
        assert 0 < told["cpuTimeUsage"] < 60
        assert 19_000 < told["memoryUsageKB"] < 200 * 1024
        assert abs(told["time"] - time.time()) < 300
        assert "Uses now" in pool.run("describe", str(job)).stdout
    for job in jobs:
        pool.request("DELETE", f"/jobs/{job}")
        assert "live" not in pool.finish(job)["execution"]


@pytest.mark.parametrize(("runtime", "pulled"), [("docker", "cached"), ("apptainer", "completed")])
def test_what_each_task_used_and_each_file_took_is_told(
    pool: RealPool, registry: Registry, tiny_image: str, runtime: str, pulled: str
) -> None:
    work = {"image": images(registry, tiny_image)[runtime], "cmd": f"sh -c {WORK!r}", "runtime": runtime}
    job = pool.submit(work, {**work, "cmd": "sh -c 'kill -SEGV $$'"}, outputFiles=["out.txt"])
    described = pool.finish(job)
    assert (described["status"], described["exitCode"]) == ("failed", 139), described
    execution = described["execution"]
    first, second = execution["tasks"]
    assert (first["exitCode"], first["retries"], first["runtime"]) == (0, 0, runtime)
    assert (first["imagePullStatus"], "imagePullTime" in first) == (pulled, pulled == "completed")
    assert 0.1 < first["cpuTimeUsage"] < first["wallTimeUsage"] * 2 + 1
    assert 19_000 < first["maxResidentSetSizeKB"] < 200 * 1024
    assert (second["exitCode"], second["imagePullStatus"]) == (139, "cached")
    assert set(execution["cpu"]) == {"vendor", "model", "clock"}
    assert execution["runtimeVersion"][runtime]
    assert execution["maxMemoryUsageKB"] == max(first["maxResidentSetSizeKB"], second.get("maxResidentSetSizeKB", 0))
    [kept] = execution["stageOut"]
    assert (kept["name"], kept["status"], kept["size"], execution["stageOutBytes"]) == ("out.txt", "success", 2, 2)
    assert "Peak memory" in pool.run("describe", str(job)).stdout
