"""Which objects there are, for who asks for many: each is looked at once, and many in one area by one list of it."""

from __future__ import annotations

from collections import Counter

from prominence.restapi.areas import Area, Object
from prominence.restapi.objects import Stored
from prominence.restapi.ports import ObjectStore

ONE_BY_ONE = 50
"""In one area; a list of it takes the time of some of these looks."""


class Sighting:
    """What was there when it was first looked at."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._seen: dict[str, Stored | None] = {}
        self._looks: Counter[Area] = Counter()
        self._listed: dict[Area, dict[str, Stored]] = {}

    def of(self, one: Object, with_checksum: bool = False) -> Stored | None:
        """The object; None where there is none. with_checksum: as far as the store knows it, which lists do not tell.

        Raises Unavailable.
        """
        name = one.stored_as
        if name not in self._seen and (with_checksum or not self._is_listed(one.area)):
            self._seen[name] = self._store.stat(name)
        return self._seen[name] if name in self._seen else self._listed[one.area].get(name)

    def _is_listed(self, area: Area) -> bool:
        self._looks[area] += 1
        if self._looks[area] > ONE_BY_ONE and area not in self._listed:
            self._listed[area] = {stored.name: stored for stored in self._store.list(area.folder)}
        return area in self._listed
