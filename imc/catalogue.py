"""The clouds as they were seen last: what they offer, how full they are, and why one cannot be used now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from prominence.core.machines import CloudStatus, Flavour, Market, Size, TrackRecord, WorkerRequest
from prominence.imc import setbacks
from prominence.imc.history import History
from prominence.imc.orphans import Orphan
from prominence.imc.placement import CloudView, first, ranked
from prominence.imc.ports import About, Cloud, Terms
from prominence.imc.probation import Probation
from prominence.imc.records import Record
from prominence.imc.setbacks import Setback, Setbacks
from prominence.imc.world import World

Used = tuple[int, int]
"""CPUs and MiB of memory."""

_NO_SIZE = Size(cpus=0, memory_mib=0, disk_mib=0)
_NOTHING_KNOWN = About()
_COARSE_S = 10


class Catalogue:
    """Flavours are kept when their cloud falls silent, so that "not now" does not become "never"."""

    def __init__(self, clouds: Mapping[str, Cloud], known_setbacks: Setbacks, history: History) -> None:
        self._terms = {name: cloud.terms for name, cloud in clouds.items()}
        self._flavours: dict[str, tuple[Flavour, ...]] = {}
        self._occupants: dict[str, dict[str, Size]] = {name: {} for name in clouds}
        self._used: dict[str, Used] = dict.fromkeys(clouds, (0, 0))
        self._about: dict[str, About] = {}
        self._read_at: dict[str, dict[str, datetime]] = {name: {} for name in clouds}
        self._troubles: Mapping[str, str] = {}
        self._silent_since: dict[str, datetime] = {}
        self._setbacks = known_setbacks
        self._history = history
        self._probation = Probation(self._terms, history)
        self._ranked: dict[tuple[object, ...], tuple[Flavour, ...]] = {}
        self._views: dict[tuple[str, datetime], CloudView] = {}
        self._flavour_troubles: dict[str, dict[str, str]] = {}
        self._records: dict[str, dict[str, TrackRecord]] = {}

    def of_others(self, clouds: Mapping[str, Cloud]) -> Catalogue:
        """Of these clouds, with what is known of those that were there before."""
        other = Catalogue(clouds, self._setbacks, self._history)
        other._flavours = {name: flavours for name, flavours in self._flavours.items() if name in clouds}
        other._about = {name: about for name, about in self._about.items() if name in clouds}
        other._read_at |= {name: read_at for name, read_at in self._read_at.items() if name in clouds}
        other._silent_since = {name: since for name, since in self._silent_since.items() if name in clouds}
        return other

    def update(self, world: World, records: Sequence[Record], now: datetime) -> None:
        """Take in what was seen. A worker that was placed counts from its placement until its end."""
        self._history.remember(records)
        self._probation.recount(records)
        self._flavours.update(world.flavours)
        self._about.update(world.about)
        self._note_ages(world, now)
        self._ranked = {}
        self._views = {}
        self._flavour_troubles = {cloud: self._flavour_trouble(cloud, now) for cloud in self._terms}
        self._records = {cloud: self._history.of(cloud) for cloud in self._terms}
        self._troubles = world.troubles
        self._silent_since = {cloud: self._silent_since.get(cloud, now) for cloud in world.troubles}
        self._occupants = {name: dict.fromkeys(world.nodes.get(name, ()), _NO_SIZE) for name in self._terms}
        self._used = dict.fromkeys(self._terms, (0, 0))
        for record in records:
            if record.flavour and not record.phase.is_over:
                self.occupy(record.flavour, record.name)

    def occupy(self, flavour: Flavour, worker: str) -> None:
        """Count a worker that is being made there. Of a machine without a record the size is not known."""
        occupants = self._occupants.setdefault(flavour.cloud, {})
        before, size = occupants.get(worker, _NO_SIZE), flavour.size
        cpus, memory = self._used.get(flavour.cloud, (0, 0))
        self._used[flavour.cloud] = (cpus + size.cpus - before.cpus, memory + size.memory_mib - before.memory_mib)
        occupants[worker] = size
        self._probation.begin(flavour, worker)
        self._views = {of: view for of, view in self._views.items() if of[0] != flavour.cloud}

    def _note_ages(self, world: World, now: datetime) -> None:
        """Parts of which the cloud tells no age have just been read."""
        for cloud, read_at in self._read_at.items():
            if cloud in world.nodes:
                read_at |= dict.fromkeys(("flavours", "machines"), now)
            about = world.about.get(cloud, About())
            read_at |= {part: now - timedelta(seconds=age) for part, age in about.ages_s.items()}

    def trouble(self, cloud: str, now: datetime) -> str:
        """Why nothing can be made there now; "" when it can."""
        setback = self._setbacks.of(setbacks.cloud(cloud), now)
        return self._troubles.get(cloud, "") or (setback.reason if setback else "")

    def first_offer(self, request: WorkerRequest, views: Sequence[CloudView]) -> Flavour | None:
        """The best that can be had now. The ranking is made once in a round for all requests that are the same."""
        size, within = request.size, request.within
        kind = (size.cpus, size.memory_mib, size.disk_mib, size.gpus, within.sites, within.regions, request.flavours)
        key = (*kind, request.cloud, request.flavour, request.groups)
        if key not in self._ranked:
            self._ranked[key] = ranked(request, views)
        return first(self._ranked[key], {view.name: view for view in views})

    def views(self, now: datetime, worker: str) -> list[CloudView]:
        """For placement of this worker, which is in nobody's way but others'."""
        views = []
        for cloud in self._terms:
            is_there = worker in self._occupants[cloud]
            view = None if is_there else self._views.get((cloud, now))
            if view is None:
                view = self._view(cloud, now, worker)
            if not is_there:
                self._views[cloud, now] = view
            views.append(view)
        return views

    def _view(self, cloud: str, now: datetime, worker: str) -> CloudView:
        terms, occupants, (cpus, memory) = self._terms[cloud], self._occupants[cloud], self._used[cloud]
        itself, about = occupants.get(worker, _NO_SIZE), self._about.get(cloud, _NOTHING_KNOWN)
        return CloudView(
            name=cloud,
            flavours=self._flavours.get(cloud, ()),
            limit=terms.limit,
            occupied=len(occupants) - (worker in occupants),
            cpu_limit=terms.cpu_limit,
            cpus=cpus - itself.cpus,
            memory_mib=memory - itself.memory_mib,
            quota=about.quota,
            groups=terms.groups,
            tier=terms.tier,
            trouble=self.trouble(cloud, now) or self._probation.of_cloud(cloud, worker),
            flavour_trouble=self._probation.of_flavours(cloud, worker) | self._flavour_troubles.get(cloud, {}),
            records=self._records.get(cloud, {}),
        )

    def statuses(self, now: datetime, orphans: Iterable[Orphan]) -> tuple[CloudStatus, ...]:
        """For whoever asks the API."""
        found = list(orphans)
        return tuple(
            self._status(cloud, terms, [name for where, name in found if where == cloud], now)
            for cloud, terms in self._terms.items()
        )

    def _status(self, cloud: str, terms: Terms, orphans: Iterable[str], now: datetime) -> CloudStatus:
        setback, about = self._setbacks.of(setbacks.cloud(cloud), now), self._about.get(cloud, _NOTHING_KNOWN)
        cpus, memory = self._used[cloud]
        troubles = self._flavour_troubles.get(cloud, {})
        by_name = {flavour.name: flavour for flavour in self._flavours.get(cloud, ())}
        retries = {name: found for name in troubles if (found := self._retry_of(by_name[name], now))}
        return CloudStatus(
            name=cloud,
            tier=terms.tier,
            flavours=self._flavours.get(cloud, ()),
            troubles=troubles,
            records=self._records.get(cloud, {}),
            limit=terms.limit,
            occupied=len(self._occupants[cloud]),
            cpu_limit=terms.cpu_limit,
            cpus=cpus,
            memory_mib=memory,
            quota=about.quota,
            image=about.image,
            prices=about.prices,
            groups=terms.groups,
            orphans=tuple(sorted(orphans)),
            error=self.trouble(cloud, now),
            retry_at=setback.retry_at if setback else None,
            retries=retries,
            silent_since=self._silent_since.get(cloud),
            seen_at={part: _coarsely(at) for part, at in self._read_at[cloud].items()},
        )

    def _retry_of(self, flavour: Flavour, now: datetime) -> datetime | None:
        setback = self._setback(flavour, now)
        return setback.retry_at if setback else self._history.retry_at(flavour.cloud, flavour.name)

    def _setback(self, flavour: Flavour, now: datetime) -> Setback | None:
        of_spot = self._setbacks.of(setbacks.spot(flavour.cloud), now) if flavour.market is Market.SPOT else None
        return of_spot or self._setbacks.of(setbacks.flavour(flavour.cloud, flavour.name), now)

    def _flavour_trouble(self, cloud: str, now: datetime) -> dict[str, str]:
        troubles = {}
        for flavour in self._flavours.get(cloud, ()):
            setback = self._setback(flavour, now)
            reason = setback.reason if setback else self._history.trouble(cloud, flavour.name, now)
            if reason:
                troubles[flavour.name] = reason
        return troubles


def _coarsely(at: datetime) -> datetime:
    """So that what is told of a cloud at rest is not another each round, and need not be stored."""
    return at.replace(second=at.second - at.second % _COARSE_S, microsecond=0)
