"""An Infrastructure Manager with its Dummy connector, which makes no machines, and what is to go wrong.

Runs in an environment of its own (`infrastructure_manager.py`). Tells its port in its first line. POST /_faults takes
what shall go wrong next: {"launch": TEXT}, the cloud refuses; {"method", "path", "status", "message", "after"}, the
manager does, before or after it has acted; {"states": {WORKER: STATE}}, what the cloud says of machines from then on.
GET /_user_data tells what the last machine would have got from a connector that hands it on.
"""

from __future__ import annotations

import json
import logging
import socket
import sys
import tempfile
from typing import Any

from IM.config import Config

Config.DATA_DB = f"sqlite://{tempfile.mkdtemp(prefix='im-')}/inf.dat"
Config.MAX_VM_FAILS = 1
Config.DELAY_BETWEEN_VM_RETRIES = 0
Config.VM_INFO_UPDATE_FREQUENCY = -1

import uvicorn  # noqa: E402
from fastapi import Request, Response  # noqa: E402
from IM.connectors.Dummy import DummyCloudConnector  # noqa: E402
from IM.InfrastructureList import InfrastructureList  # noqa: E402
from IM.rest.REST import app  # noqa: E402
from starlette.responses import JSONResponse  # noqa: E402

launch_refusals: list[str] = []
faults: list[dict[str, Any]] = []
states: dict[str, str] = {}
user_data: list[str] = []

launch, update = DummyCloudConnector.launch, DummyCloudConnector.updateVMInfo


def launch_or_refuse(self: Any, inf: Any, radl: Any, requested_radl: Any, num_vm: int, auth: Any) -> Any:
    if launch_refusals:
        return [(False, launch_refusals.pop(0))] * num_vm
    user_data.append(self.get_cloud_init_data(radl))
    return launch(self, inf, radl, requested_radl, num_vm, auth)


def update_as_told(self: Any, vm: Any, auth: Any) -> Any:
    vm.state = states.get(vm.info.systems[0].getValue("net_interface.0.dns_name"), vm.state)
    return update(self, vm, auth)


DummyCloudConnector.launch, DummyCloudConnector.updateVMInfo = launch_or_refuse, update_as_told


@app.middleware("http")
async def go_wrong(request: Request, call_next: Any) -> Response:
    if request.url.path == "/_user_data":
        return Response(user_data[-1])
    if request.url.path == "/_faults":
        told = json.loads(await request.body())
        if "launch" in told:
            launch_refusals.append(told["launch"])
        elif "states" in told:
            states.update(told["states"])
        else:
            faults.append(told)
        return Response(status_code=204)
    for fault in faults:
        if (fault["method"], fault["path"]) == (request.method, request.url.path):
            faults.remove(fault)
            if fault.get("after"):
                await call_next(request)
            return JSONResponse({"message": fault["message"], "code": fault["status"]}, fault["status"])
    return await call_next(request)


def main() -> None:
    logging.disable()
    InfrastructureList.init_table()
    listening = socket.create_server((sys.argv[1], 0))
    print(listening.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False)).run(sockets=[listening])


main()
