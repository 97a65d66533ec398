"""Examples of what requests hold, for readers of the description: one of each body, and one value of each parameter
that must be there. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prominence.core.job import ArraySpec, JobSpec
from prominence.core.workflow import WorkflowSpec
from prominence.restapi.budgets.verbs import AdjustmentRequest
from prominence.restapi.changes import JobChange
from prominence.restapi.checkpoints import LatestCheckpoint, WantedCheckpoint
from prominence.restapi.commands import Command
from prominence.restapi.data import Upload
from prominence.restapi.grants import WantedInput, WantedOutput
from prominence.restapi.passed import WantedNames, WantedPassed
from prominence.restapi.tokens import TokenRequest
from prominence.restapi.webhooks.verbs import WebhookRequest

_SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


def _job(name: str, command: str, **more: Any) -> dict[str, Any]:
    tasks = [{"image": "python:3.12", "cmd": command}]
    return {"name": name, "tasks": tasks, "resources": {"cpus": 1, "memory": 2, "disk": 5, "walltime": 60}, **more}


BODIES: Mapping[Any, Any] = {
    JobSpec: _job("fit", "python fit.py", labels={"project": "demo"}),
    JobChange: {"labels": {"run": "2", "draft": None}, "policies": {"priority": 5}},
    Command: {"command": ["ls", "-l", "results"]},
    ArraySpec: {"count": 5, "job": _job("scan", "python part.py")},
    WorkflowSpec: {
        "name": "scan",
        "jobs": [_job("fit", "python fit.py --mass $mass", outputFiles=["fit.json"]), _job("plot", "python plot.py")],
        "factories": [
            {
                "type": "parameterSweep",
                "jobs": ["fit"],
                "parameters": [{"name": "mass", "start": 0, "end": 1, "step": 0.1}],
            }
        ],
        "dependencies": {"fit": ["plot"]},
    },
    Upload: {"filename": "data.tgz", "checksum": _SHA256, "size": 4},
    WantedInput: {"name": "data.tgz"},
    WantedNames: {"number": 0, "instance": 0, "after": ""},
    WantedPassed: {"number": 0, "instance": 0, "name": "fit.json"},
    WantedOutput: {"name": "results.tgz", "size": 4, "sha256": _SHA256},
    WantedCheckpoint: {"size": 4, "sha256": _SHA256},
    LatestCheckpoint: {"name": "7f3a.tgz"},
    AdjustmentRequest: {"units": 100, "why": "the conference"},
    TokenRequest: {"name": "nightly", "scopes": ["jobs:read", "jobs:write"], "days": 90},
    WebhookRequest: {"url": "https://example.org/hook", "name": "results page"},
}
"""By what a request's body is."""

VALUES: Mapping[str, Any] = {
    "job": 12,
    "array": 17,
    "workflow": 17,
    "step": "fit/3",
    "key": "results/best",
    "group": "physics",
    "id": "4c2f9b1e",
    "webhook": "4c2f9b1e",
    "name": "data.tgz",
    "command": "ls,-l,results",
    "path": "results",
    "by": ["user", "month"],
    "start": "2026-05-01",
    "end": "2026-05-31",
    "until": "1777636800",
    "signature": "8f14e45f",
}
"""By the name of a gap in an address, or of a parameter that must be there."""

_IDS = [12, 13]


def value(name: str, *, several: bool) -> Any:
    """Of such a parameter; several: it is a list, as are the ids of jobs."""
    return _IDS if several and name == "id" else VALUES[name]
