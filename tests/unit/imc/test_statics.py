"""Workers of the pool that imc has not made: seen, drained on request, and otherwise left alone."""

from __future__ import annotations

import argparse

import pytest
from builders_imc import PretendWorld

from prominence.core.errors import Conflict, NotFound, Rejected, Unavailable
from prominence.imc import admin, command
from prominence.imc.ports import ExecutePoint


@pytest.fixture
def world() -> PretendWorld:
    """A pool with one static worker that runs two jobs."""
    made = PretendWorld()
    made.pool.points["node-1.example.org"] = ExecutePoint(claimed_slots=2, draining=False)
    return made


def asked(world: PretendWorld, *arguments: str) -> None:
    parser = argparse.ArgumentParser()
    command.add_to(admin.add_commands(parser))
    command.run(parser.parse_args(["static", *arguments]), world.records, world.pool, world.now)


def test_it_is_listed_drained_and_taken_back(world: PretendWorld, capsys: pytest.CaptureFixture[str]) -> None:
    asked(world, "drain", "node-1.example.org", "--reason", "new disks")
    asked(world)
    asked(world, "undrain", "node-1.example.org")
    asked(world)
    assert capsys.readouterr().out.splitlines() == [
        "node-1.example.org: takes no new jobs, 2 running",
        "node-1.example.org: takes jobs, 2 running",
    ]


@pytest.mark.parametrize("act", ["drain", "undrain"])
def test_what_imc_has_made_is_refused_and_what_is_not_there_is_told(world: PretendWorld, act: str) -> None:
    world.ask("worker-1")
    world.ticks(3)
    assert "worker-1" in world.pool.points
    with pytest.raises(Conflict, match="Worker worker-1 is imc's own"):
        asked(world, act, "worker-1")
    with pytest.raises(NotFound, match="There is no static worker node-2"):
        asked(world, act, "node-2")
    assert not any(point.draining for point in world.pool.points.values())


def test_imcs_own_are_not_listed(world: PretendWorld, capsys: pytest.CaptureFixture[str]) -> None:
    world.ask("worker-1")
    world.ticks(3)
    asked(world)
    assert capsys.readouterr().out == "node-1.example.org: takes jobs, 2 running\n"


def test_the_reconciler_never_touches_one(world: PretendWorld) -> None:
    asked(world, "drain", "node-1.example.org")
    before = dict(world.pool.points)
    world.ticks(100, seconds=600)
    assert world.pool.points == before


def test_a_collector_that_does_not_answer_is_told(world: PretendWorld) -> None:
    def away() -> None:
        raise Unavailable("the collector does not answer")

    world.pool.execute_points = away  # type: ignore[method-assign, assignment]
    with pytest.raises(Unavailable):
        asked(world, "drain", "node-1.example.org")


def test_a_token_is_revoked_by_name_and_given_back(world: PretendWorld, capsys: pytest.CaptureFixture[str]) -> None:
    token = world.pool.mint("node-1.example.org").get_secret_value()
    asked(world, "revoke", "node-1.example.org")
    assert not world.pool.join("node-1.example.org", token)
    asked(world)
    assert capsys.readouterr().out == "node-1.example.org: its token is revoked\n"
    asked(world, "readmit", "node-1.example.org")
    assert world.pool.join("node-1.example.org", token)
    with pytest.raises(NotFound, match="was not revoked"):
        asked(world, "readmit", "node-1.example.org")


@pytest.mark.parametrize("name", ["*", "a,b", "a@workers", "a b", "", "-a", "a\nb", "A"])
def test_what_is_no_name_is_not_told_to_the_collector(world: PretendWorld, name: str) -> None:
    with pytest.raises(Rejected):
        asked(world, "revoke", "--", name)
    assert not world.pool.outsiders()


def test_the_token_of_imcs_own_is_not_revoked_by_hand(world: PretendWorld) -> None:
    world.ask("worker-1")
    world.ticks(3)
    with pytest.raises(Conflict, match="imc's own"):
        asked(world, "revoke", "worker-1")
