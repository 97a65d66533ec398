"""A worker's directory: all that it has on the machine, for its user alone, from its start to its end.

Beneath it things are where they are on a machine that is a worker altogether. Who runs the worker holds the lock of its
file `running`; a worker whose lock nobody holds is gone, whatever it has left.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prominence.cli.errors import ClientError


class Broken(ClientError):
    """HTCondor itself has failed: its logs are worth keeping."""


@dataclass(frozen=True)
class Home:
    """root: the directory."""

    root: Path

    @property
    def name(self) -> str:
        """Of the worker, among its user's."""
        return self.root.name

    @property
    def configuration(self) -> Path:
        """HTCondor's configuration: where it begins."""
        return self.root / "etc/condor/condor_config"

    @property
    def part(self) -> Path:
        """The directory of its parts."""
        return self.root / "etc/condor/config.d"

    @property
    def token(self) -> Path:
        """With which it joins the pool."""
        return self.root / "etc/condor/tokens.d/pool"

    @property
    def invitation(self) -> Path:
        """With which it asks for a token, where it was given none."""
        return self.root / "etc/prominence/invitation.json"

    @property
    def proxies(self) -> Path:
        """Through which images are fetched."""
        return self.root / "etc/prominence/proxies.json"

    @property
    def bin(self) -> Path:
        """Programs."""
        return self.root / "bin"

    @property
    def log(self) -> Path:
        """HTCondor's logs."""
        return self.root / "log"

    @property
    def said(self) -> Path:
        """What a worker in the background says."""
        return self.root / "log/worker"

    @property
    def running(self) -> Path:
        """Who runs it, as JSON."""
        return self.root / "running"

    def make(self) -> None:
        """Its directories. What a worker of this name has left before goes."""
        self.clear()
        for directory in (self.part, self.token.parent, self.invitation.parent, self.bin, self.log):
            directory.mkdir(parents=True)
        for name in ("spool", "run", "none"):
            (self.root / name).mkdir()

    def clear(self, but: Path | None = None) -> None:
        """All but the lock, and this."""
        for entry in self.root.iterdir():
            if entry not in (self.running, but):
                remove_tree(entry)

    def remove(self) -> None:
        """All of it."""
        remove_tree(self.root)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Run this worker: nobody else does. Its directory is there, and gone in the end but for logs of a failure.

        Raises ClientError.
        """
        self.root.mkdir(parents=True, mode=0o700, exist_ok=True)
        descriptor = os.open(self.running, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ClientError(
                    f"A worker named {self.name} runs already: `prominence worker stop {self.name}` ends it, "
                    "--name starts another."
                ) from None
            yield from self._while_held()
        finally:
            os.close(descriptor)

    def _while_held(self) -> Iterator[None]:
        keep = None
        try:
            self.make()
            yield
        except Broken:
            keep = self.log
            raise
        finally:
            self.clear(but=keep)
            if keep is None:
                self.remove()

    def write_running(self, **facts: Any) -> None:
        """Tell others who runs it. Within `held`."""
        text = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), **facts})
        with open(self.running, "r+", encoding="utf-8") as file:
            file.write(text)
            file.truncate()

    def read_running(self) -> dict[str, Any] | None:
        """What they tell; None: nobody runs it."""
        try:
            descriptor = os.open(self.running, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return None
        with open(descriptor, encoding="utf-8") as file:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return None
            except BlockingIOError:
                with suppress(ValueError):
                    told = json.load(file)
                    if isinstance(told, dict) and isinstance(told.get("pid"), int):
                        return told
                return {}


def remove_tree(path: Path) -> None:
    """A file, or a directory with all that is in it, whatever modes jobs have given that. What is not there is fine."""
    for folder, names, _ in os.walk(path):
        for name in names:
            inside = os.path.join(folder, name)
            if not os.path.islink(inside):
                os.chmod(inside, 0o700)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_secret(file: Path, text: str) -> None:
    """For its owner alone from the first moment, and whole or not at all."""
    new = file.with_name(f".{file.name}.new")
    new.unlink(missing_ok=True)
    with open(
        os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w", encoding="utf-8"
    ) as stream:
        stream.write(text)
    new.replace(file)


def homes(state_home: Path) -> Path:
    """Where a user's workers are."""
    return state_home / "prominence" / "workers"


def present(state_home: Path) -> list[Home]:
    """The workers that run, or have left something."""
    folder = homes(state_home)
    return [Home(one) for one in sorted(folder.iterdir()) if one.is_dir()] if folder.is_dir() else []
