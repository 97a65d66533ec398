"""An API on memory services, its users, and the ads and reports that it looks at."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from builders import NOON, a_task
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from prominence.core import classads, document, report
from prominence.core.error_reasons import ErrorReason
from prominence.core.jobid import JobId
from prominence.core.keyvalue.memory import MemoryKeyValue
from prominence.core.machines import Size
from prominence.core.published import PLAN_KEY, packed_plan
from prominence.core.reasons import Reason
from prominence.core.report import ExecutionReport, Outcome, TaskReport
from prominence.core.scaling import Explanation, ScalingPlan
from prominence.core.states import JobStatus
from prominence.core.view import JobAd
from prominence.restapi.adapters.job_tokens import SignedJobTokens
from prominence.restapi.adapters.memory import (
    MemoryArchive,
    MemoryIdentities,
    MemoryMachines,
    MemoryQueue,
    MemoryWorkerTokens,
)
from prominence.restapi.adapters.memory_health import memory_vitals
from prominence.restapi.adapters.memory_objects import MemoryObjects
from prominence.restapi.adapters.memory_sandboxes import MemorySandboxes
from prominence.restapi.adapters.memory_usage import MemoryUsage
from prominence.restapi.app import create_app
from prominence.restapi.identity import Identity
from prominence.restapi.members import is_member, uid_of
from prominence.restapi.operations import BASE_PATH
from prominence.restapi.orders import Desk
from prominence.restapi.resources import Slot
from prominence.restapi.selection import Kind, Selection
from prominence.restapi.services import Services
from prominence.restapi.translate import dag
from prominence.restapi.translate.site import Site
from prominence.restapi.translate.submit import SubmitDescription
from prominence.restapi.webhooks.records import Webhooks

ALICE = Identity("alice", ("physics", "chemistry"))
BOB = Identity("bob")
TOKENS = {"token-of-alice": ALICE, "token-of-bob": BOB}

SITE = Site(executor="/opt/prominence/executor.pyz")

_API_PAGE = Path(__file__).parents[1] / "docs/api.md"
WORDS_AT = {
    int(status): frozenset(map(ErrorReason, re.findall(r"`(\w+)`", words)))
    for status, words in re.findall(r"^\| (\d{3}) \| [^|]* \| ([^|]*) \|$", _API_PAGE.read_text("utf-8"), re.MULTILINE)
}
"""By what the API's page says of errors: which words may come at each status."""

SUBMITTED = int(NOON.timestamp())


def uids() -> Iterator[str]:
    """UUIDs that are easy to tell from each other."""
    return (f"00000000-0000-4000-8000-{number:012d}" for number in itertools.count(1))


@dataclass
class Api:
    """The API of one test: its services, and a client that calls it as a user."""

    queue: MemoryQueue
    archive: MemoryArchive
    sandboxes: MemorySandboxes
    store: MemoryKeyValue
    app: Flask
    clock: Clock
    objects: MemoryObjects
    machines: MemoryMachines
    services: Services
    user: str = "alice"

    @property
    def client(self) -> FlaskClient:
        return self.app.test_client()

    def as_user(self, name: str) -> Api:
        """The same API, called by somebody else."""
        return replace(self, user=name)

    def call(self, method: str, path: str, **options: Any) -> TestResponse:
        """A request with the user's token. Whatever is refused, by whichever test, has a word and a sentence."""
        headers = {"Authorization": f"Bearer token-of-{self.user}", **options.pop("headers", {})}
        answer = self.client.open(BASE_PATH + path, method=method, headers=headers, **options)
        if answer.status_code >= 400 and answer.data:
            assert answer.json is not None
            assert ErrorReason(answer.json["reasonCode"]) in WORDS_AT[answer.status_code], answer.text
            assert answer.json.get("error") or path == "/health"
        return answer

    def get(self, path: str) -> Any:
        """What a GET that succeeds answers."""
        answer = self.call("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json

    def submit(self, **changes: Any) -> int:
        """A job of one task; its id."""
        body = {"tasks": [a_task()], "resources": {"cpus": 1, "memory": 1, "disk": 10}, **changes}
        answer = self.call("POST", "/jobs", json=body)
        assert answer.status_code == 201, answer.text
        job_id = answer.json["id"] if answer.json else None
        assert isinstance(job_id, int)
        return job_id

    def submit_array(self, count: int, **changes: Any) -> int:
        """An array of jobs of one task; its id."""
        job = {"tasks": [a_task()], "resources": {"cpus": 1, "memory": 1, "disk": 10}, **changes}
        answer = self.call("POST", "/arrays", json={"count": count, "job": job})
        assert answer.status_code == 201, answer.text
        assert answer.json is not None
        assert answer.json["count"] == count
        return int(answer.json["id"])

    def a_step(self, name: str, **changes: Any) -> dict[str, Any]:
        """A job of a workflow, of one task."""
        return {"name": name, "tasks": [a_task()], "resources": {"cpus": 1, "memory": 1, "disk": 10}, **changes}

    def submit_workflow(self, **fields: Any) -> int:
        """A workflow; its id."""
        answer = self.call("POST", "/workflows", json=fields)
        assert answer.status_code == 201, answer.text
        assert answer.json is not None
        return int(answer.json["id"])

    def start_step(self, workflow: int, place: int = 0, index: int = 0) -> int:
        """What DAGMan does: submit an instance of the job of this number, from the files that it was given; its id."""
        [ad] = self.queue.find(Selection(ids=(workflow,), kinds=(Kind.WORKFLOW,)))
        uid = str(ad[classads.JOB_UID])
        node = dag.node_name(place, index)
        lines = self.sandboxes.files[uid][dag.DAG_FILE].decode().splitlines()
        [given] = [line for line in lines if line.startswith(f"VARS {node} ")]
        text = self.sandboxes.files[uid_of(uid, place)][dag.SUBMIT_FILE].decode()
        for name, value in re.findall(r' (\w+)="([^"]*)"', given):
            text = text.replace(f"$({name})", value)
        commands = dict(line.split(" = ", 1) for line in text.splitlines() if " = " in line)
        job_id = self.queue.submit(SubmitDescription(commands))
        self.queue.change(job_id, JobStatus.IDLE, **{classads.DAGMAN_ID: workflow})
        return job_id

    def write_of_step(self, job_id: int, name: str, content: bytes) -> None:
        """What HTCondor does when a worker sends a file of a workflow's job."""
        [ad] = self.queue.find(Selection(ids=(job_id,)))
        self.sandboxes.files[str(ad[classads.JOB_UID])][name] = content

    def describe(self, job_id: int) -> dict[str, Any]:
        """The job in detail."""
        [job] = self.get(f"/jobs/{JobId(job_id)}")
        assert isinstance(job, dict)
        return job

    def uid(self, job_id: int) -> str:
        """By which the job's files are found."""
        one = JobId(job_id)
        whole = self.sandboxes_of_jobs()[one.cluster]
        return whole if one.index is None else uid_of(whole, one.index)

    def sandboxes_of_jobs(self) -> dict[int, str]:
        """Sandboxes are made in the order of ids here."""
        return dict(enumerate((uid for uid in self.sandboxes.files if not is_member(uid)), start=1))

    def write(self, job_id: int, name: str, content: bytes) -> None:
        """What HTCondor does when a worker sends a file."""
        self.sandboxes.files[self.uid(job_id)][name] = content

    def run(self, job_id: int) -> None:
        """The job starts on a worker."""
        self.clock.advance(60)
        started = int(self.clock.now().timestamp())
        self.queue.change(
            job_id,
            JobStatus.RUNNING,
            **{classads.STARTED_AT: started, classads.STARTS: 1, classads.REMOTE_HOST: "slot1_1@w-1"},
        )

    def finish(self, job_id: int, told: ExecutionReport | None = None, exit_code: int = 0) -> None:
        """The job ends by itself, and its report arrives."""
        self.clock.advance(60)
        if told is not None:
            self.write(job_id, report.FILE_NAME, document.dumps(told).encode())
        self.queue.leave(
            job_id,
            JobStatus.COMPLETED,
            **{
                classads.FINISHED_AT: int(self.clock.now().timestamp()),
                classads.EXIT_CODE: exit_code,
                classads.EXIT_BY_SIGNAL: False,
                classads.LAST_REMOTE_HOST: "slot1_1@w-1",
            },
        )

    def explain(self, *explanations: Explanation, made_at: datetime = NOON) -> None:
        """The scaler publishes a plan."""
        plan = ScalingPlan(made_at=made_at, explanations=explanations)
        self.store.put_if(PLAN_KEY, packed_plan(plan), None)


@dataclass
class Clock:
    """Stands still until it is told to go."""

    moment: datetime = field(default=NOON)

    def now(self) -> datetime:
        return self.moment

    def advance(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


def an_api(max_body: int = 1024 * 1024, **changes: Any) -> Api:
    """An API with an empty queue, at noon."""
    clock = Clock()
    queue, sandboxes, store = MemoryQueue(lambda: clock.now().timestamp()), MemorySandboxes(clock.now), MemoryKeyValue()
    next_uid: Callable[[], str] = uids().__next__
    objects = MemoryObjects(clock.now)
    tokens = SignedJobTokens(b"the key of jobs' tokens in tests", clock.now)
    machines = MemoryMachines()
    archive = MemoryArchive(changes.get("queue", queue), changes.get("sandboxes", sandboxes))
    usual = Services(
        *(queue, archive, sandboxes, MemoryIdentities(TOKENS), store, SITE, clock.now, next_uid, objects, tokens),
        usage=MemoryUsage(changes.get("queue", queue)),
        machines=machines,
        vitals=memory_vitals(),
        desk=Desk(sandboxes, most=100),
        sign=lambda record: f"token-{record.id}",
        worker_tokens=MemoryWorkerTokens(),
        webhooks=Webhooks(b"the key of webhooks in tests"),
    )
    services = replace(usual, **changes)
    return Api(queue, archive, sandboxes, store, create_app(services, max_body), clock, objects, machines, services)


def an_ad(status: int = JobStatus.IDLE, **changes: Any) -> JobAd:
    """A small job of alice's, submitted at noon."""
    return {
        classads.CLUSTER_ID: 1,
        classads.JOB_STATUS: int(status),
        classads.JOB_UID: next(uids()),
        classads.IDENTITY: "alice",
        classads.ACCOUNTING_USER: "alice",
        classads.ACCOUNTING_GROUP: "physics",
        classads.REQUEST_CPUS: 1,
        classads.REQUEST_MEMORY: 1000,
        classads.REQUEST_DISK: 10 * 1024 * 1024,
        classads.WALLTIME: 3600,
        classads.SUBMITTED_AT: SUBMITTED,
        classads.ENTERED_STATUS_AT: SUBMITTED,
        classads.STARTS: 0,
        **changes,
    }


def a_slot(**changes: Any) -> Slot:
    """A worker of four cores, of which one is free, that takes everybody's jobs."""
    capacity, free = (Size(cpus=cpus, memory_mib=1500 * cpus, disk_mib=20 * 1024) for cpus in (4, 1))
    return replace(Slot("w-1", "cloud", capacity, free), **changes)


def a_report(outcome: Outcome = Outcome.SUCCESS, **changes: Any) -> ExecutionReport:
    """Of one task that did what it should."""
    task = TaskReport(image="python:3.12", runtime="apptainer", exit_code=0, pull_s=1.5, wall_s=2.0, cpu_s=1.0)
    told: dict[str, Any] = {"outcome": outcome, "started_at": NOON.timestamp(), "tasks": (task,), **changes}
    return ExecutionReport(**told)


def an_explanation(reason: Reason = Reason.WORKER_REQUESTED, **changes: Any) -> Explanation:
    """Of the demand that `an_ad` and `Api.submit` make."""
    size = Size(cpus=1, memory_mib=1000, disk_mib=10 * 1024)
    return Explanation(
        **{"size": size, "user": "alice", "group": "physics", "jobs": 1, "reason": reason, "details": {}, **changes}
    )
