"""What it costs to ask for jobs while 20,000 of 20 users are queued.

lists.newest: a page of a user's 100 newest jobs; lists.job: one of them with all that is known of it. The baseline asks
the schedd directly for the same: the same attributes of all jobs of that user, or of that job. lists.memory: how much
the API's largest process grows by while lists of all of the user's jobs are asked for.
"""

from __future__ import annotations

from benchmarks.harness import Goal, Row, in_pairs
from benchmarks.inside import program_on
from benchmarks.pools import pool

USERS, JOBS = 20, 20_000
PAIRS, LISTS = 21, 300
GOAL = Goal(ratio=1.5, more=0.025)
MOST_GROWTH_MIB = 10

_INSIDE = """
import http.client, json, random, subprocess, sys, time, uuid
import htcondor2
from prominence.core.job import JobSpec
from prominence.core.view import ATTRIBUTES
from prominence.restapi.identity import Account
from prominence.restapi.selection import Selection
from prominence.restapi.translate.constraint import constraint
from prominence.restapi.translate.site import Site
from prominence.restapi.translate.submit import describe

user, token, users, jobs, pairs, lists = *sys.argv[1:3], *map(int, sys.argv[3:])
schedd, site = htcondor2.Schedd(), Site(executor="/bin/true")
for number in range(jobs):
    task = {"image": "python:3.12", "cmd": f"python -c 'print({number})'"}
    spec = {"name": f"job {number}", "labels": {"app": "fit"}, "tasks": [task], "resources": {"cpus": 4096}}
    owner = user if number % users == 0 else f"user{number % users}"
    told = describe(JobSpec.model_validate(spec), str(uuid.uuid4()), Account(owner, "g"), "/var/tmp", site)
    aside = {"output": "/dev/null", "error": "/dev/null", "transfer_input_files": ""}
    schedd.submit(htcondor2.Submit({**told.commands, **aside}))

def ask(path):
    connection = http.client.HTTPConnection("127.0.0.1", 8080)
    connection.request("GET", "/prominence/v1" + path, headers={"Authorization": "Bearer " + token})
    answer = connection.getresponse()
    content = json.loads(answer.read())
    connection.close()
    assert answer.status == 200, content
    return content

def took(act):
    began = time.perf_counter()
    act()
    return time.perf_counter() - began

def compared(baseline, ours):
    found = []
    for _ in range(pairs + 1):
        seconds = {}
        for act in random.sample([baseline, ours], 2):
            seconds[act] = took(act)
        found.append((seconds[baseline], seconds[ours]))
    return found[1:]

def query(selection):
    return lambda: schedd.query(constraint=constraint(selection), projection=list(ATTRIBUTES))

def memory_kib():
    told = subprocess.run(["ps", "-eo", "rss=,args="], capture_output=True, text=True, check=True).stdout
    return max(int(line.split()[0]) for line in told.splitlines() if "gunicorn" in line and "-c" not in line.split())

newest = ask("/jobs?limit=100")
assert len(newest) == 100
job = newest[50]["id"]
result = {
    "newest": compared(query(Selection(user=user)), lambda: ask("/jobs?limit=100")),
    "job": compared(query(Selection(user=user, ids=(job,))), lambda: ask(f"/jobs/{job}")),
}
for _ in range(lists // 5):
    assert len(ask("/jobs")) == jobs // users
before = memory_kib()
for _ in range(lists):
    ask("/jobs")
result["memory"] = [before, memory_kib()]
print(json.dumps(result))
"""


def lists() -> list[Row]:
    """All of them: the queue takes minutes to fill."""
    with pool("--max-workers", "0") as one:
        found = program_on(one, _INSIDE, USERS, JOBS, PAIRS, LISTS)
    before, after = (kib / 1024 for kib in found["memory"])
    grown = after - before
    memory = Row(
        name="lists.memory",
        unit="MiB",
        baseline=None,
        ours=round(grown, 1),
        ratio=None,
        goal=MOST_GROWTH_MIB,
        met=grown <= MOST_GROWTH_MIB,
        runs=LISTS,
        least=round(before, 1),
        most=round(after, 1),
    )
    return [
        in_pairs("lists.newest", [(base, ours) for base, ours in found["newest"]], GOAL),
        in_pairs("lists.job", [(base, ours) for base, ours in found["job"]], GOAL),
        memory,
    ]


MEASUREMENTS = {"lists": lists}
