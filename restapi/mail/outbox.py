"""What is to be sent by mail: letters, one for each job, and notices, which wait for nothing but to be sent."""

from __future__ import annotations

from prominence.restapi.mail.letters import Letter, Notice
from prominence.restapi.outbox.shelf import Shelf

LETTERS = Shelf("/prominence/mail/letters/", Letter)
NOTICES = Shelf("/prominence/mail/notices/", Notice)
