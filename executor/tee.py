"""A task's output into a file besides: beneath the directories of the job, whatever links its tasks have put there.

What is written to this process's stdout and stderr meanwhile passes through us. So no runtime need know of it.
"""

from __future__ import annotations

import os
import selectors
import stat
import threading
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Dict, Iterator, List, Sequence, Tuple

from prominence.core.plan import PlannedMount
from prominence.executor import diskuse, sandbox
from prominence.executor.environment import HOME
from prominence.executor.ports import WorkerLost
from prominence.executor.sandbox import Workspace

STREAMS = (1, 2)
_PIECE = 64 * 1024
_GRACE_S = 5.0
_FILE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class CannotBeWritten(Exception):
    """`str(error)` is for people."""


def create(path: str, workspace: Workspace, mounts: Sequence[PlannedMount]) -> int:
    """A descriptor of the file, empty, with the directories above it. path: as the task sees it, absolute.

    Raises CannotBeWritten where it is no regular file, or where a link is on the way.
    """
    root, parts = _place(path, workspace, mounts)
    try:
        directory = sandbox.make_below(root, parts[:-1])
        try:
            file = os.open(parts[-1], _FILE, 0o600, dir_fd=directory)
        finally:
            os.close(directory)
    except OSError as error:
        if error.errno in diskuse.FULL:
            raise WorkerLost("the disk is full") from error
        raise CannotBeWritten(error.strerror or str(error)) from error
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise CannotBeWritten("Not a regular file")
    return file


@contextmanager
def tee(file: int) -> Iterator[None]:
    """Meanwhile all output goes into the file as well, which is closed then.

    Raises WorkerLost afterwards if a full disk has cut it off.
    """
    pumps = _Pump(file)
    try:
        yield
    finally:
        pumps.end()
    if pumps.cut:
        raise WorkerLost("the disk is full")


class _Pump:
    """Reads what is written to our streams, and passes it on to where they went before, and to the file."""

    def __init__(self, file: int) -> None:
        self.cut = False
        self._targets: Dict[int, List[int]] = {}
        self._before = [(stream, os.dup(stream)) for stream in STREAMS]
        for stream, before in self._before:
            source, sink = os.pipe()
            os.dup2(sink, stream)
            os.close(sink)
            self._targets[source] = [before, file]
        self._file = file
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Pass the rest on. Nobody writes any more but to where the streams went before."""
        for stream, before in self._before:
            os.dup2(before, stream)
        self._thread.join(_GRACE_S)

    def _run(self) -> None:
        with selectors.DefaultSelector() as ready:
            for source in self._targets:
                ready.register(source, selectors.EVENT_READ)
            while ready.get_map():
                for key, _ in ready.select():
                    data = os.read(key.fd, _PIECE)
                    if data:
                        self._pass_on(data, self._targets[key.fd])
                    else:
                        ready.unregister(key.fd)
        for descriptor in (*self._targets, *(before for _, before in self._before), self._file):
            os.close(descriptor)

    def _pass_on(self, data: bytes, targets: List[int]) -> None:
        for target in list(targets):
            try:
                left = data
                while left:
                    left = left[os.write(target, left) :]
            except OSError as error:
                targets.remove(target)  # nobody reads, or the disk is full; the task must not stop for that
                self.cut = self.cut or error.errno in diskuse.FULL


def _place(path: str, workspace: Workspace, mounts: Sequence[PlannedMount]) -> Tuple[Path, Sequence[str]]:
    """A directory of the workspace, and the way from there."""
    roots = [(HOME, workspace.home), *((mount.target, root) for mount, root in zip(mounts, workspace.mounts))]
    for target, root in sorted(roots, reverse=True):  # of two, the one within the other
        if path.startswith(f"{target}/"):
            return root, PurePosixPath(path).relative_to(target).parts
    raise CannotBeWritten("it is neither in the job's home nor in what is mounted")
