"""How fast jobs are taken: the API, asked by eight clients at a time, beside HTCondor alone.

submit.rate: seconds for as many equal jobs. The baseline submits the same ads one by one with the bindings of the same
pool, without files of the jobs' own, without checks and without anybody to ask who is there.
"""

from __future__ import annotations

from benchmarks.harness import Goal, Row, in_pairs
from benchmarks.inside import program_on
from benchmarks.pools import pool

CLIENTS, JOBS, PAIRS = 8, 160, 9
GOAL = Goal(ratio=round(1 / 0.7, 3))
"""A rate of at least 0.7 of the baseline's."""

_INSIDE = """
import http.client, json, random, sys, threading, time, uuid
import htcondor2
from prominence.core.job import JobSpec
from prominence.restapi.identity import Account
from prominence.restapi.translate.site import Site
from prominence.restapi.translate.submit import describe

user, token, clients, jobs, pairs = *sys.argv[1:3], *map(int, sys.argv[3:])
task = {"image": "python:3.12", "cmd": "python -c 'print(1)'"}
job = {"name": "many", "labels": {"app": "fit"}, "tasks": [task], "resources": {"cpus": 4096}}
body, spec = json.dumps(job), JobSpec.model_validate(job)
site = Site(executor="/opt/prominence/executor.pyz")

def baseline():
    schedd = htcondor2.Schedd()
    for _ in range(jobs):
        told = describe(spec, str(uuid.uuid4()), Account(user, "g"), "/var/tmp", site)
        aside = {"output": "/dev/null", "error": "/dev/null", "transfer_input_files": ""}
        schedd.submit(htcondor2.Submit({**told.commands, **aside}))

def client():
    connection = http.client.HTTPConnection("127.0.0.1", 8080)
    for _ in range(jobs // clients):
        headers = {"Authorization": "Bearer " + token, "Content-Type": "application/json"}
        connection.request("POST", "/prominence/v1/jobs", body, headers)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != 201:
            failures.append(content)
    connection.close()

def ours():
    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

failures, found = [], []
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
    """On a pool without workers, so that nothing else goes on."""
    with pool("--max-workers", "0") as one:
        pairs = program_on(one, _INSIDE, CLIENTS, JOBS, PAIRS)
    return [in_pairs("submit.rate", [(base, ours) for base, ours in pairs], GOAL)]


MEASUREMENTS = {"submit.rate": rate}
