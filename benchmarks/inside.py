"""Commands and programs run inside a container and timed there, so that getting in and out of it counts for nobody."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from docker.models.containers import Container

from benchmarks.pools import RealPool

_RUNNER = """
import json, subprocess, sys, time
for line in sys.stdin:
    order = json.loads(line)
    began = time.monotonic()
    done = subprocess.run(**order, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    print(json.dumps([began, time.monotonic(), done.returncode, done.stdout.decode()]), flush=True)
"""

MEMORY = """
def memory_kib():
    told = subprocess.run(["ps", "-eo", "rss=,args="], capture_output=True, text=True, check=True).stdout
    return max(int(line.split()[0]) for line in told.splitlines() if "gunicorn" in line and "-c" not in line.split())
"""
"""For a program on the access point: the API's largest process."""


@dataclass(frozen=True)
class Done:
    """A command that has ended well. began, ended: by the monotonic clock, which a machine's processes share."""

    began: float
    ended: float
    output: str

    @property
    def took(self) -> float:
        """Seconds."""
        return self.ended - self.began


class Inside:
    """A process inside a container that runs commands, one after the other."""

    def __init__(self, container: Container, user: str) -> None:
        command = ["docker", "exec", "--interactive", "--user", user, str(container.id)]
        self._process = subprocess.Popen(
            [*command, "/usr/bin/python3", "-I", "-c", _RUNNER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Inside:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def run(self, *arguments: str, env: Mapping[str, str] | None = None, cwd: str | None = None) -> Done:
        """Run a command; `env` is all of its environment. One that fails is an error: nobody wants its time."""
        assert self._process.stdin and self._process.stdout
        print(json.dumps({"args": arguments, "env": env, "cwd": cwd}), file=self._process.stdin, flush=True)
        began, ended, exit_code, output = json.loads(self._process.stdout.readline())
        if exit_code != 0:
            raise RuntimeError(f"{' '.join(arguments)} exited with {exit_code}:\n{output}")
        return Done(began, ended, output)


def program_on(one: RealPool, text: str, *numbers: int) -> Any:
    """Run a Python program on the access point with our packages; what its last line says, in JSON.

    Its arguments are the user of the pool, their token, and the numbers.
    """
    (access_point,) = one.containers("access-point")
    done = access_point.exec_run(
        ["python3", "-c", text, _user(one.token), one.token, *map(str, numbers)],
        user="prominence",
        environment={"PYTHONPATH": "/opt/prominence/lib:/opt/prominence/site"},
    )
    assert done.exit_code == 0, done.output.decode()[-2000:]
    return json.loads(done.output.decode().splitlines()[-1])


def _user(token: str) -> str:
    """Whose the token is."""
    payload = token.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["sub"])
