"""How a worker gets its token: the program in its image, without imc."""

from __future__ import annotations

import http.client
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from joining_worker import JoiningWorker
from pydantic import SecretStr

from prominence.core.bootstrap import Invitation

INVITATION = Invitation(url="http://nowhere", secret=SecretStr("s"))


def _fail(error: Exception, *_: object, **__: object) -> None:
    raise error


def test_while_nobody_answers_it_waits_ever_longer(tmp_path: Path) -> None:
    worker = JoiningWorker(tmp_path, INVITATION)
    worker.program.asked = partial(_fail, worker.program.Failed("connection refused"))
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        worker.join(pause)
    assert pauses == [2, 4, 8, 16, 32, 60, 60, 60]
    assert "secret" in worker.told()


def test_the_token_is_renewed_at_half_of_its_time_until_it_is_refused(tmp_path: Path) -> None:
    worker = JoiningWorker(tmp_path, INVITATION)
    answers: list[Any] = [{"token": "one", "lifetime_s": 100}, {"token": "two", "lifetime_s": 40}]
    pauses: list[float] = []

    def ask(invitation: dict[str, str], key: str) -> Any:
        if not answers:
            raise worker.program.Refused("403 not wanted")
        return answers.pop(0)

    worker.program.renew({"url": "", "worker": "worker-1"}, "key", 600, ask, pauses.append)
    assert pauses == [300, 50, 20]
    assert worker.token.read_text() == "two\n"


@pytest.mark.parametrize("error", [http.client.BadStatusLine("?"), http.client.IncompleteRead(b""), OSError("reset")])
def test_an_answer_that_breaks_off_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    worker = JoiningWorker(tmp_path, INVITATION)
    broken = SimpleNamespace(open=partial(_fail, error))
    monkeypatch.setattr(worker.program.urllib.request, "build_opener", lambda *_: broken)
    with pytest.raises(worker.program.Failed):
        worker.program.asked({"url": "http://nowhere", "worker": "w"}, "key")


def test_a_disk_that_takes_no_token_is_tried_again(tmp_path: Path) -> None:
    worker = JoiningWorker(tmp_path, INVITATION)
    worker.program.asked = lambda *_: {"token": "one", "lifetime_s": 100}
    worker.program.TOKEN = tmp_path / "tokens.d" / "pool"
    assert worker.join(lambda seconds: (tmp_path / "tokens.d").mkdir()) == 100
    assert worker.program.TOKEN.read_text() == "one\n"
    assert "secret" not in worker.told()


@pytest.mark.parametrize(
    "answer", [None, [], "token", {}, {"token": 1, "lifetime_s": 1}, {"token": "a\nb", "lifetime_s": 1}]
)
def test_an_answer_that_is_none_takes_no_tokens_place(tmp_path: Path, answer: object) -> None:
    worker = JoiningWorker(tmp_path, INVITATION)
    worker.token.write_text("good\n")
    with pytest.raises(worker.program.Failed):
        worker.program.take(answer)
    assert worker.token.read_text() == "good\n"


def test_where_imc_has_written_the_token_nothing_is_asked(tmp_path: Path) -> None:
    worker = JoiningWorker(tmp_path, INVITATION)
    worker.invitation.unlink()
    worker.program.main()
    assert not worker.key.exists()
