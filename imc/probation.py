"""Few machines at once of a flavour, or on a cloud, of which none has joined the pool yet: a bad one wastes no more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from prominence.core.machines import Flavour
from prominence.imc.history import History
from prominence.imc.ports import Terms
from prominence.imc.records import Record


class Probation:
    """terms: by cloud; one that says nothing of probation has none. Of a trial it is not yet known how it ends."""

    def __init__(self, terms: Mapping[str, Terms], history: History) -> None:
        self._most = {cloud: one.probation for cloud, one in terms.items() if one.probation is not None}
        self._history = history
        self._trials: dict[tuple[str, str], set[str]] = defaultdict(set)

    def recount(self, records: Iterable[Record]) -> None:
        """From what there is now."""
        self._trials.clear()
        for record in records:
            if record.flavour and not record.phase.is_over and not record.has_joined:
                self.begin(record.flavour, record.name)

    def begin(self, flavour: Flavour, worker: str) -> None:
        """A machine is being made for this worker."""
        if flavour.cloud in self._most:
            self._trials[flavour.cloud, flavour.name].add(worker)

    def of_cloud(self, cloud: str, worker: str) -> str:
        """Why the worker can have no machine there now; "" when it can."""
        most = self._most.get(cloud)
        if most is None or self._history.has_worked(cloud):
            return ""
        trials = {name for (where, _), names in self._trials.items() if where == cloud for name in names}
        return self._refusal(len(trials - {worker}), most)

    def of_flavours(self, cloud: str, worker: str) -> dict[str, str]:
        """The same of single flavours."""
        most = self._most.get(cloud)
        if most is None:
            return {}
        found = {
            flavour: self._refusal(len(names - {worker}), self._left(cloud, flavour, most))
            for (where, flavour), names in self._trials.items()
            if where == cloud
        }
        return {flavour: reason for flavour, reason in found.items() if reason}

    def _left(self, cloud: str, flavour: str, most: int) -> int | None:
        """How many may be tried at once. After as many failures as there may be, and a while, a single one."""
        wasted = self._history.wasted_in_a_row(cloud, flavour)
        if wasted is None:
            return most
        return max(1, most - wasted) if wasted else None

    def _refusal(self, trials: int, most: int | None) -> str:
        if most is None or trials < most:
            return ""
        return f"on probation: {trials} of {most} machines have not joined the pool yet, and none has lately"
