"""What a job has made is kept however it ends, on real parts."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from real_parts import RealPool, run_inside, until

STUBBORN = "echo first > a-1.txt; echo second > a-2.txt; trap 'echo tidied > tidied.txt; exit 9' TERM; echo on; " + (
    "while :; do sleep 0.2; done"
)


def a_running_job(pool: RealPool, image: str, script: str = STUBBORN, **changes: Any) -> int:
    task = {"image": image, "cmd": "sh -c " + repr(script), "runtime": "docker"}
    job = pool.submit(task, **{"outputFiles": ["a-*.txt", "tidied.txt"], **changes})
    pool.wait_for(job, "running")
    until(lambda: "on\n" in pool.output(job), 60)
    return job


def kept(described: dict[str, Any]) -> dict[str, str]:
    outputs = {one["name"]: one["url"] for one in described["outputFiles"]}
    return {name: requests.get(url, timeout=60).text if url else "" for name, url in outputs.items()}


def test_a_job_that_is_deleted_keeps_what_it_has_made(pool: RealPool, tiny_image: str) -> None:
    job = a_running_job(pool, tiny_image)
    pool.request("DELETE", f"/jobs/{job}")
    pool.finish(job)
    expected = {"a-1.txt": "first\n", "a-2.txt": "second\n", "tidied.txt": "tidied\n"}
    until(lambda: kept(pool.describe(job)) == expected, 60, lambda: str(pool.describe(job)))
    described = until(lambda: _with_manifest(pool, job), 60, lambda: str(pool.describe(job)))
    assert (described["status"], described["statusReasonCode"]) == ("deleted", "DeletedByUser")
    assert [one["exitCode"] for one in described["execution"]["tasks"]] == [9]


def _with_manifest(pool: RealPool, job: int) -> dict[str, Any] | None:
    described = pool.describe(job)
    manifest = described["execution"].get("stageOut", [])
    names = [(one["name"], one["status"], one.get("size")) for one in manifest]
    expected = [("a-1.txt", "success", 6), ("a-2.txt", "success", 7), ("tidied.txt", "success", 7)]
    return described if names == expected else None


def test_a_job_that_must_leave_its_worker_keeps_what_it_has_made(pool: RealPool, tiny_image: str) -> None:
    job = a_running_job(pool, tiny_image)
    access_point = pool.containers("access-point")[0]
    code, said = run_inside(access_point, ["condor_vacate_job", str(job)])
    assert code == 0, said
    expected = {"a-1.txt": "first\n", "a-2.txt": "second\n", "tidied.txt": "tidied\n"}
    until(lambda: kept(pool.describe(job)) == expected, 60, lambda: str(pool.describe(job)))
    pool.wait_for(job, "running")
    pool.request("DELETE", f"/jobs/{job}")
    pool.finish(job)


@pytest.mark.parametrize(
    ("script", "policies", "code", "exit_code"),
    [
        ("echo x > a-1.txt", {}, "OutputNotFound", None),
        ("echo x > a-1.txt; exit 3", {"reportJobSuccessOnTaskFailure": True}, "OutputNotFound", None),
        ("echo x > a-1.txt; exit 3", {}, "TaskFailed", 3),
    ],
)
def test_an_output_that_is_missing_fails_the_job_whatever_its_exit_code_is(
    pool: RealPool, tiny_image: str, script: str, policies: dict[str, Any], code: str, exit_code: int | None
) -> None:
    task = {"image": tiny_image, "cmd": "sh -c " + repr(script), "runtime": "docker"}
    described = pool.finish(pool.submit(task, outputFiles=["a-*.txt", "tidied.txt"], policies=policies))
    assert (described["status"], described["statusReasonCode"]) == ("failed", code), described
    assert described.get("exitCode") == exit_code
    statuses = [(one["name"], one["status"]) for one in described["execution"]["stageOut"]]
    assert statuses == [("a-1.txt", "success"), ("tidied.txt", "failedNoSuchFile")]
    assert kept(described) == {"a-1.txt": "x\n", "tidied.txt": ""}
