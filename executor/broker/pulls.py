"""Images that are being fetched: one pull for all the jobs that wait for the same image.

It ends with the last of them. A registry that stalls holds nobody: who goes away is missed by nobody, and who comes
next begins anew.
"""

from __future__ import annotations

import threading
from typing import Dict, List, Optional

from prominence.executor.broker import log
from prominence.executor.broker.engine import Engine, EngineRefused, EngineUnavailable, HangUp


class Pulls:
    """Of one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._under_way: Dict[str, _Pull] = {}
        self._lock = threading.Lock()

    def fetch(self, image: str, woken: threading.Event) -> None:
        """Until the image is here, or somebody sets `woken` because nobody waits for it any more.

        Raises EngineUnavailable, EngineRefused.
        """
        pull = self._join(image, woken)
        woken.wait()
        self._leave(pull, woken)
        if pull.error:
            raise pull.error

    def _join(self, image: str, woken: threading.Event) -> _Pull:
        with self._lock:
            pull = self._under_way.get(image)
            if pull is None:
                pull = self._under_way[image] = _Pull(image)
                threading.Thread(target=self._carry_out, args=(pull,), daemon=True).start()
            pull.waiting.append(woken)
            log.info("image awaited", image=image, by=len(pull.waiting))
            return pull

    def _leave(self, pull: _Pull, woken: threading.Event) -> None:
        with self._lock:
            pull.waiting.remove(woken)
            if pull.waiting or self._under_way.get(pull.image) is not pull:
                return
            del self._under_way[pull.image]
        log.info("pull given up", image=pull.image)
        pull.hang_up.now()

    def _carry_out(self, pull: _Pull) -> None:
        try:
            self._pull(pull)
            pull.error = None
        except (EngineUnavailable, EngineRefused) as error:
            pull.error = error
        finally:
            with self._lock:
                if self._under_way.get(pull.image) is pull:
                    del self._under_way[pull.image]
                for woken in pull.waiting:
                    woken.set()

    def _pull(self, pull: _Pull) -> None:
        try:
            self._engine.pull(pull.image, pull.hang_up)
        except EngineRefused:
            self._engine.version()  # of an engine that is about to end, a refusal says nothing of the image
            raise


class _Pull:
    def __init__(self, image: str) -> None:
        self.image = image
        self.waiting: List[threading.Event] = []
        self.hang_up = HangUp()
        self.error: Optional[Exception] = EngineUnavailable("the image was not fetched to its end")
