"""In which order somebody on the broker's socket is answered."""

from __future__ import annotations

import array
import json
import os
import socket
import threading
from typing import Any, cast

from prominence.executor.broker import protocol
from prominence.executor.broker.conversation import Conversation
from prominence.executor.broker.settings import Settings
from prominence.executor.broker.spec import Peer


class Connection:
    """Of somebody who sends this, reads the answers, and hangs up."""

    def __init__(self, sent: bytes, *descriptors: int) -> None:
        self.sent = sent
        self.brought = array.array("i", descriptors)
        self.answers = b""

    def recvmsg(self, amount: int, *more: int) -> tuple[bytes, list[Any], int, None]:
        data, self.sent = self.sent[:amount], self.sent[amount:]
        brought, self.brought = self.brought, array.array("i")
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, brought.tobytes())] if brought else []
        return data, rights, 0, None

    def sendall(self, data: bytes) -> None:
        self.answers += data


class Ran:
    """A session in which somebody else's container runs. answers: what had been sent when it told of the use."""

    begun = True

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.answers: list[bytes] = []
        self.told = threading.Event()

    def seat(self) -> int:
        return 1

    def run(self, *asked: Any) -> dict[str, Any]:
        return {"exit_code": 0}

    def signal(self, *asked: Any) -> None:
        pass

    def tell_use(self) -> None:
        self.answers.append(self._connection.answers)
        self.told.set()


def test_a_containers_end_is_told_before_anything_is_noted_of_its_image() -> None:
    fields = {"image": "a:1", "command": [], "env": {}, "workdir": "/", "cpus": 1, "memory_mib": 64}
    connection: Any = Connection(protocol.line("beside", **fields), *os.pipe())
    session: Any = Ran(connection)
    none = cast(Any, None)
    peer, settings = Peer(1, 1000, 1000), Settings(pool="a-pool")
    conversation = Conversation(connection, peer, session, none, none, None, settings, lambda peer: [session])
    conversation.hold()
    conversation.wait()
    assert session.told.wait(10)
    [answers] = session.answers
    assert json.loads(answers) == {"ok": True, "exit_code": 0}


class Broken:
    """What fetches images, and has a mistake."""

    def fetch(self, *asked: Any) -> None:
        raise KeyError


def test_whoever_waits_for_an_image_is_answered_whatever_happens() -> None:
    connection: Any = Connection(protocol.line("pull", image="a:1"))
    session: Any = Ran(connection)
    none, broken = cast(Any, None), cast(Any, Broken())
    peer, settings = Peer(1, 1000, 1000), Settings(pool="a-pool")
    conversation = Conversation(connection, peer, session, none, broken, None, settings, lambda peer: [session])
    conversation.hold()
    conversation.wait()
    assert json.loads(connection.answers) == {"ok": False, "error": "failed", "message": "the broker failed: KeyError"}
