"""A Compute Engine for tests, written after its reference, and not Google's: one project's instances, disks and images.

`python google_server.py` prints its port. As there an instance comes by an operation that is not done at first, and
what is refused late is told by the operation alone, after the instance was to be seen for a moment. Machines of type
`full` are refused so, for want of room. `POST /_faults` puts faults in the way of the next requests; `GET /_state`
tells what is there, and `POST /_instances/NAME` changes it.
"""

from __future__ import annotations

import re
import threading
from typing import Any

from flask import Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue

PROJECT, ZONE, REGION = "a-project", "north-1-b", "north-1"
PATH = f"/compute/v1/projects/{PROJECT}"
ADDRESS = "https://www.googleapis.com"
TYPES = {
    "small": {"guestCpus": 2, "memoryMb": 4096},
    "large": {"guestCpus": 8, "memoryMb": 16384},
    "seeing": {"guestCpus": 8, "memoryMb": 16384, "accelerators": [{"guestAcceleratorCount": 2}]},
    "full": {"guestCpus": 2, "memoryMb": 4096},
    "past": {"guestCpus": 2, "memoryMb": 4096, "deprecated": {"state": "DEPRECATED"}},
}
IMAGES = [
    {"id": "1", "name": "worker-1", "creationTimestamp": "2025-01-01T00:00:00Z", "status": "READY"},
    {"id": "2", "name": "worker-2", "creationTimestamp": "2026-02-01T00:00:00Z", "status": "READY"},
    {
        "id": "3",
        "name": "worker-3",
        "creationTimestamp": "2026-03-01T00:00:00Z",
        "architecture": "ARM64",
        "status": "READY",
    },
    {"id": "4", "name": "worker-4", "creationTimestamp": "2026-04-01T00:00:00Z", "status": "PENDING"},
    {
        "id": "5",
        "name": "worker-5",
        "creationTimestamp": "2026-05-01T00:00:00Z",
        "status": "READY",
        "deprecated": {"state": "DEPRECATED"},
    },
]
FIELDS = {
    "name",
    "machineType",
    "labels",
    "metadata",
    "disks",
    "networkInterfaces",
    "tags",
    "scheduling",
    "serviceAccounts",
}
_LABEL = re.compile(r"labels\.([a-z0-9_-]+)=([a-z0-9_-]+)")
STOCK_OUT = {
    "code": "ZONE_RESOURCE_POOL_EXHAUSTED",
    "message": f"The zone 'projects/{PROJECT}/zones/{ZONE}' does not have enough resources available to fulfill the "
    "request.  Try a different zone, or try again later.",
}


class State:
    """What the cloud holds."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.instances: dict[str, dict[str, Any]] = {}
        self.disks: dict[str, dict[str, Any]] = {}
        self.operations: dict[str, dict[str, Any]] = {}
        self.faults: list[dict[str, Any]] = []
        self.number = 0

    def next(self) -> str:
        """An id."""
        self.number += 1
        return str(self.number)


def create() -> Flask:
    """The application."""
    app, state = Flask(__name__), State()
    zone = f"{PATH}/zones/{ZONE}"

    @app.before_request
    def in_the_way() -> ResponseReturnValue | None:
        if request.path.startswith(("/_", "/o/")):
            return None
        if request.headers.get("Authorization") != "Bearer a-token":
            return _error(401, "authError", "Invalid Credentials")
        with state.lock:
            for fault in state.faults:
                if fault["method"] == request.method and fault["path"] in request.path and fault["times"] > 0:
                    fault["times"] -= 1
                    return _error(fault["status"], fault["reason"], fault["message"])
        return None

    @app.post("/o/oauth2/token")
    def token() -> ResponseReturnValue:
        if len(request.form["assertion"].split(".")) != 3:
            return jsonify(error="invalid_grant", error_description="Invalid JWT Signature."), 400
        return jsonify(access_token="a-token", expires_in=3600, token_type="Bearer")

    @app.get(f"{zone}/instances")
    def instances() -> ResponseReturnValue:
        with state.lock:
            found = _page(list(state.instances.values()))
            for one in state.instances.values():
                one["status"] = {"PROVISIONING": "STAGING", "STAGING": "RUNNING"}.get(one["status"], one["status"])
            return found

    @app.post(f"{zone}/instances")
    def insert() -> ResponseReturnValue:
        body = request.get_json()
        with state.lock:
            refusal = _mistake(body, state)
            if refusal:
                return refusal
            name, kind = body["name"], body["machineType"].rpartition("/")[2]
            state.instances[name] = {
                **body,
                "id": state.next(),
                "status": "PROVISIONING",
                "machineType": f"{ADDRESS}{zone}/machineTypes/{kind}",
            }
            for disk in body["disks"]:
                state.disks[name] = {"name": name, "users": [name], **disk["initializeParams"]}
            return _operation(state, "insert", name, [STOCK_OUT] if kind == "full" else [])

    @app.delete(f"{zone}/instances/<name>")
    def delete(name: str) -> ResponseReturnValue:
        with state.lock:
            if name not in state.instances:
                return _error(
                    404, "notFound", f"The resource 'projects/{PROJECT}/zones/{ZONE}/instances/{name}' was not found"
                )
            _remove(state, name)
            return _operation(state, "delete", name, [])

    @app.get(f"{zone}/operations/<name>")
    def operation(name: str) -> ResponseReturnValue:
        """Asked for the second time it is done."""
        with state.lock:
            found = state.operations[name]
            if found["status"] == "RUNNING" and found["errors"]:
                _remove(state, found["target"])
            done = {"RUNNING": "DONE", "PENDING": "RUNNING"}.get(found["status"], "DONE")
            found["status"] = done
            return jsonify(_told(found))

    @app.get(f"{zone}/disks")
    def disks() -> ResponseReturnValue:
        with state.lock:
            return _page(list(state.disks.values()))

    @app.delete(f"{zone}/disks/<name>")
    def delete_disk(name: str) -> ResponseReturnValue:
        with state.lock:
            if state.disks[name]["users"]:
                return _error(
                    400, "resourceInUseByAnotherResource", f"The disk resource '{name}' is already being used"
                )
            del state.disks[name]
            return _operation(state, "delete", name, [])

    @app.get(f"{zone}/machineTypes")
    def types() -> ResponseReturnValue:
        return _page([{"name": name, **said} for name, said in TYPES.items()])

    @app.get("/compute/v1/projects/<project>/global/images")
    def images(project: str) -> ResponseReturnValue:
        return _page(IMAGES if project == PROJECT else [{**IMAGES[0], "name": f"of-{project}"}])

    @app.get(f"{PATH}/regions/{REGION}")
    def region() -> ResponseReturnValue:
        with state.lock:
            used = [one["machineType"].rpartition("/")[2] for one in state.instances.values()]
        cpus = sum(int(str(TYPES[kind]["guestCpus"])) for kind in used)
        quotas = [
            {"metric": "INSTANCES", "limit": 12.0, "usage": float(len(used) + 2)},
            {"metric": "CPUS", "limit": 24.0, "usage": float(cpus + 4)},
        ]
        return jsonify(name=REGION, quotas=quotas)

    @app.get("/_state")
    def told() -> ResponseReturnValue:
        with state.lock:
            return jsonify(instances=state.instances, disks=state.disks)

    @app.post("/_instances/<name>")
    def change(name: str) -> ResponseReturnValue:
        with state.lock:
            changes = request.get_json()
            if changes.get("status") == "GONE":
                _remove(state, name)
            else:
                state.instances[name] |= changes
        return Response(status=204)

    @app.post("/_disks")
    def add_disk() -> ResponseReturnValue:
        with state.lock:
            state.disks[request.get_json()["name"]] = request.get_json()
        return Response(status=204)

    @app.post("/_faults")
    def faults() -> ResponseReturnValue:
        with state.lock:
            state.faults = [{"times": 1, **fault} for fault in request.get_json()]
        return Response(status=204)

    return app


def _mistake(body: dict[str, Any], state: State) -> ResponseReturnValue | None:
    """What Google finds wrong with an instance at once."""
    name, kind = body["name"], body["machineType"].rpartition("/")[2]
    if unknown := body.keys() - FIELDS:
        return _error(400, "invalid", f'Invalid JSON payload received. Unknown name "{min(unknown)}"')
    if not re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", name):
        return _error(400, "invalid", f"Invalid value for field 'resource.name': '{name}'.")
    for key, value in {**body["labels"], **body["disks"][0]["initializeParams"]["labels"]}.items():
        if not re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", key) or not re.fullmatch(r"[a-z0-9_-]{0,63}", value):
            return _error(400, "invalid", f"Invalid value for field 'resource.labels': '{key}={value}'.")
    if name in state.instances:
        return _error(
            409, "alreadyExists", f"The resource 'projects/{PROJECT}/zones/{ZONE}/instances/{name}' already exists"
        )
    if kind not in TYPES:
        return _error(
            404, "notFound", f"The resource 'projects/{PROJECT}/zones/{ZONE}/machineTypes/{kind}' was not found"
        )
    image = body["disks"][0]["initializeParams"]["sourceImage"]
    if image.rpartition("/")[2] not in [one["name"] for one in IMAGES]:
        return _error(404, "notFound", f"The resource '{image}' was not found")
    scheduling = body["scheduling"]
    if scheduling.get("preemptible") and scheduling.get("automaticRestart", True):
        return _error(400, "invalid", "Automatic restart must be disabled when 'preemptible' is true.")
    return None


def _remove(state: State, name: str) -> None:
    for disk in state.instances.pop(name, {}).get("disks", ()):
        if disk["autoDelete"]:
            state.disks.pop(name, None)
        else:
            state.disks[name]["users"] = []


def _operation(state: State, kind: str, target: str, errors: list[dict[str, str]]) -> Response:
    name = f"operation-{state.next()}"
    state.operations[name] = {"name": name, "type": kind, "target": target, "status": "PENDING", "errors": errors}
    return jsonify(_told(state.operations[name]))


def _told(operation: dict[str, Any]) -> dict[str, Any]:
    path = f"{ADDRESS}{PATH}/zones/{ZONE}/operations/{operation['name']}"
    told = {"kind": "compute#operation", "name": operation["name"], "selfLink": path, "status": operation["status"]}
    if operation["status"] == "DONE" and operation["errors"]:
        told |= {"error": {"errors": operation["errors"]}, "httpErrorStatusCode": 503}
    return told


def _page(every: list[dict[str, Any]]) -> Response:
    """Of what the filter leaves, at most what was asked for."""
    wanted = dict(_LABEL.findall(request.args.get("filter", "")))
    found = [one for one in every if wanted.items() <= (one.get("labels") or {}).items()]
    begin, most = int(request.args.get("pageToken", 0)), int(request.args.get("maxResults", 500))
    more = {"nextPageToken": str(begin + most)} if begin + most < len(found) else {}
    items = {"items": found[begin : begin + most]} if found else {}
    return jsonify({"kind": "compute#list", **items, **more})


def _error(status: int, reason: str, message: str) -> tuple[Response, int]:
    error = {"message": message, "domain": "global", "reason": reason}
    return jsonify(error={"code": status, "message": message, "errors": [error]}), status


def main() -> None:
    """Until the process is ended."""
    import sys

    import waitress

    host = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1"
    served = waitress.create_server(create(), host=host, port=0)
    print(served.effective_port, flush=True)
    served.run()


if __name__ == "__main__":
    main()
