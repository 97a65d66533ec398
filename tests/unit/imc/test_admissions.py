"""Tokens for workers that show their secret, and what attackers get."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import NOON, a_flavour
from builders_imc import LARGE, SMALL, a_record, at
from pydantic import SecretStr

from prominence.core.bootstrap import Invitation
from prominence.core.errors import Conflict, Forbidden, Unavailable
from prominence.core.keyvalue.memory import MemoryKeyValue
from prominence.core.machines import Flavour, WorkerPhase
from prominence.imc import wishes
from prominence.imc.adapters.memory import MemoryPool
from prominence.imc.admissions import Admissions, Stranger
from prominence.imc.invitations import Invitations
from prominence.imc.records import Record, Records

KEY, OTHER_KEY = "k" * 43, "o" * 43


class World:
    """Two workers on a cloud with user data, and a clock."""

    def __init__(self, folder: Path) -> None:
        self.now = NOON
        self.store = MemoryKeyValue()
        self.records, self.pool = Records(self.store), MemoryPool()
        self.key_file = folder / "POOL"
        self.key_file.write_bytes(b"k" * 64)
        self.admissions = self.started_anew()
        for name in ("w-1", "w-2"):
            self.records.add(a_record(name=name, phase=WorkerPhase.LAUNCHED))

    def started_anew(self) -> Admissions:
        """As a process of imc's that has just started."""
        return Admissions(Records(self.store), self.pool, 600, lambda: self.now)

    def invite(self, name: str = "w-1", flavour: Flavour = SMALL) -> Invitation:
        return Invitations(self.key_file, "https://door", "", 100).invite(self.records, name, flavour, self.now)

    def secret(self, name: str = "w-1", flavour: Flavour = SMALL) -> str:
        return self.invite(name, flavour).secret.get_secret_value()

    def joins(self, name: str = "w-1", key: str = KEY, secret: str = "") -> bool:
        """Whether the token that it gets lets it into the pool."""
        return self.pool.join(name, self.admissions.admit(name, key, secret).token.get_secret_value())

    def record(self, name: str = "w-1") -> Record:
        record = self.records.get(name)
        assert record is not None
        return record


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_worker_trades_its_secret_and_renews_its_token(world: World) -> None:
    assert world.joins(secret=world.secret())
    world.now = at(10_000)
    assert world.joins()
    assert world.admissions.admit("w-1", KEY, "").lifetime_s == 600


def test_an_imc_that_starts_anew_knows_secret_and_key_again(world: World) -> None:
    secret = world.secret()
    world.admissions = world.started_anew()
    assert world.joins(secret=secret)
    world.admissions = world.started_anew()
    assert world.joins()


def test_a_token_that_could_not_be_made_is_asked_for_again(world: World) -> None:
    secret = world.secret()
    world.pool.faults.next("mint", Unavailable("down"))
    with pytest.raises(Unavailable):
        world.joins(secret=secret)
    assert world.joins(secret=secret)


def test_the_name_of_another_worker_is_none_of_its_business(world: World) -> None:
    secret, _ = world.secret("w-1"), world.secret("w-2")
    before = world.record("w-2")
    for name in ("w-2", "w-3"):
        with pytest.raises(Stranger):
            world.joins(name, secret=secret)
    world.joins("w-1", secret=secret)
    with pytest.raises(Stranger):
        world.joins("w-2")
    assert world.record("w-2") == before


def test_a_stranger_leaves_no_trace_in_the_record(world: World) -> None:
    world.secret()
    before = world.record()
    for key, secret in ((KEY, "wrong"), (KEY, ""), (KEY, "w-1")):
        with pytest.raises(Stranger):
            world.joins(key=key, secret=secret)
    assert world.record() == before


def test_a_worker_without_a_bootstrap_secret_gets_no_token_here(world: World) -> None:
    with pytest.raises(Stranger):
        world.joins(secret="")


def test_a_replay_long_after_is_told_and_does_no_harm(world: World) -> None:
    secret = world.secret()
    world.joins(secret=secret)
    world.now = at(5000)
    with pytest.raises(Forbidden, match="somebody else"):
        world.joins(key=OTHER_KEY, secret=secret)
    record = world.record()
    assert record.trade and record.trade.refused == 1 and "somebody else" in record.trade.told
    assert not record.failing
    assert world.joins()


def test_a_worker_whose_secret_two_have_shown_is_given_up(world: World) -> None:
    secret = world.secret()
    world.joins(key=OTHER_KEY, secret=secret)
    with pytest.raises(Forbidden, match="shown by two"):
        world.joins(secret=secret)
    assert "shown by two" in world.record().failing
    for key in (KEY, OTHER_KEY):
        with pytest.raises(Forbidden):
            world.joins(key=key)


def test_a_worker_that_comes_too_late_is_given_up_at_once(world: World) -> None:
    secret = world.secret()
    world.now = at(100)
    with pytest.raises(Forbidden, match="too late"):
        world.joins(secret=secret)
    assert "too late" in world.record().failing


def test_a_drained_worker_keeps_its_token_fresh_while_its_jobs_end(world: World) -> None:
    world.joins(secret=world.secret())
    wishes.drain(world.records, "w-1", "idle")
    assert world.joins()


def test_a_worker_that_is_wished_away_gets_nothing_neither_by_secret_nor_by_key(world: World) -> None:
    traded, untraded = world.secret("w-1"), world.secret("w-2")
    world.joins(secret=traded)
    for name in ("w-1", "w-2"):
        wishes.remove(world.records, name, "idle")
    before = world.record("w-2")
    for name, secret in (("w-1", ""), ("w-1", traded), ("w-2", untraded)):
        with pytest.raises(Forbidden, match="not wanted any more"):
            world.joins(name, secret=secret)
    assert world.record("w-2") == before


def test_a_worker_that_is_wished_away_while_its_token_is_made_does_not_get_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its removal has revoked what was minted until then, and this one would be younger."""
    mint, minted = world.pool.mint, []

    def slow(name: str) -> SecretStr:
        wishes.remove(world.records, name, "idle")
        world.pool.revoke(name, world.now)
        minted.append(mint(name))
        return minted[-1]

    secret = world.secret()
    monkeypatch.setattr(world.pool, "mint", slow)
    with pytest.raises(Forbidden, match="not wanted any more"):
        world.joins(secret=secret)
    assert minted


def test_a_deleted_worker_is_a_stranger(world: World) -> None:
    secret = world.secret()
    world.records.update("w-1", lambda record: record.in_phase(WorkerPhase.DELETED, NOON, "gone"))
    with pytest.raises(Forbidden):
        world.joins(secret=secret)
    world.records.forget("w-1")
    with pytest.raises(Stranger):
        world.joins(secret=secret)


def test_the_second_request_for_a_machine_tells_it_the_same(world: World) -> None:
    first = world.secret()
    world.joins(secret=first)
    world.now = at(50)
    assert world.secret() == first
    assert world.joins()


def test_secrets_differ_by_worker_by_request_and_by_machine(world: World) -> None:
    secrets = {world.secret("w-1"), world.secret("w-2")}
    secrets |= {world.secret("w-1", flavour) for flavour in (a_flavour(cloud="other"), LARGE)}
    world.records.update("w-1", lambda record: record.in_phase(WorkerPhase.DELETED, NOON, "gone"))
    world.records.forget("w-1")
    world.records.add(a_record(name="w-1", requested_at=at(1)))
    secrets.add(world.secret("w-1"))
    assert len(secrets) == 5
    assert all(len(secret) == 43 for secret in secrets)


def test_nobody_is_told_a_secret_whose_hash_is_not_kept(world: World) -> None:
    wishes.remove(world.records, "w-1", "idle")
    for name in ("w-1", "w-3"):
        with pytest.raises(Conflict, match="not wanted any more"):
            world.invite(name)
    world.key_file.write_bytes(b"")
    with pytest.raises(Unavailable, match="holds no key"):
        world.invite("w-2")
    world.key_file.unlink()
    with pytest.raises(Unavailable, match="cannot be read"):
        world.invite("w-2")
    assert world.record("w-2").trade is None
