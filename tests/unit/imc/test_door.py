"""The door for workers: what it lets through, and how often."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from werkzeug.test import TestResponse

from prominence.core.errors import Forbidden, TooMany, Unavailable
from prominence.imc.admissions import STRANGER, Stranger
from prominence.imc.door import TOKENS, WINDOW_S, WRONG_TRIES, Door, create_door
from prominence.imc.knocks import Knocks
from prominence.imc.ports import Admission

KEY = "k" * 43
SHOWN = {"Authorization": f"Bearer {KEY}"}


@dataclass
class Doorkeeper:
    """In place of Admissions."""

    error: Exception | None = None
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    def admit(self, name: str, key: str, secret: str) -> Admission:
        self.asked.append((name, key, secret))
        if self.error:
            raise self.error
        return Admission(SecretStr("a-token"), 600)


class Subject:
    """The door, and a clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.keeper = Doorkeeper()
        tries, tokens = (Knocks(most, WINDOW_S, lambda: self.now) for most in (WRONG_TRIES, TOKENS))
        door = Door(self.keeper, tries, tokens)  # type: ignore[arg-type]  # it has all that is asked of one
        self.client: FlaskClient = create_door(door).test_client()

    def ask(self, name: str = "w-1", address: str = "10.0.0.1", **more: Any) -> TestResponse:
        given = {"headers": SHOWN, "json": {"secret": "s"}, **more}
        return self.client.post(f"/v1/workers/{name}/token", environ_base={"REMOTE_ADDR": address}, **given)


@pytest.fixture
def subject() -> Subject:
    return Subject()


def test_a_token_is_given_and_kept_by_nobody_between(subject: Subject) -> None:
    answer = subject.ask()
    assert (answer.status_code, answer.json) == (200, {"token": "a-token", "lifetime_s": 600})
    assert answer.headers["Cache-Control"] == "no-store"
    assert subject.keeper.asked == [("w-1", KEY, "s")]


def test_without_a_secret_the_key_is_shown_alone(subject: Subject) -> None:
    assert subject.ask(json={}).status_code == 200
    assert subject.keeper.asked == [("w-1", KEY, "")]


@pytest.mark.parametrize(
    "shown", ["", "Bearer", "Bearer short", f"Basic {KEY}", f"Bearer {KEY} more", "Bearer " + "k" * 999]
)
def test_without_a_key_nobody_is_asked(subject: Subject, shown: str) -> None:
    assert subject.ask(headers={"Authorization": shown}).status_code == 401
    assert subject.keeper.asked == []


@pytest.mark.parametrize("name", ["W", "w.x", "w%0a", "a b", "-w", "x" * 64, "w-1%00"])
def test_what_is_no_name_is_nobodys(subject: Subject, name: str) -> None:
    answer = subject.ask(name)
    assert (answer.status_code, answer.json) == (403, {"error": STRANGER, "reasonCode": "Forbidden"})
    assert subject.keeper.asked == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"s"', b'{"secret": 1}', b"[" * 4000])
def test_a_body_that_is_none_is_refused(subject: Subject, body: bytes) -> None:
    assert subject.ask(json=None, data=body).status_code == 400
    assert subject.keeper.asked == []


def test_a_body_without_end_is_refused(subject: Subject) -> None:
    assert subject.ask(json=None, data=b"x" * 5000).status_code == 413


def test_there_is_nothing_else_behind_the_door(subject: Subject) -> None:
    for path in (
        "/",
        "/health",
        "/v1/workers",
        "/v1/workers/w-1",
        "/v1/clouds",
        "/v1/workers/w-1/token/",
        "/v1/owners/a/tokens",
    ):
        assert subject.client.get(path, headers=SHOWN).status_code in (404, 405)


def test_who_guesses_must_wait_and_nobody_else(subject: Subject) -> None:
    subject.keeper.error = Stranger(STRANGER)
    assert [subject.ask().status_code for _ in range(WRONG_TRIES + 1)] == [403] * WRONG_TRIES + [429]
    subject.keeper.error = None
    refused = subject.ask()
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, str(WINDOW_S))
    assert subject.ask(address="10.0.0.2").status_code == 200
    subject.now = WINDOW_S
    assert subject.ask().status_code == 200


def test_a_secret_that_was_used_counts_as_a_wrong_try(subject: Subject) -> None:
    subject.keeper.error = Forbidden("used")
    assert [subject.ask().status_code for _ in range(WRONG_TRIES + 1)][-1] == 429


def test_trouble_of_ours_counts_as_nobodys_try(subject: Subject) -> None:
    subject.keeper.error = Unavailable("etcd is down")
    assert {subject.ask().status_code for _ in range(WRONG_TRIES + 1)} == {503}


def test_one_worker_gets_so_many_tokens_and_others_theirs(subject: Subject) -> None:
    assert [subject.ask().status_code for _ in range(TOKENS + 1)] == [200] * TOKENS + [429]
    assert subject.ask("w-2").status_code == 200


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 40)), max_size=60))
def test_within_any_window_nobody_has_more_than_their_times(steps: list[tuple[str, int]]) -> None:
    now = 0
    knocks = Knocks(3, 60, lambda: now)
    done: dict[str, list[int]] = {"a": [], "b": []}
    for who, pause in steps:
        now += pause
        try:
            knocks.check(who)
        except TooMany as error:
            assert error.retry_after_s is not None
            assert len([at for at in done[who] if now - at < 60]) >= 1
            continue
        knocks.count(who)
        done[who].append(now)
    # Two windows may meet: at their border twice as many.
    for times in done.values():
        assert all(len([at for at in times if start <= at < start + 60]) <= 6 for start in times)


def test_what_is_remembered_of_strangers_has_an_end() -> None:
    knocks = Knocks(1, 60, lambda: 0)
    for number in range(20_000):
        knocks.count(str(number))
    assert len(knocks._windows) == 10_000
