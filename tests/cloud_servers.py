"""Servers that speak as clouds do, in processes of their own, and our clouds on them."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import requests
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from openstack_server import PASSWORD

from prominence.imc.adapters.libcloud import LibcloudCloud
from prominence.imc.adapters.libcloud_ec2 import EC2
from prominence.imc.adapters.libcloud_google import Google, label
from prominence.imc.adapters.libcloud_openstack import OpenStack
from prominence.imc.declared_machines import EC2Settings, GoogleSettings, OpenStackSettings
from prominence.imc.ports import File

HERE = Path(__file__).parent
NOBODY = "http://127.0.0.1:9"
FILES = (File("/etc/condor/tokens.d/pool", 0o600, "the token\n"),)


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


class OnEC2:
    """A pool's EC2 cloud, and EC2 itself to see and change what is there."""

    def __init__(self, url: str, home: Path, pool: str = "", page: int = 1000, **changes: Any) -> None:
        self.url, self.home = url, home
        self.pool = pool or f"contract-{uuid.uuid4().hex[:8]}"
        self.declared = ec2_settings(url, home, **changes)
        self.provider = EC2(self.declared, self.pool, page)
        self.slept: list[float] = []
        self.cloud = LibcloudCloud("amazon", self.declared, self.provider, pause=self.slept.append)
        self.driver = self.provider.connect()

    def otherwise(self, pool: str = "", page: int = 1000, **changes: Any) -> OnEC2:
        """The same with other settings."""
        return OnEC2(self.url, self.home, pool or self.pool, page, **changes)

    def machine(self, name: str) -> Any:
        """The one that is there."""
        [found] = [one for one in self.machines() if one.name == name]
        return found

    def machines(self) -> list[Any]:
        """What EC2 has of this pool and is not terminated."""
        return [one for one in self.provider.machines(self.driver) if one.extra["status"] != "terminated"]

    def break_down(self) -> None:
        """From now on nobody answers."""
        self.cloud._provider = EC2(self.declared.model_copy(update={"endpoint": NOBODY}), self.pool)
        self.cloud._of_thread = threading.local()

    def fail(self, action: str, code: str, status: str = "400 Bad Request", **more: Any) -> None:
        """The next such request is answered so."""
        fault = {"action": action, "code": code, "status": status, **more}
        requests.post(f"{self.url}/_faults", json=[fault], timeout=10).raise_for_status()


class OnOpenStack:
    """A pool's OpenStack cloud, and OpenStack itself to see and change what is there."""

    def __init__(self, url: str, home: Path, pool: str = "", **changes: Any) -> None:
        self.url, self.home = url, home
        self.pool = pool or f"contract-{uuid.uuid4().hex[:8]}"
        self.declared = openstack_settings(url, home, **changes)
        self.provider = OpenStack(self.declared, self.pool)
        self.cloud = LibcloudCloud("north-cloud", self.declared, self.provider, pause=lambda _: None)

    def otherwise(self, pool: str = "", **changes: Any) -> OnOpenStack:
        """The same with other settings."""
        return OnOpenStack(self.url, self.home, pool or self.pool, **changes)

    def servers(self) -> list[dict[str, Any]]:
        """What Nova has of this pool."""
        found = requests.get(f"{self.url}/_servers", timeout=10).json()
        return [one for one in found if one["metadata"].get("prominence.pool") == self.pool]

    def change(self, name: str, /, **changes: Any) -> None:
        """Nova says so of the server from now on."""
        requests.post(f"{self.url}/_servers/{name}", json=changes, timeout=10).raise_for_status()

    def break_down(self) -> None:
        """From now on nobody answers."""
        declared = openstack_settings(NOBODY, self.home)
        self.cloud._provider = OpenStack(declared, self.pool)
        self.cloud._of_thread = threading.local()

    def fail(self, method: str, path: str, status: int, message: str = "as told", **more: Any) -> None:
        """The next such request is answered so."""
        fault = {"method": method, "path": path, "status": status, "message": message, **more}
        requests.post(f"{self.url}/_faults", json=[fault], timeout=10).raise_for_status()


class OnGoogle:
    """A pool's cloud on Google's, and that itself to see and change what is there."""

    def __init__(self, url: str, home: Path, pool: str = "", page: int = 500, **changes: Any) -> None:
        self.url, self.home = url, home
        self.pool = pool or f"contract-{uuid.uuid4().hex[:8]}"
        self.declared = google_settings(url, home, **changes)
        self.provider = Google(self.declared, self.pool, page, pause=lambda _: None)
        self.cloud = LibcloudCloud("search-giant", self.declared, self.provider, pause=lambda _: None)

    def otherwise(self, pool: str = "", page: int = 500, **changes: Any) -> OnGoogle:
        """The same with other settings."""
        return OnGoogle(self.url, self.home, pool or self.pool, page, **changes)

    def there(self, kind: str) -> dict[str, dict[str, Any]]:
        """What Google has of this pool, by name."""
        found = requests.get(f"{self.url}/_state", timeout=10).json()[kind]
        return {name: one for name, one in found.items() if one["labels"].get("prominence-pool") == label(self.pool)}

    def change(self, name: str, /, **changes: Any) -> None:
        """Google says so of the instance from now on."""
        requests.post(f"{self.url}/_instances/{name}", json=changes, timeout=10).raise_for_status()

    def add_disk(self, **disk: Any) -> None:
        """There is one more disk."""
        requests.post(f"{self.url}/_disks", json=disk, timeout=10).raise_for_status()

    def clean(self) -> None:
        """Names are the project's, and other tests want them, too."""
        for name in self.there("instances"):
            self.change(name, status="GONE")

    def break_down(self) -> None:
        """From now on nobody answers."""
        self.cloud._provider = Google(google_settings(NOBODY, self.home), self.pool)
        self.cloud._of_thread = threading.local()

    def fail(self, method: str, path: str, status: int, reason: str, message: str = "as told", **more: Any) -> None:
        """The next such request is answered so."""
        fault = {"method": method, "path": path, "status": status, "reason": reason, "message": message, **more}
        requests.post(f"{self.url}/_faults", json=[fault], timeout=10).raise_for_status()


@cache
def _private_key() -> str:
    """Of nobody: each test run has its own."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    kind, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(kind, form, serialization.NoEncryption()).decode()


def google_settings(url: str, home: Path, **changes: Any) -> GoogleSettings:
    """For the server of these tests."""
    file = home / "google.json"
    account = {"client_email": "imc@a-project.iam.gserviceaccount.com", "private_key": _private_key()}
    file.write_text(json.dumps(account))
    return GoogleSettings(
        **{
            "type": "google",
            "project": "a-project",
            "region": "north-1",
            "zone": "north-1-b",
            "credentials_file": file,
            "image": {"id": "worker-2"},
            "flavours": ("small", "full"),
            "endpoint": url,
            "poll_s": 0,
            "settle_s": 4,
            **changes,
        }
    )


def openstack_settings(url: str, home: Path, **changes: Any) -> OpenStackSettings:
    """For the server of these tests."""
    file = home / "clouds.yaml"
    auth = {"auth_url": f"{url}/v3", "username": "u", "password": PASSWORD, "project_name": "p"}
    file.write_text(yaml.safe_dump({"clouds": {"openstack": {"auth": auth}}}))
    return OpenStackSettings(
        **{
            "type": "openstack",
            "region": "north",
            "credentials_file": file,
            "image": {"id": "new"},
            "flavours": ("small", "full"),
            "poll_s": 0,
            "settle_s": 4,
            **changes,
        }
    )


def ec2_settings(url: str, home: Path, **changes: Any) -> EC2Settings:
    """For a server of moto's."""
    file = home / "credentials"
    file.write_text("[default]\naws_access_key_id = AK\naws_secret_access_key = hidden-word\n")
    return EC2Settings(
        **{
            "type": "ec2",
            "region": "eu-west-1",
            "credentials_file": file,
            "image": {"id": "ami-12345678"},
            "flavours": ("m5.*",),
            "endpoint": url,
            "poll_s": 0,
            "settle_s": 4,
            **changes,
        }
    )
