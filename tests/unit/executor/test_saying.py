"""What cannot be said is not said, and changes nothing."""

from __future__ import annotations

import sys

import pytest

from prominence.executor.saying import say


def test_what_is_said_is_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    say("a word")
    assert capsys.readouterr().err == "a word\n"


def test_on_a_full_disk_it_is_lost_and_python_does_not_try_again_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stderr", full)
        say("a word")
        say("another one")
        sys.stderr.flush()
        sys.stderr.close()
        with pytest.raises(OSError, match="No space left"):
            full.close()
