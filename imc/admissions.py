"""Tokens for workers that show their bootstrap secret, or the key that they have traded it with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from prominence.core import logs
from prominence.core.errors import Forbidden
from prominence.imc import trades
from prominence.imc.ports import Admission, Pool
from prominence.imc.records import Record, Records
from prominence.imc.trades import Outcome

log = logs.get(__name__)

STRANGER = "There is no such worker, or this is neither its secret nor its key."
"""Whoever knows nothing learns nothing, not even which workers there are."""


class Stranger(Forbidden):
    """Neither a worker's secret nor its key: somebody may be guessing."""


@dataclass(frozen=True)
class Admissions:
    """lifetime_s: of the tokens that `pool` mints."""

    records: Records
    pool: Pool
    lifetime_s: int
    clock: Callable[[], datetime]

    def admit(self, name: str, key: str, secret: str) -> Admission:
        """A token for worker `name`. secret: "" when it shows its key only.

        What becomes of the secret is kept before anything is given. Raises Stranger; Forbidden; Unavailable.
        """
        outcome, record = self._show(name, key, secret)
        if record is None or outcome is Outcome.WRONG:
            raise Stranger(STRANGER)
        if not outcome.is_good:
            log.warning("a bootstrap secret is refused", worker=name, why=outcome.value)
            raise Forbidden(f"No token for worker {name}: {outcome.value}.")
        token = self.pool.mint(name) if record.may_join else None
        # Its removal revokes what was minted before. What is minted after that must not leave this process.
        now = self.records.get(name)
        if token is None or now is None or not now.may_join:
            raise Forbidden(f"No token for worker {name}: it is not wanted any more.")
        log.info("token for a worker", worker=name, by=outcome.value)
        return Admission(token, self.lifetime_s)

    def _show(self, name: str, key: str, secret: str) -> tuple[Outcome, Record | None]:
        outcome = Outcome.WRONG

        def change(record: Record) -> Record:
            nonlocal outcome
            outcome = Outcome.WRONG
            if record.trade is None:
                return record
            outcome, trade = trades.shown(record.trade, key, secret, self.clock())
            if not record.may_join:
                return record
            fails = {"failing": outcome.value, "reason": outcome.value} if outcome.is_hopeless else {}
            return record.model_copy(update={"trade": trade, **fails})

        record = self.records.update(name, change)
        return outcome, record
