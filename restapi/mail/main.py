"""The process that tells users that their jobs have ended: settings -> services -> round after round.

python -m prominence.restapi.mail.main

One on each access point, beside the API and with its settings.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from prominence.core.errors import Rejected
from prominence.restapi.adapters.smtp import SmtpMailer
from prominence.restapi.mail.delivery import Postman
from prominence.restapi.outbox import process
from prominence.restapi.settings import RestApiSettings
from prominence.restapi.wiring import secret_of, services_of

COMPONENT = "mail"


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code."""
    return process.run(COMPONENT, "Tells users that their jobs have ended.", _postman, arguments)


def _postman(settings: RestApiSettings) -> Postman:
    if settings.mail is None:
        raise Rejected.because("no mail server is named, so there is nobody to send messages by", "mail")
    mail = settings.mail
    return Postman(
        services=services_of(settings),
        mailer=SmtpMailer(mail, None if mail.password_file is None else secret_of(mail.password_file)),
        sender=mail.sender,
        url=settings.url,
        within=mail.within,
        interval_s=mail.interval_s,
    )


if __name__ == "__main__":
    sys.exit(main())
