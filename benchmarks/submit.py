"""How fast jobs are taken: the API, asked by eight clients at a time, beside HTCondor alone.

submit.rate: seconds for as many equal jobs. The baseline submits the same ads one by one with the bindings of the same
pool, without files of the jobs' own, without checks and without anybody to ask who is there.

submit.array: seconds for an array of so many, in one request. The baseline submits the same ads as one cluster, in one
transaction; what it leaves out is the same.
"""

from __future__ import annotations

from benchmarks.harness import Goal, Row, in_pairs
from benchmarks.inside import program_on
from benchmarks.pools import pool

CLIENTS, JOBS, PAIRS = 8, 160, 9
GOAL = Goal(ratio=round(1 / 0.7, 3))
"""A rate of at least 0.7 of the baseline's."""

MEMBERS, PAIRS_OF_ARRAYS = 1000, 7
GOAL_OF_ARRAYS = Goal(ratio=2.0)
"""A rate of at least 0.5 of the baseline's."""

_BEGIN = """
import http.client, json, random, sys, threading, time, uuid
import htcondor2
from prominence.core.job import JobSpec
from prominence.restapi.identity import Account
from prominence.restapi.translate.site import Site
from prominence.restapi.translate.submit import describe, of_array

user, token, clients, jobs, pairs = *sys.argv[1:3], *map(int, sys.argv[3:])
task = {"image": "python:3.12", "cmd": "python -c 'print(1)'"}
job = {"name": "many", "labels": {"app": "fit"}, "tasks": [task], "resources": {"cpus": 4096}}
spec, site = JobSpec.model_validate(job), Site(executor="/opt/prominence/executor.pyz")
aside = {"output": "/dev/null", "error": "/dev/null", "transfer_input_files": ""}
failures, found = [], []

def post(connection, path, body):
    headers = {"Authorization": "Bearer " + token, "Content-Type": "application/json"}
    connection.request("POST", "/prominence/v1" + path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 201:
        failures.append(content)
"""

_ONE_BY_ONE = """
body = json.dumps(job)

def baseline():
    schedd = htcondor2.Schedd()
    for _ in range(jobs):
        told = describe(spec, str(uuid.uuid4()), Account(user, "g"), "/var/tmp", site)
        schedd.submit(htcondor2.Submit({**told.commands, **aside}))

def client():
    connection = http.client.HTTPConnection("127.0.0.1", 8080)
    for _ in range(jobs // clients):
        post(connection, "/jobs", body)
    connection.close()

def ours():
    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""

_AT_ONCE = """
body = json.dumps({"count": jobs, "job": job})

def baseline():
    uid = str(uuid.uuid4())
    told = of_array(describe(spec, uid, Account(user, "g"), "/var/tmp", site), uid, "/var/tmp", jobs)
    commands = {**told.commands, **aside, "initialdir": "/var/tmp"}
    htcondor2.Schedd().submit(htcondor2.Submit(commands), count=jobs)

def ours():
    connection = http.client.HTTPConnection("127.0.0.1", 8080)
    post(connection, "/arrays", body)
    connection.close()
"""

_END = """
for _ in range(pairs + 1):
    seconds = {}
    for act in random.sample([baseline, ours], 2):
        began = time.perf_counter()
        act()
        seconds[act] = time.perf_counter() - began
    found.append((seconds[baseline], seconds[ours]))
assert not failures, failures[0]
print(json.dumps(found[1:]))
"""


def rate() -> list[Row]:
    """Of single jobs."""
    return [_measured("submit.rate", _ONE_BY_ONE, CLIENTS, JOBS, PAIRS, GOAL)]


def array() -> list[Row]:
    """Of many at once."""
    return [_measured("submit.array", _AT_ONCE, 1, MEMBERS, PAIRS_OF_ARRAYS, GOAL_OF_ARRAYS)]


def _measured(name: str, acts: str, clients: int, jobs: int, pairs: int, goal: Goal) -> Row:
    """On a pool without workers, so that nothing else goes on."""
    with pool("--max-workers", "0") as one:
        seconds = program_on(one, _BEGIN + acts + _END, clients, jobs, pairs)
    return in_pairs(name, [(base, ours) for base, ours in seconds], goal)


MEASUREMENTS = {"submit.rate": rate, "submit.array": array}
