"""Directories of jobs, in this process, for unit tests: same promises, faults on request."""

from __future__ import annotations

import io
import itertools
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from types import MappingProxyType
from typing import BinaryIO

from prominence.core.errors import Conflict, NoRoom, Unavailable
from prominence.restapi.members import is_member, uid_of, whole
from prominence.restapi.ports import IS_BEING_CHANGED, Unusable


class MemorySandboxes:
    """Files by uid and name. A name in `unusable` is there and must not be read; `full` refuses new sandboxes."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.fromtimestamp(0, UTC)) -> None:
        self._now = now
        self._mutex = threading.Lock()
        self._being_changed: set[str] = set()
        self._made_at: dict[str, datetime] = {}
        self.files: dict[str, dict[str, bytes]] = {}
        self.unusable: set[str] = set()
        self.full = False

    def make(
        self, uid: str, files: Mapping[str, str], within: Mapping[str, Mapping[str, str]] = MappingProxyType({})
    ) -> str:
        if self.full:
            raise NoRoom("There is no room for the job's files.")
        self.files[uid] = {name: text.encode() for name, text in files.items()}
        for place, own in within.items():
            self.files[uid_of(uid, place)] = {name: text.encode() for name, text in own.items()}
        self._made_at[uid] = self._now()
        return self.directory(uid)

    def replace(self, uid: str, name: str, text: str) -> None:
        if self.full or uid not in self.files:
            raise Unavailable("The job's files cannot be changed.")
        self.files[uid][name] = text.encode()

    def add(self, uid: str, name: Callable[[int], str], text: str) -> int:
        if self.full or uid not in self.files:
            raise Unavailable("The job's files cannot be changed.")
        number = next(number for number in itertools.count(1) if name(number) not in self.files[uid])
        self.files[uid][name(number)] = text.encode()
        return number

    @contextmanager
    def alone(self, uid: str) -> Iterator[None]:
        with self._mutex:
            if uid in self._being_changed:
                raise Conflict(IS_BEING_CHANGED)
            self._being_changed |= {uid} & self.files.keys()
        try:
            yield
        finally:
            self._being_changed.discard(uid)

    def discard(self, uid: str) -> None:
        for one in [one for one in self.files if one == uid or whole(one) == uid]:
            del self.files[one]

    def last_changes(self) -> dict[str, datetime]:
        return {uid: self._made_at[uid] for uid in self.files if not is_member(uid)}

    def exists(self, uid: str) -> bool:
        return uid in self.files

    def directory(self, uid: str) -> str:
        return f"/sandboxes/{uid}"

    def read(self, uid: str, name: str) -> bytes | None:
        if name in self.unusable:
            raise Unusable(f"{name} is not a file that we would read")
        return self.files.get(uid, {}).get(name)

    def open(self, uid: str, name: str) -> BinaryIO | None:
        content = self.read(uid, name)
        return None if content is None else io.BytesIO(content)
