"""One JSON object per event, whatever is logged."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from prominence.core import logs, tracing
from prominence.core.errors import Rejected
from prominence.core.reasons import Reason


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("prominence")
    handlers, levels = root.handlers[:], (root.level, ours.level)
    yield
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "log"


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def test_an_event_has_time_level_component_and_its_fields(file: Path) -> None:
    logs.configure("scaler", file)
    logs.get("prominence.scaler.act").info("worker created", worker="worker-1", cpus=4, reason=Reason.QUEUED)
    (line,) = lines(file)
    assert datetime.fromisoformat(line.pop("time")).utcoffset() == timedelta(0)
    assert line == {
        "level": "info",
        "component": "scaler",
        "event": "worker created",
        "worker": "worker-1",
        "cpus": 4,
        "reason": "Queued",
    }


def test_a_traceback_is_a_field_of_its_line(file: Path) -> None:
    logs.configure("imc", file)
    try:
        raise OSError("disk full")
    except OSError:
        logs.get("prominence.imc").exception("round failed", round=3)
    (line,) = lines(file)
    assert (line["level"], line["event"], line["round"]) == ("error", "round failed", 3)
    assert line["traceback"].startswith("Traceback")
    assert line["traceback"].endswith("OSError: disk full")


def test_levels_below_the_wanted_one_are_left_out(file: Path) -> None:
    logs.configure("imc", file, level="warning")
    log = logs.get("prominence.imc")
    log.debug("a")
    log.info("b")
    log.warning("c")
    log.error("d")
    assert [line["event"] for line in lines(file)] == ["c", "d"]
    logs.configure("imc", file, level="DEBUG")
    log.debug("e")
    assert lines(file)[-1]["level"] == "debug"


def test_a_module_started_as_main_is_heard_too(file: Path) -> None:
    logs.configure("imc", file)
    logs.get("__main__").info("started")
    assert [line["event"] for line in lines(file)] == ["started"]


def test_of_other_libraries_only_warnings_are_kept(file: Path) -> None:
    logs.configure("restapi", file, level="DEBUG")
    other = logging.getLogger("some.library")
    other.info("chatter")
    other.warning("%d things", 3)
    assert [line["event"] for line in lines(file)] == ["3 things"]


def test_configuring_again_replaces_the_first(file: Path, tmp_path: Path) -> None:
    logs.configure("restapi", file)
    logs.configure("restapi", tmp_path / "other")
    logs.get("prominence").info("once")
    assert lines(file) == []
    assert len(lines(tmp_path / "other")) == 1


def test_without_a_file_events_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("cli")
    logs.get("prominence").info("hello")
    assert json.loads(capsys.readouterr().err)["event"] == "hello"


def test_a_log_that_cannot_be_is_refused_by_name(file: Path) -> None:
    with pytest.raises(Rejected, match="log/x: the log cannot be written: No such file"):
        logs.configure("imc", file / "x")
    with pytest.raises(Rejected, match="must be one of DEBUG, INFO, WARNING, ERROR, not 'LOUD'"):
        logs.configure("imc", file, level="LOUD")


def test_secrets_are_stars_and_a_percent_sign_is_itself(file: Path) -> None:
    logs.configure("imc", file)
    logs.get("prominence").info("100% of %s", token=SecretStr("hunter2"), path=Path("/a"))
    (line,) = lines(file)
    assert (line["event"], line["token"], line["path"]) == ("100% of %s", "**********", "/a")


def test_a_field_cannot_hide_the_events_own_words(file: Path) -> None:
    logs.configure("imc", file)
    logs.get("prominence").info("real", event="forged", level="none", component="x")
    (line,) = lines(file)
    assert (line["event"], line["level"], line["component"]) == ("real", "info", "imc")
    assert (line["event_"], line["level_"], line["component_"]) == ("forged", "none", "x")


@given(
    st.text(st.characters(codec=None)),
    st.dictionaries(st.text(min_size=1), st.text(st.characters(codec=None)) | st.binary(), max_size=3),
)
def test_whatever_is_logged_is_one_line_of_json(event: str, fields: dict[str, Any]) -> None:
    logger = logging.Logger("prominence.test")
    heard: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: heard.append(logs.JsonLines("test").format(record))  # type: ignore[method-assign]
    logger.addHandler(handler)
    logs.Log(logger).info(event, **fields)
    (line,) = heard
    assert line.isascii() and "\n" not in line
    assert json.loads(line)["event"] == event


def test_a_large_file_is_put_aside_and_the_oldest_dropped(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "SIZE", 1000)
    monkeypatch.setattr(logs, "KEPT", 2)
    logs.configure("imc", file)
    for number in range(50):
        logs.get("prominence").info("tick", number=number)
    old = [file.with_name("log.2"), file.with_name("log.1"), file]
    numbers = [line["number"] for part in old for line in lines(part)]
    assert numbers == list(range(numbers[0], 50))
    assert numbers[0] > 0
    assert all(part.stat().st_size <= 1000 for part in old)
    assert not file.with_name("log.3").exists()


def test_processes_that_share_a_file_follow_the_one_that_puts_it_aside(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "SIZE", 100)
    # Handlers that know nothing of each other, as those of several processes do.
    one, two = logs.SharedFile(file), logs.SharedFile(file)
    write(one, "a" * 60)
    write(one, "b" * 60)
    write(two, "c")
    write(one, "d")
    assert file.with_name("log.1").read_text().split() == ["a" * 60]
    assert file.read_text().split() == ["b" * 60, "c", "d"]
    one.close()
    two.close()


def test_a_file_that_two_processes_find_too_large_is_put_aside_once(file: Path) -> None:
    one, two = logs.SharedFile(file), logs.SharedFile(file)
    write(one, "a")
    one.doRollover()
    two.doRollover()
    write(two, "b")
    assert file.with_name("log.1").read_text().split() == ["a"]
    assert file.read_text().split() == ["b"]
    one.close()
    two.close()


def write(handler: logging.Handler, text: str) -> None:
    handler.emit(logging.makeLogRecord({"msg": text}))


def test_a_disk_that_is_full_does_not_stop_who_logs(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("test", Path("/dev/full"))
    logs.get(__name__).info("lost")
    assert "No space left" in capsys.readouterr().err
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logs.SharedFile):
            with pytest.raises(OSError, match="No space left"):  # what is left cannot be written either
                handler.close()


def test_a_log_that_cannot_be_opened_anew_is_written_again_as_soon_as_it_can(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    logs.configure("test", folder / "file")
    folder.rename(tmp_path / "put aside")
    logs.get(__name__).info("lost")
    logs.get(__name__).info("lost as well")
    assert "No such file" in capsys.readouterr().err
    folder.mkdir()
    logs.get(__name__).info("kept")
    assert [line["event"] for line in lines(folder / "file")] == ["kept"]


def test_a_line_has_the_id_of_the_request_that_it_belongs_to(file: Path) -> None:
    logs.configure("restapi", file)
    log = logs.get("prominence.restapi.app")
    with tracing.during("r-1"):
        log.info("job submitted", job=1)
        log.info("asked", request="what somebody said")
    log.info("stopped")
    assert [(line.get("request"), line.get("request_")) for line in lines(file)] == [
        ("r-1", None),
        ("r-1", "what somebody said"),
        (None, None),
    ]
