"""What jobs may read and write in the object store, and have written: a record per job in the shared store.

It is made before the job is queued and is all that the job's token is good for. The members of an array, and the
instances of a workflow's job, share one; who of them writes something gets a record of its own, in which is what it has
written and nothing of what they share. Beside the records there is a sum per user of what their jobs have written,
changed in one step with them.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from pydantic import AwareDatetime

from prominence.core.errors import Conflict, Unavailable
from prominence.core.keyvalue.port import ABSENT, LARGEST_VALUE, Change, Delete, Entry, KeyValue, Put
from prominence.core.validation import Document
from prominence.restapi import members

_JOBS = "/prominence/data/jobs/"
_OUTPUTS = "/prominence/data/outputs/"
_TRIES = 20


class SavedCheckpoint(Document):
    """A checkpoint that is there, or about to come."""

    name: str
    size: int
    sha256: str


class Source(Document):
    """What another job of the same workflow passes. giver: its number; instances: how many it has.

    in_pairs: an instance is passed what that one's instance of its own number has kept. select: a pattern of paths; "":
    all. directories: patterns of paths that are kept as archives.
    """

    giver: int
    instances: int = 1
    in_pairs: bool = False
    select: str = ""
    directories: tuple[str, ...] = ()


class JobRecord(Document):
    """What one job may do. inputs: stored names of objects, by the names that the job has for them. passed: what it may
    read of other jobs.

    output_files, output_dirs: what it may write, as the job spells it: patterns and directories. written: bytes of
    each output, by its name. checkpoints: whether it may save any; saved: those that count, or may; latest: the name
    of the one that it goes on from, "" as long as there is none.
    """

    user: str
    made_at: AwareDatetime
    inputs: dict[str, str] = {}
    passed: tuple[Source, ...] = ()
    output_files: tuple[str, ...] = ()
    output_dirs: tuple[str, ...] = ()
    written: dict[str, int] = {}
    checkpoints: bool = False
    saved: tuple[SavedCheckpoint, ...] = ()
    latest: str = ""


_OWN = ("user", "made_at", "written", "saved", "latest")
"""Fields that a job never shares."""


class _Sum(Document):
    bytes: int = 0


def open_record(uid: str, record: JobRecord, store: KeyValue) -> None:
    """Let the job do what the record says. Raises Unavailable, Rejected when it says too much."""
    store.put_if(_JOBS + uid, record.model_dump_json().encode(), expected=None)


def is_too_large(record: JobRecord) -> bool:
    """Whether the record says too much to be opened."""
    return len(record.model_dump_json().encode()) > LARGEST_VALUE


def close_record(uid: str, store: KeyValue) -> None:
    """The job may do nothing any more; what it has written counts no longer. No record is fine. Raises Unavailable."""
    _amend(uid, None, store)


def find(uid: str, store: KeyValue) -> JobRecord | None:
    """What the job may do; None: nothing. Raises Unavailable."""
    own, common = store.get(_JOBS + uid), members.shared(uid)
    shared = store.get(_JOBS + common) if common != uid else None
    if own is None or shared is None:
        entry = own or shared
        return None if entry is None else _record(entry)
    record = _record(own)
    return _record(shared).model_copy(update={name: getattr(record, name) for name in _OWN})


def records(store: KeyValue) -> dict[str, JobRecord]:
    """Of all jobs, by uid. Raises Unavailable."""
    return {entry.key.removeprefix(_JOBS): _record(entry) for entry in store.list(_JOBS)}


def charge(uid: str, name: str, size: int, store: KeyValue) -> None:
    """The job is about to write this output, perhaps again. Raises Unavailable."""
    _amend(uid, lambda record: record.model_copy(update={"written": {**record.written, name: size}}), store)


def save(uid: str, saved: tuple[SavedCheckpoint, ...], latest: str, store: KeyValue) -> None:
    """These are the job's checkpoints. Raises Unavailable."""
    _amend(uid, lambda record: record.model_copy(update={"saved": saved, "latest": latest}), store)


def outputs_of(user: str, store: KeyValue) -> int:
    """Bytes that the user's jobs have written and that are still kept. Raises Unavailable."""
    entry = store.get(_sum_of(user))
    return 0 if entry is None else _Sum.model_validate_json(entry.value).bytes


def _amend(uid: str, amend: Callable[[JobRecord], JobRecord] | None, store: KeyValue) -> None:
    """Change a record, or delete it, and the sum of its user with it, until nobody else was faster."""
    key = _JOBS + uid
    for _ in range(_TRIES):
        entry = store.get(key)
        before = _record(entry) if entry else _first(uid, store) if amend else None
        if before is None:
            return
        after = amend(before) if amend else None
        more = _bytes(after) - _bytes(before)
        total = store.get(_sum_of(before.user))
        known = _Sum.model_validate_json(total.value).bytes if total else 0
        changes: list[Change] = [
            Put(key, after.model_dump_json().encode()) if after else Delete(key),
            Put(_sum_of(before.user), _Sum(bytes=max(0, known + more)).model_dump_json().encode()),
        ]
        expected = {key: entry.revision if entry else ABSENT, _sum_of(before.user): total.revision if total else ABSENT}
        try:
            store.change(changes, expected)
        except Conflict:
            continue
        return
    raise Unavailable("The shared store is too busy at the moment.")


def _first(uid: str, store: KeyValue) -> JobRecord | None:
    """The record of its own that a job begins with which shares another."""
    shared = find(uid, store)
    return None if shared is None else JobRecord(**{name: getattr(shared, name) for name in _OWN})


def _bytes(record: JobRecord | None) -> int:
    return sum(record.written.values()) + sum(one.size for one in record.saved) if record else 0


def _record(entry: Entry) -> JobRecord:
    return JobRecord.model_validate_json(entry.value)


def _sum_of(user: str) -> str:
    return _OUTPUTS + quote(user, safe="")
