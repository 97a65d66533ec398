"""Mailer by SMTP, with one connection for messages that follow each other."""

from __future__ import annotations

import smtplib
import ssl
from contextlib import ExitStack, suppress
from email.message import EmailMessage
from typing import Literal

from pydantic import SecretStr

from prominence.core.errors import Unavailable
from prominence.restapi.mail_settings import MailSettings
from prominence.restapi.ports import Deferred, Undeliverable

_CLOSING = 421
_FOR_EVER = 500
"""Codes from here on are the server's last word."""


class SmtpMailer:
    """Of a server's answers the codes are told, not the texts: those name the recipient."""

    def __init__(self, settings: MailSettings, password: SecretStr | None) -> None:
        self._settings, self._password = settings, password
        self._connection: smtplib.SMTP | None = None

    def send(self, message: EmailMessage) -> None:
        try:
            if self._connection is None:
                self._connection = self._connected()
            self._connection.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            [(code, _)] = error.recipients.values()
            self._not_accepted(code, "the recipient", error)
        except smtplib.SMTPDataError as error:
            self._not_accepted(error.smtp_code, "the message", error)
        except smtplib.SMTPResponseException as error:  # of the login, the sender: nothing can be sent as we are
            self.close()
            raise Unavailable(f"The mail server answers {error.smtp_code} ({type(error).__name__}).") from error
        except (smtplib.SMTPException, OSError) as error:
            self.close()
            raise Unavailable(f"The mail server cannot be used: {type(error).__name__}.") from error

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(smtplib.SMTPException, OSError):
                connection.quit()
            connection.close()

    def _connected(self) -> smtplib.SMTP:
        settings = self._settings
        context = ssl.create_default_context(cafile=settings.ca_file) if settings.security != "none" else None
        connection = _opened(settings.host, settings.port_in_use, settings.security, settings.timeout_s, context)
        with ExitStack() as if_it_fails:
            if_it_fails.callback(connection.close)
            if settings.security == "starttls":
                connection.starttls(context=context)
            if settings.username is not None and self._password is not None:
                connection.login(settings.username, self._password.get_secret_value())
            if_it_fails.pop_all()
        return connection

    def _not_accepted(self, code: int, what: str, error: smtplib.SMTPException) -> None:
        """The connection goes on with other messages, unless the server ends it."""
        if code == _CLOSING:
            self.close()
            raise Unavailable("The mail server closes.") from error
        kind = Undeliverable if code >= _FOR_EVER else Deferred
        raise kind(f"The mail server does not take {what}: {code}.") from error


def _opened(
    host: str,
    port: int,
    security: Literal["starttls", "tls", "none"],
    timeout_s: float,
    context: ssl.SSLContext | None,
) -> smtplib.SMTP:
    if security == "tls":
        return smtplib.SMTP_SSL(host, port, timeout=timeout_s, context=context)
    return smtplib.SMTP(host, port, timeout=timeout_s)
