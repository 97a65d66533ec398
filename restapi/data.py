"""What users do with their objects: upload, list, delete."""

from __future__ import annotations

from email.utils import format_datetime
from typing import Annotated, Any

from pydantic import Field

from prominence.core import logs
from prominence.core.files import Sha256
from prominence.core.validation import WHOLE, Strict, parse
from prominence.restapi import areas, space
from prominence.restapi.areas import Area
from prominence.restapi.identity import Identity
from prominence.restapi.objects import Form, Put, Reach, Stored, Terms
from prominence.restapi.services import Services

log = logs.get(__name__)

UPLOAD_S = 600
"""For so long an address to upload to is good: to begin, not to end by."""

Size = Annotated[int, Field(ge=0, lt=10**18), WHOLE]
"""Bytes of an object; signed addresses have room for 18 digits."""


class Upload(Strict):
    """An object that somebody is about to upload."""

    filename: str = Field(
        description="The object's name; in a group's area GROUP/NAME.", json_schema_extra=areas.SCHEMA
    )
    checksum: Sha256 | None = Field(default=None, description="SHA-256 of the content, which is then held to it.")
    size: Size | None = Field(default=None, description="Bytes, where known: they are then held to, too.")


def upload(body: Any, caller: Identity, services: Services) -> Put | Form:
    """Where to send the object. Raises Rejected, Forbidden, QuotaReached, TooLarge, Unavailable."""
    wanted = parse(Upload, body)
    found = areas.find(wanted.filename, caller, "filename")
    before = services.objects.stat(found.stored_as)
    room = space.most(found.area, before.size if before else 0, wanted.size, services)
    terms = Terms(UPLOAD_S, room.largest, wanted.size, wanted.checksum, room.together)
    log.info("upload allowed", user=caller.user, name=found.stored_as)
    form = services.objects.form_to_post(found.stored_as, terms, Reach.USERS)
    return form or services.objects.url_to_put(found.stored_as, terms, Reach.USERS)


def listing(path: str, caller: Identity, services: Services) -> list[dict[str, Any]]:
    """The caller's objects, or with a path those of a group or a folder of its. Raises Rejected, Forbidden."""
    area, folder = areas.folder(path, caller)
    return [_shown(stored, area, services) for stored in services.objects.list(folder)]


def delete(name: str, caller: Identity, services: Services) -> None:
    """Take an object away; none of that name is fine. Raises Rejected, Forbidden."""
    found = areas.find(name, caller)
    services.objects.delete(found.stored_as)
    log.info("object deleted", user=caller.user, name=found.stored_as)


def _shown(stored: Stored, area: Area, services: Services) -> dict[str, Any]:
    return {
        "name": area.shown(stored.name),
        "size": stored.size,
        "lastModified": format_datetime(stored.modified_at.replace(microsecond=0), usegmt=True),
        "expireTime": int((stored.modified_at + services.limits.uploads_kept).timestamp()),
    }
