"""Every operation of the API, in one table: tests that hold for all of them read it, and fail for one that is missing.

A new route gets a row here and one in docs/api.md; the description of the API is made of the route itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from builders import job_json

from prominence.restapi.identity import Scope

ANYBODY = None
"""The scope of what needs no token."""

ANY_TOKEN: Literal["any"] = "any"
"""The scope of what needs a token, whatever it is good for."""

SIGNED: Literal["the address is signed"] = "the address is signed"
"""The scope of what needs no token, since its address is the permission."""

A_JOBS: Literal["a job's own token"] = "a job's own token"
"""The scope of what jobs ask for while they run; no user's token is good for it."""

GROUP = "s3cret-group"
OBJECT = "s3cret-object"
STEP = "s3cret-step"
"""Her workflow's one job."""
OF_GROUP = f"{GROUP}/{OBJECT}"
"""What alice has in these tests: an object of her own, and one in the area of a group that only she is in."""


@dataclass(frozen=True)
class Endpoint:
    """One operation. rule: its address, with gaps as in <job>; query: what must stand behind it.

    stranger: the status that somebody gets who asks it for a thing of another user's.
    """

    method: str
    rule: str
    scope: Scope | Literal["any", "the address is signed", "a job's own token"] | None
    stranger: int
    query: str = ""
    body: object = None

    def path(self, **gaps: str) -> str:
        """The address with its gaps filled."""
        gaps = {"name": OF_GROUP, "group": GROUP, "step": STEP, **gaps}
        return re.sub(r"<([a-z]+)>", lambda gap: gaps[gap[1]], self.rule + self.query)


ENDPOINTS = [
    Endpoint("GET", "/health", ANYBODY, stranger=204),
    Endpoint("GET", "/health/parts", Scope.OPERATE, stranger=403),
    Endpoint("GET", "/openapi.json", ANYBODY, stranger=200),
    Endpoint("GET", "/docs", ANYBODY, stranger=200),
    Endpoint("GET", "/whoami", ANY_TOKEN, stranger=200),
    Endpoint("POST", "/logout", ANY_TOKEN, stranger=200),
    Endpoint("POST", "/jobs", Scope.JOBS_WRITE, stranger=201, body=job_json()),
    Endpoint("GET", "/jobs", Scope.JOBS_READ, stranger=200, query="?all"),
    Endpoint("GET", "/jobs/<job>", Scope.JOBS_READ, stranger=200),
    Endpoint("DELETE", "/jobs/<job>", Scope.JOBS_WRITE, stranger=400),
    Endpoint("DELETE", "/jobs", Scope.JOBS_WRITE, stranger=400, query="?id=<job>"),
    Endpoint("PATCH", "/jobs/<job>", Scope.JOBS_WRITE, stranger=404, body={"labels": {"a": "b"}}),
    Endpoint("PUT", "/jobs/<job>/hold", Scope.JOBS_WRITE, stranger=404),
    Endpoint("POST", "/jobs/<job>/commands", Scope.JOBS_WRITE, stranger=404, body={"command": ["ls"]}),
    Endpoint("PUT", "/jobs/<job>/snapshot", Scope.JOBS_WRITE, stranger=400, query="?path=a"),
    Endpoint("GET", "/jobs/<job>/snapshot", Scope.JOBS_READ, stranger=400),
    Endpoint("POST", "/jobs/<job>/exec", Scope.JOBS_WRITE, stranger=400, query="?command=ls"),
    Endpoint("PUT", "/jobs/<job>/release", Scope.JOBS_WRITE, stranger=404),
    Endpoint("PUT", "/jobs/<job>/remove", Scope.JOBS_WRITE, stranger=400),
    Endpoint("PUT", "/jobs/<job>/clone", Scope.JOBS_WRITE, stranger=400),
    Endpoint("GET", "/jobs/<job>/stdout", Scope.JOBS_READ, stranger=403),
    Endpoint("GET", "/jobs/<job>/stderr", Scope.JOBS_READ, stranger=403),
    Endpoint("POST", "/arrays", Scope.JOBS_WRITE, stranger=201, body={"count": 2, "job": job_json()}),
    Endpoint("GET", "/arrays", Scope.JOBS_READ, stranger=200),
    Endpoint("GET", "/arrays/<array>", Scope.JOBS_READ, stranger=404),
    Endpoint("GET", "/arrays/<array>/jobs", Scope.JOBS_READ, stranger=404, query="?all"),
    Endpoint("DELETE", "/arrays/<array>", Scope.JOBS_WRITE, stranger=404),
    Endpoint("PUT", "/arrays/<array>/hold", Scope.JOBS_WRITE, stranger=404),
    Endpoint("PUT", "/arrays/<array>/release", Scope.JOBS_WRITE, stranger=404),
    Endpoint("POST", "/workflows", Scope.JOBS_WRITE, stranger=201, body={"jobs": [job_json(name="a")]}),
    Endpoint("GET", "/workflows", Scope.JOBS_READ, stranger=200, query="?all&detail"),
    Endpoint("GET", "/workflows/<workflow>", Scope.JOBS_READ, stranger=200),
    Endpoint("GET", "/workflows/<workflow>/nodes", Scope.JOBS_READ, stranger=404),
    Endpoint("DELETE", "/workflows/<workflow>", Scope.JOBS_WRITE, stranger=400),
    Endpoint("DELETE", "/workflows", Scope.JOBS_WRITE, stranger=400, query="?id=<workflow>"),
    Endpoint("PUT", "/workflows/<workflow>", Scope.JOBS_WRITE, stranger=400),
    Endpoint("PUT", "/workflows/<workflow>/clone", Scope.JOBS_WRITE, stranger=400),
    Endpoint("PUT", "/workflows/<workflow>/remove", Scope.JOBS_WRITE, stranger=400),
    Endpoint("GET", "/workflows/<workflow>/<step>/stdout", Scope.JOBS_READ, stranger=403),
    Endpoint("GET", "/workflows/<workflow>/<step>/stderr", Scope.JOBS_READ, stranger=403),
    Endpoint("GET", "/kv", Scope.KV_READ, stranger=200, query="?list&values"),
    Endpoint("GET", "/kv/<key>", Scope.KV_READ, stranger=404),
    Endpoint("POST", "/kv/<key>", Scope.KV_WRITE, stranger=201, body="a text of the stranger's own"),
    Endpoint("DELETE", "/kv/<key>", Scope.KV_WRITE, stranger=200, query="?prefix"),
    Endpoint("GET", "/resources", Scope.JOBS_READ, stranger=200),
    Endpoint("GET", "/pool", Scope.JOBS_READ, stranger=200),
    Endpoint("GET", "/jobs/<job>/explain", Scope.JOBS_READ, stranger=404),
    Endpoint("GET", "/usage", Scope.JOBS_READ, stranger=200, query="?start=2026-05-01&end=2026-05-01&by=user,month"),
    Endpoint("GET", "/accounting", Scope.JOBS_READ, stranger=200, query="?start=2026-05-01&end=2026-05-01&by_group=1"),
    Endpoint("GET", "/budgets", Scope.JOBS_READ, stranger=200),
    Endpoint("GET", "/budgets/<group>/ledger", Scope.JOBS_READ, stranger=404),
    Endpoint("POST", "/budgets/<group>/adjustments", Scope.OPERATE, stranger=403, body={"units": 1, "why": "a gift"}),
    Endpoint("POST", "/data/upload", Scope.DATA_WRITE, stranger=403, body={"filename": OF_GROUP}),
    Endpoint("POST", "/data", Scope.DATA_WRITE, stranger=201, body={"filename": OBJECT}),
    Endpoint("GET", "/data", Scope.DATA_READ, stranger=200),
    Endpoint("GET", "/data/<name>", Scope.DATA_READ, stranger=403),
    Endpoint("DELETE", "/data/<name>", Scope.DATA_WRITE, stranger=403),
    Endpoint("GET", "/quota", Scope.DATA_READ, stranger=200),
    Endpoint("POST", "/data/input", A_JOBS, stranger=401, body={"name": OBJECT}),
    Endpoint("POST", "/data/passed", A_JOBS, stranger=401, body={"number": 0}),
    Endpoint("POST", "/data/passed/input", A_JOBS, stranger=401, body={"number": 0, "name": OBJECT}),
    Endpoint("POST", "/data/output", A_JOBS, stranger=401, body={"name": OBJECT}),
    Endpoint("POST", "/data/checkpoint", A_JOBS, stranger=401, body={"size": 1, "sha256": "0" * 64}),
    Endpoint("POST", "/data/checkpoint/latest", A_JOBS, stranger=401, body={"name": OBJECT}),
    Endpoint("POST", "/data/checkpoint/restore", A_JOBS, stranger=401),
    Endpoint("GET", "/objects/<name>", SIGNED, stranger=404),
    Endpoint("PUT", "/objects/<name>", SIGNED, stranger=404, body="content"),
    Endpoint("POST", "/tokens", Scope.TOKENS, stranger=201, body={}),
    Endpoint("GET", "/tokens", Scope.TOKENS, stranger=200),
    Endpoint("DELETE", "/tokens/<id>", Scope.TOKENS, stranger=404),
    Endpoint("POST", "/webhooks", Scope.JOBS_WRITE, stranger=201, body={"url": "https://example.org/mine"}),
    Endpoint("GET", "/webhooks", Scope.JOBS_READ, stranger=200),
    Endpoint("DELETE", "/webhooks/<webhook>", Scope.JOBS_WRITE, stranger=404),
    Endpoint("POST", "/token", Scope.TOKENS, stranger=201),
    Endpoint("DELETE", "/token", Scope.TOKENS, stranger=200),
]
