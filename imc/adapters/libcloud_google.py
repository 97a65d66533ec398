"""Google's Compute Engine: one zone of a project, with a service account's key.

Instances are asked for in one request, with their disk, and as Google's reference describes them: Libcloud's own verb
takes several, and what is between two of them would be nobody's if we died there.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit

from libcloud.common.google import ResourceExistsError, ResourceNotFoundError
from libcloud.common.types import LibcloudError
from libcloud.compute.base import Node as Machine
from libcloud.compute.base import NodeImage, NodeSize
from libcloud.compute.drivers.gce import GCEConnection, GCENodeDriver
from libcloud.compute.types import NodeState as State

from prominence.core.errors import CloudError, CredentialsRefused
from prominence.core.machines import Market, Quota, Size
from prominence.imc.adapters import cloud_errors
from prominence.imc.adapters.libcloud_provider import Offer
from prominence.imc.adapters.marks import POOL, WORKER
from prominence.imc.declared_machines import GoogleSettings

_LABELS = {mark: mark.replace(".", "-") for mark in (POOL, WORKER)}
_LABEL_VALUE = re.compile(r"[a-z0-9_-]{1,63}")
_STATES = {
    "PROVISIONING": State.PENDING,
    "STAGING": State.PENDING,
    "RUNNING": State.RUNNING,
    "REPAIRING": State.RUNNING,
    "STOPPING": State.STOPPING,
    "SUSPENDING": State.STOPPING,
    "SUSPENDED": State.SUSPENDED,
    "TERMINATED": State.STOPPED,  # Google's word for one that is switched off
}
_PAGE = 500
_POLL_S = 1.0
_SCOPES = ["https://www.googleapis.com/auth/compute"]


class _Connection(GCEConnection):
    """Libcloud's, which takes the address that drivers hand to it for something else."""

    def __init__(self, *account: Any, **options: Any) -> None:
        user, key, secure, *address = account
        for name, value in zip(("host", "port"), address, strict=False):
            options[name] = value
        super().__init__(user, key, secure, **options)


class _Driver(GCENodeDriver):
    """Libcloud's, which reads all pages, and of machines nothing that takes further requests."""

    connectionCls = _Connection

    def ask(self, path: str, **options: Any) -> Any:
        """What is there."""
        return self.connection.request(path, **options).object

    def all_of(self, path: str, said: str = "", page: int = _PAGE) -> Iterator[dict[str, Any]]:
        """Every item there. said: a filter."""
        params: dict[str, Any] = {"maxResults": page, **({"filter": said} if said else {})}
        while True:
            answer = self.ask(path, params=dict(params))
            yield from answer.get("items", ())
            if not answer.get("nextPageToken"):
                return
            params["pageToken"] = answer["nextPageToken"]

    def destroy_node(self, node: Machine, *_: Any) -> bool:
        """Without waiting for its end."""
        return self.remove(f"/zones/{node.extra['zone']}/instances/{node.name}")

    def remove(self, path: str) -> bool:
        """Whatever is there; that nothing is is fine."""
        try:
            self.ask(path, method="DELETE")
        except ResourceNotFoundError:
            return False
        return True


class Google:
    """Promise: see libcloud_provider.Provider."""

    errors = cloud_errors.GOOGLE
    notices = "google"

    def __init__(
        self, declared: GoogleSettings, pool: str, page: int = _PAGE, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._declared = declared
        self._pool = pool
        self._page = page
        self._pause = pause
        self._zone = f"/zones/{declared.zone}"

    def check(self) -> None:
        _credentials(self._declared)

    def connect(self) -> _Driver:
        account, key = _credentials(self._declared)
        options: dict[str, Any] = {"project": self._declared.project, "timeout": self._declared.timeout_s}
        if self._declared.endpoint:
            address = urlsplit(self._declared.endpoint)
            secure = address.scheme == "https"
            options |= {"host": address.hostname, "port": address.port or (443 if secure else 80), "secure": secure}
        # Libcloud would keep tokens in a file.
        return _Driver(account, key, auth_type="SA", scopes=_SCOPES, credential_file=os.devnull, **options)

    def machines(self, driver: _Driver) -> list[Machine]:
        found = driver.all_of(f"{self._zone}/instances", self._of_our_pool(), self._page)
        return [self._machine(driver, one) for one in found]

    def _of_our_pool(self) -> str:
        return f"labels.{_LABELS[POOL]}={label(self._pool)}"

    def _machine(self, driver: _Driver, told: dict[str, Any]) -> Machine:
        return Machine(
            id=str(told["id"]),
            name=told["name"],
            state=_STATES.get(told["status"], State.UNKNOWN),
            public_ips=[],
            private_ips=[],
            driver=driver,
            extra={
                "zone": self._declared.zone,
                "type": _last(told.get("machineType", "")),
                "status": told["status"],
                "message": told.get("statusMessage") or "",
            },
        )

    def is_leaving(self, machine: Machine) -> bool:
        return bool(machine.extra["status"] == "STOPPING")

    def fault(self, machine: Machine) -> str:
        return str(machine.extra["message"])

    def was_taken(self, machine: Machine) -> bool:
        return False  # it tells nobody but the machine

    def sizes(self, driver: _Driver) -> list[NodeSize]:
        found = driver.all_of(f"{self._zone}/machineTypes", page=self._page)
        return [_size(driver, told) for told in found if not told.get("deprecated")]

    def images(self, driver: _Driver) -> list[NodeImage]:
        wanted = self._declared.image
        project = wanted.owner or self._declared.project
        if wanted.id:
            path = wanted.id if "/" in wanted.id else f"projects/{project}/global/images/{wanted.id}"
            return [NodeImage(id=path, name=_last(path), driver=driver)]  # using it shows whether it is there
        # Of any project, which Libcloud takes with the address of the service only.
        every = driver.all_of(f"https://compute/compute/v1/projects/{project}/global/images", page=self._page)
        fitting = [
            told
            for told in every
            if told.get("status") == "READY"
            and not told.get("deprecated")
            and fnmatchcase(told["name"], wanted.name or "*")
            and (not wanted.architecture or told.get("architecture", "").lower() == wanted.architecture.lower())
        ]
        newest = sorted(fitting, key=lambda told: (str(told.get("creationTimestamp")), str(told["id"])), reverse=True)
        return [
            NodeImage(id=f"projects/{project}/global/images/{told['name']}", name=told["name"], driver=driver)
            for told in newest
        ]

    def quota(self, driver: _Driver, ours: Sequence[Machine]) -> Quota:
        """The region's of machines, and of CPUs where none are spot, less what others have there."""
        told = driver.ask(f"/regions/{self._declared.region}")["quotas"]
        known = {one["metric"]: one for one in told}
        cpus = {size.name: int(size.extra["cpus"]) for size in self.sizes(driver)}

        def for_us(metric: str, by_us: int) -> int | None:
            if metric not in known:
                return None
            others = max(0, int(known[metric]["usage"]) - by_us)
            return max(0, int(known[metric]["limit"]) - others)

        own = sum(cpus.get(one.extra["type"], 0) for one in ours)
        only_to_keep = self._declared.markets == (Market.ON_DEMAND,)
        return Quota(machines=for_us("INSTANCES", len(ours)), cpus=for_us("CPUS", own) if only_to_keep else None)

    def size(self, offered: NodeSize) -> Size:
        return Size(
            cpus=int(offered.extra["cpus"]), memory_mib=int(offered.ram), disk_mib=0, gpus=int(offered.extra["gpus"])
        )

    def create(self, driver: _Driver, name: str, offer: Offer, image: NodeImage, user_data: str) -> None:
        body = wanted(self._declared, self._pool, name, offer, image, user_data)
        try:
            told = driver.ask(f"{self._zone}/instances", method="POST", data=body)
            self._wait(driver, told)
        except ResourceExistsError as error:
            if all(machine.name != name for machine in self.machines(driver)):
                raise CloudError(f"another machine in {self._declared.zone} has the name {name}") from error

    def _wait(self, driver: _Driver, operation: dict[str, Any]) -> None:
        """Until it is done: what is refused late is told there and nowhere else."""
        waited = 0.0
        while operation["status"] != "DONE":
            if waited >= self._declared.settle_s:
                raise LibcloudError(f"the operation is not done within {waited:.0f} s")
            self._pause(_POLL_S)
            waited += _POLL_S
            operation = driver.ask(f"{self._zone}/operations/{operation['name']}")

    def before_deletion(self, driver: _Driver, name: str, machine: Machine) -> None:
        """Its disk goes with it."""

    def clear(self, driver: _Driver, name: str) -> None:
        """Disks with our marks that are on no machine: of one that was half made, or whose disk somebody kept."""
        marked = f"{self._of_our_pool()} AND labels.{_LABELS[WORKER]}={label(name)}"
        for disk in list(driver.all_of(f"{self._zone}/disks", marked, self._page)):
            if not disk.get("users"):
                driver.remove(f"{self._zone}/disks/{disk['name']}")


def wanted(
    declared: GoogleSettings, pool: str, name: str, offer: Offer, image: NodeImage, user_data: str
) -> dict[str, Any]:
    """The instance with our marks, as Google's reference has it. No service account's rights are on it."""
    marks = {_LABELS[POOL]: label(pool), _LABELS[WORKER]: label(name)}
    metadata = {"user-data": user_data, "block-project-ssh-keys": "TRUE"}
    if declared.key:
        metadata["ssh-keys"] = declared.key
    interface: dict[str, Any] = {}
    if declared.network:
        interface["subnetwork" if "/subnetworks/" in declared.network else "network"] = declared.network
    if declared.public_address:
        interface["accessConfigs"] = [{"type": "ONE_TO_ONE_NAT", "name": "External NAT"}]
    disk = {"sourceImage": image.id, "diskSizeGb": str(declared.boot_volume_gib), "labels": marks}
    scheduling: dict[str, Any] = {"automaticRestart": False}
    if offer.market is Market.SPOT:
        scheduling |= {"provisioningModel": "SPOT", "preemptible": True, "instanceTerminationAction": "STOP"}
    if offer.market is Market.SPOT or offer.size.extra["gpus"]:
        scheduling["onHostMaintenance"] = "TERMINATE"
    return {
        "name": name,
        "machineType": f"zones/{declared.zone}/machineTypes/{offer.size.name}",
        "labels": marks,
        "metadata": {"items": [{"key": key, "value": value} for key, value in metadata.items()]},
        "disks": [{"boot": True, "autoDelete": True, "initializeParams": disk}],
        "networkInterfaces": [interface],
        "tags": {"items": list(declared.security_groups)},
        "scheduling": scheduling,
        "serviceAccounts": [],
    }


def label(text: str) -> str:
    """As the value of a label, which has no upper case and no dots."""
    return text if _LABEL_VALUE.fullmatch(text) else hashlib.sha256(text.encode()).hexdigest()[:40]


def _size(driver: _Driver, told: dict[str, Any]) -> NodeSize:
    gpus = sum(int(one.get("guestAcceleratorCount", 0)) for one in told.get("accelerators") or ())
    extra = {"cpus": told["guestCpus"], "gpus": gpus}
    return NodeSize(told["name"], told["name"], told["memoryMb"], 0, 0, 0.0, driver, extra)


def _last(path: str) -> str:
    return path.rpartition("/")[2]


def _credentials(declared: GoogleSettings) -> tuple[str, str]:
    """Account and private key. Raises CredentialsRefused, which names the file and no content."""
    file = declared.credentials_file
    try:
        said = json.loads(file.read_text("utf-8"))
        return str(said["client_email"]), str(said["private_key"])
    except OSError as error:
        raise CredentialsRefused(f"{file} cannot be read: {error.strerror}") from error
    except KeyError as error:
        raise CredentialsRefused(f"{file} has no {error.args[0]}") from None
    except (ValueError, TypeError):
        raise CredentialsRefused(f"{file} is no key of a service account in JSON") from None  # its text is a secret
