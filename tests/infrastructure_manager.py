"""A real Infrastructure Manager on this machine, and a cloud of ours behind it."""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from cloud_servers import NOBODY, served

from prominence.cli.pool.site import cache
from prominence.cli.turns import one_at_a_time
from prominence.imc.adapters.infrastructure_manager import ManagedCloud
from prominence.imc.declared import ManagedSettings

VERSION = "2.0.0"
NEEDED = (
    *("RADL", "ansible-core", "defusedxml", "fastapi", "hvac", "lxml", "netaddr", "packaging", "paramiko", "psutil"),
    *("python-multipart", "pyyaml", "requests", "requests-cache", "scp", "suds-community", "tosca-parser", "uvicorn"),
    "xmltodict",
)
"""Of what it asks for, which is four times as much, what it needs for a cloud that pretends."""

USER = "type = InfrastructureManager; username = u; password = hidden-word"
LINES = f"# whose the infrastructures are\n{USER}\n\nid = dummy; type = Dummy\n"


@contextmanager
def manager() -> Iterator[str]:
    """The address of one of its own."""
    with served("infrastructure_manager_server.py", python=_installed()) as url:
        yield url


class Managed:
    """A pool's cloud behind the manager, and the manager itself to see and change what is there."""

    def __init__(self, url: str, home: Path, pool: str = "", **changes: Any) -> None:
        self.url, self.home = url, home
        self.pool = pool or f"contract-{uuid.uuid4().hex[:8]}"
        self.declared = managed_settings(url, home, **changes)
        self._ahead_s = 0
        self.cloud = ManagedCloud("island", self.declared, self.pool, self._clock, lambda _: None)

    def otherwise(self, pool: str = "", **changes: Any) -> Managed:
        """The same with other settings."""
        return Managed(self.url, self.home, pool or self.pool, **changes)

    def ask(self, method: str, path: str, **more: Any) -> Any:
        """What the manager answers to its user."""
        headers = {"Authorization": LINES.splitlines()[1] + r"\n" + LINES.splitlines()[3], "Accept": "application/json"}
        answer = requests.request(method, self.url + path, headers=headers, timeout=30, **more)
        answer.raise_for_status()
        return answer.json() if answer.content else {}

    def radls(self) -> dict[str, str]:
        """Of all infrastructures of this pool."""
        listed = [one["uri"].rpartition("/")[2] for one in self.ask("GET", "/infrastructures")["uri-list"]]
        radls = {id_: self.ask("GET", f"/infrastructures/{id_}/radl")["radl"] for id_ in listed}
        return {id_: radl for id_, radl in radls.items() if f"'{self.pool}'" in radl}

    def infrastructure(self, name: str) -> str:
        """The id of the worker's."""
        [found] = [id_ for id_, radl in self.radls().items() if f"prominence.worker = '{name}'" in radl]
        return found

    def fail(self, **fault: Any) -> None:
        """As `infrastructure_manager_server.py` takes it."""
        requests.post(f"{self.url}/_faults", json=fault, timeout=10).raise_for_status()

    def let_an_hour_pass(self) -> None:
        """By the cloud's clock: a manager in trouble is left alone for a while."""
        self._ahead_s += 3600

    def _clock(self) -> float:
        return time.monotonic() + self._ahead_s

    def break_down(self) -> None:
        """From now on nobody answers."""
        self.cloud._declared = self.declared.model_copy(update={"url": NOBODY})


def managed_settings(url: str, home: Path, **changes: Any) -> ManagedSettings:
    """For the manager of these tests."""
    file = home / "im-auth"
    file.write_text(LINES)
    return ManagedSettings(
        **{
            "type": "im",
            "url": url,
            "credentials_file": file,
            "image": "mock0://linux/1",
            "flavours": ({"name": "small", "cpus": 2, "memory_mib": 4000, "price": 0.5},),
            "poll_s": 0,
            "settle_s": 4,
            **changes,
        }
    )


def _installed() -> Path:
    """The Python of the environment that has the manager; made once, in 20 seconds, and 170 MB large."""
    directory = cache() / f"infrastructure-manager-{VERSION}"
    python, finished = directory / "bin" / "python", directory / "finished"
    with one_at_a_time(cache() / "infrastructure-manager.lock"):
        if not finished.exists():
            subprocess.run([sys.executable, "-m", "venv", directory], check=True)
            pip = [python, "-m", "pip", "install", "--quiet"]
            subprocess.run([*pip, "--no-deps", f"IM=={VERSION}"], check=True)
            subprocess.run([*pip, *NEEDED], check=True)
            finished.touch()
    return python
