"""Pool on HTCondor's own command-line tools.

Tools, not bindings: a call of the bindings to a daemon that hangs holds the whole process, and draining a startd
needs an administration session that only the tools ask the collector for. Every call is an argument list with a
time limit.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from prominence.core import classads
from prominence.core.errors import NotFound, Unavailable
from prominence.imc import condor_text, outsiders
from prominence.imc.condor_text import Outsider, Revocation
from prominence.imc.ports import Admission, ExecutePoint
from prominence.imc.revocations import merged
from prominence.imc.settings import PoolSettings

_TIMEOUT_S = 6
"""Less than the shortest lease: a collector that hangs must not cost imc its lead, for then it could not act at all."""

_ATTRIBUTES = (classads.MACHINE, classads.SLOT_TYPE, classads.STATE, classads.DRAINING, classads.LEAVING)
_CLAIMED = ("Claimed", "Matched", "Preempting")
_MARK = "# revoked: "
_SHUT_OUT = "# shut out: "


class ToolFailed(Exception):
    """A tool ended with an error; the text is what it said."""


Run = Callable[[Sequence[str], Mapping[str, str], str], str]
"""Runs a tool with these additions to its environment and this input; gives its output or raises ToolFailed."""


def run_here(command: Sequence[str], environment: Mapping[str, str], stdin: str) -> str:
    """Run in a process of its own on this machine."""
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **environment},
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired as error:
        raise ToolFailed(f"no answer within {_TIMEOUT_S} s") from error
    except OSError as error:
        raise ToolFailed(f"cannot be started: {error.strerror}") from error
    if done.returncode != 0:
        raise ToolFailed((done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}")[-500:])
    return done.stdout


class HTCondorPool:
    """Promise: see ports.Pool. Workers are the startds that showed a token of their own name."""

    def __init__(self, settings: PoolSettings, run: Run = run_here) -> None:
        self._settings = settings
        self._run = run
        self._lock = threading.Lock()

    def execute_points(self) -> Mapping[str, ExecutePoint]:
        own = f"{classads.AUTHENTICATED_IDENTITY} == strcat({classads.MACHINE}, {classads.quote(_identity(''))})"
        text = self._tool("condor_status", "-json", "-attributes", ",".join(_ATTRIBUTES), "-constraint", own)
        try:
            ads = json.loads(text or "[]")
        except ValueError as error:
            raise Unavailable("condor_status gave no JSON") from error
        return _execute_points(ads)

    def drain(self, name: str, reason: str) -> None:
        try:
            self._address("condor_drain", "-graceful", "-reason", _line(reason), f"slot1@{name}")
        except Unavailable as error:
            if "already in progress" not in str(error):
                raise

    def undrain(self, name: str) -> None:
        self._address("condor_drain", "-cancel", f"slot1@{name}")

    def invalidate(self, name: str) -> None:
        for command, kind in (("INVALIDATE_STARTD_ADS", "Machine"), ("INVALIDATE_MASTER_ADS", "DaemonMaster")):
            query = (
                f'MyType = "Query"\nTargetType = "{kind}"\n'
                f"Requirements = {classads.MACHINE} == {classads.quote(name)}\n"
            )
            self._tool("condor_advertise", "-tcp", command, "-", stdin=query)

    def mint(self, name: str) -> SecretStr:
        return self._mint(_identity(name), self._settings.token_lifetime_s)

    def revoke(self, name: str, now: datetime) -> None:
        self._revoke(_identity(name), now, self._settings.token_lifetime_s)

    def outsiders(self) -> Sequence[Outsider]:
        try:
            lines = self._denials_file.read_text().splitlines()
            return [_outsider(line.removeprefix(_SHUT_OUT)) for line in lines if line.startswith(_SHUT_OUT)]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError) as error:  # to go on would let everybody in again
            raise Unavailable(f"{self._denials_file} cannot be read: {error}") from error

    def keep_out(self, entries: Sequence[Outsider]) -> None:
        notes = "".join(f"{_SHUT_OUT}{json.dumps(asdict(entry))}\n" for entry in entries)
        names = outsiders.names(entries)
        _written(self._denials_file, f"# Written by prominence-imc.\n{notes}{condor_text.denials(names)}")
        self._reconfigure()
        for name in names:
            self.invalidate(name)

    @property
    def _denials_file(self) -> Path:
        return self._settings.revocations_file.with_name("denied.conf")

    def mint_for_owner(self, owner: str) -> Admission:
        lifetime_s = self._settings.owners_token_lifetime_s
        return Admission(self._mint(_identity_of_owner(owner), lifetime_s), lifetime_s)

    def revoke_of_owner(self, owner: str, now: datetime) -> None:
        self._revoke(_identity_of_owner(owner), now, self._settings.owners_token_lifetime_s)

    def _mint(self, identity: str, lifetime_s: int) -> SecretStr:
        settings = self._settings
        token = self._tool(
            "condor_token_create",
            *("-identity", identity),
            *("-key", settings.signing_key),
            *("-authz", "ADVERTISE_STARTD", "-authz", "ADVERTISE_MASTER"),
            *("-lifetime", str(lifetime_s)),
            # Known to this one call: with the key at hand, all tools would make themselves tokens of every right.
            environment={
                "_CONDOR_SEC_PASSWORD_DIRECTORY": str(settings.keys_dir),
                "_CONDOR_SEC_TOKEN_POOL_SIGNING_KEY_FILE": str(settings.keys_dir / settings.signing_key),
            },
        ).strip()
        if not token:
            raise Unavailable("condor_token_create gave no token")
        return SecretStr(token)

    def _revoke(self, identity: str, now: datetime, lifetime_s: int) -> None:
        moment = int(now.timestamp())
        with self._lock:
            self._refuse(merged([self._revoked(), [Revocation(identity, moment, moment + lifetime_s)]], moment))

    def revocations(self) -> Sequence[Revocation]:
        with self._lock:
            return self._revoked()

    def refuse(self, entries: Sequence[Revocation]) -> None:
        with self._lock:
            self._refuse(entries)

    def _refuse(self, entries: Sequence[Revocation]) -> None:
        self._write(entries)
        self._reconfigure()

    def _reconfigure(self) -> None:
        """Have the collector beside this imc read what it is told anew."""
        reader = self._settings.collector_here or self._settings.collector
        where = {"_CONDOR_COLLECTOR_HOST": reader}
        found = self._tool("condor_status", "-collector", "-limit", "1", "-af", "MyAddress", environment=where).strip()
        if not found:
            raise Unavailable("the collector does not know its own address yet")
        self._tool("condor_reconfig", "-collector", "-addr", found, environment=where)

    def _revoked(self) -> list[Revocation]:
        try:
            lines = self._settings.revocations_file.read_text().splitlines()
            return [Revocation(**json.loads(line.removeprefix(_MARK))) for line in lines if line.startswith(_MARK)]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError) as error:  # to go on would make revoked tokens good again
            raise Unavailable(f"{self._settings.revocations_file} cannot be read: {error}") from error

    def _write(self, entries: Sequence[Revocation]) -> None:
        notes = "".join(f"{_MARK}{json.dumps(asdict(entry))}\n" for entry in entries)
        text = f"# Written by imc: tokens of workers that are gone.\n{notes}{condor_text.revocations(entries)}"
        _written(self._settings.revocations_file, text)

    def _address(self, *command: str) -> None:
        """A tool that speaks to a startd."""
        try:
            self._tool(*command)
        except Unavailable as error:
            if "Can't find address" in str(error):
                raise NotFound(f"Worker {command[-1].removeprefix('slot1@')} is not in the pool.") from error
            raise

    def _tool(self, *command: str, environment: Mapping[str, str] | None = None, stdin: str = "") -> str:
        where = {"_CONDOR_COLLECTOR_HOST": self._settings.collector}
        try:
            return self._run(command, {**where, **(environment or {})}, stdin)
        except ToolFailed as error:
            raise Unavailable(f"{command[0]}: {error}") from error


def _execute_points(ads: Sequence[Mapping[str, Any]]) -> dict[str, ExecutePoint]:
    """One for each machine, whatever the number of its slots."""
    claimed: dict[str, int] = {}
    draining: dict[str, bool] = {}
    leaving: dict[str, bool] = {}
    for ad in ads:
        name, state = str(ad.get(classads.MACHINE)), ad.get(classads.STATE)
        claimed[name] = claimed.get(name, 0) + (state in _CLAIMED)
        draining[name] = draining.get(name, False) or ad.get(classads.DRAINING) is True or state == "Drained"
        leaving[name] = leaving.get(name, False) or ad.get(classads.LEAVING) is True
    return {name: ExecutePoint(claimed[name], draining[name], leaving[name]) for name in claimed}


def _outsider(note: str) -> Outsider:
    """Of a note of ours; older ones are a name and no more."""
    return Outsider(**json.loads(note)) if note.startswith("{") else Outsider(note)


def _identity(name: str) -> str:
    return f"{name}@{classads.WORKER_DOMAIN}"


def _identity_of_owner(owner: str) -> str:
    return f"{owner}@{classads.OWNER_DOMAIN}"


def _line(reason: str) -> str:
    """As an argument: one line of ordinary length, never an option."""
    return "".join(c if c.isprintable() else " " for c in reason)[:200].strip().lstrip("-") or "drained by imc"


def _written(file: Path, text: str) -> None:
    try:
        _replace(file, text)
    except OSError as error:
        raise Unavailable(f"{file} cannot be written: {error.strerror}") from error


def _replace(file: Path, text: str) -> None:
    """Whoever reads the file sees the old text or the new one, after a crash too."""
    new = file.with_name(f".{file.name}.{os.getpid()}.new")  # imc and its command may both be at it
    new.unlink(missing_ok=True)
    # Made anew, never opened: the directory is HTCondor's, which could have put a link there.
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "w") as stream:
        os.fchmod(stream.fileno(), 0o644)
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    new.replace(file)
