"""A real pool calls a real program of its user's when a job has ended: signed, once, and nothing of it leaks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

import pytest
from real_parts import RealPool, gateway, until
from webhook_server import Letter, WebhookServer, running

from prominence.restapi.webhooks.shelves import CALLS, place_of


@pytest.fixture
def program(pool: RealPool) -> Iterator[WebhookServer]:
    """Where the pool's containers reach it."""
    with running(gateway(pool.engine)) as server:
        yield server


@pytest.fixture
def webhook(pool: RealPool, program: WebhookServer) -> Iterator[dict[str, Any]]:
    """One that is registered, by our command."""
    made = json.loads(pool.run("webhook", "create", f"{program.url}/hook", "--name", "test", "-o", "json").stdout)
    yield made
    pool.run("webhook", "delete", made["id"])


def believed(letter: Letter, secret: str) -> dict[str, Any]:
    """What it says, if the signature is good: by the words of the specification, with nothing of the product's."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    stamp = f"{letter.headers['webhook-id']}.{letter.headers['webhook-timestamp']}.".encode()
    good = base64.b64encode(hmac.new(key, stamp + letter.body, hashlib.sha256).digest()).decode()
    assert f"v1,{good}" in letter.headers["webhook-signature"].split(" ")
    return dict(json.loads(letter.body))


def nothing_left(pool: RealPool, webhook: str) -> None:
    """To be told to it: its calls come from letters that are gone by then."""
    with pool.store() as store:
        until(lambda: not [key for key in CALLS.all(store) if place_of(key).endswith(webhook)], 60)


def test_a_job_ends_and_its_users_program_is_called_once(
    pool: RealPool, tiny_image: str, program: WebhookServer, webhook: dict[str, Any]
) -> None:
    create = ["create", "--notify-webhook", "--name", "fit", "--cpus", "1", "--memory", "0.2", "--disk", "0.1"]
    program.answers = [503]
    job = int(pool.run(*create, tiny_image, "sh -c 'exit 3'").stdout.split()[-1])
    pool.finish(job)
    first, second = program.wait(2, timeout_s=120)
    nothing_left(pool, webhook["id"])
    assert len(program.letters) == 2, "the first was answered by 503"
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    told = believed(second, webhook["secret"])
    assert told == believed(first, webhook["secret"])
    data = told["data"]
    assert (told["type"], data["id"], data["name"], data["status"]) == ("jobFinished", job, "fit", "failed")
    assert (data["reason"], data["exitCode"]) == ("TaskFailed", 3)
    assert pool.describe(job)["notifications"] == [{"event": "jobFinished", "type": "webhook"}]
    [shown] = [one for one in pool.request("GET", "/webhooks").json() if one["id"] == webhook["id"]]
    assert shown["failures"] == 0 and shown["takenAt"] > 0 and "secret" not in shown
    secret = webhook["secret"].removeprefix("whsec_")
    found = pool.inside(
        "access-point", "sh", "-c", f"grep -rl -e '{secret}' {pool.state}/log {pool.state}/jobs || true"
    )
    assert found == ""
    with pool.store() as store:
        assert all(secret.encode() not in one.value for one in store.list("/prominence/webhooks/"))


def test_the_pools_own_machines_are_not_called(pool: RealPool) -> None:
    for url in ("http://127.0.0.1:8080/", "https://169.254.169.254/latest/meta-data/", "https://[::1]:2379/"):
        answer = pool.request("POST", "/webhooks", json={"url": url})
        assert (answer.status_code, answer.json()["error"][:4]) == (400, "url:"), url
