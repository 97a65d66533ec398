"""At most one leader, in every order of events, on a pretend clock."""

from __future__ import annotations

import itertools

import pytest

from prominence.core.errors import Unavailable
from prominence.core.keyvalue.election import Election
from prominence.core.keyvalue.memory import MemoryKeyValue
from prominence.core.keyvalue.port import Entry

TTL_S = 10
EVENTS = ("one calls", "two calls", "time passes", "one calls in vain", "one resigns", "one restarts")


class Story:
    """Two candidates, and what must be true of them whatever happens."""

    def __init__(self) -> None:
        self.now = 0
        self.store = MemoryKeyValue(clock=lambda: self.now)
        self.elections = {name: self.candidate(name) for name in ("one", "two")}
        self.believes_until = {"one": 0, "two": 0}
        self.fences: dict[str, int] = {}
        self.free_at = 0

    def candidate(self, name: str) -> Election:
        return Election(self.store, "/leader", name, TTL_S)

    def happens(self, event: str) -> None:
        name, _, act = event.partition(" ")
        if event == "time passes":
            self.now += TTL_S - 4
        elif act == "calls":
            self.calls(name)
        elif act == "calls in vain":
            self.store.unavailable = "the store is down"
            with pytest.raises(Unavailable):
                self.elections[name].lead()
            self.store.unavailable = ""
        else:
            self.leaves(name, restarts=act == "restarts")
        assert sum(until > self.now for until in self.believes_until.values()) <= 1

    def calls(self, name: str) -> None:
        led = self.believes_until[name] > self.now
        others = [fence for other, fence in self.fences.items() if other != name]
        fence = self.elections[name].lead()
        if fence is None:
            assert not led and self.now < self.free_at, "somebody must be able to lead"
            return
        assert all(fence > other for other in others), "a later leader has the higher fence"
        assert (fence == self.fences.get(name)) == led, "the fence stays for as long as leadership does"
        self.fences[name] = fence
        self.believes_until[name] = self.free_at = self.now + TTL_S

    def leaves(self, name: str, restarts: bool) -> None:
        if restarts:
            # Its key is still there, and nobody may lead until that is gone.
            self.elections[name] = self.candidate(name)
        else:
            self.elections[name].resign()
            if self.believes_until[name] > self.now:
                self.free_at = self.now
        self.believes_until[name] = 0


def test_at_most_one_leads_in_every_order_of_events() -> None:
    for events in itertools.product(EVENTS, repeat=5):
        story = Story()
        for event in ("one calls", *events):
            story.happens(event)


def test_resigning_while_the_store_is_down_is_no_error_and_the_lease_runs_out() -> None:
    story = Story()
    story.calls("one")
    story.store.unavailable = "the store is down"
    story.elections["one"].resign()
    story.store.unavailable = ""
    assert story.elections["two"].lead() is None
    story.now += TTL_S
    assert story.elections["two"].lead() is not None


def test_of_two_that_find_the_place_free_at_the_same_moment_one_leads() -> None:
    store = MemoryKeyValue()
    two = Election(store, "/leader", "two", TTL_S)

    class Slow(MemoryKeyValue):
        """Between looking and acting, somebody else is quicker."""

        def get(self, key: str) -> Entry | None:
            seen = store.get(key)
            assert two.lead()
            return seen

        lease, put_if = store.lease, store.put_if  # type: ignore[assignment]

    assert Election(Slow(), "/leader", "one", TTL_S).lead() is None
    assert two.lead()
