"""What it costs that no more is granted of a budget than there is, whichever process of the API is asked.

submit.budget: seconds for as many equal jobs, submitted by eight clients at a time, of a group whose budget refuses
jobs for which there is no room. The baseline are the same jobs of a group without a budget, through the same API.
"""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime, timedelta

import requests
import tomli_w

from benchmarks.harness import Goal, Row, in_pairs
from benchmarks.inside import program_on
from benchmarks.pools import RealPool, pool, until

CLIENTS, JOBS, PAIRS = 8, 80, 9
GOAL = Goal(ratio=1.5)
LIMITED, FREE = "limited", "free"

_PROGRAM = """
import http.client, json, random, sys, threading, time

_, token, clients, jobs, pairs = *sys.argv[1:3], *map(int, sys.argv[3:])
failures, found = [], []

def client(group):
    body = json.dumps({"tasks": [{"image": "python:3.12"}], "resources": {"cpus": 4096, "walltime": 1}, "group": group})
    headers = {"Authorization": "Bearer " + token, "Content-Type": "application/json"}
    connection = http.client.HTTPConnection("127.0.0.1", 8080)
    for _ in range(jobs // clients):
        connection.request("POST", "/prominence/v1/jobs", body, headers)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != 201:
            failures.append(content)
    connection.close()

def submitted(group):
    began = time.perf_counter()
    threads = [threading.Thread(target=client, args=(group,)) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began

for _ in range(pairs + 1):
    seconds = {group: submitted(group) for group in random.sample(["free", "limited"], 2)}
    found.append((seconds["free"], seconds["limited"]))
assert not failures, failures[0]
print(json.dumps(found[1:]))
"""


def budget() -> list[Row]:
    """On a pool without workers, so that nothing else goes on."""
    with pool("--max-workers", "0") as one:
        _limit(one)
        seconds = program_on(one.in_groups(LIMITED, FREE), _PROGRAM, CLIENTS, JOBS, PAIRS)
    return [in_pairs("submit.budget", [(base, ours) for base, ours in seconds], GOAL)]


def _limit(one: RealPool) -> None:
    today = datetime.now(UTC).date()
    days = {"start": today - timedelta(days=1), "end": today + timedelta(days=2)}
    declared = {"budgets": [{"group": LIMITED, "units": 1e9, "action": "refuse", **days}]}
    told = one.state / "config" / "restapi.toml"
    told.write_text(tomli_w.dumps({**tomllib.loads(told.read_text()), "accounting": declared}))
    one.containers("access-point")[0].restart()
    until(lambda: _answers(one), 120)


def _answers(one: RealPool) -> bool:
    try:
        return one.request("GET", "/jobs").status_code == 200
    except requests.ConnectionError:
        return False


MEASUREMENTS = {"submit.budget": budget}
