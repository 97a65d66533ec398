"""How the mail server is named: what would give a password away, or could never work, is refused at the start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from prominence.core.errors import Rejected
from prominence.core.validation import parse
from prominence.restapi.mail_settings import MailSettings

SERVER = {"host": "mail.example.org", "sender": "prominence@example.org"}
LOGIN = {"username": "prominence", "password_file": "/run/secrets/mail"}


@pytest.mark.parametrize(("security", "port"), [("starttls", 587), ("tls", 465), ("none", 25)])
def test_the_port_is_the_usual_one_unless_it_is_named(security: str, port: int) -> None:
    assert MailSettings(**SERVER, security=security).port_in_use == port  # type: ignore[arg-type]
    assert MailSettings(**SERVER, security=security, port=2525).port_in_use == 2525  # type: ignore[arg-type]


def test_connections_are_encrypted_unless_somebody_says_otherwise() -> None:
    assert MailSettings(**SERVER).security == "starttls"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({**LOGIN, "security": "none"}, "a password goes over an encrypted connection only"),
        ({"username": "prominence"}, "belong together"),
        ({"password_file": Path("/run/secrets/mail")}, "belong together"),
        ({"sender": "prominence"}, "sender: must be one email address"),
        ({"sender": "a@b.org\r\nBcc: c@d.org"}, "sender: must be one email address"),
        ({"addresses": {"alice": "alice"}}, "addresses.alice: must be one email address"),
        ({"password": "secret"}, "password"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(Rejected, match=complaint):
        parse(MailSettings, {**SERVER, **changes})
