"""An Azure Resource Manager for tests, written after its reference, and not Microsoft's: a resource group in a region.

`python azure_server.py` prints its port. As there a machine is made with its disk, interface and address by one
request, is not ready at first, and what is refused late is told by its status; machines of size `Full` are refused so.
A deleted one is seen no more at the next look, and takes along what it was made with and nothing else. `POST /_faults`
puts faults in the way of the next requests; `GET /_state` tells what is there, `POST /_machines/NAME` changes it.
"""

from __future__ import annotations

import time
from typing import Any

from azure_offers import (
    APPLICATION,
    GALLERY,
    GROUP,
    IMAGES,
    IN_GROUP,
    PATH,
    REGION,
    SECRET,
    SKUS,
    TENANT,
    error,
    mistake,
)
from azure_state import State, go_on, made_with, remove, unlink
from flask import Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue


def create() -> Flask:
    """The application."""
    app, state = Flask(__name__), State()
    _guard(app, state)
    _serve_machines(app, state)
    _serve_around(app, state)
    _serve_offers(app, state)
    _serve_tests(app, state)
    return app


def _guard(app: Flask, state: State) -> None:
    @app.before_request
    def in_the_way() -> ResponseReturnValue | None:
        if request.path.startswith("/_"):
            return None
        with state.lock:
            for fault in state.faults:
                if fault["method"] == request.method and fault["path"] in request.path and fault["times"] > 0:
                    fault["times"] -= 1
                    return error(fault["status"], fault["reason"], fault["message"])
        if request.path.endswith("/oauth2/token"):
            return None
        if request.headers.get("Authorization") != "Bearer a-token":
            return error(401, "InvalidAuthenticationToken", "The access token is invalid.")
        if "api-version" not in request.args:
            return error(400, "MissingApiVersionParameter", "The api-version query parameter is required.")
        return None

    @app.post("/<tenant>/oauth2/token")
    def token(tenant: str) -> ResponseReturnValue:
        asked = request.form
        state.logins += 1
        if tenant != TENANT:
            return jsonify(error="invalid_request", error_description=f"AADSTS90002: Tenant '{tenant}' not found."), 400
        if (asked["client_id"], asked["client_secret"]) != (APPLICATION, SECRET):
            return jsonify(error="invalid_client", error_description="AADSTS7000215: Invalid client secret."), 401
        return jsonify(access_token="a-token", expires_on=str(int(time.time()) + 3600), token_type="Bearer")


def _serve_machines(app: Flask, state: State) -> None:
    machines = f"{IN_GROUP}/Microsoft.Compute/virtualMachines"

    @app.get(machines)
    def of_the_group() -> ResponseReturnValue:
        with state.lock:
            for name in [name for name, one in state.machines.items() if one["going"]]:
                remove(state, name)
            found = [one["told"] for one in state.machines.values()]
            answer = _page(found)
            for one in state.machines.values():
                go_on(one)
            return answer

    @app.get(f"{PATH}/providers/Microsoft.Compute/virtualMachines")
    def statuses() -> ResponseReturnValue:
        """Without tags, and in Azure's own spelling."""
        with state.lock:
            found = [
                {"id": one["told"]["id"].replace(GROUP, GROUP.upper()), "properties": {"instanceView": _view(one)}}
                for one in state.machines.values()
            ]
            return _page(found) if request.args.get("statusOnly") == "true" else error(400, "BadRequest", "not here")

    @app.put(f"{machines}/<name>")
    def put(name: str) -> ResponseReturnValue:
        body = request.get_json()
        with state.lock:
            if name in state.machines and request.headers.get("If-None-Match") == "*":
                return error(412, "PreconditionFailed", "The resource already exists.")
            refusal = mistake(name, body)
            if refusal:
                return refusal
            told = {**body, "id": f"{machines}/{name}", "name": name, "properties": {**body["properties"]}}
            told["properties"] |= {"provisioningState": "Creating", **made_with(state, name, body["properties"])}
            full = body["properties"]["hardwareProfile"]["vmSize"] == "Full"
            statuses = [{"code": "ProvisioningState/creating"}]
            state.machines[name] = {"told": told, "statuses": statuses, "full": full, "going": False, "asked": body}
            return jsonify(told), 201

    @app.delete(f"{machines}/<name>")
    def delete(name: str) -> ResponseReturnValue:
        with state.lock:
            if name not in state.machines:
                return Response(status=204)
            state.machines[name]["going"] = True
            state.machines[name]["told"]["properties"]["provisioningState"] = "Deleting"
            return Response(status=202)


def _serve_around(app: Flask, state: State) -> None:
    @app.get(f"{IN_GROUP}/<provider>/<kind>")
    def every(provider: str, kind: str) -> ResponseReturnValue:
        with state.lock:
            return _page(list(state.around[f"{provider}/{kind}"].values()))

    @app.get(f"{IN_GROUP}/<provider>/<kind>/<name>")
    def one(provider: str, kind: str, name: str) -> ResponseReturnValue:
        with state.lock:
            found = state.around[f"{provider}/{kind}"].get(name)
            return jsonify(found) if found else _not_found(f"{provider}/{kind}/{name}")

    @app.patch(f"{IN_GROUP}/<provider>/<kind>/<name>")
    def tag(provider: str, kind: str, name: str) -> ResponseReturnValue:
        """All its tags are replaced."""
        with state.lock:
            state.around[f"{provider}/{kind}"][name]["tags"] = request.get_json()["tags"]
            return jsonify(state.around[f"{provider}/{kind}"][name])

    @app.delete(f"{IN_GROUP}/<provider>/<kind>/<name>")
    def delete_one(provider: str, kind: str, name: str) -> ResponseReturnValue:
        with state.lock:
            found = state.around[f"{provider}/{kind}"].get(name)
            if found is None:
                return Response(status=204)
            if found.get("managedBy") or {"virtualMachine", "ipConfiguration"} & found["properties"].keys():
                return error(400, "InUse", f"{name} is in use.")
            unlink(state, found)
            del state.around[f"{provider}/{kind}"][name]
            return Response(status=202)


def _serve_offers(app: Flask, state: State) -> None:
    compute = f"{PATH}/providers/Microsoft.Compute"

    @app.get(f"{compute}/skus")
    def skus() -> ResponseReturnValue:
        return _page(SKUS if request.args.get("$filter") == f"location eq '{REGION}'" else [])

    @app.get(f"{compute}/locations/{REGION}/usages")
    def usages() -> ResponseReturnValue:
        with state.lock:
            used = [one["asked"]["properties"] for one in state.machines.values()]
        spot = [one for one in used if one.get("priority") == "Spot"]
        each = {"virtualMachines": (12, len(used) + 2), "cores": (24, 2 * (len(used) - len(spot)) + 4)}
        each["lowPriorityCores"] = (10, 2 * len(spot))
        return jsonify(
            value=[
                {"name": {"value": name}, "limit": limit, "currentValue": now} for name, (limit, now) in each.items()
            ]
        )

    @app.get(GALLERY)
    def images() -> ResponseReturnValue:
        return _page([{"name": name, "properties": said} for name, (said, _) in IMAGES.items()])

    @app.get(f"{GALLERY}/<image>/versions")
    def versions(image: str) -> ResponseReturnValue:
        found = [
            {
                "id": f"{GALLERY}/{image}/versions/{version}",
                "properties": {"provisioningState": "Succeeded", "publishingProfile": {"publishedDate": published}},
            }
            for version, published in IMAGES[image][1].items()
        ]
        failed = {"id": f"{GALLERY}/{image}/versions/9.0.0", "properties": {"provisioningState": "Failed"}}
        return _page([*found, failed])


def _serve_tests(app: Flask, state: State) -> None:
    @app.get("/_state")
    def told() -> ResponseReturnValue:
        with state.lock:
            machines = {name: one["asked"] for name, one in state.machines.items()}
            around = {kind.rpartition("/")[2]: there for kind, there in state.around.items()}
            return jsonify(machines=machines, logins=state.logins, **around)

    @app.post("/_machines/<name>")
    def change(name: str) -> ResponseReturnValue:
        with state.lock:
            changes, found = request.get_json(), state.machines[name]
            if changes.get("gone"):
                remove(state, name)
            found["statuses"] = changes.get("statuses", found["statuses"])
            found["told"]["properties"] |= changes.get("properties", {})
        return Response(status=204)

    @app.post("/_around/<provider>/<kind>/<name>")
    def add(provider: str, kind: str, name: str) -> ResponseReturnValue:
        with state.lock:
            state.put(f"{provider}/{kind}", name, **request.get_json())
        return Response(status=204)

    @app.post("/_faults")
    def faults() -> ResponseReturnValue:
        with state.lock:
            state.faults = [{"times": 1, **fault} for fault in request.get_json()]
        return Response(status=204)


def _view(one: dict[str, Any]) -> dict[str, Any]:
    return {"statuses": one["statuses"]}


def _page(every: list[dict[str, Any]]) -> Response:
    """Two at a time."""
    begin = int(request.args.get("$skiptoken", 0))
    more = {}
    if begin + 2 < len(every):
        query = "&".join(f"{name}={value}" for name, value in request.args.items() if name != "$skiptoken")
        more = {"nextLink": f"{request.base_url}?{query}&$skiptoken={begin + 2}"}
    return jsonify({"value": every[begin : begin + 2], **more})


def _not_found(what: str) -> tuple[Response, int]:
    return error(404, "ResourceNotFound", f"The Resource '{what}' under resource group '{GROUP}' was not found.")


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
