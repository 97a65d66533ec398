"""Puts a worker's directory together, and runs the worker in it."""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prominence.cli.errors import ClientError
from prominence.cli.worker import processes, programs, text
from prominence.cli.worker.daemons import Daemons
from prominence.cli.worker.home import Home, remove_tree, write_secret
from prominence.cli.worker.offer import Offer
from prominence.cli.worker.shift import Say, Shift

_OWNER = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_PROXIES = ("http_proxy", "https_proxy", "no_proxy")
_RENEW_EVERY_S = 600.0


@dataclass(frozen=True)
class Admission:
    """With what a worker joins its pool. renewed: another of these, when it has nearly ended; None: there is none."""

    token: str
    owner: str
    collector: str
    trust_domain: str
    expires: float
    renewed: Callable[[], Admission] | None = None


def admission(
    made: Mapping[str, Any], collector: str = "", renewed: Callable[[], Admission] | None = None
) -> Admission:
    """Of the API's answer, or of a token alone, which says the rest but for the collector. Raises ClientError."""
    token = str(made.get("token", "")).strip()
    claims = _claims(token)
    owner, _, domain = str(claims.get("sub", "")).partition("@")
    if domain != "users" or not _OWNER.fullmatch(owner):
        raise ClientError("This is no token for workers of a user: `prominence token worker` makes one.")
    where = collector or str(made.get("collector", ""))
    if not where:
        raise ClientError("It is not known where the pool is: say host[:port] of its collector with --collector.")
    expires = claims.get("exp")
    return Admission(
        token,
        owner,
        where,
        str(made.get("trustDomain") or claims.get("iss", "")),
        float(expires) if isinstance(expires, int) else float("inf"),
        renewed,
    )


def _claims(token: str) -> dict[str, Any]:
    """What a token says of itself. It is the pool that checks whether it is true."""
    parts = token.split(".")
    try:
        found = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (IndexError, ValueError, binascii.Error):
        return {}
    return found if isinstance(found, dict) else {}


@dataclass(frozen=True)
class Scratch:
    """Where what a worker writes while it runs is, for it alone. root: the directory."""

    root: Path

    @property
    def execute(self) -> Path:
        """Where jobs have their sandboxes."""
        return self.root / "execute"

    @property
    def tmp(self) -> Path:
        """For what HTCondor's programs need for a moment. What a killed one has left there goes with the worker."""
        return self.root / "tmp"


def lay_out(home: Home, daemons: Daemons, execute: Path, offer: Offer, outer: Mapping[str, str]) -> None:
    """All files but the token and what says which pool it is. Raises ClientError; Rejected."""
    if os.getuid() == 0:
        raise ClientError("Start such a worker as an ordinary user: as root HTCondor would run jobs as somebody else.")
    home.configuration.write_text(text.begin(home, daemons))
    for folder, part in (("base", text.POOL), ("worker", text.WORKER)):
        (home.part / part).write_text(programs.recipe(folder, "condor", part))
    (home.part / text.MINE).write_text(text.mine(home, execute, offer, f"{os.getuid()}.{os.getgid()}"))
    for program in ("advertise-runtimes", "join-pool"):
        (home.bin / program).write_text(programs.recipe("worker", "bin", program))
        (home.bin / program).chmod(0o755)
    # Jobs begin with `env python3`: the system's own may be too old for them.
    (home.bin / "python3").symlink_to(sys.executable)
    programs.pack_executor(home.root / "executor.pyz")
    proxies = {name: outer.get(name) or outer.get(name.upper()) for name in _PROXIES}
    if any(proxies.values()):
        write_secret(home.proxies, json.dumps({name: value for name, value in proxies.items() if value}))


def environment(home: Home, daemons: Daemons, scratch: Scratch, outer: Mapping[str, str]) -> dict[str, str]:
    """Of HTCondor's programs there."""
    own = daemons.environment(outer, home.configuration)
    return {
        **own,
        "PATH": f"{home.bin}{os.pathsep}{own['PATH']}",
        "TMPDIR": str(scratch.tmp),
        "PROMINENCE_PYTHON": sys.executable,
        "PROMINENCE_BROKER_WAIT": "0",
        "PROMINENCE_PROXIES": str(home.proxies),
    }


@contextmanager
def scratch(home: Home, given: Path | None) -> Iterator[Scratch]:
    """given: a directory for directories such as this one. None: it is part of the worker's own."""
    made = Scratch(home.root if given is None else Path(tempfile.mkdtemp(prefix=f"prominence-{home.name}-", dir=given)))
    try:
        for directory in (made.execute, made.tmp):
            directory.mkdir(exist_ok=True)
        yield made
    finally:
        if given is not None:
            remove_tree(made.root)


class Renewal:
    """Takes a new token in time, while there is somebody to ask. clock: seconds since 1970."""

    def __init__(self, home: Home, first: Admission, say: Say, clock: Callable[[], float] = time.time) -> None:
        self._home, self._now, self._say, self._clock = home, first, say, clock
        self._began = self._asked_at = clock()

    def __call__(self) -> None:
        now, half = self._clock(), self._began + (self._now.expires - self._began) / 2
        if self._now.renewed is None or now < half or now - self._asked_at < _RENEW_EVERY_S:
            return
        self._asked_at = now
        try:
            self._now = self._now.renewed()
        except ClientError as error:
            self._say(f"There is no new token for this worker yet: {error}")
            return
        self._began = now
        write_secret(self._home.token, self._now.token + "\n")


def run(shift: Shift, started: Callable[[], None], is_invited: bool = False) -> None:
    """The worker, to its end. is_invited: it has no token yet. Raises ClientError."""
    processes.adopt()
    if is_invited:
        shift.join()
    shift.check()
    shift.work(started)
