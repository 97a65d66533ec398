"""Documents of one kind in the shared store, each by a key: there from when something is to be done until it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from pydantic import ValidationError

from prominence.core import logs
from prominence.core.keyvalue.port import Delete, KeyValue, Put
from prominence.core.validation import Document

log = logs.get(__name__)

D = TypeVar("D", bound=Document)


@dataclass(frozen=True)
class Shelf(Generic[D]):
    """place: what all keys in the store begin with. Every verb raises Unavailable."""

    place: str
    kind: type[D]
    _unread: set[str] = field(default_factory=set, compare=False, repr=False)

    def put(self, key: str, what: D, store: KeyValue) -> None:
        """In place of the one with this key."""
        store.put_if(self.place + key, what.model_dump_json().encode(), expected=None)

    def to_be_put(self, key: str, what: D) -> Put:
        """To be put together with the fact that it tells of."""
        return Put(self.place + key, what.model_dump_json().encode())

    def to_be_taken_away(self, key: str) -> Delete:
        """The same the other way."""
        return Delete(self.place + key)

    def all(self, store: KeyValue) -> Mapping[str, D]:
        """All that can be read, by their keys. Others, say of a later version, are left, and told of once."""
        found: dict[str, D] = {}
        for entry in store.list(self.place):
            try:
                found[entry.key.removeprefix(self.place)] = self.kind.model_validate_json(entry.value)
            except ValidationError:
                if entry.key not in self._unread:
                    self._unread.add(entry.key)
                    log.error("this cannot be read, and is left", key=entry.key)
        return found

    def take_away(self, key: str, store: KeyValue) -> None:
        """It is done, or never will be. What is not there is fine."""
        store.delete_if(self.place + key, expected=None)
