"""OneData by its own client, where a worker has that. It reads its token from its environment."""

from __future__ import annotations

import shlex
import socket
from pathlib import Path
from typing import Dict, List, Optional, Sequence

from prominence.core.plan import HIDDEN, PlannedStorage
from prominence.executor import process, sandbox
from prominence.executor.adapters.addresses import may_be_fetched_from
from prominence.executor.adapters.enclosed import Enclosed
from prominence.executor.ports import Attached, Cause, Interrupted, Limits, Stop
from prominence.executor.transfer import Refused, TransferFailed

PROGRAM = "oneclient"
_SHORT = Limits(timeout_s=60, grace_s=1)


class OneClient:
    """`storage.Driver`. Its arguments are those of `rclone.Rclone`."""

    def __init__(self, storage: PlannedStorage, directory: str, secret: str, where: Path, path: str) -> None:
        self._storage, self._directory, self._secret, self._where, self._path = storage, directory, secret, where, path
        self._program: Optional[Enclosed] = None

    def mount(self, stop: Stop) -> Attached:
        _check(self._storage.settings["provider"])
        kept = sandbox.make_directory(self._where.parent, self._where.name)
        seen = sandbox.make_directory(kept, "seen")
        env = environment(self._storage, self._secret, str(kept), self._path)
        self._program = Enclosed(command(self._storage, str(seen)), env, kept / "log", gated=False)
        if not self._program.has_mounted(str(seen), stop):
            lines = self._program.said().replace(self._secret, HIDDEN).strip().splitlines()
            raise Refused(lines[-1][-300:] if lines else "oneclient does not say why")
        return Attached(self._program.pid, str(seen / self._directory), self._storage.target, str(kept))

    def try_it(self, stop: Stop) -> None:
        assert self._program is not None
        directory = str(self._where / "seen" / self._directory)
        make = self._program.command("mkdir", "--parents", "--", directory)
        done = process.run(make, {"PATH": self._path}, _SHORT, stop, capture=True)
        if done.cause is Cause.STOPPED:
            raise Interrupted
        if done.cause is Cause.OUT_OF_TIME:
            raise TransferFailed("the provider does not answer in time")
        if done.exit_code != 0:
            raise Refused("there is no such directory, and it cannot be made")

    def works(self) -> bool:
        return self._program is not None and self._program.runs

    def unwritten(self) -> Sequence[str]:
        return ()  # it does not tell; when it is unmounted it stores what is left

    def trouble(self, files: Sequence[str]) -> Optional[TransferFailed]:
        return None

    def moved(self) -> int:
        return 0

    def unmount(self, patience_s: float) -> None:
        if self._program is not None:
            self._program.end(patience_s)


def command(storage: PlannedStorage, seen: str) -> List[str]:
    """Mount it there."""
    return [PROGRAM, "--foreground", *shlex.split(storage.settings.get("options", "")), seen]


def environment(storage: PlannedStorage, secret: str, directory: str, path: str) -> Dict[str, str]:
    """What it is told of the storage."""
    return {
        "PATH": path,
        "HOME": directory,
        "ONECLIENT_PROVIDER_HOST": storage.settings["provider"],
        "ONECLIENT_ACCESS_TOKEN": secret,
    }


def _check(provider: str) -> None:
    """It looks the name up for itself once more, and connects by itself: this keeps mistakes off, not an attacker."""
    try:
        found = socket.getaddrinfo(provider, None, 0, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise TransferFailed("there is no server of that name") from error
    if not all(may_be_fetched_from(str(place[0])) for _, _, _, _, place in found):
        raise Refused("its address is one that nothing is fetched from")
