"""Users are told once that their jobs have ended, and about nothing else."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from builders import NOON, a_task
from builders_mail import ALICES, BY_EMAIL, an_office
from builders_restapi import ALICE, a_report, an_api

from prominence.core import classads
from prominence.core.errors import Unavailable
from prominence.core.keyvalue.memory import MemoryKeyValue
from prominence.core.logs import JsonLines
from prominence.core.report import Outcome
from prominence.core.states import HoldCode, JobStatus
from prominence.core.verdict import DELETED_BY_OPERATOR
from prominence.restapi.adapters.memory import MemoryIdentities
from prominence.restapi.mail import outbox
from prominence.restapi.mail.addresses import verified
from prominence.restapi.mail.letters import Letter
from prominence.restapi.outbox.rules import LONGEST_PAUSE_S, pause_s
from prominence.restapi.ports import Deferred, Undeliverable
from prominence.restapi.selection import Selection

EVE = "eve@example.org"


@pytest.fixture
def log() -> Iterator[list[str]]:
    """All that is logged, as it is written."""
    lines: list[str] = []

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    handler, logger = Lines(), logging.getLogger("prominence")
    handler.setFormatter(JsonLines("test"))
    logger.addHandler(handler)
    before = logger.level
    logger.setLevel("DEBUG")
    yield lines
    logger.setLevel(before)
    logger.removeHandler(handler)


class TestToWhom:
    def test_a_message_goes_to_the_address_that_the_login_tells(self) -> None:
        office = an_office()
        office.api.finish(office.submit(name="fit"))
        assert office.round() == ["Job 1 (fit): completed"]
        assert [str(one["To"]) for one in office.mailer.sent] == [ALICES]

    def test_the_address_that_the_operator_names_comes_first(self) -> None:
        office = an_office({"alice": "other@example.org"})
        office.api.finish(office.submit())
        office.round()
        assert [str(one["To"]) for one in office.mailer.sent] == ["other@example.org"]

    def test_who_has_no_address_cannot_ask_to_be_told(self) -> None:
        api = an_office().api.as_user("bob")
        answer = api.call("POST", "/jobs", json={"tasks": [a_task()], "resources": {}, "notifications": BY_EMAIL})
        assert (answer.status_code, answer.json["error"]) == (
            400,
            "notifications: no email address of yours is known here: your login tells none that has been verified, "
            "and the operator of this service has named none for you",
        )
        assert api.services.queue.find(Selection()) == []
        assert api.submit(notifications=[]) == 1

    def test_without_a_mail_server_nobody_can(self) -> None:
        api = an_api(identities=MemoryIdentities({"token-of-alice": replace(ALICE, email=ALICES)}))
        answer = api.call("POST", "/jobs", json={"tasks": [a_task()], "resources": {}, "notifications": BY_EMAIL})
        assert (answer.status_code, answer.json["error"]) == (
            400,
            "notifications: this service has no mail server to send messages by; leave them out",
        )

    def test_a_job_of_whose_user_no_note_can_be_taken_is_not_queued(self) -> None:
        api = an_office().api
        api.store.unavailable = "It does not answer."
        answer = api.call("POST", "/jobs", json={"tasks": [a_task()], "resources": {}, "notifications": BY_EMAIL})
        assert answer.status_code == 503
        assert (api.services.queue.find(Selection()), api.sandboxes.files) == ([], {})
        assert api.submit() == 1

    @pytest.mark.parametrize(
        ("claims", "address"),
        [
            ({"email": ALICES}, ALICES),
            ({"email": ALICES, "email_verified": True}, ALICES),
            ({"email": ALICES, "email_verified": "true"}, ALICES),
            ({"email": ALICES, "email_verified": False}, ""),
            ({"email": ALICES, "email_verified": "false"}, ""),
            ({"email": ALICES, "email_verified": None}, ""),
            ({"email": ALICES, "email_verified": []}, ""),
            ({"email": f"{ALICES}\r\nBcc: {EVE}"}, ""),
            ({"email": f"{ALICES}, {EVE}"}, ""),
            ({"email": [ALICES]}, ""),
            ({}, ""),
        ],
    )
    def test_an_address_counts_that_the_provider_vouches_for(self, claims: dict[str, Any], address: str) -> None:
        assert verified(claims) == address

    def test_a_token_for_scripts_has_the_address_of_its_maker_and_one_of_a_service_has_none(self) -> None:
        api = an_office().api
        made = api.call("POST", "/tokens", json={}).json
        assert made is not None and ALICES not in str(made)
        [record] = kept_tokens(api.store)
        assert record.count(ALICES) == 1
        assert ALICES not in str(api.get("/tokens"))


def kept_tokens(store: MemoryKeyValue) -> list[str]:
    """The records of tokens, as they are kept."""
    return [entry.value.decode() for entry in store.list("/prominence/tokens/issued/")]


class TestOfWhat:
    def test_a_job_that_did_not_ask_tells_nobody(self) -> None:
        office = an_office()
        office.api.finish(office.api.submit())
        assert office.round() == []

    def test_a_job_that_has_not_ended_tells_nobody_yet(self) -> None:
        office = an_office()
        job = office.submit()
        assert office.round() == []
        office.api.run(job)
        assert office.round() == []
        office.api.finish(job)
        assert office.round() == ["Job 1: completed"]

    def test_how_it_ended_is_told(self) -> None:
        office = an_office()
        office.api.finish(office.submit(), a_report(Outcome.OUT_OF_TIME), exit_code=1)
        office.api.finish(office.submit(), a_report(Outcome.TASK_FAILED), exit_code=3)
        assert sorted(office.round()) == ["Job 1: killed", "Job 2: failed"]

    def test_who_deletes_a_job_need_not_be_told_but_its_user_is_when_an_operator_does(self) -> None:
        office = an_office()
        own, others = office.submit(), office.submit()
        assert office.api.call("DELETE", f"/jobs/{own}").status_code == 200
        office.api.queue.leave(others, JobStatus.REMOVED, RemoveReason=DELETED_BY_OPERATOR)
        assert office.round() == ["Job 2: deleted"]
        assert outbox.LETTERS.all(office.api.store) == {}

    def test_a_job_that_stays_in_the_queue_after_its_end_is_told_of_at_its_end_and_not_again(self) -> None:
        office = an_office()
        job = office.submit(policies={"leaveInQueue": True})
        ended = {classads.FINISHED_AT: int(office.api.clock.now().timestamp()), classads.EXIT_CODE: 0}
        office.api.queue.change(job, JobStatus.COMPLETED, **ended)
        assert office.round() == ["Job 1: completed"]
        office.api.finish(job)
        assert office.round() == []

    def test_a_job_that_is_held_by_hand_goes_on_and_one_that_broke_does_not(self) -> None:
        office = an_office()
        by_hand, broken = office.submit(), office.submit()
        for job, code in ((by_hand, HoldCode.BY_HAND), (broken, HoldCode.OUT_OF_RESOURCES)):
            office.api.queue.change(job, JobStatus.HELD, HoldReasonCode=int(code), HoldReason="memory")
        assert office.round() == ["Job 2: killed"]

    def test_a_clone_tells_of_itself(self) -> None:
        office = an_office()
        job = office.submit()
        assert office.api.describe(job)["notifications"] == BY_EMAIL
        copy = office.api.call("PUT", f"/jobs/{job}/clone").json
        assert copy is not None and office.api.describe(copy["id"])["notifications"] == BY_EMAIL
        for one in (job, copy["id"]):
            office.api.finish(one)
        assert sorted(office.round()) == ["Job 1: completed", "Job 2: completed"]


class TestOnce:
    def test_after_a_restart_it_is_not_told_again(self) -> None:
        office = an_office()
        office.api.finish(office.submit())
        assert len(office.round()) == 1
        office.restart()
        assert office.round() == []

    def test_an_archive_that_has_forgotten_it_and_finds_it_again_tells_nobody(self) -> None:
        office = an_office()
        office.api.finish(office.submit())
        assert len(office.round()) == 1
        left, office.api.queue.left = office.api.queue.left, []
        assert office.round() == []
        office.api.queue.left = left
        office.restart()
        assert office.round() == []

    def test_a_crash_between_the_message_and_its_note_sends_the_same_message_again(self) -> None:
        office = an_office()
        office.api.finish(office.submit())
        letters = office.api.store.list("/prominence/mail/letters/")
        assert len(office.round()) == 1
        [letter] = letters
        office.api.store.put_if(letter.key, letter.value, None)
        office.restart()
        assert len(office.round()) == 1
        assert len({str(one["Message-ID"]) for one in office.mailer.sent}) == 1

    def test_a_store_that_cannot_take_the_note_makes_no_second_message(self) -> None:
        office = an_office()
        office.api.finish(office.submit())
        office.postman.services = replace(office.api.services, store=Forgetful(office.api.store))
        assert len(office.round()) == 1
        assert office.round() == []
        office.postman.services = office.api.services
        assert office.round() == []
        assert outbox.LETTERS.all(office.api.store) == {}

    def test_a_job_that_is_in_the_queue_and_in_the_archive_is_told_of_once(self) -> None:
        office = an_office()
        office.api.finish(office.submit())
        [ad] = office.api.queue.left
        office.api.queue._queue[1] = ad
        assert len(office.round()) == 1

    def test_of_what_ended_long_ago_nobody_is_told_any_more(self, log: list[str]) -> None:
        office = an_office()
        office.mailer.unavailable = "It is away."
        office.api.finish(office.submit())
        assert office.round() == []
        office.mailer.unavailable = ""
        assert office.round(seconds=24 * 3600) == []
        assert outbox.LETTERS.all(office.api.store) == {}
        assert any("the job ended too long ago" in line for line in log)


class Forgetful(MemoryKeyValue):
    """A store of which what is to be deleted is not."""

    def __init__(self, other: MemoryKeyValue) -> None:
        super().__init__()
        self._other = other
        self.get, self.list, self.put_if = other.get, other.list, other.put_if  # type: ignore[method-assign]

    def delete_if(self, key: str, expected: int | None) -> None:
        raise Unavailable("It does not answer.")


class TestTrouble:
    def test_while_the_server_is_away_the_pauses_grow_and_then_it_is_told(self) -> None:
        office = an_office()
        office.api.finish(office.submit())
        office.mailer.unavailable = "It is away."
        assert [office.postman.round() for _ in range(7)] == [20, 40, 80, 160, 300, 300, 300]
        office.mailer.unavailable = ""
        assert office.postman.round() == 10
        assert len(office.mailer.sent) == 1

    def test_a_recipient_who_is_refused_for_ever_is_given_up_and_the_others_are_told(self, log: list[str]) -> None:
        office = an_office({"bob": EVE})
        office.api.finish(office.submit())
        office.api.finish(office.api.as_user("bob").submit(notifications=BY_EMAIL, name="bobs"))
        office.mailer.fails[ALICES] = Undeliverable("The mail server does not take the recipient: 550.")
        assert office.round() == ["Job 2 (bobs): completed"]
        assert outbox.LETTERS.all(office.api.store) == {}
        assert any("refused for ever" in line and "550" in line for line in log)

    def test_one_that_is_not_taken_yet_is_tried_again_later_and_later_and_holds_up_nobody(self) -> None:
        office = an_office({"bob": EVE})
        office.api.finish(office.submit(name="alices"))
        office.mailer.fails[ALICES] = Deferred("The mail server does not take the recipient: 451.")
        office.api.finish(office.api.as_user("bob").submit(notifications=BY_EMAIL, name="bobs"))
        assert office.round() == ["Job 2 (bobs): completed"]
        office.mailer.fails.clear()
        assert office.round(seconds=9) == []
        assert office.round(seconds=1) == ["Job 1 (alices): completed"]

    def test_a_mistake_of_ours_with_one_holds_up_nobody_and_is_in_the_log(self, log: list[str]) -> None:
        office = an_office({"bob": "bob@example.org"})
        office.mailer.fails[ALICES] = ValueError(f"what is {ALICES} to be?")
        for user in ("alice", "bob"):
            api = office.api.as_user(user)
            api.finish(api.submit(name=user, notifications=BY_EMAIL))
        assert office.round() == ["Job 2 (bob): completed"]
        assert any("by a mistake of ours" in line and "ValueError" in line for line in log)
        assert not any(ALICES in line for line in log)
        assert office.round(1) == [], "it is left alone for a while"
        office.mailer.fails.clear()
        assert office.round() == ["Job 1 (alice): completed"]

    def test_a_letter_that_cannot_be_read_is_left_and_told_of_once(self, log: list[str]) -> None:
        office = an_office()
        office.api.finish(office.submit(name="fit"))
        later = outbox.LETTERS.place + "0.later"
        office.api.store.put_if(later, b'{"to": "a form of later"}', expected=None)
        assert office.round() == ["Job 1 (fit): completed"]
        assert office.round() == []
        assert len([line for line in log if "cannot be read" in line and later in line]) == 1
        assert office.api.store.get(later) is not None

    def test_when_it_is_to_end_it_ends_between_two_messages(self) -> None:
        office = an_office()
        for _ in range(3):
            office.api.finish(office.submit())
        office.postman.round(stopped=lambda: len(office.mailer.sent) == 2)
        assert (len(office.mailer.sent), len(outbox.LETTERS.all(office.api.store))) == (2, 1)

    def test_an_address_is_in_no_log_no_ad_and_no_file_of_the_job(self, log: list[str]) -> None:
        office = an_office()
        office.api.finish(office.submit())
        office.api.finish(office.submit())
        office.mailer.fails[ALICES] = Deferred("The mail server does not take the recipient: 451.")
        office.round()
        office.mailer.fails[ALICES] = Undeliverable("The mail server does not take the recipient: 550.")
        office.round()
        office.mailer.unavailable = "It is away."
        office.submit()
        office.round()
        assert len(log) > 6
        everything = [*log, *map(str, office.api.queue.left), str(office.api.queue.find(Selection()))]
        everything += [content.decode() for files in office.api.sandboxes.files.values() for content in files.values()]
        assert [text for text in everything if ALICES in text or "alice@" in text] == []
        assert ALICES not in repr((Letter(address=ALICES, made_at=NOON), replace(ALICE, email=ALICES)))

    def test_pauses_grow_up_to_a_limit(self) -> None:
        assert [pause_s(failures, 10) for failures in (0, 1, 2, 5, 10_000)] == [10, 20, 40, 300, LONGEST_PAUSE_S]
        assert pause_s(3, 3600) == 3600
