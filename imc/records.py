"""imc's memory in the shared store: a record per worker, the highest fence seen, the state of the clouds.

Three write a record. The API writes what is wished (`request`), the reconciler where the worker is (all the rest).
The door writes what became of a bootstrap secret (`trade`), and gives up (`failing`) whose secret two have shown.
All change the record as it is now, by compare-and-set, so none overwrites another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError

from prominence.core.errors import Conflict, Unavailable
from prominence.core.keyvalue.port import ABSENT, KeyValue
from prominence.core.machines import CloudStatus, Wish, Worker
from prominence.imc.condor_text import Outsider, Revocation
from prominence.imc.trades import Trade

ROOT = "/prominence/imc/"
WORKERS = ROOT + "workers/"
FENCE = ROOT + "fence"
LEADER = ROOT + "leader"
CLOUDS = ROOT + "clouds"
REVOCATIONS = ROOT + "revocations"
OUTSIDERS = ROOT + "outsiders"

_STATUSES = TypeAdapter(tuple[CloudStatus, ...])
_REVOCATIONS = TypeAdapter(tuple[Revocation, ...])
_OUTSIDERS = TypeAdapter(tuple[Outsider, ...])


class Record(Worker):
    """A worker as imc stores it."""

    failing: str = Field(
        default="",
        description="Why it is being given up. Once set, its machine is removed and it ends as failed.",
    )

    has_joined: bool = Field(default=False, description="It was in the pool at some time.")
    boot_s: float | None = Field(default=None, description="How long its machine took to join the pool.")
    wasted_at: AwareDatetime | None = Field(default=None, description="When its machine was given up before it joined.")

    trade: Trade | None = Field(default=None, description="What became of its bootstrap secret; none: it has none.")

    @property
    def was_asked_for(self) -> bool:
        """Some cloud has been asked to create it, so that a machine of this name is its own."""
        return self.attempts > 0

    @property
    def may_join(self) -> bool:
        """It is wished, drained at most, and not given up."""
        return not self.phase.is_over and not self.failing and self.request.wish is not Wish.ABSENT


@dataclass(frozen=True)
class Stock:
    """All records. unreadable: names whose records are there and cannot be read, say of a later version."""

    records: tuple[Record, ...]
    unreadable: frozenset[str]

    @cached_property
    def by_name(self) -> dict[str, Record]:
        """The same records."""
        return {record.name: record for record in self.records}


Change = Callable[[Record], Record | None]
"""From the record as it is to the record as it should be; None: leave it."""


class Records:
    """Every verb raises Unavailable when the store does."""

    def __init__(self, store: KeyValue) -> None:
        self._store = store
        self._parsed: dict[str, tuple[int, Record]] = {}  # with their revisions: most are as they were a round ago

    def all(self) -> Stock:
        """Every record, by name."""
        parsed: dict[str, tuple[int, Record]] = {}
        unreadable: set[str] = set()
        for entry in self._store.list(WORKERS):
            before = self._parsed.get(entry.key)
            try:
                same = before is not None and before[0] == entry.revision
                record = before[1] if before and same else Record.model_validate_json(entry.value)
                parsed[entry.key] = (entry.revision, record)
            except ValidationError:
                unreadable.add(entry.key.removeprefix(WORKERS))
        self._parsed = parsed
        return Stock(tuple(record for _, record in parsed.values()), frozenset(unreadable))

    def get(self, name: str) -> Record | None:
        """The record of this name, or None."""
        found = self._read(name)
        return found[0] if found else None

    def add(self, record: Record) -> bool:
        """Store a new record. False when there is one of this name already."""
        try:
            self._store.put_if(WORKERS + record.name, _bytes(record), ABSENT)
        except Conflict:
            return False
        return True

    def update(self, name: str, change: Change) -> Record | None:
        """Apply `change` to the record as it is now, and store the result, however many others write.

        Returns the record as it is afterwards, or None when there is none or `change` gave None.
        """
        while found := self._read(name):
            record, revision = found
            changed = change(record)
            if changed is None or changed == record:
                return changed
            try:
                self._store.put_if(WORKERS + name, _bytes(changed), revision)
            except Conflict:
                continue
            return changed
        return None

    def forget(self, name: str) -> None:
        """Remove the record of a worker that is over, whatever others write there; another is left alone."""
        while (found := self._read(name)) and found[0].phase.is_over:
            with suppress(Conflict):
                self._store.delete_if(WORKERS + name, found[1])
                return

    def raise_fence(self, fence: int) -> None:
        """Remember the highest fence seen. Raises Conflict when `fence` is lower."""
        while True:
            entry = self._store.get(FENCE)
            highest = int(entry.value) if entry else -1
            if fence < highest:
                raise Conflict(f"The fence {fence} is older than {highest}: somebody else leads now.")
            if fence == highest:
                return
            try:
                self._store.put_if(FENCE, str(fence).encode(), entry.revision if entry else ABSENT)
            except Conflict:
                continue
            return

    def check(self) -> None:
        """Raises Unavailable when the store does not answer."""
        self._store.get(FENCE)

    def publish(self, clouds: tuple[CloudStatus, ...]) -> None:
        """Let the API tell of the clouds as they are now."""
        entry = self._store.get(CLOUDS)
        value = _STATUSES.dump_json(clouds)
        if entry is None or entry.value != value:
            self._store.put_if(CLOUDS, value, None)

    def clouds(self) -> tuple[CloudStatus, ...]:
        """The clouds as the reconciler saw them last. Raises Unavailable when it never did."""
        entry = self._store.get(CLOUDS)
        if entry is None:
            raise Unavailable("imc has not looked at its clouds yet.", retry_after_s=2)
        return _STATUSES.validate_json(entry.value)

    def revocations(self) -> tuple[tuple[Revocation, ...], int]:
        """Revoked tokens, of all imcs, and the revision of what was read."""
        entry = self._store.get(REVOCATIONS)
        return (_REVOCATIONS.validate_json(entry.value), entry.revision) if entry is not None else ((), ABSENT)

    def keep_revocations(self, entries: Sequence[Revocation], revision: int) -> None:
        """Raises Conflict when they are not those of this revision any more."""
        self._store.put_if(REVOCATIONS, _REVOCATIONS.dump_json(tuple(entries)), revision)

    def outsiders(self) -> tuple[tuple[Outsider, ...], int]:
        """Who is shut out, and who was, and the revision of what was read."""
        entry = self._store.get(OUTSIDERS)
        return (_OUTSIDERS.validate_json(entry.value), entry.revision) if entry is not None else ((), ABSENT)

    def keep_outsiders(self, entries: Sequence[Outsider], revision: int) -> None:
        """Raises Conflict when they are not those of this revision any more."""
        self._store.put_if(OUTSIDERS, _OUTSIDERS.dump_json(tuple(entries)), revision)

    def _read(self, name: str) -> tuple[Record, int] | None:
        entry = self._store.get(WORKERS + name)
        if entry is None:
            return None
        try:
            return Record.model_validate_json(entry.value), entry.revision
        except ValidationError as error:
            raise Conflict(f"the record of worker {name} cannot be read: {error.error_count()} mistakes") from error


def _bytes(record: Record) -> bytes:
    return record.model_dump_json().encode()
