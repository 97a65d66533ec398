"""Commands run inside a container, each timed there, so that getting in and out of the container counts for nobody."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType

from docker.models.containers import Container

_RUNNER = """
import json, subprocess, sys, time
for line in sys.stdin:
    order = json.loads(line)
    began = time.monotonic()
    done = subprocess.run(**order, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    print(json.dumps([began, time.monotonic(), done.returncode, done.stdout.decode()]), flush=True)
"""


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
