"""Images that are being fetched: one pull for all the jobs that wait for the same image.

It ends with the last of them. A registry that stalls holds nobody: who goes away is missed by nobody, and who comes
next begins anew.
"""

from __future__ import annotations

import threading
from typing import Callable, Dict, List, Optional

from prominence.executor.broker import log
from prominence.executor.broker.engine import Engine
from prominence.executor.broker.enginesocket import EngineRefused, EngineUnavailable, HangUp

Act = Callable[[HangUp], None]
"""How an image is fetched. Raises EngineUnavailable, EngineRefused, PullFailed."""


class PullFailed(Exception):
    """It could not be fetched by another than the engine. The text says why, in the words of what was tried with."""


class NotKept(PullFailed):
    """This worker cannot make or keep it, which says nothing of the image: who wants it may fetch it for himself."""


class Pulls:
    """Of one engine."""

    def __init__(self, engine: Engine, fetch: Callable[[str, HangUp], None]) -> None:
        """fetch: how it is had of the engine by its name."""
        self._engine = engine
        self._fetch = fetch
        self._under_way: Dict[str, _Pull] = {}
        self._lock = threading.Lock()

    def fetch(self, image: str, woken: threading.Event) -> None:
        """Until the image is here, or somebody sets `woken` because nobody waits for it any more.

        Raises EngineUnavailable, EngineRefused.
        """
        self._wait(image, lambda hang_up: self._fetch(image, hang_up), woken)

    def fetch_by(self, what: str, act: Act, woken: threading.Event) -> None:
        """The same, carried out by `act` for all who wait for the same."""
        self._wait(what, act, woken)

    def fetch_alone(self, session: str, act: Act, woken: threading.Event) -> None:
        """The same with a pull of this session's own, which `act` carries out and nobody shares."""
        self._wait(f"of session {session}", act, woken)

    def _wait(self, what: str, act: Act, woken: threading.Event) -> None:
        pull = self._join(what, act, woken)
        woken.wait()
        self._leave(pull, woken)
        if pull.error:
            raise pull.error

    def _join(self, what: str, act: Act, woken: threading.Event) -> _Pull:
        with self._lock:
            pull = self._under_way.get(what)
            if pull is None:
                pull = self._under_way[what] = _Pull(what, act)
                threading.Thread(target=self._carry_out, args=(pull,), daemon=True).start()
            pull.waiting.append(woken)
            log.info("image awaited", image=what, by=len(pull.waiting))
            return pull

    def _leave(self, pull: _Pull, woken: threading.Event) -> None:
        with self._lock:
            pull.waiting.remove(woken)
            if pull.waiting or self._under_way.get(pull.what) is not pull:
                return
            del self._under_way[pull.what]
        log.info("pull given up", image=pull.what)
        pull.hang_up.now()

    def _carry_out(self, pull: _Pull) -> None:
        try:
            self._pull(pull)
            pull.error = None
        except (EngineUnavailable, EngineRefused, PullFailed) as error:
            pull.error = error
        finally:
            with self._lock:
                if self._under_way.get(pull.what) is pull:
                    del self._under_way[pull.what]
                for woken in pull.waiting:
                    woken.set()

    def _pull(self, pull: _Pull) -> None:
        try:
            pull.act(pull.hang_up)
        except EngineRefused:
            self._engine.version()  # of an engine that is about to end, a refusal says nothing of the image
            raise


class _Pull:
    def __init__(self, what: str, act: Act) -> None:
        self.what = what
        self.act = act
        self.waiting: List[threading.Event] = []
        self.hang_up = HangUp()
        self.error: Optional[Exception] = EngineUnavailable("the image was not fetched to its end")
