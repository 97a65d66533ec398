"""Images that a session has made of layers in a file: the session's alone, and gone with it."""

from __future__ import annotations

import threading
from typing import Dict, Set

from prominence.executor.broker import loading, log, spec
from prominence.executor.broker.engine import Engine
from prominence.executor.broker.enginesocket import EngineRefused, HangUp
from prominence.executor.broker.requests import Load
from prominence.executor.broker.settings import Settings


class LoadedImages:
    """Of one session. `load` is called by one thread, `stop` and `remove` by another. kib: what all of them take."""

    def __init__(self, session: str, engine: Engine, settings: Settings) -> None:
        self._session, self._engine, self._settings = session, engine, settings
        self._loading = HangUp()
        self._loads = 0
        self._over = False
        self._images: Set[str] = set()
        self._changing = threading.Lock()
        self.kib = 0

    def __contains__(self, image: str) -> bool:
        return image in self._images

    def load(self, request: Load, descriptor: int) -> str:
        """Make one; its id. Raises EngineUnavailable, EngineRefused."""
        with self._changing:
            if self._over:
                raise EngineRefused("the session is over")
            self._loading = HangUp()
            self._loads += 1
        labels = {**self._labels(), spec.IMAGE_LABEL: str(self._loads)}
        try:
            self._engine.load(loading.archive(request, descriptor, labels), self._loading)
        except EngineRefused:
            self._engine.version()  # of an engine that is about to end, a refusal says nothing of the image
            raise
        [image] = self._engine.images(labels)
        size_kib = kib(request)
        self._images.add(image)
        self.kib += size_kib
        log.info("image loaded", session=self._session, image=image, kib=size_kib)
        return image

    def stop(self) -> None:
        """From now on none is made."""
        with self._changing:
            self._over = True
        self._loading.now()

    def remove(self) -> None:
        """Also one that the engine has only just made. Raises EngineUnavailable, EngineRefused."""
        if self._loads:
            for image in self._engine.images(self._labels()):
                self._engine.remove_image(image)

    def _labels(self) -> Dict[str, str]:
        return {**spec.labels(self._settings, "image"), spec.SESSION_LABEL: self._session}


def kib(request: Load) -> int:
    """What its layers take."""
    return sum(layer.size for layer in request.layers) // 1024
