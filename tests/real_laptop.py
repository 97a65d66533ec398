"""A machine of a user's, without root: a container with HTCondor and Apptainer, in which an account has our command."""

from __future__ import annotations

import tomllib
from pathlib import Path

import docker
from docker.models.containers import Container
from real_parts import RealPool, run_inside, until

from prominence.cli.pool.site import ensure_site

ROOT = Path(__file__).parents[1]
USER = "alice"
STATE = f"/home/{USER}/.local/state/prominence/workers"

COMMAND = """#!/bin/sh
export HOME=${HOME:-/home/alice} PYTHONPATH=/src/.importroot:/packages PYTHONDONTWRITEBYTECODE=1
exec python3 -m prominence.cli.main "$@"
"""
"""Our command, of the checkout in /src, where packages that it needs are in /packages."""


class Laptop:
    """In the pool's network, where it reaches the API and the collector as a machine elsewhere would."""

    def __init__(self, pool: RealPool, engine: docker.DockerClient) -> None:
        self._pool = pool
        worker = tomllib.loads((pool.state / "config" / "imc.toml").read_text())["clouds"]["docker"]["image"]
        _, packages = ensure_site(("cli",))
        self._container: Container = engine.containers.run(
            worker,
            ["sleep", "infinity"],
            detach=True,
            init=True,
            network=f"prominence-{pool.name}",
            volumes={str(ROOT): {"bind": "/src", "mode": "ro"}, str(packages): {"bind": "/packages", "mode": "ro"}},
            cap_add=["SYS_ADMIN"],
            security_opt=["seccomp=unconfined"],
            devices=["/dev/fuse:/dev/fuse:rwm"],
        )
        # For Apptainer in a container: as in `start-worker`, which is root's.
        self.sh("chmod 0666 /dev/fuse; install -d -m 0700 /run/proc; mount -t proc proc /run/proc", "root")
        self.sh(f"useradd --create-home {USER}", "root")
        self.sh(f"printf %s '{COMMAND}' > /usr/local/bin/prominence; chmod 0755 /usr/local/bin/prominence", "root")

    def sh(self, script: str, user: str = USER, **environment: str) -> tuple[int, str]:
        """Exit code and output."""
        words = [f"{name}={value}" for name, value in environment.items()]
        return run_inside(self._container, ["env", *words, "sh", "-c", script], user)

    def prominence(self, words: str, pool: RealPool | None = None, **environment: str) -> str:
        """What our command prints, for the pool's user or another. It must succeed."""
        as_whom = pool or self._pool
        service = {"PROMINENCE_URL": "http://ap:8080/prominence/v1", "PROMINENCE_TOKEN": as_whom.token}
        code, said = self.sh(f"prominence {words}", **{**service, **environment})
        assert code == 0, (words, said, self.logs())
        return said

    def processes(self) -> list[str]:
        """Programs of the user's that run, but for the shell that looks."""
        _, said = self.sh(f"ps -u {USER} -o comm=", "root")
        return said.split()

    def left(self) -> list[str]:
        """Files where workers were."""
        _, said = self.sh(f"find {STATE} -mindepth 1 | head", "root")
        return said.split()

    def wait_until_gone(self) -> None:
        """No process and no file of a worker's is there any more."""
        until(lambda: not self.processes() and not self.left(), 60, lambda: f"{self.processes()} {self.left()}")

    def logs(self) -> str:
        """For a failure."""
        return self.sh(f"tail -n 30 {STATE}/*/log/worker {STATE}/*/log/StartLog", "root")[1]

    def close(self) -> None:
        """It is gone, with all that is on it."""
        self._container.remove(force=True, v=True)
