"""The other side of HTCondor's Chirp protocol is played by a thread; the real one is in the tests of real pools."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from prominence.executor.accesspoint import CONFIGURATION, AccessPoint, AccessPointLost


class Starter:
    """Keeps files in memory. It hangs up after so many answers."""

    def __init__(self, sandbox: Path, hangs_up_after: int = 1000) -> None:
        self.files: dict[str, bytes] = {}
        self.attributes: dict[str, str] = {}
        self.is_away = False
        self._opened: dict[int, tuple[str, int]] = {}
        self._left = hangs_up_after
        self.listener = socket.create_server(("127.0.0.1", 0))
        (sandbox / CONFIGURATION).write_text(f"127.0.0.1 {self.listener.getsockname()[1]} s3cret\n")
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        connection, _ = self.listener.accept()
        with connection, connection.makefile("rwb") as stream:
            while self._left and (line := stream.readline()):
                self._left -= 1
                verb, *words = line.decode().split()
                if verb == "write":
                    words.append(stream.read(int(words[1])).decode("latin-1"))
                stream.write(getattr(self, f"_{verb}")(*words))
                stream.flush()

    def _cookie(self, secret: str) -> bytes:
        return b"0\n" if secret == "s3cret" else b"-1\n"

    def _access(self, name: str, mode: str) -> bytes:
        assert mode == "0"
        if self.is_away:
            return b"-127\n"
        return b"0\n" if name == "forbidden" or name in self.files else b"-3\n"

    def _open(self, name: str, flags: str, mode: str) -> bytes:
        assert not self.is_away, "the real one ends then, and the job with it"
        if name == "forbidden":
            return b"-2\n"
        if flags == "r" and name not in self.files:
            return b"-3\n"
        if flags != "r":
            self.files[name] = b""
        number = len(self._opened) + 3
        self._opened[number] = (name, 0)
        return b"%d\n1 2 3\n" % number

    def _read(self, number: str, length: str) -> bytes:
        name, at = self._opened[int(number)]
        piece = self.files[name][at : at + min(int(length), 1000)]  # as much as it likes
        self._opened[int(number)] = (name, at + len(piece))
        return b"%d\n%s" % (len(piece), piece)

    def _write(self, number: str, length: str, *data: str) -> bytes:
        name, _ = self._opened[int(number)]
        self.files[name] += data[-1].encode("latin-1")
        return b"%d\n" % int(length)

    def _set_job_attr_delayed(self, name: str, value: str) -> bytes:
        if not name.startswith("Chirp"):
            return b"-2\n"
        self.attributes[name] = value
        return b"0\n"

    def _close(self, number: str) -> bytes:
        del self._opened[int(number)]
        return b"0\n"

    def _rename(self, old: str, new: str) -> bytes:
        self.files[new] = self.files.pop(old)
        return b"0\n"


@pytest.fixture
def starter(tmp_path: Path) -> Iterator[Starter]:
    starter = Starter(tmp_path)
    yield starter
    starter.listener.close()


def test_what_is_written_can_be_read_and_is_there_as_a_whole_only(starter: Starter, tmp_path: Path) -> None:
    content = bytes(range(256)) * 1000
    there = AccessPoint(tmp_path)
    there.write("answer-1.json", content)
    assert starter.files == {"answer-1.json": content}
    assert there.read("answer-1.json", 1_000_000) == content
    assert there.read("answer-1.json", 10) == content[:10]


def test_the_jobs_ad_is_told_what_it_may_be_told(starter: Starter, tmp_path: Path) -> None:
    there = AccessPoint(tmp_path)
    assert [there.note(name, 7) for name in ("ChirpA", "RequestCpus", "ChirpB")] == [True, False, True]
    assert starter.attributes == {"ChirpA": "7", "ChirpB": "7"}


def test_what_is_not_there_is_nothing(starter: Starter, tmp_path: Path) -> None:
    assert AccessPoint(tmp_path).read("order-1.json", 10) is None


def test_what_htcondor_forbids_is_refused_at_once(starter: Starter, tmp_path: Path) -> None:
    with pytest.raises(AccessPointLost, match="refuses: -2"):
        AccessPoint(tmp_path).read("forbidden", 10)


def test_nothing_is_opened_while_the_access_point_is_away(starter: Starter, tmp_path: Path) -> None:
    there = AccessPoint(tmp_path)
    starter.is_away = True
    with pytest.raises(AccessPointLost, match="refuses"):
        there.read("order-1.json", 10)
    with pytest.raises(AccessPointLost, match="refuses"):
        there.write("answer-1.json", b"done")
    starter.is_away = False
    there.write("answer-1.json", b"done")
    assert there.read("answer-1.json", 10) == b"done"


def test_where_htcondor_has_made_no_way_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(AccessPointLost, match="does not say how"):
        AccessPoint(tmp_path).read("order-1.json", 10)


def test_a_wrong_secret_is_refused(starter: Starter, tmp_path: Path) -> None:
    file = tmp_path / CONFIGURATION
    file.write_text(file.read_text().replace("s3cret", "guess"))
    with pytest.raises(AccessPointLost, match="refuses"):
        AccessPoint(tmp_path).read("order-1.json", 10)


@pytest.mark.parametrize("answers", range(4))
def test_a_starter_that_hangs_up_is_lost(tmp_path: Path, answers: int) -> None:
    starter = Starter(tmp_path, answers)
    starter.files["order-1.json"] = b"text"
    with pytest.raises(AccessPointLost):
        AccessPoint(tmp_path).read("order-1.json", 10)
    starter.listener.close()
