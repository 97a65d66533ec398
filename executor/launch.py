"""Stands in for ssh where an MPI starts its daemons on a job's other nodes.

The launcher takes a script of ours for its remote shell. It runs inside the task's container and needs `sh` alone: it
leaves the command as files beneath the task's /tmp, where the executor finds it, and waits for the file with its exit
code. What is read there is the user's, and so no link is followed and little is read.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Iterator, NamedTuple, Optional, Set

from prominence.executor import fulldisk, sandbox
from prominence.executor.ports import RuntimeFailed

DIRECTORY = "prominence-launch"
AGENT = f"/tmp/{DIRECTORY}/agent"
"""The script, as the launcher is told it."""
LARGEST_COMMAND = 128 * 1024
FAILED = 255
"""What ssh exits with where it could not do its part."""
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_REAL_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_SCRIPT = f"""#!/bin/sh
# In place of ssh: AGENT [OPTION ...] HOST COMMAND ...
while :; do case "$1" in -*) shift ;; *) break ;; esac; done
host="$1"; shift
asked="$(mktemp -d /tmp/{DIRECTORY}/ask.XXXXXX)" || exit {FAILED}
printf %s "$host" > "$asked/host"
printf %s "$*" > "$asked/command"
: > "$asked/ready"
until test -e "$asked/code"; do sleep 0.1 2> /dev/null || sleep 1; done
exit "$(cat "$asked/code")"
"""


class Request(NamedTuple):
    """That a command, which a shell is to read, be run on the node whose host is called so. name: the request's own."""

    name: str
    host: str
    command: str


class Errands:
    """The requests of one task, in the directory that it sees as /tmp. Raises RuntimeFailed where that is not ours."""

    def __init__(self, tmp: Path) -> None:
        self._directory = sandbox.make_directory(tmp, DIRECTORY)
        self._seen: Set[str] = set(os.listdir(self._directory))  # of a task before
        _write_anew(self._directory, "agent", _SCRIPT)

    def new(self) -> Iterator[Request]:
        """Those that have not been told yet. What is no request is passed over; one that cannot be run has failed."""
        for name in sorted(os.listdir(self._directory)):
            if name.startswith("ask.") and name not in self._seen:
                with suppress(OSError):
                    request = self._read(name)
                    self._seen.add(name)
                    if request is None:
                        self.answer(Request(name, "", ""), FAILED)
                    else:
                        yield request

    def answer(self, request: Request, code: int) -> None:
        """Let the one who asked go on. That nobody waits any more is fine."""
        with suppress(OSError):
            here = os.open(self._directory / request.name, _REAL_DIRECTORY)
            try:
                file = os.open("code.part", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=here)
                with os.fdopen(file, "w") as opened:
                    opened.write(str(code))
                os.rename("code.part", "code", src_dir_fd=here, dst_dir_fd=here)
            finally:
                os.close(here)

    def _read(self, name: str) -> Optional[Request]:
        """None: it is no text, or too long. Raises OSError where it is not there whole."""
        here = os.open(self._directory / name, _REAL_DIRECTORY)
        try:
            os.stat("ready", dir_fd=here, follow_symlinks=False)
            host, command = _text(here, "host"), _text(here, "command")
            return None if host is None or command is None else Request(name, host, command)
        finally:
            os.close(here)


def _write_anew(parent: Path, name: str, text: str) -> None:
    """A program of ours, whatever a task before has put in its place. Raises RuntimeFailed."""
    try:
        here = os.open(parent, _REAL_DIRECTORY)
        try:
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=here)
            with os.fdopen(os.open(name, _NEW, 0o700, dir_fd=here), "w", encoding="utf-8") as file:
                file.write(text)
                os.fchmod(file.fileno(), 0o755)
        finally:
            os.close(here)
    except OSError as error:
        fulldisk.check(error)
        raise RuntimeFailed(f"{parent / name} cannot be written: {error.strerror}") from error


def _text(directory: int, name: str) -> Optional[str]:
    with open(os.open(name, _READ, dir_fd=directory), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(f"{name} is no file")
        found = file.read(LARGEST_COMMAND + 1)
    try:
        return found.decode() if len(found) <= LARGEST_COMMAND else None
    except UnicodeDecodeError:
        return None
