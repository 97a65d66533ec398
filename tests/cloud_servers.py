"""Servers that speak as clouds do, in processes of their own, and our clouds on them."""

from __future__ import annotations

import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import requests
from cloud_settings import azure_settings, ec2_settings, google_settings, openstack_settings

from prominence.core.machines import Flavour
from prominence.imc.adapters.libcloud import LibcloudCloud
from prominence.imc.adapters.libcloud_azure import Azure
from prominence.imc.adapters.libcloud_ec2 import EC2
from prominence.imc.adapters.libcloud_google import Google, label
from prominence.imc.adapters.libcloud_openstack import OpenStack
from prominence.imc.declared_machines import AzureSettings, EC2Settings, GoogleSettings, OpenStackSettings
from prominence.imc.ports import File

HERE = Path(__file__).parent
NOBODY = "http://127.0.0.1:9"
FILES = (File("/etc/condor/tokens.d/pool", 0o600, "the token\n"), File("/etc/prominence/broker.json", 0o644, "{}\n"))


@contextmanager
def served(script: str, host: str = "127.0.0.1", python: str | Path = sys.executable) -> Iterator[str]:
    """The address of a server that tells its port in its first line, on this address of the machine."""
    process = subprocess.Popen([python, str(HERE / script), host], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://{host}:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


class OnServer:
    """A pool's cloud on such a server, and the server itself, to see and change what is there."""

    NAME = ""
    SMALL = "small"
    """A flavour that there is."""

    def __init__(self, url: str, home: Path, pool: str = "", page: int = 500, **changes: Any) -> None:
        self.url, self.home, self.page = url, home, page
        self.pool = pool or f"contract-{uuid.uuid4().hex[:8]}"
        self.declared = self.settings(url, **changes)
        self.provider = self.provided()
        self.slept: list[float] = []
        self.cloud = LibcloudCloud(self.NAME, self.declared, self.provider, pause=self.slept.append)

    def settings(self, url: str, **changes: Any) -> Any:
        """For the server at this address."""
        raise NotImplementedError

    def provided(self) -> Any:
        """What the cloud knows of this kind."""
        raise NotImplementedError

    def otherwise(self, pool: str = "", page: int = 0, **changes: Any) -> Self:
        """The same with other settings."""
        return type(self)(self.url, self.home, pool or self.pool, page or self.page, **changes)

    def stop(self, name: str) -> None:
        """The machine switches itself off."""
        raise NotImplementedError

    def vanish(self, name: str) -> None:
        """The machine is no more, and nobody tells why."""
        raise NotImplementedError

    def clean(self) -> None:
        """Where names are not the pool's own, other tests want them, too."""

    def break_down(self) -> None:
        """From now on nobody answers."""
        self.declared = self.settings(NOBODY)
        self.cloud._provider = self.provided()
        self.cloud._of_thread = threading.local()

    def fail(
        self, method: str, path: str, status: int, reason: str = "", message: str = "as told", **more: Any
    ) -> None:
        """The next such request is answered so."""
        self.fault(method=method, path=path, status=status, reason=reason, message=message, **more)

    def fault(self, **fault: Any) -> None:
        """The same, in the server's own words."""
        self.post("/_faults", [fault])

    def post(self, path: str, what: Any) -> None:
        """Tell the server."""
        requests.post(f"{self.url}{path}", json=what, timeout=10).raise_for_status()

    def read(self, path: str) -> Any:
        """Ask the server."""
        return requests.get(f"{self.url}{path}", timeout=10).json()


def flavour(on: OnServer, name: str = "") -> Flavour:
    """The one of this name, or a small one."""
    return {one.name: one for one in on.cloud.flavours()}[name or on.SMALL]


def create(on: OnServer, name: str = "w-1", of: str = "") -> None:
    """Make a machine there, of this flavour or a small one."""
    on.cloud.create(name, flavour(on, of), FILES)


def names(on: OnServer) -> list[str]:
    """Of the machines that there are."""
    return [node.name for node in on.cloud.nodes()]


class OnEC2(OnServer):
    """On moto's EC2."""

    NAME = "amazon"
    SMALL = "m5.large"

    def __init__(self, *there: Any, **changes: Any) -> None:
        super().__init__(*there, **changes)
        self.driver = self.provider.connect()

    def settings(self, url: str, **changes: Any) -> EC2Settings:
        return ec2_settings(url, self.home, **changes)

    def provided(self) -> EC2:
        return EC2(self.declared, self.pool, self.page)

    def machine(self, name: str) -> Any:
        """The one that is there."""
        [found] = [one for one in self.machines() if one.name == name]
        return found

    def machines(self) -> list[Any]:
        """What EC2 has of this pool and is not terminated."""
        return [one for one in self.provider.machines(self.driver) if one.extra["status"] != "terminated"]

    def stop(self, name: str) -> None:
        self.driver.stop_node(self.machine(name))

    def vanish(self, name: str) -> None:
        self.driver.destroy_node(self.machine(name))

    def refuse(self, action: str, code: str, status: str = "400 Bad Request", **more: Any) -> None:
        """The next such request is answered so."""
        self.fault(action=action, code=code, status=status, **more)


class OnOpenStack(OnServer):
    """On an OpenStack."""

    NAME = "north-cloud"

    def settings(self, url: str, **changes: Any) -> OpenStackSettings:
        return openstack_settings(url, self.home, **changes)

    def provided(self) -> OpenStack:
        return OpenStack(self.declared, self.pool)

    def servers(self) -> list[dict[str, Any]]:
        """What Nova has of this pool."""
        return [one for one in self.read("/_servers") if one["metadata"].get("prominence.pool") == self.pool]

    def change(self, name: str, /, **changes: Any) -> None:
        """Nova says so of the server from now on."""
        self.post(f"/_servers/{name}", changes)

    def stop(self, name: str) -> None:
        self.change(name, status="SHUTOFF")

    def vanish(self, name: str) -> None:
        self.change(name, status="DELETED")


class OnGoogle(OnServer):
    """On Google's."""

    NAME = "search-giant"

    def settings(self, url: str, **changes: Any) -> GoogleSettings:
        return google_settings(url, self.home, **changes)

    def provided(self) -> Google:
        return Google(self.declared, self.pool, self.page, pause=lambda _: None)

    def there(self, kind: str) -> dict[str, dict[str, Any]]:
        """What Google has of this pool, by name."""
        found = self.read("/_state")[kind]
        return {name: one for name, one in found.items() if one["labels"].get("prominence-pool") == label(self.pool)}

    def change(self, name: str, /, **changes: Any) -> None:
        """Google says so of the instance from now on."""
        self.post(f"/_instances/{name}", changes)

    def stop(self, name: str) -> None:
        self.change(name, status="TERMINATED")

    def vanish(self, name: str) -> None:
        self.change(name, status="GONE")

    def add_disk(self, **disk: Any) -> None:
        """There is one more disk."""
        self.post("/_disks", disk)

    def clean(self) -> None:
        for name in self.there("instances"):
            self.vanish(name)


class OnAzure(OnServer):
    """On Azure."""

    NAME = "blue-sky"
    SMALL = "Small"

    def settings(self, url: str, **changes: Any) -> AzureSettings:
        return azure_settings(url, self.home, **changes)

    def provided(self) -> Azure:
        return Azure(self.declared, self.pool)

    def there(self, kind: str = "machines") -> dict[str, dict[str, Any]]:
        """What Azure has, by name; of machines, what was asked for of this pool's."""
        found: dict[str, dict[str, Any]] = self.read("/_state")[kind]
        if kind != "machines":
            return found
        return {name: one for name, one in found.items() if one["tags"].get("prominence.pool") == self.pool}

    def around(self) -> list[str]:
        """Names of all that machines are made with."""
        kinds = ("disks", "networkInterfaces", "publicIPAddresses")
        return sorted(name for kind in kinds for name in self.there(kind))

    def change(self, name: str, /, **changes: Any) -> None:
        """Azure says so of the machine from now on."""
        self.post(f"/_machines/{name}", changes)

    def powered(self, name: str, power: str) -> None:
        """The same of how it runs."""
        self.change(name, statuses=[{"code": "ProvisioningState/succeeded"}, {"code": f"PowerState/{power}"}])

    def stop(self, name: str) -> None:
        self.powered(name, "stopped")

    def vanish(self, name: str) -> None:
        self.change(name, gone=True)

    def clean(self) -> None:
        for name in self.there():
            self.vanish(name)
