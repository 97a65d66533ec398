"""A real mail server for tests (aiosmtpd), in a thread of its own. It keeps what it is given, or refuses as told."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from patience import PATIENCE

USERNAME, PASSWORD = "prominence", "correct horse battery staple"


@dataclass(frozen=True)
class Delivered:
    """As it came: from whom and to whom by the envelope, and what is in it."""

    sender: str
    recipients: tuple[str, ...]
    message: EmailMessage
    encrypted: bool
    logged_in: bool


@dataclass
class MailServer:
    """On an address of this machine.

    answers: what it says of a recipient, to "MAIL" or to "DATA", in place of "250 OK".
    certificate: a PEM file with a certificate and its key. begins: encrypted from the first byte. login: is asked for.
    meanwhile: what happens when it has a message and has not said so yet.
    """

    host: str = "127.0.0.1"
    port: int = 0
    certificate: Path | None = None
    begins: bool = False
    login: bool = False
    answers: dict[str, str] = field(default_factory=dict)
    delivered: list[Delivered] = field(default_factory=list)
    connections: int = 0
    meanwhile: Callable[[], object] = lambda: None
    arrived: threading.Condition = field(default_factory=threading.Condition)
    _controller: Controller | None = None

    def __post_init__(self) -> None:
        if self.port == 0:
            with socket.create_server((self.host, 0)) as free:
                self.port = free.getsockname()[1]

    def start(self) -> None:
        context = None
        if self.certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
        options: dict[str, Any] = {"ssl_context": context} if self.begins else {"tls_context": context}
        if self.login:
            options |= {"authenticator": _login, "auth_required": True, "auth_require_tls": not self.begins}
        self._controller = Controller(self, hostname=self.host, port=self.port, ready_timeout=30, **options)
        self._controller.start()

    def stop(self) -> None:
        controller, self._controller = self._controller, None
        if controller is not None:
            controller.stop()

    def wait(self, count: int, timeout_s: float = 60) -> list[Delivered]:
        """What has come, once it is so many."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.delivered) >= count, timeout_s * PATIENCE), self.delivered
            return list(self.delivered)

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        self.connections += 0 if session.host_name else 1
        session.host_name = hostname
        return responses

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address not in self.answers:
            envelope.rcpt_tos.append(address)
        return self.answers.get(address, "250 OK")

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        return self.answers.get("MAIL", "250 OK")

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if "DATA" in self.answers:
            return self.answers["DATA"]
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=default)
        assert isinstance(message, EmailMessage)
        recipients = tuple(str(one) for one in envelope.rcpt_tos)
        one = Delivered(str(envelope.mail_from), recipients, message, session.ssl is not None, session.authenticated)
        self.meanwhile()
        with self.arrived:
            self.delivered.append(one)
            self.arrived.notify_all()
        return "250 OK"


@contextmanager
def running(**options: Any) -> Iterator[MailServer]:
    """A server, until the end."""
    server = MailServer(**options)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _login(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    known = isinstance(data, LoginPassword) and data == LoginPassword(USERNAME.encode(), PASSWORD.encode())
    return AuthResult(success=known, handled=False)
