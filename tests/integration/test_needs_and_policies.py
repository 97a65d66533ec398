"""What a job asks for and how it wants to be treated, seen from inside its containers, on real parts."""

from __future__ import annotations

from typing import Any

import pytest
from real_parts import RealPool, until

SEEN = "sh -c 'echo $PROMINENCE_CPUS $PROMINENCE_MEMORY'"
FAILS_TWICE = "sh -c 'echo x >> tries; test $(wc -l < tries) -gt 2'"


@pytest.mark.parametrize(
    ("asked", "seen"),
    [
        ({"cpusRange": [1, 2], "memoryPerCpu": 0.3}, {"1 0.3", "2 0.6"}),
        ({"cpusOptions": [1, 64], "memory": 0.3}, {"1 0.3"}),
        ({"cpus": 2, "memoryPerCpu": 0.25}, {"2 0.5"}),
    ],
)
def test_a_job_knows_what_it_has_got(pool: RealPool, tiny_image: str, asked: dict[str, Any], seen: set[str]) -> None:
    job = pool.submit({"image": tiny_image, "cmd": SEEN}, resources={**asked, "disk": 0.1})
    described = pool.finish(job)
    assert described["status"] == "completed", described
    output = pool.output(job).strip()
    assert output in seen
    provisioned = described["execution"]["provisionedResources"]
    assert f"{provisioned['cpus']:g}" == output.split()[0]
    assert asked.items() <= described["resources"].items()


def test_a_job_with_gpus_in_a_pool_without_any_is_told_so(pool: RealPool, tiny_image: str) -> None:
    job = pool.submit(
        {"image": tiny_image}, resources={"memory": 0.2, "disk": 0.1, "gpus": {"count": 1, "capability": 8}}
    )
    described = until(lambda: _waiting(pool, job), 60)
    assert described["statusReasonCode"] == "NoFlavourFits"
    assert "asks for 1 GPU" in described["statusReason"]
    assert described["resources"]["gpus"] == {"count": 1, "capability": 8}
    pool.request("DELETE", f"/jobs/{job}")


def _waiting(pool: RealPool, job: int) -> dict[str, Any] | None:
    described = pool.describe(job)
    return described if described["status"] == "waiting" else None


def test_a_task_is_run_again_where_it_was(pool: RealPool, tiny_image: str) -> None:
    job = pool.submit({"image": tiny_image, "cmd": FAILS_TWICE}, policies={"maximumTaskRetries": 2})
    described = pool.finish(job)
    assert described["status"] == "completed", described
    assert described["execution"]["tasks"][0]["retries"] == 2
    assert described["execution"]["retries"] == 0


def test_a_job_that_fails_runs_again_as_often_as_it_may(pool: RealPool, tiny_image: str) -> None:
    job = pool.submit({"image": tiny_image, "cmd": "sh -c 'exit 3'"}, policies={"maximumRetries": 2})
    described = pool.finish(job)
    assert (described["status"], described["exitCode"]) == ("failed", 3), described
    # A start that the pool itself has cut off is none of its tries.
    assert sum(one.get("exitCode") == 3 for one in described["attempts"]) == 3, described
    assert described["execution"]["retries"] == len(described["attempts"]) - 1, described
    assert described["policies"] == {"maximumRetries": 2}


def test_tasks_behind_one_that_fails_run_where_that_is_ignored(pool: RealPool, tiny_image: str) -> None:
    tasks = [{"image": tiny_image, "cmd": cmd} for cmd in ("sh -c 'exit 3'", "echo second")]
    described = pool.finish(pool.submit(*tasks, policies={"ignoreTaskFailures": True}))
    assert (described["status"], described["exitCode"]) == ("failed", 3)
    assert [task["exitCode"] for task in described["execution"]["tasks"]] == [3, 0]


def test_a_job_whose_tasks_may_fail_is_completed(pool: RealPool, tiny_image: str) -> None:
    policies = {"reportJobSuccessOnTaskFailure": True, "maximumRetries": 1}
    described = pool.finish(pool.submit({"image": tiny_image, "cmd": "sh -c 'exit 3'"}, policies=policies))
    assert (described["status"], described["execution"]["retries"]) == ("completed", 0)
    assert described["execution"]["tasks"][0]["exitCode"] == 3


@pytest.mark.slow
def test_a_job_that_waits_for_too_long_is_ended_and_says_so(pool: RealPool, tiny_image: str) -> None:
    job = pool.submit(
        {"image": tiny_image, "cmd": "true"},
        resources={"cpus": 512, "memory": 1, "disk": 1},
        policies={"maximumTimeInQueue": 1},
    )
    described = pool.finish(job, timeout_s=240)
    assert (described["status"], described["statusReasonCode"]) == ("killed", "QueueTimeExceeded")
