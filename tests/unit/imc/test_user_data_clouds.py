"""Workers on a cloud whose user data others may read: from the wish to the pool and back, and no token on the way."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from builders_imc import PretendWorld

from prominence.core.errors import Forbidden, Unavailable
from prominence.core.machines import Wish, WorkerPhase
from prominence.imc.admissions import Admissions
from prominence.imc.invitations import Invitations
from prominence.imc.userdata import INVITATION, TOKEN

KEY = "k" * 43


class UserDataWorld(PretendWorld):
    """Whose machines ask at the door."""

    def __init__(self, folder: Path, **more: int) -> None:
        super().__init__(**more)
        (folder / "POOL").write_bytes(b"k" * 64)
        self.cloud.by_user_data = True
        self.joining = replace(self.joining, invitations=Invitations(folder / "POOL", "https://door", "", 600))
        self.reconciler = self.new_reconciler()
        self.door = Admissions(self.records, self.pool, 3600, lambda: self.now)

    def secret(self, name: str = "worker-1") -> str:
        files = {file.path: file for file in self.cloud.machines[name].files}
        assert TOKEN not in files
        return str(json.loads(files[INVITATION].text)["secret"])

    def joins(self, secret: str, name: str = "worker-1", key: str = KEY) -> bool:
        return self.pool.join(name, self.door.admit(name, key, secret).token.get_secret_value())


@pytest.fixture
def world(tmp_path: Path) -> UserDataWorld:
    return UserDataWorld(tmp_path)


def test_a_worker_joins_by_its_secret_and_after_its_end_has_nothing(world: UserDataWorld) -> None:
    world.ask()
    world.ticks(2)
    secret = world.secret()
    token = world.door.admit("worker-1", KEY, secret).token.get_secret_value()
    assert world.pool.join("worker-1", token)
    world.ticks(2)
    assert world.record().phase is WorkerPhase.REGISTERED
    world.wish("worker-1", Wish.ABSENT)
    world.ticks(4)
    assert world.record().phase is WorkerPhase.DELETED
    assert not world.pool.join("worker-1", token)
    for shown in (secret, ""):
        with pytest.raises(Forbidden):
            world.joins(shown)


def test_a_request_whose_answer_is_lost_and_the_next_one_tell_the_same_secret(world: UserDataWorld) -> None:
    """The cloud does not list the machine yet, and is asked again: the machine knows what it was told first."""
    world.cloud.faults.next("create", Unavailable("time out"), after_acting=True)
    world.ask()
    world.tick()
    secret = world.secret()
    machine = world.cloud.machines.pop("worker-1")
    world.ticks(3, seconds=20)
    world.cloud.machines["worker-1"] = machine
    assert world.record().attempts > 1
    assert world.secret() == secret
    assert world.joins(secret)


def test_a_worker_whose_secret_was_stolen_is_removed_and_the_thief_is_out(world: UserDataWorld) -> None:
    world.ask()
    world.ticks(2)
    secret = world.secret()
    stolen = world.door.admit("worker-1", "t" * 43, secret).token.get_secret_value()
    assert world.pool.join("worker-1", stolen)
    with pytest.raises(Forbidden, match="shown by two"):
        world.joins(secret)
    world.ticks(4)
    record = world.record()
    assert (record.phase, "shown by two" in record.reason) == (WorkerPhase.FAILED, True)
    assert world.cloud.machines == {}
    assert not world.pool.join("worker-1", stolen)


def test_without_a_door_no_machine_is_made(world: UserDataWorld) -> None:
    world.joining = replace(world.joining, invitations=None)
    world.reconciler = world.new_reconciler()
    world.ask()
    world.ticks(2)
    assert world.cloud.machines == {}
    assert "no [joining]" in world.record().reason


def test_nothing_of_a_secret_is_kept_or_shown(world: UserDataWorld, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    world.ask()
    world.ticks(2)
    secret = world.secret()
    world.joins(secret)
    world.ticks(2)
    stored = "".join(entry.value.decode() for entry in world.store.list("/"))
    assert secret not in stored and KEY not in stored
    assert secret not in caplog.text and KEY not in caplog.text
    assert secret not in repr(world.cloud.machines)
