"""Azure: one resource group in one region, or in one zone of it, with a service principal.

A machine is asked for in one request, with its disk, interface and address, which Azure deletes with it. Libcloud's own
verb makes the interface first: it would be nobody's if we died there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from libcloud.common.exceptions import BaseHTTPError
from libcloud.compute.base import Node as Machine
from libcloud.compute.base import NodeImage, NodeSize
from libcloud.compute.types import NodeState as State

from prominence.core.errors import CloudError
from prominence.core.machines import Market, Quota, Size
from prominence.imc.adapters import cloud_errors
from prominence.imc.adapters.libcloud_azure_driver import (
    COMPUTE_API,
    DISKS_API,
    GALLERY_API,
    NETWORK_API,
    SKUS_API,
    Driver,
    connected,
    credentials,
)
from prominence.imc.adapters.libcloud_azure_request import wanted
from prominence.imc.adapters.libcloud_provider import Offer
from prominence.imc.adapters.marks import POOL, WORKER
from prominence.imc.declared_machines import AzureSettings

_POWER = {
    "starting": State.PENDING,
    "running": State.RUNNING,
    "stopping": State.STOPPING,
    "stopped": State.STOPPED,
    "deallocating": State.STOPPING,
    "deallocated": State.STOPPED,
}
_DEALLOCATED = ("deallocating", "deallocated")
_THERE_ALREADY = (409, 412)
_AROUND = (
    ("Microsoft.Network/networkInterfaces", NETWORK_API),
    ("Microsoft.Network/publicIPAddresses", NETWORK_API),
    ("Microsoft.Compute/disks", DISKS_API),
)
"""What a machine is made with besides itself, in the order in which one holds the next."""


class Azure:
    """Promise: see libcloud_provider.Provider."""

    errors = cloud_errors.AZURE
    notices = "azure"

    def __init__(self, declared: AzureSettings, pool: str) -> None:
        self._declared = declared
        self._pool = pool
        self._subscription = f"/subscriptions/{declared.subscription}"
        self._group = f"{self._subscription}/resourceGroups/{declared.resource_group}"
        self._machines = f"{self._group}/providers/Microsoft.Compute/virtualMachines"

    def check(self) -> None:
        credentials(self._declared)

    def connect(self) -> Driver:
        return connected(self._declared)

    def machines(self, driver: Driver) -> list[Machine]:
        ours = [told for told in driver.all_of(self._machines, COMPUTE_API) if self._is_ours(told)]
        if not ours:
            return []
        every = driver.all_of(
            f"{self._subscription}/providers/Microsoft.Compute/virtualMachines", COMPUTE_API, statusOnly="true"
        )
        statuses = {one["id"].lower(): one["properties"].get("instanceView", {}).get("statuses", []) for one in every}
        return [_machine(driver, told, statuses.get(told["id"].lower(), ())) for told in ours]

    def _is_ours(self, told: Mapping[str, Any], name: str = "") -> bool:
        tags = told.get("tags") or {}
        return tags.get(POOL) == self._pool and (not name or tags.get(WORKER) == name)

    def is_leaving(self, machine: Machine) -> bool:
        return bool(machine.extra["provisioning"] == "deleting")

    def fault(self, machine: Machine) -> str:
        return str(machine.extra["fault"])

    def was_taken(self, machine: Machine) -> bool:
        """Nobody but Azure deallocates: what switches itself off is stopped."""
        return bool(machine.extra["taken"])

    def sizes(self, driver: Driver) -> list[NodeSize]:
        here = {"$filter": f"location eq '{self._declared.region}'"}
        found = driver.all_of(f"{self._subscription}/providers/Microsoft.Compute/skus", SKUS_API, **here)
        kept = [told for told in found if told["resourceType"] == "virtualMachines" and self._may_have(told)]
        return [_size(driver, told) for told in kept]

    def _may_have(self, told: Mapping[str, Any]) -> bool:
        """The subscription may, where we are."""
        for one in told.get("restrictions") or ():
            zones = (one.get("restrictionInfo") or {}).get("zones") or ()
            if one.get("type") == "Location" or self._declared.zone in zones:
                return False
        return True

    def images(self, driver: Driver) -> list[NodeImage]:
        said = self._declared.image
        if said.id:
            return [NodeImage(id=said.id, name=said.id, driver=driver)]  # using it shows whether it is there
        gallery = f"{self._group}/providers/Microsoft.Compute/galleries/{said.owner}/images"
        fitting = [
            told
            for told in driver.all_of(gallery, GALLERY_API)
            if fnmatchcase(told["name"], said.name or "*")
            and _is_for(said.architecture, told["properties"].get("architecture") or "x64")
        ]
        versions = [
            (str(one["properties"].get("publishingProfile", {}).get("publishedDate", "")), one["id"], told["name"])
            for told in fitting
            for one in driver.all_of(f"{gallery}/{told['name']}/versions", GALLERY_API)
            if one["properties"].get("provisioningState") == "Succeeded"
        ]
        return [NodeImage(id=id, name=name, driver=driver) for _, id, name in sorted(versions, reverse=True)]

    def quota(self, driver: Driver, ours: Sequence[Machine]) -> Quota:
        """The region's of machines, and of the CPUs of the one market that is used, less what others have there."""
        path = f"{self._subscription}/providers/Microsoft.Compute/locations/{self._declared.region}/usages"
        known = {one["name"]["value"]: one for one in driver.all_of(path, COMPUTE_API)}
        cpus = {size.name: int(size.extra["cpus"]) for size in self.sizes(driver)}

        def for_us(kind: str, by_us: int) -> int | None:
            if kind not in known:
                return None
            others = max(0, int(known[kind]["currentValue"]) - by_us)
            return max(0, int(known[kind]["limit"]) - others)

        kinds: dict[tuple[Market, ...], str] = {(Market.ON_DEMAND,): "cores", (Market.SPOT,): "lowPriorityCores"}
        kind = kinds.get(self._declared.markets, "")
        own = sum(cpus.get(one.extra["type"], 0) for one in ours)
        return Quota(machines=for_us("virtualMachines", len(ours)), cpus=for_us(kind, own))

    def size(self, offered: NodeSize) -> Size:
        extra = offered.extra
        return Size(cpus=extra["cpus"], memory_mib=int(offered.ram), disk_mib=0, gpus=extra["gpus"])

    def create(self, driver: Driver, name: str, offer: Offer, image: NodeImage, user_data: str) -> None:
        body = wanted(self._declared, self._pool, name, offer, image, user_data)
        try:
            # Without the header the request would change a machine of this name, whosever it is.
            driver.ask(f"{self._machines}/{name}", COMPUTE_API, method="PUT", data=body, headers={"If-None-Match": "*"})
        except BaseHTTPError as error:
            if error.code not in _THERE_ALREADY or "AlreadyExists" not in str(error) and error.code != 412:
                raise
            if all(machine.name != name for machine in self.machines(driver)):
                raise CloudError(f"another machine in {self._declared.resource_group} has the name {name}") from error

    def before_deletion(self, driver: Driver, name: str, machine: Machine) -> None:
        """What does not end with its machine, as disks of the image, is known by our marks when it is gone."""
        marks = {POOL: self._pool, WORKER: name}
        for path, version in _left_by(machine.extra["told"]):
            try:
                found = driver.mark(path, version, marks)
                for address in _addresses(found):
                    driver.mark(address, NETWORK_API, marks)
            except BaseHTTPError as error:
                if error.code != 404:  # of a machine that was half made there may be nothing
                    raise

    def clear(self, driver: Driver, name: str) -> None:
        """Interfaces, addresses and disks with our marks that nothing uses."""
        for kind, version in _AROUND:
            for told in list(driver.all_of(f"{self._group}/providers/{kind}", version)):
                if self._is_ours(told, name) and not _is_used(told):
                    driver.remove(told["id"], version)


def _machine(driver: Driver, told: dict[str, Any], statuses: Sequence[Mapping[str, Any]]) -> Machine:
    provisioning = str(told["properties"].get("provisioningState", "")).lower()
    power = next((one["code"][11:].lower() for one in statuses if one["code"].startswith("PowerState/")), "")
    return Machine(
        id=told["id"],
        name=told["name"],
        state=state(provisioning, power),
        public_ips=[],
        private_ips=[],
        driver=driver,
        extra={
            "tags": told["tags"],
            "type": told["properties"]["hardwareProfile"]["vmSize"],
            "provisioning": provisioning,
            "fault": fault(statuses),
            "taken": told["properties"].get("priority") == "Spot" and power in _DEALLOCATED,
            "told": told["properties"],
        },
    )


def state(provisioning: str, power: str) -> State:
    """What the two that Azure tells come to. One that runs does, whatever became of a change that somebody made."""
    if provisioning == "deleting":
        return State.STOPPING
    if provisioning == "failed" and power not in ("running", "starting"):
        return State.ERROR
    return _POWER.get(power, State.PENDING if provisioning == "creating" else State.UNKNOWN)


def fault(statuses: Sequence[Mapping[str, Any]]) -> str:
    """As Azure writes of what it refuses."""
    for one in statuses:
        code = re.fullmatch(r"ProvisioningState/failed/(\w+)", one["code"], re.IGNORECASE)
        if code:
            return f"[{code[1]}] {one.get('message') or one.get('displayStatus') or ''}".rstrip()
    return ""


def _left_by(told: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Paths of what is not deleted with its machine, and by which version to ask for it."""
    storage = told.get("storageProfile") or {}
    for disk in (storage.get("osDisk") or {}, *(storage.get("dataDisks") or ())):
        path = (disk.get("managedDisk") or {}).get("id")
        if path and disk.get("deleteOption") != "Delete":
            yield path, DISKS_API
    for interface in (told.get("networkProfile") or {}).get("networkInterfaces") or ():
        if (interface.get("properties") or {}).get("deleteOption") != "Delete":
            yield interface["id"], NETWORK_API


def _addresses(told: Mapping[str, Any]) -> list[str]:
    """Of an interface, if it is one."""
    found = [one["properties"].get("publicIPAddress") for one in told["properties"].get("ipConfigurations") or ()]
    return [one["id"] for one in found if one]


def _is_used(told: Mapping[str, Any]) -> bool:
    """By a machine, or an address by an interface."""
    properties = told["properties"]
    return bool(told.get("managedBy") or properties.get("virtualMachine") or properties.get("ipConfiguration"))


def _size(driver: Driver, told: Mapping[str, Any]) -> NodeSize:
    can = {one["name"]: str(one["value"]) for one in told.get("capabilities") or ()}
    # Of some sizes fewer cores are to be used than are there.
    extra = {"cpus": int(can.get("vCPUsAvailable") or can["vCPUs"]), "gpus": int(can.get("GPUs") or 0)}
    return NodeSize(told["name"], told["name"], round(float(can["MemoryGB"]) * 1024), 0, 0, 0.0, driver, extra)


def _is_for(wanted: str, architecture: str) -> bool:
    """Azure writes x64 and Arm64."""
    plain = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}.get(wanted.lower(), wanted.lower())
    return plain in ("", architecture.lower())
