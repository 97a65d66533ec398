"""The process around the rounds: settings and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from prominence.core.errors import Rejected
from prominence.core.settings import load
from prominence.scaler import main
from prominence.scaler.settings import ScalerSettings


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
