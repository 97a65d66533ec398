"""Tokens, groups, keys and repeated requests on a real pool, where several processes answer."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import jwt
import pytest
import requests
from real_parts import RealPool, until

MANY = 24
"""Requests, so that every process of the API gets some."""

NEVER = {"cpus": 100_000, "memory": 1, "disk": 1}


def a_login(pool: RealPool, user: str, *groups: str) -> str:
    """As the personal pool makes one for its user."""
    key = (pool.state / "secrets" / "api.key").read_text()
    claims = {"iss": "prominence-local", "aud": "prominence", "sub": user, "groups": list(groups)}
    return jwt.encode({**claims, "exp": int(time.time()) + 3600}, key, algorithm="HS256")


def ask(pool: RealPool, token: str, method: str = "GET", path: str = "/whoami", **options: object) -> requests.Response:
    return pool.request(method, path, headers={"Authorization": f"Bearer {token}"}, **options)


def statuses(pool: RealPool, token: str) -> set[int]:
    """What many requests at once are answered with."""
    with ThreadPoolExecutor(8) as threads:
        return set(threads.map(lambda _: ask(pool, token).status_code, range(MANY)))


@pytest.fixture
def name(pool: RealPool) -> Iterator[str]:
    """A name that no other test uses; jobs of this name are deleted afterwards."""
    mine = f"test-{uuid.uuid4().hex}"
    yield mine
    jobs = pool.request("GET", "/jobs", params={"name": mine}).json()
    if jobs:
        pool.request("DELETE", "/jobs", params={"id": ",".join(str(job["id"]) for job in jobs)})


def test_a_token_for_a_script_is_good_for_what_it_says_until_it_is_revoked(pool: RealPool) -> None:
    token = pool.run("token", "create", "--name", "test", "--scope", "jobs:read", "--days", "1").stdout.strip()
    assert statuses(pool, token) == {200}
    assert ask(pool, token, "GET", "/jobs").status_code == 200
    assert ask(pool, token, "POST", "/jobs", json={}).status_code == 403
    line = next(line for line in pool.run("token", "list").stdout.splitlines() if "test" in line)
    pool.run("token", "revoke", line.split()[0])
    assert statuses(pool, token) == {401}


def test_who_logs_out_is_logged_out_of_every_process(pool: RealPool) -> None:
    mine, other = a_login(pool, "alice", "physics"), a_login(pool, "alice", "chemistry")
    assert statuses(pool, mine) == {200}
    assert ask(pool, mine, "POST", "/logout").json() == {}
    assert (statuses(pool, mine), statuses(pool, other)) == ({401}, {200})


def test_a_job_is_charged_to_the_group_that_it_names(pool: RealPool) -> None:
    login = a_login(pool, "alice", "physics", "/vo/chemistry")
    job = {"tasks": [{"image": "a"}], "resources": NEVER}
    charged = {}
    for group in (None, "/vo/chemistry"):
        answer = ask(pool, login, "POST", "/jobs", json=job | ({"group": group} if group else {}))
        assert answer.status_code == 201, answer.text
        number = answer.json()["id"]
        words = pool.inside("access-point", "condor_q", "-allusers", str(number), "-af", "AcctGroup", "AccountingGroup")
        charged[group] = words.split()
        assert ask(pool, login, "DELETE", f"/jobs/{number}").status_code == 200
    assert charged == {
        None: ["physics", "physics.alice"],
        "/vo/chemistry": ["%2Fvo%2Fchemistry", "%2Fvo%2Fchemistry.alice"],
    }
    refused = ask(pool, login, "POST", "/jobs", json=job | {"group": "phys"})
    assert (refused.status_code, refused.json()["error"]) == (
        400,
        "group: you are not in this group; yours are physics, /vo/chemistry",
    )


def test_neighbours_whose_names_begin_alike_see_nothing_of_each_other(pool: RealPool) -> None:
    bob, bobby = a_login(pool, "bob"), a_login(pool, "bobby")
    assert ask(pool, bob, "POST", "/kv/by/a", data="bob's").status_code == 201
    assert ask(pool, bobby, "POST", "/kv/a", data="bobby's").status_code == 201
    assert ask(pool, bob, "GET", "/kv?list").json() == ["/by/a"]
    for path in ("/kv/../bobby/a", "/kv/..%2fbobby%2fa", "/kv/%2e%2e/bobby/a", "/kv/by%00", "/kv/%ff"):
        session = requests.Session()
        request = session.prepare_request(requests.Request("GET", pool.url, headers={"Authorization": f"Bearer {bob}"}))
        request.url = pool.url + path  # as it is: the library would tidy it
        answer = session.send(request, timeout=30)
        assert answer.status_code == 400, (path, answer.text)
        assert "bobby's" not in answer.text
    assert ask(pool, bob, "DELETE", "/kv/?prefix").status_code == 200
    assert ask(pool, bobby, "GET", "/kv/a").text == "bobby's"
    ask(pool, bobby, "DELETE", "/kv/?prefix")


def test_our_command_keeps_keys(pool: RealPool) -> None:
    pool.run("kv", "set", "test/a", "1", "--prev", "")
    assert pool.run("kv", "set", "test/a", "2", "--prev", "", check=False).returncode == 125
    pool.run("kv", "set", "test/b", "-", input="from stdin")
    assert pool.run("kv", "list", "test/").stdout == "/test/a\n/test/b\n"
    assert pool.run("kv", "list", "--values", "/test/").stdout == "/test/a\t1\n/test/b\tfrom stdin\n"
    assert pool.run("kv", "get", "/test/b").stdout == "from stdin\n"
    pool.run("kv", "delete", "--prefix", "test/")
    assert pool.run("kv", "get", "test/a", check=False).stderr == "prominence: No such key: test/a (NotFound)\n"


def test_equal_requests_at_once_make_one_job(pool: RealPool, name: str) -> None:
    job = {"name": name, "tasks": [{"image": "a"}], "resources": NEVER}

    def post(_: int) -> tuple[int, int | None]:
        answer = pool.request("POST", "/jobs", json=job, headers={"Idempotency-Key": name})
        return answer.status_code, answer.json().get("id")

    with ThreadPoolExecutor(8) as threads:
        answers = set(threads.map(post, range(MANY)))
    [number] = {found for status, found in answers if status == 201}
    assert answers <= {(201, number), (503, None)}
    assert [one["id"] for one in pool.request("GET", "/jobs", params={"name": name}).json()] == [number]


def test_jobs_that_are_created_while_the_api_is_killed_are_created_once(pool: RealPool, name: str) -> None:
    create = ["create", "--name", name, "--cpus", "100000", "a", "true"]
    with ThreadPoolExecutor(4) as threads:
        done = [threads.submit(pool.run, *create, check=False) for _ in range(12)]
        for _ in range(2):
            until(lambda: pool.request("GET", "/health").status_code == 204, 60)
            pool.inside("access-point", "pkill", "-KILL", "-f", "[g]unicorn")
            until(lambda: _well(pool), 60)
        results = [one.result() for one in done]
    assert [result.returncode for result in results] == [0] * 12, [result.stderr for result in results]
    told = sorted(int(result.stdout.split()[-1]) for result in results)
    found = sorted(job["id"] for job in pool.request("GET", "/jobs", params={"name": name}).json())
    assert told == found


def _well(pool: RealPool) -> bool:
    try:
        return pool.request("GET", "/health").status_code == 204
    except requests.ConnectionError:
        return False
