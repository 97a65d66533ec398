"""The latest snapshot and plan in the shared store, where the API reads them and the next leader goes on from."""

from __future__ import annotations

from typing import NamedTuple

from prominence.core.errors import Conflict, Rejected
from prominence.core.keyvalue.port import ABSENT, Entry, KeyValue
from prominence.core.published import PLAN_KEY, SNAPSHOT_KEY, Model, packed_plan, packed_snapshot, unpacked
from prominence.core.scaling import ScalingPlan
from prominence.core.snapshot import PoolSnapshot


class Published(NamedTuple):
    """revision: of this writing, a number that was never used before and never will be again. sha256: see `Packed`."""

    revision: int
    sha256: str


class Board:
    """Written by the leader alone. Every verb raises Unavailable when the store does not answer.

    `open` before making sure to lead: then a leader that was replaced in the middle of its round finds that somebody
    has written since, gets Conflict, and overwrites nothing.
    """

    def __init__(self, store: KeyValue) -> None:
        self._store = store
        self._found: dict[str, Entry | None] = {}

    def open(self) -> None:
        """Begin a round."""
        self._found = {key: self._store.get(key) for key in (SNAPSHOT_KEY, PLAN_KEY)}

    def snapshot(self) -> PoolSnapshot | None:
        """The one that was there when the round began; one that this version cannot read counts as none."""
        return self._read(PoolSnapshot, SNAPSHOT_KEY)

    def plan(self) -> ScalingPlan | None:
        """Likewise."""
        return self._read(ScalingPlan, PLAN_KEY)

    def publish_snapshot(self, snapshot: PoolSnapshot) -> Published:
        """What the next leader goes on from."""
        packed = packed_snapshot(snapshot)
        return Published(self._write(SNAPSHOT_KEY, packed.value), packed.sha256)

    def publish_plan(self, plan: ScalingPlan) -> None:
        """To be done before the plan is carried out: the intent is known before its effects are seen."""
        self._write(PLAN_KEY, packed_plan(plan))

    def _read(self, model: type[Model], key: str) -> Model | None:
        entry = self._found[key]
        try:
            return unpacked(model, entry.value) if entry else None
        except Rejected:
            return None

    def _write(self, key: str, value: bytes) -> int:
        found = self._found[key]
        try:
            return self._store.put_if(key, value, found.revision if found else ABSENT)
        except Conflict as error:
            raise Conflict(f"{key} was written by somebody else during this round") from error
