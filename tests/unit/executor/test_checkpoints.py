"""Checkpoints: what is saved counts as a whole or not at all, and is there again for the next attempt."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest
from builders_executor import PretendedWeb, StopAfter, a_plan, a_planned_task

from prominence.core.plan import PlannedCheckpoint
from prominence.core.reasons import Reason
from prominence.core.report import CheckpointReport
from prominence.executor import checkpoints as module
from prominence.executor import environment, packing
from prominence.executor.checkpoints import Checkpoints
from prominence.executor.failures import STOPPED
from prominence.executor.ports import Stop, WorkerLost
from prominence.executor.transfer import Address, Refused


class Store(PretendedWeb):
    """The web and the job's checkpoints, in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.latest = ""

    def checkpoint_to_put(self, size: int, sha256: str) -> tuple[str, Address]:
        name = f"c{len(self.contents)}"
        return name, Address(name, size=size, sha256=sha256)

    def checkpoint_is_there(self, name: str) -> None:
        assert name in self.contents
        self.latest = name

    def checkpoint_to_get(self) -> Address | None:
        return Address(self.latest) if self.latest else None


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home" / "state").mkdir(parents=True)
    return tmp_path / "home"


def of(home: Path, store: Store, path: str = "state", interval_s: float = 600) -> Checkpoints:
    return Checkpoints(PlannedCheckpoint(path, interval_s), home, home.parent, store, store)


def next_attempt(home: Path) -> Path:
    """A home like the first one at the start."""
    other = home.parent / "other"
    other.mkdir()
    return other


@pytest.mark.parametrize("path", ["state", "state/deep", "state/count"])
def test_what_was_saved_is_there_again(home: Path, store: Store, path: str) -> None:
    (home / "state" / "deep").mkdir()
    (home / "state" / "deep" / "a").write_text("a")
    (home / "state" / "count").write_text("17")
    (home / "state" / "tool").symlink_to("/usr/bin/tool")
    saving = of(home, store, path)
    saving.save(Stop())
    assert saving.told == CheckpointReport(saved=1)
    other = next_attempt(home)
    restoring = of(other, store, path)
    assert restoring.restore(Stop()) is None
    assert restoring.told == CheckpointReport(restored=True)
    assert (other / path).is_dir() == (home / path).is_dir()
    if path == "state":
        assert (other / "state" / "count").read_text() == "17"
        assert os.readlink(other / "state" / "tool") == "/usr/bin/tool"
    assert sorted(one.name for one in home.parent.iterdir()) == ["home", "other"], "no archive is left"


def test_a_first_attempt_has_none_to_go_on_from(home: Path, store: Store) -> None:
    first = of(home, store)
    assert first.restore(Stop()) is None
    assert first.told == CheckpointReport()


def test_the_latest_is_restored_over_what_came_with_the_job(home: Path, store: Store) -> None:
    for number in (1, 2):
        (home / "state" / "count").write_text(str(number))
        of(home, store).save(Stop())
    other = next_attempt(home)
    (other / "state").mkdir()
    (other / "state" / "count").write_text("0")
    assert of(other, store).restore(Stop()) is None
    assert (other / "state" / "count").read_text() == "2"


def test_what_a_task_has_made_another_kind_of_thing_is_restored_as_that(home: Path, store: Store) -> None:
    (home / "state" / "was-file").mkdir()
    (home / "state" / "was-file" / "a").write_text("a")
    (home / "state" / "was-link").mkdir()
    (home / "state" / "was-directory").symlink_to("/elsewhere")
    (home / "state" / "was-directory-too").write_text("b")
    of(home, store).save(Stop())
    other = next_attempt(home)
    for name in ("was-directory", "was-directory-too"):
        (other / "state" / name / "deep").mkdir(parents=True)
    (other / "state" / "was-file").write_text("came with the job")
    (other / "precious").mkdir()
    (other / "state" / "was-link").symlink_to("../precious")
    assert of(other, store).restore(Stop()) is None
    assert (other / "state" / "was-file" / "a").read_text() == "a"
    assert (other / "state" / "was-link").is_dir() and not (other / "state" / "was-link").is_symlink()
    assert os.readlink(other / "state" / "was-directory") == "/elsewhere"
    assert (other / "state" / "was-directory-too").read_text() == "b"
    assert (other / "precious").is_dir()


def test_one_that_did_not_arrive_is_none_and_the_one_before_stays(home: Path, store: Store) -> None:
    (home / "state" / "count").write_text("1")
    saving = of(home, store)
    saving.save(Stop())
    before = store.latest
    store.failing = {"c1": Refused("the quota is used up")}
    saving.save(Stop())
    assert store.latest == before
    assert saving.told == CheckpointReport(saved=1, trouble="the quota is used up")
    store.failing = {}
    saving.save(Stop())
    assert saving.told == CheckpointReport(saved=2)


def test_of_what_changes_all_the_time_none_is_made(home: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def pack(tree: int, name: str, file: Path, stop: Stop) -> bool:
        tries.append(name)
        return False

    monkeypatch.setattr(packing, "pack", pack)
    saving = of(home, store)
    saving.save(Stop())
    assert (len(tries), store.contents) == (module.TRIES, {})
    assert "changes all the time" in saving.told.trouble


@pytest.mark.parametrize("path", ["nothing", "out"])
def test_what_is_not_in_the_home_is_not_saved(home: Path, store: Store, path: str) -> None:
    (home.parent / "secret").mkdir()
    (home / "out").symlink_to("../secret")
    saving = of(home, store, path)
    saving.save(Stop())
    assert store.contents == {}
    assert saving.told.trouble


def test_one_that_is_broken_fails_the_job_rather_than_be_restored_in_part(home: Path, store: Store) -> None:
    store.contents, store.latest = {"c0": b"no archive"}, "c0"
    failure = of(home, store).restore(Stop())
    assert failure is not None
    assert failure.reason is Reason.CHECKPOINT_NOT_RESTORED


def test_a_full_disk_is_the_workers_and_not_the_checkpoints(
    home: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(module.tempfile, "TemporaryDirectory", full)
    with pytest.raises(WorkerLost):
        of(home, store).restore(Stop())


def test_who_is_told_to_stop_restores_none(home: Path, store: Store) -> None:
    (home / "state" / "count").write_bytes(os.urandom(1000))
    of(home, store).save(Stop())
    stop = Stop()
    stop.request()
    assert of(next_attempt(home), store).restore(stop) is STOPPED


def test_they_are_saved_by_themselves_while_tasks_run(home: Path, store: Store) -> None:
    saving = of(home, store, interval_s=0.001)
    with saving.kept():
        while saving.told.saved < 2:
            pass
    assert store.latest


def test_the_end_of_the_tasks_does_not_wait_for_one_that_is_being_packed(home: Path, store: Store) -> None:
    (home / "state" / "large").touch()
    os.truncate(home / "state" / "large", 10**12)
    saving = of(home, store, interval_s=0.001)
    with saving.kept():
        while not list(home.parent.glob("checkpoint-*/*")):
            pass
    assert (store.contents, saving.told) == ({}, CheckpointReport())
    assert list(home.parent.iterdir()) == [home], "no archive is left"


def test_the_end_of_the_tasks_does_not_wait_for_a_store_that_does_not_answer(
    home: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_GIVEN_UP_S", 0.01)
    asked, answers, marked = threading.Event(), threading.Event(), list[str]()
    saving, put = of(home, store, interval_s=0.001), store.put

    def late(address: Address, file: Path, stop: Stop) -> str | None:
        asked.set()
        assert answers.wait(60)
        return put(address, file, stop)

    monkeypatch.setattr(store, "put", late)
    monkeypatch.setattr(store, "checkpoint_is_there", marked.append)
    with saving.kept():
        assert asked.wait(60)
        [keeper] = [one for one in threading.enumerate() if one.name == "checkpoints"]
    monkeypatch.setattr(store, "put", put)
    saving.save(Stop())
    answers.set()
    keeper.join(60)
    assert (len(marked), saving.told.saved) == (1, 1), "what comes too late is not the latest"


def test_whenever_a_stop_comes_there_is_a_whole_one_or_none(home: Path, store: Store) -> None:
    for name in ("a", "b"):
        (home / "state" / name).write_bytes(os.urandom(20_000))
    for looks in range(20):
        saving = of(home, store)
        saving.save(StopAfter(looks))
        assert (saving.told, len(store.contents)) == (CheckpointReport(saved=len(store.contents)), bool(store.latest))
        if store.latest:
            break
    assert looks > 5
    other = next_attempt(home)
    assert of(other, store).restore(Stop()) is None
    assert all((other / "state" / name).stat().st_size == 20_000 for name in ("a", "b"))


def test_a_task_knows_that_it_goes_on(home: Path) -> None:
    def told(restarted: bool) -> str | None:
        env = environment.of_task(a_plan(a_planned_task()), 0, "docker", "1", {}, restarted=restarted)
        return env.get("PROMINENCE_RESTART")

    assert (told(True), told(False)) == ("1", None)
