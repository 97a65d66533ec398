"""`prominence whoami` and `prominence token`: what is asked of the API, and what is printed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from builders_cli import NOON, FakeApi, refused, refusing, run_command

from prominence.core.error_reasons import ErrorReason

RECORD = {
    "id": "4c2f",
    "user": "alice",
    "name": "nightly\x1b[2J",
    "scopes": ["jobs:read", "kv:read"],
    "expires": NOON,
}
WHO = {"user": "alice", "groups": ["physics", "a b"], "roles": ["user"], "scopes": ["kv:read"], "expires": NOON}


def an_api(status: int, body: Any) -> FakeApi:
    api = FakeApi()
    api.instead.append(refusing(status, body))
    return api


def test_who_we_are_is_told_a_fact_a_line() -> None:
    assert run_command(an_api(200, WHO), "whoami").stdout == (
        "User      alice\nGroups    physics a b\nRoles     user\nScopes    kv:read\nExpires   2023-11-14 22:13:20\n"
    )
    assert json.loads(run_command(an_api(200, WHO), "whoami", "-o", "json").stdout) == WHO


def test_a_new_token_is_all_that_goes_to_standard_output() -> None:
    api = an_api(201, {**RECORD, "token": "x.y.z"})
    words = ["--name", "nightly", "--scope", "jobs:read", "--scope", "kv:read", "--days", "3"]
    result = run_command(api, "token", "create", *words)
    assert (result.stdout, result.stderr) == ("x.y.z\n", "Token 4c2f, good until 2023-11-14 22:13:20:\n")
    sent = api.asked[0].body
    assert isinstance(sent, bytes)
    assert json.loads(sent) == {"name": "nightly", "scopes": ["jobs:read", "kv:read"], "days": 3}


def test_what_is_not_said_is_left_to_the_service() -> None:
    api = an_api(201, {**RECORD, "token": "x.y.z"})
    assert json.loads(run_command(api, "token", "create", "-o", "json").stdout)["token"] == "x.y.z"
    assert api.asked[0].body == b"{}"


def test_an_operator_makes_a_token_for_a_service() -> None:
    api = an_api(201, RECORD)
    run_command(api, "token", "create", "--service", "portal", "--group", "a", "--group", "b")
    assert json.loads(api.asked[0].body or b"") == {"service": "portal", "groups": ["a", "b"]}


def test_tokens_are_listed_and_cannot_steer_the_terminal() -> None:
    api = FakeApi()
    api.instead.extend([refusing(200, [RECORD]), refusing(200, [])])
    assert run_command(api, "token", "list").stdout.splitlines() == [
        "ID     USER    NAME             SCOPES              EXPIRES",
        "4c2f   alice   nightly\\x1b[2J   jobs:read kv:read   2023-11-14 22:13:20",
    ]
    run_command(api, "token", "list", "--all")
    assert api.paths == ["GET /tokens", "GET /tokens?all=true"]


def test_tokens_are_revoked_by_their_ids() -> None:
    api = FakeApi()
    api.instead.extend([refusing(200, {}), refused(400, "There is no token 'b' of yours.", ErrorReason.NOT_FOUND)])
    result = run_command(api, "token", "revoke", "a/../b", "b")
    assert (result.exit_code, result.stdout) == (125, "Token a/../b revoked\n")
    assert api.paths == ["DELETE /tokens/a%2F..%2Fb", "DELETE /tokens/b"]


def test_a_token_for_workers_of_ones_own_is_all_that_goes_to_standard_output() -> None:
    made = {"token": "x.y.z", "owner": "alice-0a", "expires": NOON}
    api = FakeApi()
    api.instead.extend([refusing(201, made), refusing(201, made), refusing(200, {})])
    result = run_command(api, "token", "worker")
    said = "For workers whose names end with .alice-0a, good until 2023-11-14 22:13:20:\n"
    assert (result.stdout, result.stderr) == ("x.y.z\n", said)
    assert json.loads(run_command(api, "token", "worker", "-o", "json").stdout) == made
    assert run_command(api, "token", "worker", "--revoke").stdout == "All tokens for your workers revoked\n"
    assert api.paths == ["POST /token", "POST /token", "DELETE /token"]


@pytest.mark.parametrize("words", [("whoami",), ("token", "list"), ("token", "create")])
@pytest.mark.parametrize("body", [b"<html>", None, 5])
def test_a_strange_answer_is_said(words: tuple[str, ...], body: Any) -> None:
    result = run_command(an_api(200, body), *words)
    assert result.exit_code == 125
    assert "not one that a PROMINENCE API gives" in result.stderr
