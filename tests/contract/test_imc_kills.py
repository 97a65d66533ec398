"""imc's process killed at its requests to a cloud that misbehaves, again and again: nothing leaks, nothing is doubled.

etcd is real, the cloud is another process, and two imcs run beside each other, of which one leads.
"""

from __future__ import annotations

import os
import random
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
import requests
from builders import a_request
from cloud_servers import served
from cloud_settings import openstack_settings
from etcd_servers import EtcdMember
from imc_process import begun
from real_parts import until
from servers import free_ports

from prominence.core.errors import Conflict
from prominence.core.keyvalue.etcd import EtcdKeyValue
from prominence.core.machines import Wish, WorkerPhase
from prominence.imc.records import LEADER, Record, Records

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]

LEASE_S = 2
KILLS = 100
PATIENCE_S = 120
LAPSES = 10
"""Of so many deaths one is noticed by the lease alone. Of the others etcd is told: the same, but sooner."""

CONFIG = """
host = "127.0.0.1"
port = {port}
token_file = "{home}/token"
etcd_endpoints = ["{etcd}"]
interval_s = 0.1
lease_s = 8
[metrics]
port = {metrics}
[deadlines]
place_s = 3600
join_s = 60
orphan_s = 1
[joining]
url = "https://nobody"
port = 0
[pool]
name = "kills"
collector = "nobody"
keys_dir = "{home}"
revocations_file = "{home}/revocations"
[clouds.north]
type = "openstack"
region = "north"
credentials_file = "{credentials}"
image = {{id = "new"}}
flavours = ["small"]
limit = 10
poll_s = 0
settle_s = 4
timeout_s = 0.5
"""


class Process:
    """An imc."""

    def __init__(self, home: Path, etcd: str, server: str, lease_s: int = LEASE_S) -> None:
        self.port, self.metrics = free_ports(2)
        (home / "token").write_text("word")
        (home / "POOL").write_text("a key that signs")
        config = home / f"imc-{self.port}.toml"
        credentials = openstack_settings(server, home).credentials_file
        config.write_text(
            CONFIG.format(home=home, etcd=etcd, port=self.port, metrics=self.metrics, credentials=credentials)
        )
        self.log = home / f"imc-{self.port}.log"
        self.process = begun(config, server, lease_s, self.log)

    def call(self, method: str, path: str, body: Any = None) -> int:
        headers = {"Authorization": "Bearer word"}
        url = f"http://127.0.0.1:{self.port}{path}"
        return requests.request(method, url, json=body, headers=headers, timeout=10).status_code

    def has_led(self) -> bool:
        """It leads, and has ended a round."""
        try:
            text = requests.get(f"http://127.0.0.1:{self.metrics}/metrics", timeout=10).text
        except requests.RequestException:
            return False
        return "prominence_imc_leader 1.0" in text and re.search(r'rounds_total\{end="ended"\} [1-9]', text) is not None

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    def was_killed(self) -> bool:
        """It ends, by this signal."""
        self.process.join(PATIENCE_S)
        return self.process.exitcode == -signal.SIGKILL

    def kill(self) -> None:
        self.process.kill()
        self.process.join()


class Theatre:
    """Two imcs, one etcd, one cloud."""

    def __init__(self, home: Path, etcd: str, server: str) -> None:
        self.home, self.etcd, self.server = home, etcd, server
        self.store = EtcdKeyValue([etcd])
        self.records = Records(self.store)
        self.processes = [self.start(), self.start()]

    def start(self) -> Process:
        return Process(self.home, self.etcd, self.server)

    def leader(self) -> Process | None:
        """Of those that run, the one that leads and has ended a round."""
        entry = self.store.get(LEADER)
        pid = int(entry.value.decode().rpartition(":")[2]) if entry else 0
        found = next((one for one in self.processes if one.pid == pid), None)
        return found if found and found.has_led() else None

    def lead(self) -> Process:
        found = until(self.leader, PATIENCE_S, self.complaint)
        assert isinstance(found, Process)
        return found

    def bury(self, process: Process) -> None:
        """It is dead, and leads no more, as if its lease had run out."""
        entry = self.store.get(LEADER)
        if entry and entry.value.decode().endswith(f":{process.pid}"):
            with suppress(Conflict):
                self.store.delete_if(LEADER, entry.revision)

    def replace(self, process: Process) -> None:
        """By another, which waits for its turn."""
        self.processes = [one for one in self.processes if one is not process] + [self.start()]

    def machines(self) -> Counter[str]:
        return Counter(one["name"] for one in requests.get(f"{self.server}/_servers", timeout=10).json())

    def tell(self, verb: str, **what: Any) -> None:
        requests.post(f"{self.server}/_{verb}", json=what, timeout=10).raise_for_status()

    def complaint(self) -> str:
        logs = "\n".join(process.log.read_text()[-1500:] for process in self.processes)
        records = [(one.name, one.phase, one.request.wish, one.reason) for one in self.records.all().records]
        return f"machines: {self.machines()}; records: {records}; {logs}"

    def is_at_rest(self) -> bool:
        """What is wished is there, and nothing else, and nothing is on its way."""
        records = self.records.all().records
        alive = {one.name for one in records if not one.phase.is_over}
        settled = all(one.phase.is_over or one.phase is WorkerPhase.REGISTERED for one in records)
        wished = all(one.phase.is_over for one in records if one.request.wish is Wish.ABSENT)
        return settled and wished and self.machines() == Counter(alive)

    def close(self) -> None:
        for process in self.processes:
            process.kill()


@pytest.fixture
def theatre(etcd: EtcdMember, tmp_path: Path) -> Iterator[Theatre]:
    with ExitStack() as stack:
        server = stack.enter_context(served("openstack_server.py"))
        found = Theatre(tmp_path, etcd.endpoint, server)
        stack.callback(found.close)
        yield found


def wish(process: Process, name: str, what: Wish) -> None:
    body = a_request(fence=1, wish=what).model_dump(mode="json")
    assert process.call("PUT", f"/v1/workers/{name}", body) in (200, 201)


def something_new(theatre: Theatre, leader: Process, chance: random.Random, number: int) -> None:
    """One worker more, and if there are many, or by chance, one less."""
    alive = [one.name for one in theatre.records.all().records if wished(one)]
    if alive and (len(alive) > 6 or chance.random() < 0.4):
        assert leader.call("DELETE", f"/v1/workers/{chance.choice(alive)}") == 200
    wish(leader, f"w-{number}", Wish.PRESENT)


def wished(record: Record) -> bool:
    return record.request.wish is Wish.PRESENT and not record.phase.is_over


def test_a_hundred_deaths_leak_nothing_and_double_nothing(theatre: Theatre, capsys: pytest.CaptureFixture[str]) -> None:
    chance, took = random.Random(8), []
    theatre.tell("mischief", seed=8, share=0.25, hangs_s=0.8)
    leader = theatre.lead()
    for number in range(KILLS):
        something_new(theatre, leader, chance, number)
        theatre.tell("kill", pid=leader.pid, at=chance.randint(1, 25), after=chance.random() < 0.5)
        assert leader.was_killed()
        died_at = time.monotonic()
        lapses = number % LAPSES == 0
        if not lapses:
            theatre.bury(leader)
        theatre.replace(leader)
        leader = theatre.lead()
        if lapses:
            took.append(time.monotonic() - died_at)
    doubled = sum(count - 1 for count in theatre.machines().values())
    theatre.tell("mischief", share=0.0)
    until(theatre.is_at_rest, 2 * PATIENCE_S, theatre.complaint)
    records = theatre.records.all().records
    assert len(records) == KILLS
    assert all(one.reason for one in records if one.phase.is_over)
    assert max(theatre.machines().values(), default=1) == 1
    mischief = requests.get(f"{theatre.server}/_mischief", timeout=10).json()
    fates = Counter(one.phase.value for one in records)
    took.sort()
    with capsys.disabled():
        print(
            f"\n{KILLS} deaths; what the cloud did: {mischief}; workers: {dict(fates)}; machines doubled "
            f"at the last of them: {doubled}, at rest: 0; "
            f"leaked: 0; until another had led a round: {took[len(took) // 2]:.1f} s at the median, {took[-1]:.1f} s "
            f"at the most, of a lease of {LEASE_S} s"
        )


def test_one_that_was_paused_beyond_its_lease_begins_nothing_more(theatre: Theatre) -> None:
    """It is stopped while it makes one of many workers, and goes on when another has led and done so."""
    first = theatre.lead()
    [other] = [one for one in theatre.processes if one is not first]
    theatre.tell("kill", pid=first.pid, at=4, after=False, number=signal.SIGSTOP, of="POST")
    names = [f"p-{number}" for number in range(10)]
    for name in names:
        wish(other, name, Wish.PRESENT)
    until(lambda: theatre.leader() is other, PATIENCE_S, theatre.complaint)
    until(theatre.is_at_rest, PATIENCE_S, theatre.complaint)
    begun = steps(first)
    assert begun, "it was stopped before it did anything"
    os.kill(first.pid, signal.SIGCONT)
    # What it was about to do when it was stopped it may end; of what it had meant to do next it does nothing.
    until(lambda: "somebody else leads" in first.log.read_text(), PATIENCE_S, theatre.complaint)
    until(theatre.is_at_rest, PATIENCE_S, theatre.complaint)
    assert steps(first) == begun
    assert theatre.machines() == Counter(names)
    ours = [one for one in theatre.records.all().records if one.name in names]
    assert {one.phase for one in ours} == {WorkerPhase.REGISTERED}


def steps(process: Process) -> list[str]:
    """What it has begun."""
    return [line for line in process.log.read_text().splitlines() if '"step begins"' in line]


def test_of_two_one_leads_and_when_it_is_killed_the_other_goes_on(theatre: Theatre) -> None:
    first = theatre.lead()
    wish(first, "w-first", Wish.PRESENT)
    until(theatre.is_at_rest, PATIENCE_S, theatre.complaint)
    [other] = [one for one in theatre.processes if one is not first]
    wish(other, "w-second", Wish.PRESENT)  # whom it is told to makes no difference
    theatre.tell("kill", pid=first.pid, at=1, after=True)
    assert first.was_killed()
    assert until(theatre.leader, PATIENCE_S, theatre.complaint) is other
    wish(other, "w-third", Wish.PRESENT)
    until(theatre.is_at_rest, PATIENCE_S, theatre.complaint)
    assert theatre.machines() == Counter(["w-first", "w-second", "w-third"])
