"""The latest snapshot and plan in the shared store, where the API reads them and the next leader goes on from."""

from __future__ import annotations

from pydantic import BaseModel, ValidationError

from prominence.core.errors import Conflict
from prominence.core.keyvalue.port import ABSENT, KeyValue
from prominence.core.scaling import PLAN_KEY, SNAPSHOT_KEY, ScalingPlan
from prominence.core.snapshot import PoolSnapshot


class Board:
    """Every verb raises Unavailable when the store does. Only the leader writes: find out before each round who leads."""

    def __init__(self, store: KeyValue) -> None:
        self._store = store
        self._written: dict[str, int] = {}

    def snapshot(self) -> PoolSnapshot | None:
        """The last one published; one that this version cannot read counts as none."""
        entry = self._store.get(SNAPSHOT_KEY)
        try:
            return PoolSnapshot.model_validate_json(entry.value) if entry else None
        except ValidationError:
            return None

    def publish_snapshot(self, snapshot: PoolSnapshot) -> int:
        """The revision of this writing: a number that was never used before and never will be again."""
        return self._write(SNAPSHOT_KEY, snapshot)

    def publish_plan(self, plan: ScalingPlan) -> None:
        """To be done before the plan is carried out: the intent is known before its effects are seen."""
        self._write(PLAN_KEY, plan)

    def _write(self, key: str, document: BaseModel) -> int:
        """Raises Conflict when somebody else has written the key since we did: then he leads, not we.

        The next attempt writes over it, for by then we know better who leads.
        """
        expected = self._written.pop(key, None)
        if expected is None:
            entry = self._store.get(key)
            expected = entry.revision if entry else ABSENT
        try:
            self._written[key] = self._store.put_if(key, document.model_dump_json().encode(), expected)
        except Conflict as error:
            raise Conflict(f"{key} was written by somebody else meanwhile") from error
        return self._written[key]
