"""What it costs to ask for jobs while 20,000 of 20 users are queued.

lists.newest: a page of a user's 100 newest jobs; lists.job: one of them with all that is known of it. The baseline asks
the schedd directly for the same: the same attributes of all jobs of that user, or of that job. lists.memory: how much
the API's largest process grows by while lists of all of the user's jobs are asked for, several at once.
"""

from __future__ import annotations

from benchmarks.harness import Goal, Row, grown, in_pairs
from benchmarks.inside import MEMORY, program_on
from benchmarks.pools import pool

USERS, JOBS = 20, 20_000
PAIRS, LISTS = 21, 2_000
GOAL = Goal(ratio=1.5, more=0.025)
MOST_GROWTH_MIB = 10

_INSIDE = """
import http.client, json, random, subprocess, sys, time, uuid
from concurrent.futures import ThreadPoolExecutor
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

newest = ask("/jobs?limit=100")
assert len(newest) == 100
job = newest[50]["id"]
result = {
    "newest": compared(query(Selection(user=user)), lambda: ask("/jobs?limit=100")),
    "job": compared(query(Selection(user=user, ids=(job,))), lambda: ask(f"/jobs/{job}")),
}
def ask_for_all(times):
    with ThreadPoolExecutor(4) as threads:
        assert {len(found) for found in threads.map(ask, ["/jobs"] * times)} == {jobs // users}

ask_for_all(lists // 10)
before = memory_kib()
ask_for_all(lists)
result["memory"] = [before, memory_kib()]
print(json.dumps(result))
"""


def lists() -> list[Row]:
    """All of them: the queue takes minutes to fill."""
    with pool("--max-workers", "0") as one:
        found = program_on(one, MEMORY + _INSIDE, USERS, JOBS, PAIRS, LISTS)
    return [
        in_pairs("lists.newest", [(base, ours) for base, ours in found["newest"]], GOAL),
        in_pairs("lists.job", [(base, ours) for base, ours in found["job"]], GOAL),
        grown("lists.memory", *found["memory"], MOST_GROWTH_MIB, LISTS),
    ]


MEASUREMENTS = {"lists": lists}
