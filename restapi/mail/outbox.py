"""Letters that wait for the end of their jobs, in the shared store: one for each job, there until it has been sent; and
notices, which wait for nothing but to be sent."""

from __future__ import annotations

from datetime import datetime

from prominence.core.keyvalue.port import KeyValue, Put
from prominence.restapi.mail.letters import Letter, Notice, key_of

_LETTERS = "/prominence/mail/letters/"
_NOTICES = "/prominence/mail/notices/"


def put(uid: str, letter: Letter, store: KeyValue) -> None:
    """Before the job is queued. Raises Unavailable."""
    store.put_if(_LETTERS + key_of(uid, letter), letter.model_dump_json().encode(), expected=None)


def take_away(key: str, store: KeyValue) -> None:
    """It has been sent, or never will be. No letter is fine. Raises Unavailable."""
    store.delete_if(_LETTERS + key, expected=None)


def letters(store: KeyValue) -> dict[str, Letter]:
    """All there are, by their keys. Raises Unavailable."""
    return {entry.key.removeprefix(_LETTERS): Letter.model_validate_json(entry.value) for entry in store.list(_LETTERS)}


def written(store: KeyValue) -> dict[str, datetime]:
    """When each was. Raises Unavailable."""
    return {key: letter.made_at for key, letter in letters(store).items()}


def to_be_put(key: str, notice: Notice) -> Put:
    """A notice, to be put together with the fact that it tells of."""
    return Put(_NOTICES + key, notice.model_dump_json().encode())


def notices(store: KeyValue) -> dict[str, Notice]:
    """All there are, by their keys. Raises Unavailable."""
    return {entry.key.removeprefix(_NOTICES): Notice.model_validate_json(entry.value) for entry in store.list(_NOTICES)}


def take_notice_away(key: str, store: KeyValue) -> None:
    """It has been sent, or never will be. No notice is fine. Raises Unavailable."""
    store.delete_if(_NOTICES + key, expected=None)
