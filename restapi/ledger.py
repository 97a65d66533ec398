"""What jobs may read and write in the object store, and have written: a record per job in the shared store.

It is made before the job is queued and is all that the job's token is good for. Beside the records there is a sum per
user of what their jobs have written, changed in one step with them.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from pydantic import AwareDatetime

from prominence.core.errors import Conflict, Unavailable
from prominence.core.keyvalue.port import ABSENT, Change, Delete, Entry, KeyValue, Put
from prominence.core.validation import Document

_JOBS = "/prominence/data/jobs/"
_OUTPUTS = "/prominence/data/outputs/"
_TRIES = 20


class JobRecord(Document):
    """What one job may do. inputs: stored names of objects, by the names that the job has for them.

    output_files, output_dirs: what it may write, as the job spells it: patterns and directories. written: bytes of
    each output, by its name.
    """

    user: str
    made_at: AwareDatetime
    inputs: dict[str, str] = {}
    output_files: tuple[str, ...] = ()
    output_dirs: tuple[str, ...] = ()
    written: dict[str, int] = {}


class _Sum(Document):
    bytes: int = 0


def open_record(uid: str, record: JobRecord, store: KeyValue) -> None:
    """Let the job do what the record says. Raises Unavailable, Rejected when it says too much."""
    store.put_if(_JOBS + uid, record.model_dump_json().encode(), expected=None)


def close_record(uid: str, store: KeyValue) -> None:
    """The job may do nothing any more; what it has written counts no longer. No record is fine. Raises Unavailable."""
    _amend(uid, None, store)


def find(uid: str, store: KeyValue) -> JobRecord | None:
    """What the job may do; None: nothing. Raises Unavailable."""
    entry = store.get(_JOBS + uid)
    return None if entry is None else _record(entry)


def records(store: KeyValue) -> dict[str, JobRecord]:
    """Of all jobs, by uid. Raises Unavailable."""
    return {entry.key.removeprefix(_JOBS): _record(entry) for entry in store.list(_JOBS)}


def charge(uid: str, name: str, size: int, store: KeyValue) -> None:
    """The job is about to write this output, perhaps again. Raises Unavailable."""
    _amend(uid, lambda record: record.model_copy(update={"written": {**record.written, name: size}}), store)


def outputs_of(user: str, store: KeyValue) -> int:
    """Bytes that the user's jobs have written and that are still kept. Raises Unavailable."""
    entry = store.get(_sum_of(user))
    return 0 if entry is None else _Sum.model_validate_json(entry.value).bytes


def _amend(uid: str, amend: Callable[[JobRecord], JobRecord] | None, store: KeyValue) -> None:
    """Change a record, or delete it, and the sum of its user with it, until nobody else was faster."""
    for _ in range(_TRIES):
        entry = store.get(_JOBS + uid)
        if entry is None:
            return
        before = _record(entry)
        after = amend(before) if amend else None
        more = _bytes(after) - _bytes(before)
        total = store.get(_sum_of(before.user))
        known = _Sum.model_validate_json(total.value).bytes if total else 0
        changes: list[Change] = [
            Put(entry.key, after.model_dump_json().encode()) if after else Delete(entry.key),
            Put(_sum_of(before.user), _Sum(bytes=max(0, known + more)).model_dump_json().encode()),
        ]
        expected = {entry.key: entry.revision, _sum_of(before.user): total.revision if total else ABSENT}
        try:
            store.change(changes, expected)
        except Conflict:
            continue
        return
    raise Unavailable("The shared store is too busy at the moment.")


def _bytes(record: JobRecord | None) -> int:
    return sum(record.written.values()) if record else 0


def _record(entry: Entry) -> JobRecord:
    return JobRecord.model_validate_json(entry.value)


def _sum_of(user: str) -> str:
    return _OUTPUTS + quote(user, safe="")
