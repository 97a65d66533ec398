"""What every Mailer promises: in memory, and by SMTP to a real mail server."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from builders import NOON
from builders_mail import ALICES, SENDER, URL
from builders_restapi import an_ad
from certificates import a_certificate
from hypothesis import given
from hypothesis import strategies as st
from mail_server import PASSWORD, USERNAME, MailServer, running
from pydantic import SecretStr

from prominence.core import classads
from prominence.core.errors import ProminenceError, Unavailable
from prominence.core.states import JobStatus
from prominence.core.view import view
from prominence.restapi.adapters.memory import MemoryMailer
from prominence.restapi.adapters.smtp import SmtpMailer
from prominence.restapi.mail.message import message
from prominence.restapi.mail_settings import MailSettings
from prominence.restapi.ports import Deferred, Mailer, Undeliverable

BOBS = "bob@example.org"


def a_message(to: str = ALICES, name: str = "fit") -> Any:
    ad = an_ad(JobStatus.COMPLETED, **{classads.EXIT_CODE: 0, classads.JOB_NAME: name})
    return message(ad, view(ad, None, None), SENDER, to, URL, NOON)


def by_smtp(server: MailServer, password: str | None = None, **settings: Any) -> SmtpMailer:
    usual = {"host": server.host, "port": server.port, "sender": SENDER, "security": "none", "timeout_s": 10}
    return SmtpMailer(MailSettings(**{**usual, **settings}), SecretStr(password) if password else None)


class Brought(Protocol):
    """A mailer, and what became of its messages."""

    mailer: Mailer

    def refuse(self, address: str, for_ever: bool) -> None:
        """From now on this recipient is refused."""

    @property
    def arrived(self) -> list[tuple[str, str]]:
        """Recipients and subjects."""


class InMemory:
    def __init__(self) -> None:
        self.memory = MemoryMailer()
        self.mailer: Mailer = self.memory

    def refuse(self, address: str, for_ever: bool) -> None:
        self.memory.fails[address] = Undeliverable("550") if for_ever else Deferred("451")

    @property
    def arrived(self) -> list[tuple[str, str]]:
        return [(str(one["To"]), str(one["Subject"])) for one in self.memory.sent]


class BySmtp:
    def __init__(self, server: MailServer) -> None:
        self.server = server
        self.mailer: Mailer = by_smtp(server)

    def refuse(self, address: str, for_ever: bool) -> None:
        self.server.answers[address] = f"550 5.1.1 no {address}" if for_ever else "451 4.7.1 greylisted"

    @property
    def arrived(self) -> list[tuple[str, str]]:
        return [(one.recipients[0], str(one.message["Subject"])) for one in self.server.delivered]


@pytest.fixture
def server() -> Iterator[MailServer]:
    with running() as one:
        yield one


@pytest.fixture(params=["memory", "smtp"])
def brought(request: pytest.FixtureRequest) -> Iterator[Brought]:
    if request.param == "memory":
        yield InMemory()
    else:
        by = BySmtp(request.getfixturevalue("server"))
        yield by
        by.mailer.close()


class TestMailer:
    def test_a_message_is_brought_to_its_recipient(self, brought: Brought) -> None:
        brought.mailer.send(a_message())
        brought.mailer.close()
        brought.mailer.send(a_message(BOBS))
        assert brought.arrived == [(ALICES, "Job 1 (fit): completed"), (BOBS, "Job 1 (fit): completed")]

    @pytest.mark.parametrize(("for_ever", "error"), [(True, Undeliverable), (False, Deferred)])
    def test_a_recipient_who_is_refused_keeps_off_nobody_else(
        self, brought: Brought, for_ever: bool, error: type[ProminenceError]
    ) -> None:
        brought.refuse(ALICES, for_ever)
        with pytest.raises(error) as refused:
            brought.mailer.send(a_message())
        assert ALICES not in str(refused.value)
        brought.mailer.send(a_message(BOBS))
        assert [to for to, _ in brought.arrived] == [BOBS]


class TestSmtp:
    def test_messages_that_follow_each_other_take_one_connection(self, server: MailServer) -> None:
        mailer = by_smtp(server)
        for _ in range(3):
            mailer.send(a_message())
        mailer.close()
        mailer.send(a_message())
        mailer.close()
        assert (len(server.delivered), server.connections) == (4, 2)

    def test_the_envelope_is_from_the_service_to_the_user_alone(self, server: MailServer) -> None:
        mailer = by_smtp(server)
        mailer.send(a_message(name="x\r\nBcc: eve@example.org\r\n.\r\nMAIL FROM:<eve@example.org>"))
        mailer.close()
        [one] = server.delivered
        assert (one.sender, one.recipients) == (SENDER, (ALICES,))
        assert one.message["Bcc"] is None

    @given(st.text())
    def test_whatever_a_job_is_called_its_message_arrives_as_it_was_made(self, name: str) -> None:
        with running() as server:
            made = a_message(name=name)
            mailer = by_smtp(server)
            mailer.send(made)
            mailer.close()
            [one] = server.delivered
            assert one.message["Subject"] == made["Subject"]
            assert one.message.get_content().splitlines() == made.get_content().splitlines()

    @pytest.mark.parametrize(
        ("answers", "error"),
        [
            ({"DATA": "554 5.7.1 spam"}, Undeliverable),
            ({"DATA": "452 4.3.1 full"}, Deferred),
            ({"DATA": "421 4.3.0 closing"}, Unavailable),
            ({ALICES: "421 4.3.0 closing"}, Unavailable),
            ({"MAIL": "550 5.7.1 not you"}, Unavailable),
            ({"MAIL": "451 4.3.0 not now"}, Unavailable),
        ],
        ids=str,
    )
    def test_a_refusal_is_of_the_message_or_of_us(
        self, answers: dict[str, str], error: type[ProminenceError], server: MailServer
    ) -> None:
        server.answers.update(answers)
        mailer = by_smtp(server)
        with pytest.raises(error) as refused:
            mailer.send(a_message())
        assert type(refused.value) is error
        assert not {"spam", "full", "closing", "not you"} & set(str(refused.value).split())
        server.answers.clear()
        mailer.send(a_message())
        mailer.close()
        assert len(server.delivered) == 1

    def test_a_server_that_is_away_is_used_when_it_is_back(self, server: MailServer) -> None:
        mailer = by_smtp(server)
        mailer.send(a_message())
        server.stop()
        for _ in range(2):
            with pytest.raises(Unavailable):
                mailer.send(a_message())
        server.start()
        mailer.send(a_message())
        mailer.close()
        assert len(server.delivered) == 2

    def test_one_that_says_nothing_is_not_waited_for_longer_than_it_may_take(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            dumb = MailServer(port=silent.getsockname()[1])
            with pytest.raises(Unavailable, match="cannot be used"):
                by_smtp(dumb, timeout_s=0.2).send(a_message())


class TestEncrypted:
    @pytest.fixture(params=["starttls", "tls"])
    def security(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.mark.filterwarnings("ignore:Requiring AUTH")  # which does not know that "tls" is encrypted before it begins
    def test_it_logs_in_over_an_encrypted_connection(self, security: str, tmp_path: Path) -> None:
        certificate = a_certificate(tmp_path)
        with running(certificate=certificate, begins=security == "tls", login=True) as server:
            login = {"username": USERNAME, "password_file": tmp_path / "password"}
            mailer = by_smtp(server, PASSWORD, security=security, ca_file=certificate, **login)
            mailer.send(a_message())
            mailer.close()
            [one] = server.delivered
            assert (one.encrypted or security == "tls", one.logged_in) == (True, True)

            with pytest.raises(Unavailable, match="535") as refused:
                by_smtp(server, "wrong", security=security, ca_file=certificate, **login).send(a_message())
            assert "wrong" not in repr(refused.value.__cause__)

    def test_a_server_that_nobody_vouches_for_gets_nothing(self, security: str, tmp_path: Path) -> None:
        with running(certificate=a_certificate(tmp_path), begins=security == "tls") as server:
            with pytest.raises(Unavailable, match="SSLCertVerificationError"):
                by_smtp(server, security=security).send(a_message())
            assert server.delivered == []

    def test_nothing_is_sent_in_the_clear_where_that_is_not_allowed(self, server: MailServer) -> None:
        with pytest.raises(Unavailable, match="SMTPNotSupportedError"):
            by_smtp(server, security="starttls").send(a_message())
        assert server.delivered == []
