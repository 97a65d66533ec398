"""A scaler on a real cluster of etcd that loses one member after the other. The pool is a pretended one."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from builders import a_size
from builders_scaler import LARGE, SMALL, a_pretend_pool

from prominence.core.errors import Conflict, Unavailable
from prominence.core.keyvalue.election import Election
from prominence.core.keyvalue.etcd import EtcdKeyValue
from prominence.core.scaling import LEADER_KEY
from prominence.scaler.adapters.memory import PretendPool, ToldMeter
from prominence.scaler.board import Board
from prominence.scaler.policy import Policy
from prominence.scaler.round import Rounds, World

WITHIN_S = 90
TTL_S = 10


class Scaler:
    """Rounds of which some may fail, because the store does not answer."""

    def __init__(self, pool: PretendPool, store: EtcdKeyValue) -> None:
        self._pool = pool
        world = World(pool, pool, clock=lambda: pool.now, meter=ToldMeter())
        election = Election(store, LEADER_KEY, "me", TTL_S)
        self._rounds = Rounds(world, Policy(idle_time_s=60), election, Board(store), None, lambda: False)

    def round(self) -> None:
        """One that is finished, however often it is tried; then time passes."""
        deadline = time.monotonic() + WITHIN_S
        while not self._is_finished():
            assert time.monotonic() < deadline, "no round was finished"
            time.sleep(0.1)
        self._pool.advance(timedelta(seconds=20))

    def _is_finished(self) -> bool:
        try:
            return self._rounds.run() is not None
        except (Unavailable, Conflict):
            return False


@pytest.mark.timeout(900)
def test_whichever_member_of_etcd_stops_the_scaler_goes_on_and_orders_nothing_twice(etcd_cluster: Any) -> None:
    pool = a_pretend_pool(SMALL, LARGE)
    store = EtcdKeyValue([member.endpoint for member in etcd_cluster], timeout_s=1)
    scaler = Scaler(pool, store)
    for machines, member in enumerate(etcd_cluster, start=1):
        pool.submit(a_size(4, 4000), "alice", runs_for=timedelta(seconds=60))
        scaler.round()
        member.kill()
        for _ in range(12):
            scaler.round()
        assert all(job.ended for job in pool.jobs)
        assert len(pool.records) == machines
        assert all(worker.phase.is_over for worker in pool.records.values())
        member.start(etcd_cluster)
        member.wait_until_ready()
    store.close()
