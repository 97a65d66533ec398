"""The broker's socket: who connects, a thread for each."""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
import uuid
from collections import Counter
from contextlib import suppress
from typing import Dict, List, Optional, Set, Tuple

from prominence.executor.broker import log
from prominence.executor.broker.conversation import Conversation
from prominence.executor.broker.engine import Engine
from prominence.executor.broker.lent import Store
from prominence.executor.broker.pulled import PulledImages
from prominence.executor.broker.pulls import Pulls
from prominence.executor.broker.session import Session
from prominence.executor.broker.settings import Settings
from prominence.executor.broker.spec import Peer

_BREATH_S = 0.2
"""Until it is tried again to let somebody in."""
_CREDENTIALS = struct.Struct("iII")


class Sessions:
    """Those that are going on. What belongs to none of them has been left behind."""

    def __init__(self, per_uid: int) -> None:
        self._per_uid = per_uid
        self._connections: Dict[str, socket.socket] = {}
        self._held: Dict[str, Tuple[Peer, Session]] = {}
        self._of_uid: Counter[int] = Counter()
        self._lock = threading.Lock()

    def enter(self, peer: Peer, session: Session, connection: socket.socket) -> bool:
        """Whether this user may have one more, which is going on from now."""
        with self._lock:
            if self._of_uid[peer.uid] >= self._per_uid:
                return False
            self._of_uid[peer.uid] += 1
            self._connections[session.key] = connection
            self._held[session.key] = (peer, session)
            return True

    def of_process(self, peer: Peer) -> List[Session]:
        """Those that the same process holds: while it is there, the kernel gives its number to no other."""
        with self._lock:
            return [session for holder, session in self._held.values() if holder == peer]

    def over(self, key: str) -> None:
        """It is going on no more; what is still there of it is for the janitor."""
        with self._lock:
            del self._connections[key], self._held[key]

    def leave(self, uid: int) -> None:
        """Nothing of it is left that could hold us; this user may have another one."""
        with self._lock:
            self._of_uid[uid] -= 1

    def going_on(self) -> Set[str]:
        """Their keys."""
        with self._lock:
            return set(self._connections)

    def hang_up(self) -> None:
        """End all of them from our side."""
        with self._lock:
            for connection in self._connections.values():
                with suppress(OSError):  # the other side was faster
                    connection.shutdown(socket.SHUT_RDWR)


def listen(path: str) -> socket.socket:
    """The broker's socket, open to everybody: who may do what is decided by the kernel's word on who it is."""
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    made = f"{path}.new"
    with suppress(FileNotFoundError):
        os.unlink(made)  # of a broker that died; there is one at a time, see main
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(made)
    os.chmod(made, 0o666)
    listener.listen(1024)  # many jobs may begin at once
    os.replace(made, path)  # whoever sees it can use it
    return listener


def serve(
    listener: socket.socket, engine: Engine, settings: Settings, sessions: Sessions, store: Optional[Store]
) -> None:
    """Talk to everybody who connects, until the listener is closed.

    Who comes while there are no descriptors or threads left has to wait, and the next ones are served all the same.
    """
    pulled = PulledImages(engine, settings)
    pulls = Pulls(engine, pulled.fetch)
    means = (engine, pulls, store, settings, sessions)
    while listener.fileno() >= 0:
        try:
            connection, _ = listener.accept()
        except OSError as error:
            if listener.fileno() >= 0:
                log.warning("nobody can connect", error=str(error))
                time.sleep(_BREATH_S)
            continue
        try:
            threading.Thread(target=_talk, args=(connection, *means), daemon=True).start()
        except RuntimeError as error:  # no more threads
            log.warning("nobody can be talked to", error=str(error))
            connection.close()


def _talk(
    connection: socket.socket,
    engine: Engine,
    pulls: Pulls,
    store: Optional[Store],
    settings: Settings,
    sessions: Sessions,
) -> None:
    with connection:
        peer = _peer(connection)
        session = Session(uuid.uuid4().hex, peer, engine, settings)
        conversation = Conversation(connection, peer, session, engine, pulls, store, settings, sessions.of_process)
        if not sessions.enter(peer, session, connection):
            conversation.refuse("too many sessions of one user")
            return
        try:
            conversation.hold()
        except Exception:  # noqa: BLE001 - one conversation must not end the others
            log.exception("conversation failed", uid=peer.uid, pid=peer.pid)
        finally:
            sessions.over(session.key)
            conversation.wait()
            sessions.leave(peer.uid)


def _peer(connection: socket.socket) -> Peer:
    return Peer(*_CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)))
