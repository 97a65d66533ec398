"""How fast workflows are taken, told of and worked through.

workflow.sweep: seconds for a sweep of 10,000 instances, in one request. workflow.status: seconds to ask how that
workflow is, with all of it in the queue or waiting for its turn. workflow.nodes: the same of each of
its first hundred instances. workflow.memory: how much the API's largest process grows by over more such sweeps.

workflow.fanout.query: seconds that the schedd takes to tell of one job, asked again and again while 1,000 instances
that have waited for one job are put into the queue: of each time the query that 99 of 100 were quicker than.

workflow.chain: seconds for jobs that do nothing, each of which waits for the one before, on a warm worker. The baseline
is the same chain, with the same descriptions of its jobs, given to condor_submit_dag with DAGMan's own settings.
"""

from __future__ import annotations

from benchmarks.harness import Goal, Row, figure, grown, in_pairs
from benchmarks.inside import MEMORY, program_on
from benchmarks.pools import pool, tiny_image

INSTANCES, SWEEPS, LOOKS = 10_000, 3, 21
GOAL_OF_SWEEPS, GOAL_OF_STATUS = Goal(figure=2.0), Goal(figure=0.05)
MOST_GROWTH_MIB = 10

WIDTH, FANOUTS = 1000, 3
GOAL_OF_QUERIES = Goal(figure=0.1)

LEVELS, PAIRS = 20, 2
GOAL_OF_CHAINS = Goal(ratio=0.6)

_BEGIN = """
import http.client, json, os, shutil, subprocess, sys, time, uuid
import htcondor2

token = sys.argv[2]

def ask(method, path, document=None):
    connection = http.client.HTTPConnection("127.0.0.1", 8080)
    headers = {"Authorization": "Bearer " + token, "Content-Type": "application/json"}
    body = None if document is None else json.dumps(document)
    began = time.perf_counter()
    connection.request(method, "/prominence/v1" + path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    took = time.perf_counter() - began
    connection.close()
    assert answer.status in (200, 201), content
    return took, json.loads(content)

def job(name, image, cmd, cpus):
    task = {"image": image, "cmd": cmd, "runtime": "docker"}
    return {"name": name, "tasks": [task], "resources": {"cpus": cpus, "memory": 0.2, "disk": 0.1}}
"""

_SWEEPS = """
instances, sweeps, looks = map(int, sys.argv[3:])
parameter = {"name": "x", "start": 1, "end": instances, "step": 1}
document = {
    "name": "wide",
    "jobs": [job("a", "python:3.12", "echo $x", 4096)],
    "factories": [{"type": "parameterSweep", "jobs": ["a"], "parameters": [parameter]}],
    "policies": {"maximumIdle": 100},
}
taken, status, nodes = [], [], []
for _ in range(sweeps):
    took, made = ask("POST", "/workflows", document)
    taken.append(took)
    time.sleep(5)
    for _ in range(looks):
        took, found = ask("GET", f"/workflows/{made['id']}")
        assert found[0]["progress"]["total"] == instances
        status.append(took)
        took, found = ask("GET", f"/workflows/{made['id']}/nodes?limit=100")
        assert len(found) == 100
        nodes.append(took)
    ask("DELETE", f"/workflows/{made['id']}")

def again(times):
    for _ in range(times):
        ask("DELETE", f"/workflows/{ask('POST', '/workflows', document)[1]['id']}")
    return memory_kib()

print(json.dumps([taken, status, nodes, [again(sweeps), again(2 * sweeps)]]))
"""

_FANOUT = """
width, times = map(int, sys.argv[3:])
parameter = {"name": "x", "start": 1, "end": width, "step": 1}
document = {
    "name": "fan",
    "jobs": [job("first", "IMAGE", "true", 1), job("wide", "IMAGE", "true", 4096)],
    "factories": [{"type": "parameterSweep", "jobs": ["wide"], "parameters": [parameter]}],
    "dependencies": {"first": ["wide"]},
    "policies": {"maximumIdle": width},
}

def fan_out():
    made = ask("POST", "/workflows", document)[1]["id"]
    schedd, asked, looked = htcondor2.Schedd(), [], 0
    while True:
        began, moment = time.perf_counter(), time.time()
        assert schedd.query(f"ClusterId == {made}", ["JobStatus"], limit=1)
        asked.append((moment, time.perf_counter() - began))
        time.sleep(0.02)
        if moment - looked > 2:
            looked = moment
            if ask("GET", f"/workflows/{made}")[1][0]["progress"]["queued"] == width:
                break
    since = min(ad["QDate"] for ad in schedd.query(f"DAGManJobId == {made} && JobStatus == 1", ["QDate"]))
    ask("DELETE", f"/workflows/{made}")
    return [took for moment, took in asked if moment >= since]

print(json.dumps([fan_out() for _ in range(times)]))
"""

_CHAINS = """
levels, pairs = map(int, sys.argv[3:])
image = "IMAGE"
jobs = [job(f"j{number}", image, "true", 1) for number in range(levels)]
wait = {f"j{number}": [f"j{number + 1}"] for number in range(levels - 1)}

def ended(workflow):
    while True:
        found = ask("GET", f"/workflows/{workflow}")[1][0]
        if found["status"] not in ("idle", "running"):
            assert found["status"] == "completed", found
            return found["events"]["endTime"] - found["events"]["createTime"]
        time.sleep(0.5)

def ours():
    made = ask("POST", "/workflows", {"name": "chain", "jobs": jobs, "dependencies": wait})[1]["id"]
    return made, ended(made)

def baseline(of):
    known = next(iter(htcondor2.Schedd().history(f"ClusterId == {of}", ["Iwd"], match=1)))["Iwd"]
    place = os.path.join(known, f"baseline-{uuid.uuid4()}")  # below it, since workers may open nothing beside it
    shutil.copytree(known, place, ignore=shutil.ignore_patterns("workflow.dag.*", "dagman*"))
    settings = "_CONDOR_DAGMAN_USE_STRICT=0 _CONDOR_DAGMAN_LOG=workflow.dag.dagman.out"
    settings += f" PROMINENCE_STATE={os.environ['PROMINENCE_STATE']}"
    more = ["-append", f'environment = "{settings}"', "-notification", "never", "workflow.dag"]
    began = time.time()
    subprocess.run(["condor_submit_dag", *more], cwd=place, check=True, capture_output=True)
    while not os.path.exists(f"{place}/workflow.dag.metrics"):
        time.sleep(0.5)
    took = time.time() - began
    with open(f"{place}/workflow.dag.metrics") as file:
        assert json.load(file)["jobs_succeeded"] == levels
    shutil.rmtree(place)
    return took

ended(ask("POST", "/workflows", {"jobs": jobs[:1]})[1]["id"])
found = []
for _ in range(pairs):
    made, took = ours()
    found.append((baseline(made), took))
print(json.dumps(found))
"""


def sweeps() -> list[Row]:
    """Of many instances, on a pool without workers."""
    with pool("--max-workers", "0") as one:
        taken, status, nodes, memory = program_on(one, _BEGIN + MEMORY + _SWEEPS, INSTANCES, SWEEPS, LOOKS)
    return [
        figure("workflow.sweep", taken, GOAL_OF_SWEEPS),
        figure("workflow.status", status, GOAL_OF_STATUS),
        figure("workflow.nodes", nodes),
        grown("workflow.memory", *memory, MOST_GROWTH_MIB, 2 * SWEEPS),
    ]


def fan_outs() -> list[Row]:
    """Of instances that only wait, on a pool with one worker for the job before them."""
    with pool("--max-workers", "1", "--idle-time", "3600") as one:
        times = program_on(one, _BEGIN + _FANOUT.replace("IMAGE", tiny_image()), WIDTH, FANOUTS)
    slowest = [sorted(took)[int(0.99 * len(took))] for took in times]
    return [figure("workflow.fanout.query", slowest, GOAL_OF_QUERIES)]


def chains() -> list[Row]:
    """Of levels, on a pool with one worker that stays."""
    with pool("--max-workers", "1", "--idle-time", "3600") as one:
        seconds = program_on(one, _BEGIN + _CHAINS.replace("IMAGE", tiny_image()), LEVELS, PAIRS)
    return [in_pairs("workflow.chain", [(base, ours) for base, ours in seconds], GOAL_OF_CHAINS)]


MEASUREMENTS = {"workflow.sweep": sweeps, "workflow.fanout": fan_outs, "workflow.chain": chains}
