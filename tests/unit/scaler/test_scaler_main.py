"""The process around the rounds: settings, signals, failures."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from prominence.core.errors import Rejected, Unavailable
from prominence.core.settings import load
from prominence.scaler import main
from prominence.scaler.settings import ScalerSettings


class Rounds:
    """Rounds that end as told; the last one stops the loop."""

    def __init__(self, *outcomes: Exception | None) -> None:
        self.stop = threading.Event()
        self.pauses: list[float] = []
        self._outcomes = list(outcomes)
        self.stop.wait = self._waited  # type: ignore[method-assign, assignment]

    def __call__(self) -> None:
        outcome = self._outcomes.pop(0)
        if not self._outcomes:
            self.stop.set()
        if outcome:
            raise outcome

    def _waited(self, timeout: float) -> bool:
        self.pauses.append(round(timeout))
        return self.stop.is_set()


def looped(rounds: Rounds, interval_s: float = 2) -> list[float]:
    """The pauses after each round."""
    assert main._loop(rounds, rounds.stop, interval_s) == 0
    return rounds.pauses


def test_rounds_follow_each_other_at_the_interval() -> None:
    assert looped(Rounds(None, None, None)) == [2, 2, 2]


def test_pauses_grow_while_rounds_fail_and_shrink_again() -> None:
    away = Unavailable("etcd is away")
    assert looped(Rounds(None, away, away, away, away, None, away)) == [2, 2, 4, 8, 10, 2, 2]


def test_a_failure_that_lasts_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    away, still = Unavailable("etcd is away"), Unavailable("there is no etcd")
    looped(Rounds(away, still, away, None, away))
    warning = "this round was not finished, the next is tried soon"
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [warning] * 2


def test_a_mistake_of_ours_is_logged_with_its_traceback_and_outlived(caplog: pytest.LogCaptureFixture) -> None:
    assert len(looped(Rounds(KeyError("oops"), None))) == 2
    (error,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert error.exc_info


def settings(tmp_path: Path, text: str = "") -> Path:
    token = tmp_path / "imc.token"
    token.write_text("secret\n")
    file = tmp_path / "scaler.toml"
    file.write_text(f'{text}\n[imc]\nurl = "http://imc:9700"\ntoken_file = "{token}"\n')
    return file


def test_the_settings_in_force_are_shown_with_where_they_come_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMINENCE_SCALER_POLICY__MAX_WORKERS", "3")
    file = settings(tmp_path, "interval_s = 1")
    assert main.main(["--config", str(file), "--show-settings"]) == 0
    shown = {line.split()[0]: line.split("#")[1].strip() for line in capsys.readouterr().out.splitlines()}
    assert shown["interval_s"] == str(file)
    assert shown["policy.max_workers"] == "PROMINENCE_SCALER_POLICY__MAX_WORKERS"
    assert shown["policy.idle_time_s"] == "default"


def test_all_mistakes_in_the_settings_are_told_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "scaler.toml"
    file.write_text("interval_s = 0\nspeed = 9\n[policy]\nmax_workers = -1\n")
    assert main.main(["--config", str(file)]) == 2
    told = capsys.readouterr().err
    for path in ("interval_s", "speed", "policy.max_workers", "imc"):
        assert path in told


def test_a_token_that_cannot_be_read_is_a_mistake_in_the_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = settings(tmp_path)
    (tmp_path / "imc.token").unlink()
    assert main.main(["--config", str(file)]) == 2
    assert "imc.token_file" in capsys.readouterr().err


def test_a_lease_shorter_than_a_round_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="leader_ttl_s must be longer than interval_s"):
        load(ScalerSettings, "scaler", settings(tmp_path, "interval_s = 20"), environment={})


def test_a_log_that_cannot_be_written_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = settings(tmp_path, f'log_file = "{tmp_path}/nowhere/scaler.log"')
    assert main.main(["--config", str(file)]) == 2
    assert "the log cannot be written" in capsys.readouterr().err
