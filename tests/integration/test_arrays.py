"""Arrays on real parts: many jobs of one request, as one cluster of HTCondor's."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from real_parts import RealPool, until

from prominence.cli.client import Client

SMALL = {"cpus": 1, "memory": 0.2, "disk": 0.1}
NOWHERE = {**SMALL, "cpus": 4096}
"""What no worker has."""

SAYS_WHO = "sh -c 'echo $PROMINENCE_JOB_ID is $PROMINENCE_ARRAY_INDEX of $PROMINENCE_ARRAY_COUNT'"
MEMBERS = 20


def told(pool: RealPool, array: int) -> dict[str, Any]:
    answer = pool.request("GET", f"/arrays/{array}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def members(pool: RealPool, array: int, query: str = "?all") -> list[dict[str, Any]]:
    answer = pool.request("GET", f"/arrays/{array}/jobs{query}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


def in_htcondor(pool: RealPool, array: int) -> int:
    said = pool.inside("access-point", "condor_q", "-allusers", str(array), "-af", "ClusterId", "ProcId")
    return len(said.splitlines())


def test_all_members_run_each_knows_its_place_and_none_is_ever_lost_or_counted_twice(
    pool: RealPool, tiny_image: str
) -> None:
    array = pool.submit_array(MEMBERS, {"image": tiny_image, "cmd": SAYS_WHO}, name="many", labels={"app": "x"})
    deleted = f"{array}.{MEMBERS - 1}"
    assert pool.request("DELETE", f"/jobs/{deleted}").status_code == 200
    assert in_htcondor(pool, array) in (MEMBERS - 1, MEMBERS)
    seen: list[dict[str, int]] = []

    def has_ended() -> bool:
        statuses = told(pool, array)["statuses"]
        seen.append(statuses)
        return not {"idle", "deploying", "waiting", "running"}.intersection(statuses)

    until(has_ended, 240, lambda: str(members(pool, array)))
    assert {sum(statuses.values()) for statuses in seen} == {MEMBERS}
    assert seen[-1] == {"completed": MEMBERS - 1, "deleted": 1}
    until(lambda: in_htcondor(pool, array) == 0, 30)
    described = told(pool, array)
    assert (described["statuses"], described["count"], described["name"]) == (seen[-1], MEMBERS, "many")
    assert described["labels"] == {"app": "x"}
    ids = [f"{array}.{index}" for index in range(MEMBERS)]
    assert [one["id"] for one in members(pool, array)] == ids
    assert {pool.output(one) for one in ids[:-1]} == {
        f"{array}.{index} is {index} of {MEMBERS}\n" for index in range(MEMBERS - 1)
    }
    assert [pool.output(ids[3]), pool.output(deleted)] == [f"{ids[3]} is 3 of {MEMBERS}\n", ""]
    assert [one["outcome"] for one in pool.describe(ids[0])["attempts"]] == ["success"]
    assert [one["outcome"] for one in pool.describe(ids[7])["attempts"]] == ["success"]
    assert (pool.describe(deleted)["status"], pool.describe(deleted).get("attempts")) == ("deleted", None)
    assert [one["id"] for one in members(pool, array, "?completed=true&status=deleted&limit=5")] == [deleted]
    assert all(isinstance(one["id"], int) for one in pool.request("GET", "/jobs?all").json())


def test_members_get_files_and_keep_each_their_own(pool: RealPool, tiny_image: str) -> None:
    script = "cat here && echo $PROMINENCE_ARRAY_INDEX > out.txt"
    array = pool.submit_array(
        2,
        {"image": tiny_image, "cmd": f"sh -c '{script}'", "runtime": "docker"},
        inputs=[{"filename": "here", "content": "c2hhcmVkCg=="}],
        outputFiles=["out.txt"],
    )
    for index in range(2):
        one = pool.finish(f"{array}.{index}")
        assert one["status"] == "completed", one
        assert pool.output(f"{array}.{index}") == "shared\n"
        [kept] = one["outputFiles"]
        assert requests.get(kept["url"], timeout=30).text == f"{index}\n"
        assert (one["array"], one["inputs"]) == (array, [{"filename": "here"}])
    clone = pool.request("PUT", f"/jobs/{array}.1/clone")
    assert clone.status_code == 201, clone.text
    assert pool.finish(clone.json()["id"])["status"] == "completed"


def test_a_member_that_runs_takes_commands_and_a_held_one_waits(pool: RealPool, tiny_image: str) -> None:
    array = pool.submit_array(3, {"image": tiny_image, "cmd": "sleep 300", "runtime": "docker"})
    assert pool.request("PUT", f"/jobs/{array}.0/hold").status_code == 200
    pool.wait_for(f"{array}.1", "running")
    answer = pool.request(
        "POST", f"/jobs/{array}.1/commands", json={"command": ["sh", "-c", "echo $PROMINENCE_JOB_ID"]}
    )
    assert (answer.status_code, answer.json()) == (200, {"exitCode": 0, "output": f"{array}.1\n"})
    assert pool.describe(f"{array}.0")["statusReasonCode"] == "HeldByUser"
    assert pool.request("PATCH", f"/jobs/{array}.0", json={"labels": {"a": "b"}}).status_code == 409
    assert pool.request("PUT", f"/arrays/{array}/hold").status_code == 200
    until(lambda: told(pool, array)["statuses"] == {"waiting": 3}, 60, lambda: str(told(pool, array)))
    assert pool.request("PUT", f"/arrays/{array}/release").status_code == 200
    pool.wait_for(f"{array}.0", "running")
    assert pool.request("DELETE", f"/arrays/{array}").status_code == 200
    until(lambda: told(pool, array)["statuses"] == {"deleted": 3}, 60, lambda: str(told(pool, array)))
    assert pool.request("DELETE", f"/arrays/{array}").status_code == 404


@pytest.mark.slow
@pytest.mark.parametrize("after_s", [0.05, 0.3, 0.8])
def test_an_api_that_is_killed_in_the_middle_makes_one_array_of_all_members(
    after_s: float, pool: RealPool, tiny_image: str
) -> None:
    name, key = f"killed-{after_s}", f"key-{after_s}-{time.time()}"
    job = {"name": name, "tasks": [{"image": tiny_image}], "resources": NOWHERE}

    def ask() -> dict[str, Any] | None:
        try:
            answer = pool.request("POST", "/arrays", json={"count": 2000, "job": job}, headers={"Idempotency-Key": key})
        except requests.ConnectionError:
            return None
        assert answer.status_code in (201, 503), answer.text
        return answer.json() if answer.status_code == 201 else None

    with ThreadPoolExecutor(1) as other:
        first = other.submit(ask)
        threading.Event().wait(after_s)
        pool.inside("access-point", "pkill", "-KILL", "-f", "gunicorn")
        first.result()
    made = until(ask, 120)
    assert ask() == made
    arrays = [one for one in until(lambda: pool.request("GET", "/arrays").json(), 30) if one["name"] == name]
    assert [(one["id"], one["count"], sum(one["statuses"].values())) for one in arrays] == [(made["id"], 2000, 2000)]
    names = pool.inside(
        "access-point", "condor_q", "-allusers", "-constraint", f'ProminenceName == "{name}"', "-af", "ClusterId"
    )
    assert Counter(names.split()) == {str(made["id"]): 2000}
    assert pool.request("DELETE", f"/arrays/{made['id']}").status_code == 200


def test_waiting_for_an_array_ends_as_its_members_have_and_passes_their_output_on_in_order(
    pool: RealPool, tiny_image: str
) -> None:
    fails = "sh -c 'echo $PROMINENCE_ARRAY_INDEX; test $PROMINENCE_ARRAY_INDEX != 1 || exit 3'"
    small = ("--cpus", "1", "--memory", "0.2", "--disk", "0.1", "--runtime", "docker", tiny_image)
    done = pool.run("create", "--count", "3", "--follow", *small, fails, check=False, timeout=200)
    assert (done.returncode, done.stdout) == (3, "0\n1\n2\n"), done.stderr
    [array] = re.findall(r"The first is job (\d+)\.1: failed: ", done.stderr)
    assert Client(pool.url, pool.token).arrays.wait(int(array), timeout_s=60)["statuses"] == {
        "completed": 2,
        "failed": 1,
    }


def test_patience_with_an_array_has_the_end_that_is_named(pool: RealPool, tiny_image: str) -> None:
    client = Client(pool.url, pool.token)
    array = client.arrays.submit({"tasks": [{"image": tiny_image, "cmd": "true"}], "resources": NOWHERE}, 2)
    try:
        with pytest.raises(TimeoutError):
            client.arrays.wait(array, timeout_s=1)
    finally:
        client.arrays.delete(array)
    assert client.arrays.wait(array, timeout_s=60)["statuses"] == {"deleted": 2}
