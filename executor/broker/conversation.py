"""One connection: its lines, their answers, and the session behind it."""

from __future__ import annotations

import json
import os
import socket
import threading
from contextlib import suppress
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Tuple

from prominence.executor.broker import log, protocol, requests, spec
from prominence.executor.broker.engine import Engine, EngineRefused, EngineUnavailable, NotThere
from prominence.executor.broker.pulls import Pulls
from prominence.executor.broker.requests import BadRequest, Enter, Has, Pull, Request, Run, Signal, Version, parse
from prominence.executor.broker.session import Output, Session
from prominence.executor.broker.settings import Settings
from prominence.executor.broker.slots import NoSlot
from prominence.executor.broker.spec import Peer

_AT_ONCE = 64 * 1024


class Conversation:
    """With one job, or with somebody who only asks for the version."""

    def __init__(
        self,
        connection: socket.socket,
        peer: Peer,
        session: Session,
        engine: Engine,
        pulls: Pulls,
        settings: Settings,
        of_process: Callable[[Peer], Iterable[Session]],
    ) -> None:
        self._of_process = of_process
        self._connection = connection
        self._peer = peer
        self._engine = engine
        self._pulls = pulls
        self._settings = settings
        self._session = session
        self._begun = False
        self._running: Optional[threading.Thread] = None
        self._enough = threading.Event()
        self._sending = threading.Lock()

    def hold(self) -> None:
        """Until the other side hangs up, or says what cannot be understood at all; then the session is over."""
        try:
            for line, descriptors in _lines(self._connection):
                self._answer(line, descriptors)
        except BadRequest as error:
            self.refuse(str(error))
        finally:
            self._enough.set()
            if self._begun:
                self._session.end()

    def wait(self) -> None:
        """Until the last container is gone, or the pull. Where the engine does not answer, that takes the janitor."""
        running = self._running
        if running:
            running.join()

    def refuse(self, message: str) -> None:
        """Say that it may not be."""
        log.warning("request refused", uid=self._peer.uid, pid=self._peer.pid, message=message)
        self._send({"ok": False, "error": "refused", "message": message})

    def _answer(self, line: bytes, descriptors: List[int]) -> None:
        try:
            request = parse(line)
            self._check(request, descriptors)
        except BadRequest as error:
            _close(descriptors)
            self.refuse(str(error))
            return
        if isinstance(request, Signal):
            self._session.signal(request.name)
        elif isinstance(request, Run):
            self._begin(lambda: self._run(request, descriptors))
        elif isinstance(request, Enter):
            self._begin(lambda: self._enter(request, descriptors))
        elif isinstance(request, Pull):
            self._enough.clear()
            self._begin(lambda: self._pull(request))
        else:
            self._send(_attempt(lambda: self._do(request)))

    def _check(self, request: Request, descriptors: List[int]) -> None:
        """What the request's own text does not tell. Raises BadRequest."""
        if not isinstance(request, Version) and not spec.may_have_a_session(self._peer, self._settings):
            raise BadRequest("only jobs may ask for this")
        if len(descriptors) != (protocol.DESCRIPTORS if isinstance(request, (Run, Enter)) else 0):
            raise BadRequest(f"run and enter, and nothing else, bring {protocol.DESCRIPTORS} descriptors")
        if isinstance(request, requests.Session) and self._begun:
            raise BadRequest("the session has begun already")
        if isinstance(request, Run) and not self._begun:
            raise BadRequest("the session has not begun")
        if isinstance(request, (Run, Pull, Enter)) and self._running and self._running.is_alive():
            raise BadRequest("a container is running or an image is being fetched")

    def _begin(self, act: Callable[[], None]) -> None:
        """What takes long is done beside the conversation, so that it is noticed when the other side hangs up."""
        self._running = threading.Thread(target=act, daemon=True)
        self._running.start()

    def _run(self, request: Run, descriptors: List[int]) -> None:
        self._with_output(lambda output: self._session.run(request, output), descriptors)

    def _enter(self, request: Enter, descriptors: List[int]) -> None:
        self._with_output(lambda output: self._entered(request, output), descriptors)

    def _entered(self, request: Enter, output: Output) -> Dict[str, Any]:
        for session in self._of_process(self._peer):
            with suppress(NotThere):
                return session.enter(request.command, output, self._enough.is_set)
        raise NotThere("no container is running")

    def _with_output(self, act: Callable[[Output], Dict[str, Any]], descriptors: List[int]) -> None:
        try:
            answer = _attempt(lambda: act(Output(*descriptors)))
        except Exception as error:  # noqa: BLE001 - the last resort of a thread: the other side waits for an answer
            log.exception("run failed", uid=self._peer.uid)
            answer = {"ok": False, "error": "failed", "message": f"the broker failed: {type(error).__name__}"}
        finally:
            _close(descriptors)
        self._running = None
        self._send(answer)

    def _pull(self, request: Pull) -> None:
        answer = _attempt(lambda: self._fetched(request.image))
        self._running = None
        self._send(answer)

    def _fetched(self, image: str) -> Dict[str, Any]:
        self._pulls.fetch(image, self._enough)
        return {}

    def _do(self, request: Request) -> Dict[str, Any]:
        if isinstance(request, Version):
            return {"version": self._engine.version()}
        if isinstance(request, Has):
            return {"has": self._has(request.image)}
        if isinstance(request, requests.Session):
            directories = self._session.begin(request.sandbox, request.mounts)
            self._begun = True
            return directories
        return {}

    def _has(self, image: str) -> bool:
        try:
            self._engine.image_digest(image)
        except NotThere:
            return False
        return True

    def _send(self, answer: Dict[str, Any]) -> None:
        with self._sending, suppress(OSError):  # who has hung up needs no answer
            self._connection.sendall(json.dumps(answer).encode() + b"\n")


def _attempt(act: Callable[[], Dict[str, Any]]) -> Dict[str, Any]:
    """The answer that `act` gives, or that tells why there is none."""
    try:
        return {"ok": True, **act()}
    except EngineUnavailable as error:
        return {"ok": False, "error": protocol.UNAVAILABLE, "message": str(error)}
    except NotThere as error:
        return {"ok": False, "error": protocol.NOT_THERE, "message": str(error)}
    except NoSlot as error:
        return {"ok": False, "error": "refused", "message": str(error)}
    except (EngineRefused, OSError) as error:
        return {"ok": False, "error": "failed", "message": str(error)}


def _lines(connection: socket.socket) -> Iterator[Tuple[bytes, List[int]]]:
    """Lines as they come, each with the descriptors that came with it; they are the receiver's to close.

    Raises BadRequest on a line that is too long or brings too many descriptors.
    """
    begun = b""
    descriptors: List[int] = []
    try:
        while True:
            data, came, flags, _ = socket.recv_fds(connection, _AT_ONCE, protocol.DESCRIPTORS)
            descriptors += came
            if not data:
                return
            if flags & socket.MSG_CTRUNC or len(descriptors) > protocol.DESCRIPTORS:
                raise BadRequest("too many descriptors")
            *lines, begun = (begun + data).split(b"\n")
            for line in lines:
                brought, descriptors = descriptors, []
                yield line, brought
            if len(begun) > protocol.LONGEST_LINE:
                raise BadRequest("too long a line")
    except ConnectionError:
        return
    finally:
        _close(descriptors)


def _close(descriptors: List[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
