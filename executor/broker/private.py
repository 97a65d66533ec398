"""Images of private registries, each a session's alone.

The engine keeps one store for everybody, in which whoever knows an image's name may run it. So what was fetched with a
credential is known there by a name of its session's only, which nobody else can ask for, and goes with the session.
Until it has that name, the engine knows it by its digest and not by a tag: nobody can guess that.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from typing import Dict, Optional

from prominence.executor.broker import log
from prominence.executor.broker.engine import Engine
from prominence.executor.broker.enginesocket import EngineRefused, HangUp, NotThere
from prominence.executor.broker.names import repository
from prominence.executor.broker.protocol import PRIVATE
from prominence.executor.broker.settings import Settings

_DIGEST = r"[a-z0-9]+:[0-9a-f]{32,}"
_AT_ONCE = 5
"""How often an image is fetched anew that another job has put away in the same moment."""


@dataclass(frozen=True)
class _Kept:
    """name: by which the session runs it. digest: the registry's."""

    name: str
    digest: str


class PrivateImages:
    """Of one session. `fetch` is called by one thread and `end` by another."""

    def __init__(self, session: str, engine: Engine, settings: Settings) -> None:
        self._session = session
        self._engine = engine
        self._settings = settings
        self._kept: Dict[str, _Kept] = {}

    def fetch(self, image: str, username: str, token: str, hang_up: HangUp) -> None:
        """Fetch an image that the registry gives to this user. Raises EngineUnavailable, EngineRefused."""
        credential = _header(username, token)
        digest = self._engine.digest_at_registry(image, credential)
        if not re.fullmatch(_DIGEST, digest):
            raise EngineRefused("the registry tells no digest of the image")
        exact = f"{repository(image)}@{digest}"
        name = self.name_of(image) or f"{_prefix(self._session)}{len(self._kept)}:{_tag(self._settings)}"
        for _ in range(_AT_ONCE):
            try:
                self._bring(exact, name, credential, hang_up)
            except NotThere:
                continue
            self._kept[image] = _Kept(name, digest)
            log.info("private image fetched", session=self._session, image=image)
            return
        raise EngineRefused("the image does not stay")

    def name_of(self, image: str) -> Optional[str]:
        """By which the engine knows an image that this session has fetched."""
        return self._kept[image].name if image in self._kept else None

    def digest_of(self, image: str) -> Optional[str]:
        """The registry's."""
        return self._kept[image].digest if image in self._kept else None

    def end(self) -> None:
        """Let go of all of them: what nobody else uses goes. Raises EngineUnavailable, EngineRefused."""
        for kept in list(self._kept.values()):
            self._engine.untag(kept.name)

    def _bring(self, exact: str, name: str, credential: str, hang_up: HangUp) -> None:
        was_here = self._engine.has(exact)
        try:
            if not was_here:
                self._engine.pull(exact, hang_up, credential)
            self._engine.tag(exact, name)
        finally:
            if not was_here:
                self._engine.untag(exact)


def leftovers(engine: Engine, settings: Settings) -> Dict[str, str]:
    """Images that sessions of this worker have kept, by name, each with its session."""
    names = engine.names(f"{_prefix('')}*:{_tag(settings)}")
    ours = [name for name in names if name.startswith(_prefix("")) and name.endswith(f":{_tag(settings)}")]
    return {name: name[len(_prefix("")) :].partition("-")[0] for name in ours}


def _prefix(session: str) -> str:
    """Of a name that no registry has."""
    return f"localhost/{PRIVATE}/{session}{'-' if session else ''}"


def _tag(settings: Settings) -> str:
    return f"{settings.pool}.{settings.worker}"


def _header(username: str, token: str) -> str:
    return base64.urlsafe_b64encode(json.dumps({"username": username, "password": token}).encode()).decode()
