"""The door for workers: the one route at which they get their tokens, on an address of its own.

Workers reach it and so does whoever is where they are, which is why imc's API is elsewhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from flask import Blueprint, Flask, request
from flask.typing import ResponseReturnValue
from pydantic import Field

from prominence.core import logs
from prominence.core.errors import Forbidden, Unauthenticated
from prominence.core.machines import NAME_PATTERN
from prominence.core.validation import Document, parse
from prominence.imc import app
from prominence.imc.admissions import STRANGER, Admissions, Stranger
from prominence.imc.knocks import Knocks
from prominence.imc.reading import json_of_request

log = logs.get(__name__)

MAX_BODY = 4096
WRONG_TRIES, TOKENS, WINDOW_S = 20, 10, 60
"""How many wrong tries an address has within a minute, and how many tokens a worker gets."""

_KEY = re.compile(r"[A-Za-z0-9_-]{43,128}")


class TradeRequest(Document):
    """Body of `POST /v1/workers/{name}/token`. Without a secret the key must be known already."""

    secret: str = Field(default="", max_length=128)


@dataclass(frozen=True)
class Door:
    """tries: wrong ones, by address. tokens: by worker."""

    admissions: Admissions
    tries: Knocks
    tokens: Knocks


def create_door(door: Door) -> Flask:
    """The application."""
    flask = app.bare("prominence.imc.door", MAX_BODY)
    routes = Blueprint("door", __name__)

    @routes.post("/v1/workers/<name>/token")
    def token(name: str) -> ResponseReturnValue:
        address = request.remote_addr or ""
        door.tries.check(address)
        try:
            key, body = _key(), parse(TradeRequest, json_of_request())
            if not re.fullmatch(NAME_PATTERN, name):
                raise Stranger(STRANGER)
            door.tokens.check(name)
            admission = door.admissions.admit(name, key, body.secret)
        except (Forbidden, Unauthenticated):
            door.tries.count(address)
            log.warning("refused at the door", address=address, worker=name[:64])
            raise
        door.tokens.count(name)
        answer = {"token": admission.token.get_secret_value(), "lifetime_s": admission.lifetime_s}
        return answer, 200, {"Cache-Control": "no-store"}

    flask.register_blueprint(routes)
    return flask


def _key() -> str:
    kind, _, shown = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not _KEY.fullmatch(shown.strip()):
        raise Unauthenticated("The worker's key is needed.")
    return shown.strip()
