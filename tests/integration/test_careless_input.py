"""What people get wrong, and what they are told, on real parts."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest
from real_executor import Registry
from real_parts import RealPool, until


def _refused(pool: RealPool, document: Any) -> str:
    answer = pool.request("POST", "/jobs", json=document)
    assert answer.status_code == 400, answer.text
    assert set(answer.json()) >= {"error"}
    return str(answer.json()["error"])


def test_a_job_without_tasks_is_refused(pool: RealPool) -> None:
    assert "tasks" in _refused(pool, {"resources": {"cpus": 1}})
    assert "tasks" in _refused(pool, {"tasks": [], "resources": {"cpus": 1}})


def test_a_wrong_type_is_named_with_its_path(pool: RealPool) -> None:
    error = _refused(pool, {"tasks": [{"image": "busybox"}], "resources": {"cpus": "many"}})
    assert "resources.cpus" in error


def test_an_unknown_field_is_named_with_its_path(pool: RealPool) -> None:
    error = _refused(pool, {"tasks": [{"image": "busybox", "colour": "red"}], "resources": {"cpus": 1}})
    assert "tasks[0].colour" in error


def test_five_mistakes_are_all_named_at_once(pool: RealPool) -> None:
    error = _refused(
        pool,
        {
            "name": "two\nlines",
            "labels": {"key": "value with spaces"},
            "tasks": [{"image": "NOT AN IMAGE", "cmd": "unbalanced '"}],
            "resources": {"cpus": 0},
        },
    )
    for path in ("name", "labels", "tasks[0].image", "tasks[0].cmd", "resources.cpus"):
        assert path in error


def test_an_image_that_does_not_exist_fails_once_and_is_named(pool: RealPool) -> None:
    with closing(Registry()) as registry:  # which the engine reaches, and Apptainer does not
        missing = f"{registry.host}/missing:1"
        job = pool.submit({"image": missing, "cmd": "true"})
        described = pool.finish(job)
    assert described["status"] == "failed"
    assert missing in described["statusReason"]
    assert described["statusReasonCode"] == "ImageNotFound"
    assert pool.history(job)["NumJobStarts"] == 1


def test_a_command_that_does_not_exist_is_named(pool: RealPool, tiny_image: str) -> None:
    job = pool.submit({"image": tiny_image, "cmd": "no-such-command --help"})
    described = pool.finish(job)
    assert described["status"] == "failed"
    assert "no-such-command" in described["statusReason"]
    assert described["statusReasonCode"] == "CommandNotFound"


def test_a_job_that_fits_no_flavour_says_what_is_nearest(pool: RealPool, tiny_image: str) -> None:
    job = pool.submit({"image": tiny_image, "cmd": "true"}, resources={"cpus": 512, "memory": 1, "disk": 1})
    described = until(
        lambda: (d := pool.describe(job)).get("statusReasonCode") == "NoFlavourFits" and d,
        30,
        lambda: str(pool.describe(job)),
    )
    assert described["status"] == "waiting"
    assert "512" in described["statusReason"]
    assert "large" in described["statusReason"], "the nearest flavour is named"
    assert pool.request("DELETE", f"/jobs/{job}").status_code == 200


def test_walltime_ends_the_whole_tree(pool: RealPool, tiny_image: str) -> None:
    stubborn = "trap '' TERM; (setsid sleep 600 &) ; while :; do sleep 1; done"
    job = pool.submit(
        {"image": tiny_image, "cmd": f'sh -c "{stubborn}"'},
        resources={"cpus": 1, "memory": 0.2, "disk": 0.1, "walltime": 1},
    )
    described = pool.finish(job, timeout_s=150)
    assert described["status"] == "killed"
    assert described["statusReasonCode"] == "WalltimeExceeded"
    assert "60 s" in described["statusReason"] or "1 min" in described["statusReason"]
    until(lambda: not pool.tasks_of(job), 30)


def test_an_idle_job_can_be_deleted(pool: RealPool, tiny_image: str) -> None:
    job = pool.submit({"image": tiny_image, "cmd": "true"}, resources={"cpus": 512, "memory": 1, "disk": 1})
    answer = pool.request("DELETE", f"/jobs/{job}")
    assert (answer.status_code, answer.json()) == (200, {})
    described = pool.finish(job)
    assert described["status"] == "deleted"
    assert described["statusReason"]


def test_a_running_job_can_be_deleted_and_nothing_of_it_runs_on(pool: RealPool, tiny_image: str) -> None:
    job = pool.submit({"image": tiny_image, "cmd": "sleep 600"})
    pool.wait_for(job, "running")
    until(lambda: pool.tasks_of(job), 30)
    assert pool.request("DELETE", f"/jobs/{job}").status_code == 200
    assert pool.finish(job)["status"] == "deleted"
    until(lambda: not pool.tasks_of(job), 30)


def test_deleting_what_is_not_there_is_an_error_but_not_404(pool: RealPool) -> None:
    answer = pool.request("DELETE", "/jobs/999999")
    assert answer.status_code == 400
    assert answer.json()["error"]


@pytest.mark.parametrize("path", ["/jobs", "/jobs/1", "/jobs/1/stdout"])
@pytest.mark.parametrize("header", ["", "Bearer", "Bearer not.a.token", "Basic dXNlcjpwYXNz"])
def test_without_a_valid_token_nothing_is_told(pool: RealPool, path: str, header: str) -> None:
    answer = pool.request("GET", path, headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.json()["error"]


def test_an_unknown_address_answers_json(pool: RealPool) -> None:
    answer = pool.request("GET", "/no/such/thing")
    assert answer.status_code == 400
    assert answer.json()["error"]
