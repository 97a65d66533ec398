"""What the Azure of the tests holds, and how one thing hangs on another: see azure_server."""

from __future__ import annotations

import threading
from typing import Any

from azure_offers import FULL, IN_GROUP


class State:
    """What the resource group holds; kinds of resource by their names there."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.machines: dict[str, dict[str, Any]] = {}
        self.around: dict[str, dict[str, dict[str, Any]]] = {
            "Microsoft.Compute/disks": {},
            "Microsoft.Network/networkInterfaces": {},
            "Microsoft.Network/publicIPAddresses": {},
        }
        self.faults: list[dict[str, Any]] = []
        self.logins = 0

    def put(self, kind: str, name: str, **said: Any) -> dict[str, Any]:
        """A resource, by which others know it."""
        self.around[kind][name] = {"id": f"{IN_GROUP}/{kind}/{name}", "name": name, "properties": {}, **said}
        return self.around[kind][name]

    def find(self, path: str) -> dict[str, Any] | None:
        """The resource at this path."""
        every = [one for kind in self.around.values() for one in kind.values()]
        return next((one for one in every if one["id"].lower() == path.lower()), None)


def made_with(state: State, name: str, asked: dict[str, Any]) -> dict[str, Any]:
    """What comes with a machine; how it tells of it."""
    machine = f"{IN_GROUP}/Microsoft.Compute/virtualMachines/{name}"
    disk = {**asked["storageProfile"]["osDisk"]}
    made = state.put("Microsoft.Compute/disks", disk["name"], managedBy=machine, tags={})
    disk["managedDisk"] = {**disk["managedDisk"], "id": made["id"]}
    [wanted] = asked["networkProfile"]["networkInterfaceConfigurations"]
    [address] = wanted["properties"]["ipConfigurations"]
    told: dict[str, Any] = {"properties": {"subnet": address["properties"]["subnet"]}}
    properties = {"virtualMachine": {"id": machine}, "ipConfigurations": [told]}
    interface = state.put("Microsoft.Network/networkInterfaces", wanted["name"], properties=properties)
    public = address["properties"].get("publicIPAddressConfiguration")
    if public:
        used = {"ipConfiguration": {"id": interface["id"]}, **public["properties"]}
        kept = state.put("Microsoft.Network/publicIPAddresses", public["name"], properties=used)
        told["properties"]["publicIPAddress"] = {"id": kept["id"]}
    option = {"deleteOption": wanted["properties"].get("deleteOption", "Detach")}
    return {
        "storageProfile": {**asked["storageProfile"], "osDisk": disk},
        "networkProfile": {"networkInterfaces": [{"id": interface["id"], "properties": option}]},
    }


def go_on(one: dict[str, Any]) -> None:
    """From one look to the next."""
    if one["told"]["properties"]["provisioningState"] == "Creating":
        one["told"]["properties"]["provisioningState"] = "Failed" if one["full"] else "Succeeded"
        running = [{"code": "ProvisioningState/succeeded"}, {"code": "PowerState/running"}]
        one["statuses"] = [FULL] if one["full"] else running


def remove(state: State, name: str) -> None:
    """A machine, and what is to be deleted with it."""
    properties = state.machines.pop(name)["told"]["properties"]
    storage = properties["storageProfile"]
    for disk in (storage["osDisk"], *storage.get("dataDisks", ())):
        _let_go(state, disk["managedDisk"]["id"], disk.get("deleteOption") == "Delete")
    for interface in properties["networkProfile"]["networkInterfaces"]:
        _let_go(state, interface["id"], interface["properties"]["deleteOption"] == "Delete")


def _let_go(state: State, path: str, with_it: bool) -> None:
    found = state.find(path)
    if found is None:
        return
    found.pop("managedBy", None)
    found["properties"].pop("virtualMachine", None)
    if with_it:
        for address in unlink(state, found):
            if address["properties"].get("deleteOption") == "Delete":
                del state.around["Microsoft.Network/publicIPAddresses"][address["name"]]
        del state.around[found["id"].split("/providers/")[1].rpartition("/")[0]][found["name"]]


def unlink(state: State, interface: dict[str, Any]) -> list[dict[str, Any]]:
    """The addresses of an interface, which it has no more."""
    every = state.around["Microsoft.Network/publicIPAddresses"].values()
    its = [one for one in every if one["properties"].get("ipConfiguration", {}).get("id") == interface["id"]]
    for one in its:
        del one["properties"]["ipConfiguration"]
    return its
