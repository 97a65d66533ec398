"""A worker's directory: one runs in it at a time, and nothing stays of one that has ended."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from builders_cli import FakeApi, run_command

from prominence.cli.errors import ClientError
from prominence.cli.worker.home import Broken, Home, homes, present, remove_tree, write_secret


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(homes(tmp_path) / "laptop")


def test_it_is_its_users_alone_and_gone_in_the_end(home: Home, tmp_path: Path) -> None:
    with home.held():
        assert stat.S_IMODE(home.root.stat().st_mode) == 0o700
        write_secret(home.token, "a-token")
        assert stat.S_IMODE(home.token.stat().st_mode) == 0o600
        assert present(tmp_path) == [home]
    assert not home.root.exists()
    assert present(tmp_path) == []


def test_two_do_not_run_at_once(home: Home) -> None:
    with home.held():
        home.write_running(cpus=2)
        told = home.read_running()
        assert told is not None and (told["pid"], told["cpus"]) == (os.getpid(), 2)
        with pytest.raises(ClientError, match="worker stop laptop"), Home(home.root).held():
            raise AssertionError("never here")
        assert home.token.parent.is_dir()  # who came second has taken nothing away
    assert home.read_running() is None


def test_what_one_has_left_that_was_killed_is_no_worker_and_is_gone_with_the_next(home: Home) -> None:
    (home.root / "execute" / "dir_1").mkdir(parents=True)
    home.running.write_text(json.dumps({"pid": 1}))
    assert home.read_running() is None
    with home.held():
        assert not (home.root / "execute").exists()


def test_of_a_failure_of_htcondors_the_logs_stay_and_no_secret(home: Home) -> None:
    with pytest.raises(Broken), home.held():
        write_secret(home.token, "a-token")
        (home.log / "StartLog").write_text("ERROR")
        raise Broken("HTCondor has ended.")
    assert (home.log / "StartLog").exists()
    assert not home.token.exists() and home.read_running() is None


def test_of_other_failures_nothing_stays(home: Home) -> None:
    with pytest.raises(ClientError), home.held():
        raise ClientError("The pool does not let this worker in.")
    assert not home.root.exists()


def test_jobs_may_give_their_files_any_mode_and_links_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o500)
    inner = tmp_path / "sandbox" / "inner"
    inner.mkdir(parents=True)
    (inner / "file").touch()
    (inner / "link").symlink_to(outside)
    inner.chmod(0)
    remove_tree(tmp_path / "sandbox")
    assert stat.S_IMODE(outside.stat().st_mode) == 0o500
    assert not inner.parent.exists()
    remove_tree(tmp_path / "sandbox")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x"}', "\x00"])
def test_a_worker_that_has_not_yet_told_of_itself_runs_all_the_same(home: Home, text: str) -> None:
    with home.held():
        home.running.write_text(text)
        assert home.read_running() == {}


def test_where_none_runs_there_is_nothing_to_list_or_stop(tmp_path: Path) -> None:
    environment = {"XDG_STATE_HOME": str(tmp_path)}
    assert run_command(FakeApi(), "worker", "list", environment=environment).stdout.split()[0] == "NAME"
    result = run_command(FakeApi(), "worker", "stop", "laptop", environment=environment)
    assert (result.exit_code, result.stderr) == (125, "prominence: There is no worker 'laptop' here.\n")
    (homes(tmp_path) / "old" / "log").mkdir(parents=True)
    listed = run_command(FakeApi(), "worker", "list", "-o", "json", environment=environment)
    assert json.loads(listed.stdout) == [{"name": "old", "status": "gone, and left logs"}]
    run_command(FakeApi(), "worker", "stop", "old", environment=environment)
    assert present(tmp_path) == []
