"""What happens inside a job's containers, on real parts."""

from __future__ import annotations

import pytest
from real_parts import RealPool, until


def test_tasks_run_in_order_and_share_the_jobs_home(pool: RealPool, tiny_image: str) -> None:
    job = pool.submit(
        {"image": tiny_image, "cmd": "sh -c 'echo one > note; echo first'"},
        {"image": tiny_image, "cmd": "sh -c 'cat note; echo second >&2'"},
    )
    described = pool.finish(job)
    assert described["status"] == "completed", described
    assert pool.output(job) == "first\none\n"
    assert pool.output(job, "stderr") == "second\n"
    assert [task["exitCode"] for task in described["execution"]["tasks"]] == [0, 0]


def test_the_first_task_that_fails_ends_the_job_with_its_exit_code(pool: RealPool, tiny_image: str) -> None:
    job = pool.submit(
        {"image": tiny_image, "cmd": "true"},
        {"image": tiny_image, "cmd": "sh -c 'exit 7'"},
        {"image": tiny_image, "cmd": "echo never"},
    )
    described = pool.finish(job)
    assert described["status"] == "failed"
    assert described["exitCode"] == 7
    assert described["statusReasonCode"] == "TaskFailed"
    assert [task["exitCode"] for task in described["execution"]["tasks"]] == [0, 7]
    assert pool.output(job) == ""


def test_run_wait_exits_with_the_jobs_code(pool: RealPool, tiny_image: str) -> None:
    done = pool.run("create", "--wait", "--disk", "1", tiny_image, "sh -c 'exit 42'", check=False)
    assert done.returncode == 42, done.stderr


def test_what_a_user_writes_reaches_the_container_unchanged(pool: RealPool, tiny_image: str) -> None:
    value = "a 'b' \"c\" $(id) `id` $HOME \\ ; | & \n ünïcode $$(Name) ${x} %"
    job = pool.submit({"image": tiny_image, "cmd": """sh -c 'printf "%s" "$HOSTILE"'""", "env": {"HOSTILE": value}})
    assert pool.finish(job)["status"] == "completed"
    assert pool.output(job) == value


@pytest.mark.parametrize(
    "attempt",
    [
        "ls /var/run/docker.sock /run/prominence",
        "ls /etc/condor",
        "nc -w 2 ap 9618",
        "wget -T 2 -O - http://ap:8080/prominence/v1/health",
        "touch /etc/owned",
        "mknod /tmp/disk b 254 0",
    ],
)
def test_a_task_cannot_reach_what_is_not_its_own(pool: RealPool, tiny_image: str, attempt: str) -> None:
    job = pool.submit({"image": tiny_image, "cmd": attempt})
    described = pool.finish(job)
    assert described["status"] == "failed"
    assert described["statusReasonCode"] == "TaskFailed"
    assert pool.output(job) == ""


def test_too_much_memory_is_named(pool: RealPool, tiny_image: str) -> None:
    job = pool.submit({"image": tiny_image, "cmd": "dd if=/dev/zero of=/dev/null bs=600M count=1"})
    described = pool.finish(job)
    assert described["status"] == "killed", described
    assert described["statusReasonCode"] == "MemoryExceeded"


def test_output_can_be_read_while_the_job_runs(pool: RealPool, tiny_image: str) -> None:
    job = pool.submit({"image": tiny_image, "cmd": "sh -c 'echo early; sleep 600'"})
    pool.wait_for(job, "running")
    until(lambda: pool.output(job) == "early\n", 30, lambda: repr(pool.output(job)))
    pool.request("DELETE", f"/jobs/{job}")
    pool.finish(job)
