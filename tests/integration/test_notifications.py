"""A real pool's user is told by a real mail server that jobs have ended: once, whatever happens meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from mail_server import Delivered, MailServer
from real_parts import MAIL_TO, RealPool, until

from prominence.restapi.mail import outbox

BY_EMAIL = [{"event": "jobFinished", "type": "email"}]


@pytest.fixture
def mail(mail_server: MailServer) -> Iterator[MailServer]:
    """The pool's mail server, not yet there, with nothing in it."""
    mail_server.delivered.clear()
    yield mail_server
    mail_server.stop()
    mail_server.meanwhile = lambda: None


def finished(pool: RealPool, image: str, cmd: str = "true", **changes: Any) -> int:
    """A job whose user wants to be told, and that has ended."""
    job = pool.submit({"image": image, "cmd": cmd}, **{"notifications": BY_EMAIL, **changes})
    pool.finish(job)
    return job


def all_told(pool: RealPool, mail: MailServer, count: int) -> list[Delivered]:
    """All that has come, when nothing is left to be sent."""
    mail.wait(count)
    with pool.store() as store:
        until(lambda: outbox.LETTERS.all(store) == {}, 60)
    assert len(mail.delivered) == count, [one.message["Subject"] for one in mail.delivered]
    return mail.delivered


def kill(pool: RealPool, process: str) -> None:
    pool.inside("access-point", "pkill", "-KILL", "-f", process)


def said(pool: RealPool) -> list[dict[str, Any]]:
    """What the process that sends has logged."""
    return [json.loads(line) for line in (pool.state / "log/mail/mail.log").read_text().splitlines()]


def test_a_job_ends_and_its_user_is_told_once(pool: RealPool, tiny_image: str, mail: MailServer) -> None:
    mail.start()
    create = ["create", "--notify", "--name", "fit", "--cpus", "1", "--memory", "0.2", "--disk", "0.1"]
    job = int(pool.run(*create, tiny_image, "sh -c 'exit 3'").stdout.split()[-1])
    pool.finish(job)
    [one] = all_told(pool, mail, 1)
    text = one.message.get_content()
    assert (one.sender, one.recipients, one.message["Subject"]) == (MAIL_TO, (MAIL_TO,), f"Job {job} (fit): failed")
    described = pool.describe(job)
    assert described["notifications"] == BY_EMAIL
    assert f"Reason:     {described['statusReason']}" in text
    assert f"Ran on:     {described['execution']['worker']}" in text
    assert {"Exit code", "Wall time", "Started", "Ended"} <= {line.partition(":")[0] for line in text.splitlines()}


def test_a_mail_server_that_was_away_gets_it_when_it_is_back(pool: RealPool, tiny_image: str, mail: MailServer) -> None:
    before = len(said(pool))
    job = finished(pool, tiny_image)
    until(lambda: any(line["event"] == "users cannot be told for now" for line in said(pool)[before:]), 60)
    mail.start()
    [one] = all_told(pool, mail, 1)
    assert one.message["Subject"] == f"Job {job}: completed"


def test_killed_before_it_could_send_it_sends_once(pool: RealPool, tiny_image: str, mail: MailServer) -> None:
    before = len(said(pool))
    finished(pool, tiny_image)
    until(lambda: any(line["event"] == "users cannot be told for now" for line in said(pool)[before:]), 60)
    kill(pool, "[r]estapi.mail.main")
    mail.start()
    assert len(all_told(pool, mail, 1)) == 1


def test_killed_before_it_could_note_it_sends_the_same_message_twice(
    pool: RealPool, tiny_image: str, mail: MailServer
) -> None:
    def once() -> None:
        mail.meanwhile = lambda: None
        kill(pool, "[r]estapi.mail.main")

    mail.meanwhile = once
    mail.start()
    finished(pool, tiny_image)
    first, second = all_told(pool, mail, 2)
    assert first.message["Message-ID"] == second.message["Message-ID"]


def test_a_workflow_and_a_job_of_it_are_told_of_once_though_the_process_was_killed_meanwhile(
    pool: RealPool, tiny_image: str, mail: MailServer
) -> None:
    def step(name: str, cmd: str, **changes: Any) -> dict[str, Any]:
        small = {"cpus": 1, "memory": 0.2, "disk": 0.1}
        return {"name": name, "tasks": [{"image": tiny_image, "cmd": cmd}], "resources": small, **changes}

    document = {
        "name": "scan",
        "jobs": [step("a", "true"), step("b", "false", notifications=BY_EMAIL)],
        "dependencies": {"a": ["b"]},
        "notifications": [{"event": "workflowFinished", "type": "email"}],
    }
    before = len(said(pool))
    workflow = pool.request("POST", "/workflows", json=document).json()["id"]
    until(lambda: pool.request("GET", f"/workflows/{workflow}").json()[0]["status"] == "failed", 240)
    until(lambda: any(line["event"] == "users cannot be told for now" for line in said(pool)[before:]), 60)
    kill(pool, "[r]estapi.mail.main")
    mail.start()
    subjects = sorted(str(one.message["Subject"]) for one in all_told(pool, mail, 2))
    assert [one.split(maxsplit=2)[0::2] for one in subjects] == [
        ["Job", "(scan/b): failed"],
        ["Workflow", "(scan): failed"],
    ]
    assert subjects[1] == f"Workflow {workflow} (scan): failed"


def test_an_archive_that_is_made_anew_tells_nobody_again(pool: RealPool, tiny_image: str, mail: MailServer) -> None:
    mail.start()
    job = finished(pool, tiny_image)
    all_told(pool, mail, 1)
    archive = pool.inside("access-point", "sh", "-c", 'ls "$PROMINENCE_STATE"/archive/jobs.db*').split()
    pool.inside("access-point", "rm", *archive)
    kill(pool, "[r]estapi.archive.main")
    until(lambda: pool.request("GET", f"/jobs/{job}").status_code == 200 and pool.describe(job), 60)
    later = finished(pool, tiny_image)
    assert [one.message["Subject"] for one in all_told(pool, mail, 2)] == [
        f"Job {job}: completed",
        f"Job {later}: completed",
    ]


def test_the_address_is_in_no_log_no_ad_and_no_directory_of_a_job(
    pool: RealPool, tiny_image: str, mail: MailServer
) -> None:
    mail.start()
    mail.answers[MAIL_TO] = f"550 5.1.1 there is no {MAIL_TO}"
    job = finished(pool, tiny_image)
    until(lambda: any(line["event"] == "a message was refused for ever" for line in said(pool)), 60)
    mail.answers.clear()
    places = [str(pool.state / name) for name in ("jobs", "log", "condor")]
    found = pool.inside(
        "access-point", "sh", "-c", f"grep --recursive --files-with-matches {MAIL_TO} {' '.join(places)} || true"
    )
    assert found == ""
    assert MAIL_TO not in str(pool.history(job))
    assert MAIL_TO not in str(pool.describe(job))
