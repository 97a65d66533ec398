"""What is left of a budget is granted once, by any number of processes, on a real etcd."""

from __future__ import annotations

import threading
from contextlib import suppress

from builders import NOON
from etcd_servers import EtcdMember

from prominence.core.errors import Forbidden
from prominence.core.keyvalue.etcd import EtcdKeyValue
from prominence.restapi.budgets.room import Room
from prominence.restapi.budgets.rules import UNIT_MS, Action, Budget, Standing
from prominence.restapi.usage import Period

BUDGET = Budget("/vo/physics", 20 * UNIT_MS, Period(0, 2**40), Action.REFUSE)


def test_no_unit_is_granted_twice_and_none_is_lost(etcd: EtcdMember) -> None:
    granted: list[str] = []

    def process(name: str) -> None:
        store, room = EtcdKeyValue([etcd.endpoint]), Room(lambda: 0.0)
        for number in range(8):
            with suppress(Forbidden):
                room.take(BUDGET, UNIT_MS, f"{name}.{number}", lambda: (Standing(BUDGET), ()), store, NOON)
                granted.append(name)
        store.close()

    threads = [threading.Thread(target=process, args=(str(name),)) for name in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(granted) == 20
