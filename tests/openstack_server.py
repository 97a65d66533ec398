"""An OpenStack for tests, written after the references of its APIs: Keystone's tokens, Nova's servers, Glance's images.

`python openstack_server.py` prints its port. As in Nova a server is BUILD first, and ACTIVE when it is asked for again;
of the flavour `full` it becomes ERROR, since no host has room. `POST /_faults` puts faults in the way of the next
requests, and `POST /_servers/NAME` changes what Nova says of a server.
"""

from __future__ import annotations

import base64
import threading
import time
from pathlib import Path
from typing import Any

from flask import Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue
from mischief import Mischief

PAGE = 3
PASSWORD = "hidden-word"
QUOTA = 12
MOST = 1000
TIME = "2026-01-01T00:00:00Z"
FLAVORS = {
    "1": {"name": "small", "vcpus": 2, "ram": 4096, "disk": 20},
    "2": {"name": "large", "vcpus": 8, "ram": 16384, "disk": 40},
    "3": {"name": "full", "vcpus": 2, "ram": 4096, "disk": 20},
}
IMAGES = [
    {"id": "old", "name": "worker-1", "created_at": "2025-01-01T00:00:00Z"},
    {"id": "new", "name": "worker-2", "created_at": "2026-02-01T00:00:00Z"},
    {"id": "arm", "name": "worker-3", "created_at": "2026-03-01T00:00:00Z", "architecture": "aarch64"},
    {"id": "queued", "name": "worker-4", "created_at": "2026-04-01T00:00:00Z", "status": "queued"},
]


class State:
    """What the cloud holds."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.servers: dict[str, dict[str, Any]] = {}
        self.faults: list[dict[str, Any]] = []
        self.mischief = Mischief()
        self.draining: set[str] = set()
        self.gone: list[tuple[float, dict[str, Any]]] = []
        self.number = 0

    def fault(self) -> dict[str, Any] | None:
        """That is in the way of this request."""
        for fault in self.faults:
            if fault["method"] == request.method and fault["path"] in request.path and fault["times"] > 0:
                fault["times"] -= 1
                return fault
        return None


def create() -> Flask:
    """The application."""
    app, state = Flask(__name__, static_folder=None, root_path=str(Path(__file__).parent)), State()

    @app.before_request
    def guard() -> ResponseReturnValue | None:
        if request.path.startswith("/_"):
            return None
        state.mischief.count(request.method)
        with state.lock:
            fault = state.fault()
        if fault and not fault.get("after"):
            return _error(fault["status"], fault["message"])
        if trouble := state.mischief.before():
            return _error(*trouble)
        request.environ["fault"] = fault
        if request.path.startswith(("/compute", "/image")) and request.headers.get("X-Auth-Token") != "a-token":
            return _error(401, "The request you have made requires authentication.")
        return None

    @app.after_request
    def late(response: Response) -> Response:
        fault = request.environ.get("fault")
        if fault is None:
            trouble = None if request.path.startswith("/_") else state.mischief.after()
            return app.make_response(_error(*trouble)) if trouble else response
        return app.make_response(_error(fault["status"], fault["message"]))

    _add_keystone(app)
    _add_glance(app)
    _add_nova(app, state)
    _add_tests(app, state)
    return app


def _add_keystone(app: Flask) -> None:
    @app.post("/v3/auth/tokens")
    def tokens() -> ResponseReturnValue:
        identity = request.get_json()["auth"]["identity"]
        if identity["methods"] == ["application_credential"]:
            secret = identity["application_credential"]["secret"]
        else:
            secret = identity["password"]["user"]["password"]
        if secret != PASSWORD:
            return _error(401, "The request you have made requires authentication.")
        kinds = {"compute": ("nova", "compute/v2.1"), "image": ("glance", "image")}
        catalog = [
            {
                "type": kind,
                "name": name,
                "id": name,
                "endpoints": [
                    {"interface": "public", "region": "north", "region_id": "north", "id": name, "url": _url(path)}
                ],
            }
            for kind, (name, path) in kinds.items()
        ]
        token = {
            "expires_at": "2999-01-01T00:00:00.000000Z",
            "catalog": catalog,
            "roles": [],
            "user": {"id": "u", "name": "u", "domain": {"id": "default", "name": "Default"}},
        }
        return jsonify(token=token), 201, {"X-Subject-Token": "a-token"}


def _add_glance(app: Flask) -> None:
    @app.get("/image/v2/images")
    def images() -> ResponseReturnValue:
        given = {"status": "active", "architecture": "x86_64", "os_distro": "debian", "os_version": "13"}
        return jsonify(images=[{**given, **image} for image in IMAGES])


def _add_nova(app: Flask, state: State) -> None:
    @app.get("/compute/v2.1/flavors/detail")
    def flavors() -> ResponseReturnValue:
        return jsonify(flavors=[{"id": key, "swap": "", "links": [], **flavor} for key, flavor in FLAVORS.items()])

    @app.get("/compute/v2.1/limits")
    def limits() -> ResponseReturnValue:
        with state.lock:
            flavors = [FLAVORS[one["flavor"]["id"]] for one in state.servers.values()]
        most = {"maxTotalInstances": MOST, "maxTotalCores": 2 * MOST, "maxTotalRAMSize": -1}
        cores, memory = (sum(int(one[key]) for one in flavors) for key in ("vcpus", "ram"))  # type: ignore[call-overload]
        used = {"totalInstancesUsed": len(flavors), "totalCoresUsed": cores, "totalRAMUsed": memory}
        return jsonify(limits={"rate": [], "absolute": {**most, **used}})

    @app.get("/compute/v2.1/servers/detail")
    def servers() -> ResponseReturnValue:
        with state.lock:
            known = state.mischief.listed(list(state.servers.values()), state.gone)
            marker = request.args.get("marker")
            first = next((place + 1 for place, one in enumerate(known) if one["id"] == marker), 0)
            page = [state.mischief.told(_seen(one)) for one in known[first : first + PAGE]]
        answer: dict[str, Any] = {"servers": page}
        if first + PAGE < len(known):
            after = _url(f"compute/v2.1/servers/detail?marker={page[-1]['id']}")
            answer["servers_links"] = [{"rel": "next", "href": after}]
        return jsonify(answer)

    @app.post("/compute/v2.1/servers")
    def make() -> ResponseReturnValue:
        asked = request.get_json()["server"]
        with state.lock:
            pool = asked.get("metadata", {}).get("prominence.pool")
            if len([one for one in state.servers.values() if one["metadata"].get("prominence.pool") == pool]) >= QUOTA:
                text = f"Quota exceeded for instances: Requested 1, but already used {QUOTA} of {QUOTA} instances"
                return _error(403, text)
            if asked["flavorRef"] not in FLAVORS:
                return _error(400, f"Flavor {asked['flavorRef']} could not be found.")
            if asked.get("imageRef") and asked["imageRef"] not in [image["id"] for image in IMAGES]:
                return _error(400, "Can not find requested image")
            if len(asked.get("user_data", "")) > 65535:
                return _error(400, "Invalid input for field/attribute user_data.")
            for _ in range(state.mischief.times_heard()):
                state.number += 1
                server = _server(f"id-{state.number}", asked)
                state.servers[server["id"]] = server
        return jsonify(server={"id": server["id"], "links": server["links"], "adminPass": "x"}), 202

    @app.get("/compute/v2.1/servers/<key>")
    def one(key: str) -> ResponseReturnValue:
        with state.lock:
            known = state.servers.get(key)
            return jsonify(server=dict(known)) if known else _error(404, f"Instance {key} could not be found.")

    @app.delete("/compute/v2.1/servers/<key>")
    def delete(key: str) -> ResponseReturnValue:
        with state.lock:
            gone = state.servers.pop(key, None)
            if gone:
                state.gone.append((time.monotonic(), gone))
        return ("", 204) if gone else _error(404, f"Instance {key} could not be found.")


def _add_tests(app: Flask, state: State) -> None:
    @app.post("/_faults")
    def faults() -> ResponseReturnValue:
        with state.lock:
            state.faults = [{"times": 1, **fault} for fault in request.get_json()]
        return "", 204

    @app.post("/_mischief")
    def mischief() -> ResponseReturnValue:
        state.mischief.begin(**request.get_json())
        return "", 204

    @app.get("/_mischief")
    def done() -> ResponseReturnValue:
        return dict(state.mischief.done)

    @app.post("/_kill")
    def kill() -> ResponseReturnValue:
        state.mischief.kill(**request.get_json())
        return "", 204

    @app.get("/_pool")
    def pool() -> ResponseReturnValue:
        """Workers whose startds a collector would know: those of machines that run."""
        with state.lock:
            names = {one["name"] for one in state.servers.values() if one["status"] == "ACTIVE"}
            return jsonify({name: name in state.draining for name in sorted(names)})

    @app.post("/_pool/<name>/<act>")
    def change_pool(name: str, act: str) -> ResponseReturnValue:
        with state.lock:
            state.draining = state.draining | {name} if act == "drain" else state.draining - {name}
        return "", 204

    @app.get("/_servers")
    def every() -> ResponseReturnValue:
        with state.lock:
            return jsonify(list(state.servers.values()))

    @app.post("/_servers/<name>")
    def change(name: str) -> ResponseReturnValue:
        changes = request.get_json()
        with state.lock:
            named = [one for one in state.servers.values() if one["name"] == name]
            server = named[-1]  # the newest: each test has its own pool, and looks for what it has just made
            if changes.get("status") == "DELETED":
                del state.servers[server["id"]]
            server.update(changes)
        return "", 204


def _server(key: str, asked: dict[str, Any]) -> dict[str, Any]:
    asked = {**asked, "user_data": base64.b64decode(asked.get("user_data", "")).decode()}
    return {
        "id": key,
        "name": asked["name"],
        "status": "BUILD",
        "made_at": time.monotonic(),
        "addresses": {},
        "hostId": "",
        "tenant_id": "t",
        "user_id": "u",
        "created": TIME,
        "updated": TIME,
        "metadata": asked.get("metadata", {}),
        "flavor": {"id": asked["flavorRef"]},
        "image": {"id": asked["imageRef"]} if asked.get("imageRef") else "",
        "links": [{"rel": "self", "href": _url(f"compute/v2.1/servers/{key}")}],
        "asked": asked,
    }


def _seen(server: dict[str, Any]) -> dict[str, Any]:
    """As it is now; the next time it has come further."""
    seen = dict(server)
    if server["status"] == "BUILD" and server["flavor"]["id"] == "3":
        server.update(status="ERROR", fault={"code": 500, "message": "No valid host was found. ", "created": TIME})
    elif server["status"] == "BUILD":
        server["status"] = "ACTIVE"
    return seen


def _url(path: str) -> str:
    return f"{request.host_url}{path}"


def _error(status: int, message: str) -> ResponseReturnValue:
    return {"badRequest": {"code": status, "message": message}}, status


def main() -> None:
    """Until the process is ended."""
    import waitress

    served = waitress.create_server(create(), host="127.0.0.1", port=0, threads=16)
    print(served.effective_port, flush=True)
    served.run()


if __name__ == "__main__":
    main()
