"""One connection: its lines, their answers, and the session behind it."""

from __future__ import annotations

import json
import os
import socket
import threading
from contextlib import suppress
from functools import partial
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple, Union

from prominence.executor.broker import log, protocol, requests, spec
from prominence.executor.broker.engine import Engine
from prominence.executor.broker.enginesocket import EngineRefused, EngineUnavailable, NotThere
from prominence.executor.broker.lent import Lent, Store
from prominence.executor.broker.names import qualified
from prominence.executor.broker.pulls import NotKept, PullFailed, Pulls
from prominence.executor.broker.requests import (
    BadRequest,
    Beside,
    Enter,
    File,
    Has,
    Image,
    Load,
    Made,
    Pull,
    Request,
    Run,
    Signal,
    Usage,
    Version,
    parse,
)
from prominence.executor.broker.session import TASK, NoRoom, Output, Session
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
        store: Optional[Store],
        settings: Settings,
        of_process: Callable[[Peer], Iterable[Session]],
    ) -> None:
        self._of_process = of_process
        self._connection = connection
        self._peer = peer
        self._engine = engine
        self._pulls = pulls
        self._lent = Lent(store, pulls)
        self._settings = settings
        self._session = session
        self._begun = False
        self._aim: Tuple[Session, int] = (session, TASK)
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
            self._lent.leave()
            if self._begun:
                self._session.end()
            else:
                self._signal("KILL")

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
        bringing: Dict[type, Callable[[Any, List[int]], None]] = {
            Run: self._run,
            Beside: self._accompany,
            Enter: self._enter,
            Load: self._load,
        }
        if isinstance(request, Signal):
            self._signal(request.name)
        elif type(request) in bringing:
            self._begin(partial(bringing[type(request)], request, descriptors))
        elif isinstance(request, (Pull, Image, File, Made)):
            self._enough.clear()
            self._begin(lambda: self._carry_out(lambda: self._fetched(request)))
        else:
            self._send(_attempt(lambda: self._do(request)))

    def _check(self, request: Request, descriptors: List[int]) -> None:
        """What the request's own text does not tell. Raises BadRequest."""
        if not isinstance(request, Version) and not spec.may_have_a_session(self._peer, self._settings):
            raise BadRequest("only jobs may ask for this")
        if len(descriptors) != _brings(request):
            raise BadRequest(
                f"run, beside and enter bring {protocol.DESCRIPTORS} descriptors, load one, nothing else any"
            )
        if isinstance(request, requests.Session) and self._begun:
            raise BadRequest("the session has begun already")
        shows_a_credential = isinstance(request, Pull) and bool(request.token)
        if isinstance(request, Beside):
            if self._begun:
                raise BadRequest("a container beside the task's has a connection of its own")
        elif (isinstance(request, (Run, Load)) or shows_a_credential) and not self._begun:
            raise BadRequest("the session has not begun")
        if (
            isinstance(request, (Run, Pull, Image, File, Made, Load, Enter))
            and self._running
            and self._running.is_alive()
        ):
            raise BadRequest("a container is running or an image is being fetched")

    def _begin(self, act: Callable[[], None]) -> None:
        """What takes long is done beside the conversation, so that it is noticed when the other side hangs up."""
        self._running = threading.Thread(target=act, daemon=True)
        self._running.start()

    def _run(self, request: Run, descriptors: List[int]) -> None:
        self._with_output(lambda output: self._session.run(request, output), descriptors)
        self._session.tell_use()

    def _accompany(self, request: Beside, descriptors: List[int]) -> None:
        self._with_output(lambda output: self._run_beside(request, output), descriptors)
        self._aim[0].tell_use()

    def _run_beside(self, request: Beside, output: Output) -> Dict[str, Any]:
        session = next((one for one in self._of_process(self._peer) if one.begun), None)
        if session is None:
            raise NotThere("there is no session to run it in")
        self._aim = session, session.seat()
        return session.run(request, output, self._aim[1], self._tell_of_start, self._enough.is_set)

    def _tell_of_start(self) -> None:
        self._send({"ok": True, "started": True})

    def _signal(self, name: str) -> None:
        session, seat = self._aim
        session.signal(name, seat)

    def _load(self, request: Load, descriptors: List[int]) -> None:
        self._carry_out(lambda: self._session.load(request, *descriptors), descriptors)

    def _enter(self, request: Enter, descriptors: List[int]) -> None:
        self._with_output(lambda output: self._entered(request, output), descriptors)

    def _entered(self, request: Enter, output: Output) -> Dict[str, Any]:
        return self._of_running(lambda session: session.enter(request.command, output, self._enough.is_set))

    def _of_running(self, act: Callable[[Session], Dict[str, Any]]) -> Dict[str, Any]:
        """With the one of the same process's sessions that has a container running."""
        for session in self._of_process(self._peer):
            with suppress(NotThere):
                return act(session)
        raise NotThere("no container is running")

    def _with_output(self, act: Callable[[Output], Dict[str, Any]], descriptors: List[int]) -> None:
        self._carry_out(lambda: act(Output(*descriptors)), descriptors)

    def _carry_out(self, act: Callable[[], Dict[str, Any]], descriptors: Sequence[int] = ()) -> None:
        """In a thread of its own: whatever happens there is an answer."""
        try:
            answer = _attempt(act)
        except Exception as error:  # noqa: BLE001 - the last resort of a thread
            log.exception("request failed", uid=self._peer.uid)
            answer = {"ok": False, "error": "failed", "message": f"the broker failed: {type(error).__name__}"}
        finally:
            _close(descriptors)
        self._running = None
        self._send(answer)

    def _fetched(self, request: Union[Pull, Image, File, Made]) -> Dict[str, Any]:
        if isinstance(request, Image):
            return self._lent.image(request, self._enough)
        if isinstance(request, File):
            return self._lent.file(request, self._enough)
        if isinstance(request, Made):
            return self._lent.made(request, self._enough)
        if request.token:
            fetch = partial(self._session.fetch, request)
            self._pulls.fetch_alone(self._session.key, fetch, self._enough)
        else:
            self._pulls.fetch(qualified(request.image), self._enough)
        return {}

    def _do(self, request: Request) -> Dict[str, Any]:
        if isinstance(request, Version):
            return {"version": self._engine.version(), "between_nodes": bool(self._settings.worker_network)}
        if isinstance(request, Has):
            return {"has": self._session.has(request)}
        if isinstance(request, Usage):
            return self._of_running(lambda session: session.usage())
        if isinstance(request, requests.Session):
            directories = self._session.begin(request.sandbox, request.mounts, request.beside)
            self._begun = True
            return directories
        return {}

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
    except (NoSlot, NoRoom) as error:
        return {"ok": False, "error": "refused", "message": str(error)}
    except NotKept as error:
        return {"ok": False, "error": protocol.KEEPS_NONE, "message": str(error)}
    except (EngineRefused, PullFailed, OSError) as error:
        return {"ok": False, "error": "failed", "message": str(error)}


def _brings(request: Request) -> int:
    """How many descriptors come with it."""
    if isinstance(request, (Run, Enter)):
        return protocol.DESCRIPTORS
    return 1 if isinstance(request, Load) else 0


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


def _close(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
