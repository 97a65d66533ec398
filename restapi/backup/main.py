"""`prominence-admin`: backup and restore of what a control plane keeps. To be run as root, on the access point.

python3 -m prominence.restapi.backup.main [--config FILE] [--state DIRECTORY] backup FILE | restore FILE | verify FILE
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from prominence.core.errors import Conflict, ProminenceError, sentence
from prominence.core.keyvalue.etcd import EtcdKeyValue
from prominence.core.newfile import new_file
from prominence.core.settings import load
from prominence.restapi.adapters import sqlite
from prominence.restapi.backup import stored
from prominence.restapi.backup.copying import Source, back_up
from prominence.restapi.backup.manifest import Manifest
from prominence.restapi.backup.parts import OBJECTS, Part, parts
from prominence.restapi.backup.placing import Mark
from prominence.restapi.backup.restoring import Target, restore, verify
from prominence.restapi.backup.users import users_of
from prominence.restapi.settings import RestApiSettings

NAME = "prominence-admin"
_STORE_TIMEOUT_S = 60.0
_STDOUT = "-"


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code."""
    given = _parser().parse_args(arguments)
    try:
        if given.act == "verify":
            _tell(verify(Path(given.file)), "is whole", sys.stdout)
            return 0
        if os.geteuid() != 0:
            raise Conflict(f"Run {given.act} as root: files of several accounts are copied.")
        settings = load(RestApiSettings, "restapi", given.config)
        state: Path = given.state.resolve()
        found = [one for one in parts(settings, state) if one.name not in given.without]
        store = EtcdKeyValue(settings.etcd_endpoints, _STORE_TIMEOUT_S, settings.etcd_tls)
        try:
            if given.act == "backup":
                _backup(given.file, settings, state, found, store)
            else:
                _restore(Path(given.file), settings, state, found, store)
        finally:
            store.close()
    except (ProminenceError, OSError) as error:
        print(f"{NAME}: {sentence(error)}", file=sys.stderr)
        return 1
    return 0


def _backup(file: str, settings: RestApiSettings, state: Path, found: Sequence[Part], store: EtcdKeyValue) -> None:
    if Mark(state).begun():
        raise Conflict(f"A restore has begun in {state} and has not ended: repeat that first.")
    source = Source(
        parts=tuple(found),
        sandboxes=settings.sandboxes_dir,
        # Nobody but root may put anything there, and it has room for what lies beside it.
        room=state,
        everything=lambda: store.everything(stored.ROOT),
        copy_database=sqlite.copy,
        clock=lambda: datetime.now(UTC),
    )
    with _written_to(file) as stream:
        made = back_up(source, stream)
    _tell(made, "is made", sys.stderr)


def _restore(file: Path, settings: RestApiSettings, state: Path, found: Sequence[Part], store: EtcdKeyValue) -> None:
    places = [state, *(part.place for part in found if part.place != Path())]
    # The shared store must run, since it is told what it shall hold.
    but = [state / "etcd", state / "log" / "etcd"]
    target = Target(
        parts=tuple(found),
        sandboxes=settings.sandboxes_dir,
        state=state,
        store=store,
        users=lambda: users_of(places, but),
        clock=lambda: datetime.now(UTC),
    )
    done = restore(file, target)
    _tell(done.manifest, "is in its place", sys.stdout)
    if done.next_job is not None:
        print(f"The next job will be number {done.next_job}.")
    for path in done.aside:
        print(f"what was there before: {path}")


@contextmanager
def _written_to(file: str) -> Iterator[IO[bytes]]:
    """A new file, or the standard output."""
    if file == _STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        with new_file(Path(file)) as stream:
            yield stream
    except FileExistsError as error:
        raise Conflict(str(error)) from error


def _tell(made: Manifest, how: str, stream: IO[str]) -> None:
    print(f"The backup of {made.host} from {made.begun_at:%Y-%m-%d %H:%M:%S} UTC {how}:", file=stream)
    for part in made.parts:
        print(f"  {part.name}: {part.members} files and directories, {part.bytes} bytes", file=stream)
    for one in made.left_out:
        print(f"  left out: {ascii(one)[1:-1]}", file=stream)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(NAME, description="Backup and restore of a control plane.")
    parser.add_argument("--config", type=Path, help="the API's settings (default: /etc/prominence/restapi.toml)")
    parser.add_argument(
        "--state",
        type=Path,
        default=Path(os.environ.get("PROMINENCE_STATE", "/var/lib/prominence")),
        help="the directory of the state (default: $PROMINENCE_STATE, or /var/lib/prominence)",
    )
    acts = parser.add_subparsers(dest="act", metavar="ACT", required=True)
    for name, what in (
        ("backup", "write a backup, while everything runs; - for FILE: to the standard output"),
        ("restore", "put a backup back, while nothing but etcd runs"),
        ("verify", "read a backup, and say what is in it"),
    ):
        act = acts.add_parser(name, help=what, description=what)
        act.add_argument("file", metavar="FILE")
        act.set_defaults(without=[])
        if name == "backup":
            what = "leave it out, if it has a backup of its own"
            act.add_argument("--without", action="append", choices=[OBJECTS], help=what)
    return parser


if __name__ == "__main__":
    sys.exit(main())
