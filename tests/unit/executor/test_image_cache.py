"""What stays of the images that a worker keeps, and that nothing half made is ever among them."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from prominence.executor.broker.cache import ImageCache
from prominence.executor.broker.enginesocket import HangUp
from prominence.executor.broker.pulls import NotKept, PullFailed

IMAGE_KIB = 64


def digest(letter: str) -> str:
    return f"sha256:{letter * 64}"


class Worker:
    """A cache with room for so many images, and a builder that writes files, or whatever `makes` does instead."""

    def __init__(self, directory: Path, room: int) -> None:
        self.directory = directory / "images"
        self.built: list[str] = []
        self.cache = ImageCache(str(self.directory), room * IMAGE_KIB, self._build)
        self.cache.prepare()
        self._time = 1_000_000_000

    def makes(self, file: Path) -> None:
        file.write_bytes(os.urandom(IMAGE_KIB * 1024))

    def get(self, letter: str) -> None:
        """A job comes, has the image, and stays."""
        if not self.cache.use(digest(letter)):
            self.cache.fill(f"example.org/x@{digest(letter)}", digest(letter), HangUp())
        self._time += 60
        os.utime(self.cache.path(digest(letter)), (self._time, self._time))

    def go(self, letter: str) -> None:
        self.cache.leave([digest(letter)])

    @property
    def kept(self) -> str:
        return "".join(sorted(path.name[len("sha256-")] for path in self.directory.glob("*.sif")))

    @property
    def rest(self) -> list[Path]:
        """What is there beside images and the directory of builds."""
        return [path for path in self.directory.rglob("*") if path.suffix != ".sif" and path.name != "builds"]

    def _build(self, image: str, key: str, hang_up: HangUp) -> str:
        self.built.append(image)
        file = self.directory / "builds" / key / "image"
        file.parent.mkdir()
        self.makes(file)
        return str(file)


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    return Worker(tmp_path, room=2)


def test_an_image_is_made_once_and_is_nobodys_to_change(worker: Worker) -> None:
    worker.get("a")
    worker.get("a")
    assert (worker.kept, len(worker.built), worker.rest) == ("a", 1, [])
    assert os.stat(worker.cache.path(digest("a"))).st_mode & 0o777 == 0o444
    assert os.stat(worker.directory).st_mode & 0o777 == 0o711


def test_what_was_not_used_for_longest_goes_first(worker: Worker) -> None:
    for letter in "abca":
        worker.get(letter)
        worker.go(letter)
    assert worker.kept == "ac"


def test_what_is_in_use_stays_however_long_ago_that_began(worker: Worker) -> None:
    for letter in "abcd":
        worker.get(letter)
    assert worker.kept == "abcd"
    worker.go("c")
    assert worker.kept == "abd"
    worker.go("b")
    assert worker.kept == "ad"


def test_it_is_in_use_until_the_last_has_left(worker: Worker) -> None:
    for letter in "aabc":
        worker.get(letter)
    worker.go("a")
    assert worker.kept == "abc"
    worker.go("a")
    assert worker.kept == "bc"


def test_who_waits_for_an_image_has_it_when_it_comes(tmp_path: Path) -> None:
    worker = Worker(tmp_path, room=0)
    worker.get("a")
    assert worker.kept == "a"
    worker.go("a")
    assert worker.kept == ""


@pytest.mark.parametrize("what", ["link", "pipe", "nothing", "directory"])
def test_what_is_no_file_is_not_kept(worker: Worker, what: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("root's")
    worker.makes = {  # type: ignore[method-assign]
        "link": lambda file: file.symlink_to(secret),
        "pipe": os.mkfifo,
        "nothing": lambda file: None,
        "directory": Path.mkdir,
    }[what]
    with pytest.raises(PullFailed):
        worker.get("a")
    assert (worker.kept, worker.rest) == ("", [])


def test_a_build_that_fails_leaves_nothing(worker: Worker) -> None:
    def half(file: Path) -> None:
        file.write_bytes(b"half")
        raise PullFailed("no such image")

    worker.makes = half  # type: ignore[method-assign]
    with pytest.raises(PullFailed, match="no such image"):
        worker.get("a")
    assert (worker.kept, worker.rest) == ("", [])


def test_a_disk_that_is_full_is_not_the_images_fault(worker: Worker) -> None:
    def full(file: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    worker.makes = full  # type: ignore[method-assign]
    with pytest.raises(NotKept):
        worker.get("a")
    assert (worker.kept, worker.rest) == ("", [])


def test_what_a_broker_that_died_had_begun_is_cleared_away(worker: Worker, tmp_path: Path) -> None:
    worker.get("a")
    (worker.directory / ".part-1").write_bytes(b"half")
    (worker.directory / "builds" / "k" / "work").mkdir(parents=True)
    again = Worker(tmp_path, room=2)
    assert (again.kept, again.rest) == ("a", [])
    assert again.cache.use(digest("a"))


def test_a_broker_that_comes_back_keeps_no_more_than_it_may(worker: Worker, tmp_path: Path) -> None:
    for letter in "abc":
        worker.get(letter)
    assert Worker(tmp_path, room=1).kept == "c"
