"""A program in namespaces of its own, which mounts something that nobody sees but who enters these.

Its mounts go with it, however it ends, and neither HTCondor nor another job meets them. It has no network but a way
through the gate, if it can speak to that. It is the job's account all the while, here as there.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import struct
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import List, Mapping, Optional, Sequence

from prominence.executor import entering, keeper
from prominence.executor.adapters.gate import PORT, Gate
from prominence.executor.ports import Interrupted, RuntimeFailed, Stop

OPTION = "--enclose"
"""The first argument by which this program is `enclose`."""
_STARTS_S = 30.0
_LOOK_S = 0.02
_ENDS_S = 10.0
_KEPT = 64 * 1024
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 1


class Enclosed:
    """Such a program. gated: whether it goes through the gate, or has the worker's own network.

    log: a file that gets what it says. Raises RuntimeFailed where there can be none here.
    """

    def __init__(self, arguments: Sequence[str], env: Mapping[str, str], log: Path, gated: bool = True) -> None:
        self._log = log
        self._gated = gated
        self._gate: Optional[Gate] = None
        ours, theirs = socket.socketpair()
        own = ["--user", "--map-current-user", "--keep-caps", "--mount", *(["--net"] if gated else [])]
        itself = [*keeper.itself(OPTION), str(theirs.fileno())]
        with ours, theirs, open(log, "ab") as said:
            try:
                self._process = subprocess.Popen(
                    ["unshare", *own, "--", *(itself if gated else []), *arguments],
                    env=dict(env),
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=said,
                    pass_fds=[theirs.fileno()] if gated else [],
                    start_new_session=True,
                )
            except OSError as error:
                raise RuntimeFailed(f"the job's storage cannot be mounted here: {error.strerror}") from error
            theirs.close()
            if gated:
                self._gate = self._opened(ours)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    @property
    def moved(self) -> int:
        """Bytes that it has exchanged with the world; of one that is not gated nobody knows."""
        return 0 if self._gate is None else self._gate.moved

    def said(self) -> str:
        """The last of it."""
        with open(self._log, "rb") as log:
            log.seek(max(0, os.fstat(log.fileno()).st_size - _KEPT))
            return log.read().decode(errors="replace")

    def has_mounted(self, path: str, stop: Stop) -> bool:
        """Whether something is mounted there; if not, it has ended. Raises Interrupted, RuntimeFailed."""
        give_up_at = time.monotonic() + _STARTS_S
        while self.runs:
            if is_mounted(path, _text(f"/proc/{self.pid}/mountinfo")):
                return True
            if stop.requested:
                raise Interrupted
            if time.monotonic() > give_up_at:
                raise RuntimeFailed("the job's storage is not mounted in time")
            time.sleep(_LOOK_S)
        return False

    def command(self, *arguments: str) -> List[str]:
        """What runs a command where this program is, as its user."""
        return [*entering.the_mounts(self.pid, self._gated), *arguments]

    def end(self, patience_s: float = _ENDS_S) -> None:
        """Tell it to, and see that it has. May be repeated."""
        for number, wait_s in ((signal.SIGTERM, patience_s), (signal.SIGKILL, _ENDS_S)):
            if self.runs:
                with suppress(ProcessLookupError):
                    self._process.send_signal(number)
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(wait_s)
        if self._gate is not None:
            self._gate.close()

    def _opened(self, ours: socket.socket) -> Gate:
        ours.settimeout(_STARTS_S)
        try:
            _, found, _, _ = socket.recv_fds(ours, 1, 1)
        except OSError:
            found = []
        if not found:
            self.end()
            words = self.said().strip().splitlines()
            raise RuntimeFailed(f"the job's storage cannot be mounted here: {words[-1] if words else 'no answer'}")
        return Gate(socket.socket(fileno=found[0]))


def enclose(arguments: Sequence[str]) -> int:
    """In the new namespaces: hand out a socket of this network, and become the program.

    arguments: the number of the descriptor to hand it to, and the program's.
    """
    with socket.socket(fileno=int(arguments[0])) as to, socket.socket() as listening:
        name = struct.pack("16sh14x", b"lo", 0)
        (flags,) = struct.unpack_from("h", fcntl.ioctl(listening, _GET_FLAGS, name), 16)
        fcntl.ioctl(listening, _SET_FLAGS, struct.pack("16sh14x", b"lo", flags | _UP))
        listening.bind(("127.0.0.1", PORT))
        listening.listen(64)
        socket.send_fds(to, [b"."], [listening.fileno()])
    os.execvp(arguments[1], list(arguments[1:]))


def is_mounted(path: str, mountinfo: str) -> bool:
    """Whether something is mounted at this path, by the text of /proc/PID/mountinfo."""
    written = path.replace("\\", "\\134").replace(" ", "\\040").replace("\t", "\\011").replace("\n", "\\012")
    return any(line.split(" ")[4:5] == [written] for line in mountinfo.splitlines())


def _text(file: str) -> str:
    try:
        return Path(file).read_text(errors="replace")
    except OSError:
        return ""
