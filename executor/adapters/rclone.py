"""WebDAV and S3 by rclone: its command lines, what it is told besides, and what it says when it fails.

What it is told of the storage, the secret too, is in its environment alone, which nobody reads but the job's account.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, Optional, Sequence
from urllib.parse import urlsplit

from prominence.core.plan import HIDDEN, PlannedStorage
from prominence.executor import process, sandbox
from prominence.executor.adapters.addresses import may_be_fetched_from
from prominence.executor.adapters.enclosed import Enclosed
from prominence.executor.adapters.gate import PORT
from prominence.executor.ports import Attached, Cause, Interrupted, Limits, RuntimeFailed, RuntimeTrouble, Stop
from prominence.executor.transfer import Refused, TransferFailed

KINDS = ("webdav", "s3")
_SHORT = Limits(timeout_s=120, grace_s=1)
_NO_DIRECTORY = 3
"""Its exit code."""
_VARIABLES = {
    "webdav": {"url": "URL", "username": "USER", "vendor": "VENDOR"},
    "s3": {"endpoint": "ENDPOINT", "access_key": "ACCESS_KEY_ID", "region": "REGION"},
}
_SECRETS = {"webdav": "PASS", "s3": "SECRET_ACCESS_KEY"}
_ALWAYS = {
    "webdav": {"VENDOR": "other"},
    # Buckets are there or not: it shall make none.
    "s3": {"PROVIDER": "Other", "ENV_AUTH": "false", "NO_CHECK_BUCKET": "true", "FORCE_PATH_STYLE": "true"},
}
_SPEAKING = ["--log-level", "ERROR", "--contimeout", "30s", "--timeout", "2m"]
_ONCE = ["--retries", "1", "--low-level-retries", "1"]


class Rclone:
    """`storage.Driver`. directory: of the job's, for all that belongs to it; it is not there yet."""

    def __init__(self, storage: PlannedStorage, directory: str, secret: str, where: Path, path: str) -> None:
        """directory: on the storage. path: where programs are."""
        self._storage, self._directory, self._secret, self._where, self._path = storage, directory, secret, where, path
        self._program: Optional[Enclosed] = None
        self._env: Dict[str, str] = {}

    def mount(self, stop: Stop) -> Attached:
        if names_the_worker(self._storage.settings.get("url") or self._storage.settings.get("endpoint", "")):
            raise Refused(_NOT_THERE)  # rclone would look for it within its own walls, and not find it
        kept = sandbox.make_directory(self._where.parent, self._where.name)
        seen = sandbox.make_directory(kept, "seen")
        plain = {"PATH": self._path, "HOME": str(kept), "LANG": "C.UTF-8"}
        hidden = _obscured(self._secret, plain) if self._storage.kind == "webdav" else self._secret
        self._env = {**plain, **environment(self._storage, hidden, str(kept))}
        command = mount_command(remote(self._storage, self._directory), str(seen), str(kept / "cache"))
        self._program = Enclosed(command, self._env, kept / "log")
        if not self._program.has_mounted(str(seen), stop):
            words = self._program.said()
            self._program.end()
            raise failure(words, self._secret)
        return Attached(self._program.pid, str(seen), self._storage.target, str(kept))

    def try_it(self, stop: Stop) -> None:
        wanted = remote(self._storage, self._directory)
        done = self._run(list_command(wanted), stop)
        if done.exit_code == _NO_DIRECTORY and self._storage.kind == "s3":
            # A prefix need not be there; the bucket must, where we may look at all of it.
            done = self._run(list_command(f"storage:{self._storage.settings['bucket']}/"), stop)
            if done.exit_code != _NO_DIRECTORY:
                return
            raise Refused(f"there is no bucket {self._storage.settings['bucket']}")
        if done.exit_code == _NO_DIRECTORY and self._directory:
            done = self._run(["rclone", "mkdir", *_SPEAKING, *_ONCE, wanted], stop)
        if done.exit_code == _NO_DIRECTORY:
            raise Refused("there is no such directory")
        if done.exit_code != 0:
            raise failure(done.stderr, self._secret)

    def works(self) -> bool:
        return self._program is not None and self._program.runs

    def unwritten(self) -> Sequence[str]:
        return sorted(unwritten(self._where / "cache"))

    def trouble(self, files: Sequence[str]) -> Optional[TransferFailed]:
        assert self._program is not None
        words = why_not_stored(self._program.said(), files)
        return failure(words, self._secret) if words else None

    def moved(self) -> int:
        return 0 if self._program is None else self._program.moved

    def unmount(self, patience_s: float) -> None:
        if self._program is not None:
            self._program.end()

    def _run(self, command: List[str], stop: Stop) -> process.Finished:
        assert self._program is not None
        done = process.run(self._program.command(*command), self._env, _SHORT, stop, capture=True)
        if done.cause is Cause.STOPPED:
            raise Interrupted
        if done.cause is Cause.OUT_OF_TIME:
            raise TransferFailed("the server does not answer in time")
        return done


def can_mount(path: str) -> bool:
    """Whether it can mount anything here, tried on storage in its own memory. path: where programs are."""
    with tempfile.TemporaryDirectory(prefix="prominence-") as scratch:
        seen = sandbox.make_directory(Path(scratch), "seen")
        env = {"PATH": path, "HOME": scratch, "RCLONE_CONFIG_STORAGE_TYPE": "memory"}
        command = mount_command("storage:trial/", str(seen), f"{scratch}/cache")
        try:
            program = Enclosed(command, env, Path(scratch, "log"))
            try:
                return program.has_mounted(str(seen), Stop())
            finally:
                program.end()
        except RuntimeTrouble:
            return False


def environment(storage: PlannedStorage, secret: str, directory: str) -> Dict[str, str]:
    """What rclone is told of the storage, which it calls `storage`, and of the way to it. secret: as it wants it."""
    gate = f"socks5://127.0.0.1:{PORT}"
    names = _VARIABLES[storage.kind]
    said = {
        "TYPE": storage.kind,
        **_ALWAYS[storage.kind],
        **{names[name]: value for name, value in storage.settings.items() if name in names},
        _SECRETS[storage.kind]: secret,
    }
    return {
        **{f"RCLONE_CONFIG_STORAGE_{name}": value for name, value in said.items()},
        "RCLONE_CONFIG": f"{directory}/none",
        "HTTP_PROXY": gate,
        "HTTPS_PROXY": gate,
    }


def remote(storage: PlannedStorage, directory: str) -> str:
    """What is mounted, as rclone calls it. The / at the end tells that it is a directory, without asking."""
    settings: Mapping[str, str] = storage.settings
    parts = [settings["bucket"], settings.get("prefix", "")] if storage.kind == "s3" else []
    path = "/".join(part for part in (*parts, directory) if part)
    return f"storage:{path}/" if path else "storage:"


def mount_command(wanted: str, seen: str, cache: str) -> List[str]:
    """What is written is kept in `cache` until the server has it; reading begins before all of a file has come."""
    return [
        *("rclone", "mount", *_SPEAKING),
        *("--vfs-cache-mode", "writes", "--vfs-write-back", "1s", "--vfs-cache-max-age", "1m", "--cache-dir", cache),
        *("--dir-cache-time", "10s", "--buffer-size", "4Mi", "--use-server-modtime"),
        *("--file-perms", "0755", "--dir-perms", "0755", "--", wanted, seen),
    ]


def list_command(wanted: str) -> List[str]:
    """See what is in a directory."""
    return ["rclone", "lsf", "--max-depth", "1", *_SPEAKING, *_ONCE, "--", wanted]


def unwritten(cache: Path) -> Iterator[str]:
    """The files in rclone's cache that it still has to store, by what it notes beside them."""
    notes = cache / "vfsMeta"
    for directory, _, names in os.walk(notes):
        for name in names:
            file = Path(directory, name)
            try:
                noted = json.loads(file.read_bytes())
            except FileNotFoundError:
                continue
            except ValueError:  # it is being written
                noted = {"Dirty": True}
            if noted.get("Dirty"):
                yield "/".join(file.relative_to(notes).parts[1:])  # it calls the storage by a name of its own


def why_not_stored(said: str, files: Sequence[str]) -> str:
    """What rclone has said of one of these files when it could not store it; "" if it has not."""
    for line in reversed(said.splitlines()):
        found = _NOT_STORED.search(line)
        if found and any(file == found[1] or file.endswith(f"/{found[1]}") for file in files):
            return found[2]
    return ""


def names_the_worker(address: str) -> bool:
    """Whether the address itself, and no name that is looked up, is one on the worker, or one that is nobody's."""
    host = urlsplit(address).hostname or ""
    try:
        return host.rstrip(".") == "localhost" or not may_be_fetched_from(host)
    except ValueError:
        return False


_NOT_THERE = "its address is one that nothing is fetched from"
_NOT_STORED = re.compile(r"ERROR : (.+): vfs cache: failed to upload try #\d+, will retry in [^:]+: (.*)$")
_REFUSALS = (
    (r"not allowed by ruleset", _NOT_THERE),
    (
        r"\b40[13] |Unauthorized|Forbidden|AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|InvalidToken",
        "the server refuses it to this user with this password or key",
    ),
    (r"\b507 |\b413 |Insufficient Storage|QuotaExceeded|EntityTooLarge", "the server has no room for it"),
    (r"NoSuchBucket|\b404 |directory not found", "there is no such directory or bucket"),
    (r"\b501 |\b4(?!08|09|23|25|29)\d\d[ ,]", "what answers there is no such storage"),
    (r"x509: |tls: ", "the server's certificate is not one that the worker trusts"),
)
_UNREACHABLE = re.compile(r"host unreachable|network unreachable|connection refused|no such host")
_BEGINNING = re.compile(
    r"^\d{4}/\d\d/\d\d [\d:]+ (?:[A-Z]+ *: |Fatal error: |Failed to [^:]*: )(?:: )?"
    r"(?:last error was: )?(?:error (?:in ListJSON|listing): )?(?:couldn't list files: )?"
)


def failure(said: str, secret: str) -> TransferFailed:
    """Why it did not work, by what rclone has said."""
    lines = [line for line in said.splitlines() if line.strip()]
    last = _BEGINNING.sub("", lines[-1]).replace(secret, HIDDEN) if lines else "rclone does not say why"
    for pattern, sentence in _REFUSALS:
        if re.search(pattern, "\n".join(lines[-3:])):
            return Refused(sentence)
    if _UNREACHABLE.search(last):
        return TransferFailed("the server cannot be reached")
    return TransferFailed(last[-300:].rstrip("."))


def _obscured(secret: str, env: Mapping[str, str]) -> str:
    """As rclone wants to be told a password; it reads it from a pipe."""
    try:
        done = subprocess.run(
            ["rclone", "obscure", "-"], env=dict(env), input=f"{secret}\n".encode(), capture_output=True, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RuntimeFailed("the job's storage cannot be mounted here: rclone does not work") from error
    if done.returncode != 0:
        raise RuntimeFailed("the job's storage cannot be mounted here: rclone does not work")
    return done.stdout.decode().strip()
