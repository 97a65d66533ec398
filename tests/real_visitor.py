"""A user of a site, with our command on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import docker
from patience import PATIENCE
from real_parts import until

TINY = "tiny.tar"
PATIENT = {
    "name": "patient",
    "tasks": [{"image": TINY, "cmd": "sh -c 'while [ ! -e go ]; do sleep 1; done; echo done'"}],
    "resources": {"cpus": 1, "memory": 0.2, "disk": 0.1, "walltime": 60},
}
"""It runs until it is told to go: the same file as on a personal pool, of an image that its user has uploaded."""


class Visitor:
    """A user of the pool, by our command. authority: the certificate that the API's is signed by."""

    def __init__(self, url: str, token: str, home: Path, authority: str) -> None:
        trusted = home / "authority.pem"
        trusted.write_text(authority)
        program = str(Path(sys.executable).with_name("prominence"))
        self._program, self._home = program, home
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PROMINENCE_")}
        known = {"PROMINENCE_URL": url, "PROMINENCE_TOKEN": token, "REQUESTS_CA_BUNDLE": str(trusted)}
        self._environment = {**kept, "HOME": str(home), **known}

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """With what it printed."""
        command = [self._program, *arguments]
        done = subprocess.run(
            command, env=self._environment, capture_output=True, text=True, check=False, timeout=120 * PATIENCE
        )
        assert not check or done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done

    def until_all_is_well(self) -> None:
        """By what our doctor says."""
        until(
            lambda: self.run("doctor", check=False).returncode == 0, 120, lambda: self.run("doctor", check=False).stdout
        )

    def upload(self, engine: docker.DockerClient, image: str) -> None:
        """An image of this machine's, which `PATIENT` runs."""
        file = self._home / TINY
        file.write_bytes(b"".join(engine.images.get(image).save(named=True)))
        self.run("upload", str(file), "--name", TINY)

    def submit(self, **more: Any) -> int:
        """A patient job, with what is said of it besides: its id."""
        file = self._home / "job.json"
        file.write_text(json.dumps({**PATIENT, **more}))
        return int(self.run("run", str(file)).stdout.split()[-1])

    def let_go(self, job: int) -> None:
        """It runs, or is about to, and is told to end."""
        until(lambda: self.run("exec", str(job), "touch", "go", check=False).returncode == 0, 240)

    def described(self, job: int) -> dict[str, Any]:
        """All that is known of it."""
        return dict(json.loads(self.run("describe", str(job), "--output", "json").stdout))

    def worker_of(self, job: int) -> str:
        """Where it runs, once it does."""

        def place() -> str:
            known = self.described(job)
            # The queue may tell that it runs before the log of events tells where.
            attempts = known.get("attempts", []) if known["status"] == "running" else []
            return str(attempts[-1].get("worker") or "") if attempts else ""

        return str(until(place, 120, lambda: str(self.described(job))))

    def finished(self, job: int) -> dict[str, Any]:
        """What is known of it once it has ended."""
        ended = ("completed", "failed", "deleted", "killed")
        until(lambda: self.described(job)["status"] in ended, 120, lambda: str(self.described(job)))
        return self.described(job)
