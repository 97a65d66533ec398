"""A worker and imc's door speak with each other, over HTTP."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders import NOON
from builders_imc import SMALL, a_record
from joining_worker import JoiningWorker

from prominence.core.keyvalue.memory import MemoryKeyValue
from prominence.core.machines import WorkerPhase
from prominence.imc.adapters.memory import MemoryPool
from prominence.imc.admissions import Admissions
from prominence.imc.door import Door, create_door
from prominence.imc.invitations import Invitations
from prominence.imc.knocks import Knocks
from prominence.imc.records import Records
from prominence.imc.serving import Served

NAME = "worker-1"


class Imc:
    """Its records, its pool, and its door on a port of this machine."""

    def __init__(self, folder: Path) -> None:
        self.records, self.pool = Records(MemoryKeyValue()), MemoryPool()
        self.records.add(a_record(phase=WorkerPhase.LAUNCHED))
        (folder / "POOL").write_bytes(b"k" * 64)
        admissions = Admissions(self.records, self.pool, 600, lambda: NOON)
        door = Door(admissions, Knocks(9, 60, lambda: 0), Knocks(9, 60, lambda: 0))
        self.server = Served("door", create_door(door), "127.0.0.1", 0, ended=lambda: None)
        url = f"http://127.0.0.1:{self.server.port}"
        self.invitation = Invitations(folder / "POOL", url, "", 100).invite(self.records, NAME, SMALL, NOON)


@pytest.fixture
def imc(tmp_path: Path) -> Iterator[Imc]:
    imc = Imc(tmp_path)
    yield imc
    imc.server.close()


def test_it_trades_its_secret_for_a_token_that_root_alone_can_read(imc: Imc, tmp_path: Path) -> None:
    worker = JoiningWorker(tmp_path, imc.invitation)
    assert worker.join() == 600
    assert imc.pool.join(NAME, worker.token.read_text())
    assert [stat.S_IMODE(file.stat().st_mode) for file in (worker.token, worker.key, worker.invitation)] == [0o600] * 3
    assert "secret" not in worker.told()


def test_after_a_start_anew_it_shows_its_key_alone(imc: Imc, tmp_path: Path) -> None:
    worker = JoiningWorker(tmp_path, imc.invitation)
    worker.join()
    first = worker.token.read_text()
    worker.join()
    assert worker.token.read_text() != first
    assert imc.pool.join(NAME, worker.token.read_text())


def test_an_answer_that_is_lost_is_asked_for_again(imc: Imc, tmp_path: Path) -> None:
    worker = JoiningWorker(tmp_path, imc.invitation)
    asked, lost = worker.program.asked, []

    def ask(*given: object) -> object:
        answer = asked(*given)
        if not lost:
            lost.append(answer)
            raise worker.program.Failed("connection reset")
        return answer

    worker.program.asked = ask
    pauses: list[float] = []
    worker.join(pauses.append)
    assert len(lost) == len(pauses) == 1
    assert imc.pool.join(NAME, worker.token.read_text())


def test_who_copies_the_user_data_comes_too_late(imc: Imc, tmp_path: Path) -> None:
    thief = JoiningWorker(tmp_path / "thief", imc.invitation)
    JoiningWorker(tmp_path / "worker", imc.invitation).join()
    with pytest.raises(thief.program.Refused, match="403"):
        thief.join()
    assert not thief.token.exists()
    record = imc.records.get(NAME)
    assert record and record.trade and record.trade.refused == 1
