"""What one connection can make a worker keep, and that no file is ever an old one."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from prominence.executor.broker.cache import ImageCache
from prominence.executor.broker.enginesocket import HangUp
from prominence.executor.broker.lent import MOST_IMAGES, Lent, Store
from prominence.executor.broker.pulls import NotKept, PullFailed, Pulls
from prominence.executor.broker.requests import File, Image, Made
from prominence.executor.broker.session import NoRoom
from prominence.executor.broker.webfiles import WebFiles

URL = "https://example.org/tool.sif?signature=1"


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


def image(number: int) -> Image:
    return Image(f"example.org/a@{digest(number)}")


class Woken(threading.Event):
    """Tells when somebody waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.waited_for = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        self.waited_for.set()
        return super().wait(timeout)


class Worker:
    """What is at addresses, by which tags their server knows it, and who has asked for them."""

    def __init__(self, directory: Path, room_kib: int) -> None:
        self.contents: dict[str, tuple[bytes, str]] = {}
        self.fetched: list[str] = []
        self.built: list[str] = []
        self.meanwhile: Callable[[], object] = lambda: None
        self.cache = ImageCache(str(directory / "images"), room_kib, self._build)
        self.cache.prepare()
        self.store = Store(self.cache, WebFiles(self.cache, self._fetch, self._make))
        self.pulls = Pulls(cast(Any, None), lambda image, hang_up: None)

    def lent(self) -> Lent:
        return Lent(self.store, self.pulls)

    def file(self, lent: Lent, url: str = URL, sha256: str = "", stale: str = "") -> dict[str, Any]:
        return lent.file(File(url, sha256, stale), threading.Event())

    @property
    def kept(self) -> int:
        return len([path for path in Path(self.cache.builds).parent.iterdir() if path.name != "builds"])

    def _build(self, image: str, key: str, hang_up: HangUp) -> str:
        self.built.append(image)
        return self._written(key, image.encode())

    def _fetch(self, url: str, key: str, hang_up: HangUp) -> tuple[str, str]:
        self.fetched.append(url)
        if url not in self.contents:
            raise PullFailed("the server says 404 Not Found")
        content, tag = self.contents[url]
        self.meanwhile()
        return self._written(key, content), tag

    def _make(self, archive: str, key: str, hang_up: HangUp) -> str:
        self.built.append(archive)
        return self._written(key, b"made of " + Path(archive).read_bytes())

    def _written(self, key: str, content: bytes) -> str:
        file = Path(self.cache.builds) / key / "file"
        file.parent.mkdir()
        file.write_bytes(content)
        return str(file)


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    worker = Worker(tmp_path, 1024)
    worker.contents[URL] = b"first", '"1"'
    return worker


class TestImages:
    def test_who_asks_again_and_again_has_it_made_once_and_uses_it_once(self, tmp_path: Path) -> None:
        worker = Worker(tmp_path, 0)
        lent = worker.lent()
        paths = [lent.image(image(one), threading.Event())["path"] for one in (1, 1, 2, 1)]
        assert paths == [worker.cache.path(digest(one)) for one in (1, 1, 2, 1)]
        assert (len(worker.built), worker.kept) == (2, 2)
        lent.leave()
        assert worker.kept == 0

    def test_who_asks_for_more_and_more_is_refused(self, worker: Worker) -> None:
        lent = worker.lent()
        for number in range(MOST_IMAGES):
            lent.image(image(number), threading.Event())
        with pytest.raises(NoRoom, match="no connection has more than"):
            lent.image(image(MOST_IMAGES), threading.Event())
        lent.image(image(0), threading.Event())
        assert len(worker.built) == MOST_IMAGES

    def test_who_has_hung_up_makes_nothing_stay(self, worker: Worker) -> None:
        lent = worker.lent()
        lent.leave()
        with pytest.raises(NoRoom, match="over"):
            lent.image(image(1), threading.Event())
        assert worker.built == []

    def test_a_worker_that_keeps_none_says_so(self) -> None:
        lent = Lent(None, cast(Any, None))
        for ask in (lambda: lent.image(image(1), threading.Event()), lambda: lent.file(File(URL), threading.Event())):
            with pytest.raises(NotKept, match="keeps no images"):
                ask()
        lent.leave()


class TestFiles:
    def test_the_next_job_is_told_what_was_there_and_finds_out_itself_whether_it_still_is(self, worker: Worker) -> None:
        first, second = worker.file(worker.lent()), worker.file(worker.lent())
        assert Path(first["path"]).read_bytes() == b"first"
        assert first == {**second, "fresh": True}
        assert (second["tag"], second["sha256"]) == ('"1"', hashlib.sha256(b"first").hexdigest())
        assert worker.fetched == [URL]

    def test_who_finds_that_it_is_another_by_now_has_that_one(self, worker: Worker) -> None:
        before = worker.file(worker.lent())
        worker.contents[URL] = b"second", '"2"'
        after = worker.file(worker.lent(), stale=before["tag"])
        assert (Path(after["path"]).read_bytes(), after["fresh"]) == (b"second", True)
        # And the one after him, who was told of the first, need not fetch it again.
        assert worker.file(worker.lent(), stale=before["tag"]) == {**after, "fresh": False}
        assert len(worker.fetched) == 2

    def test_what_has_no_tag_is_fetched_each_time_and_kept_once(self, worker: Worker) -> None:
        worker.contents[URL] = b"first", ""
        lent = worker.lent()
        assert [worker.file(lent)["fresh"] for _ in range(2)] == [True, True]
        assert (len(worker.fetched), worker.kept) == (2, 1)

    def test_who_waited_for_anothers_is_not_given_what_nobody_can_compare(self, worker: Worker) -> None:
        worker.contents[URL] = b"first", ""
        errors: list[Exception] = []
        woken = Woken()

        def wait() -> None:
            with pytest.raises(NotKept) as caught:
                worker.lent().file(File(URL), woken)
            errors.append(caught.value)

        waits = threading.Thread(target=wait)

        def joined() -> None:
            waits.start()
            assert woken.waited_for.wait(60)

        worker.meanwhile = joined
        assert worker.file(worker.lent())["fresh"]
        waits.join(60)
        assert "still" in str(errors[0])

    def test_a_checksum_that_is_known_asks_nobody(self, worker: Worker) -> None:
        sha256 = worker.file(worker.lent())["sha256"]
        known = worker.file(worker.lent(), "https://elsewhere.example/x", sha256)
        assert (known["sha256"], worker.fetched) == (sha256, [URL])

    def test_what_has_another_checksum_is_not_kept(self, worker: Worker) -> None:
        with pytest.raises(PullFailed, match="not what was asked for"):
            worker.file(worker.lent(), sha256="0" * 64)
        assert worker.kept == 0

    def test_what_is_not_there_is_told_and_forgotten(self, worker: Worker) -> None:
        with pytest.raises(PullFailed, match="404"):
            worker.file(worker.lent(), "https://example.org/none")
        assert worker.kept == 0

    def test_it_goes_like_all_images_when_there_is_no_room_and_comes_again(self, tmp_path: Path) -> None:
        worker = Worker(tmp_path, 0)
        worker.contents[URL] = b"first", '"1"'
        lent = worker.lent()
        worker.file(lent)
        assert worker.kept == 1
        lent.leave()
        assert worker.kept == 0
        assert worker.file(worker.lent())["fresh"]

    def test_what_is_made_of_it_is_made_once_and_of_nothing_that_is_not_kept(self, worker: Worker) -> None:
        with pytest.raises(NotKept, match="not kept here"):
            worker.lent().made(Made("0" * 64), threading.Event())
        sha256 = worker.file(worker.lent())["sha256"]
        paths = {worker.lent().made(Made(sha256), threading.Event())["path"] for _ in range(2)}
        assert [Path(path).read_bytes() for path in paths] == [b"made of first"]
        assert (len(worker.built), worker.kept) == (1, 2)

    def test_what_is_waited_for_names_no_secret(self, worker: Worker, capsys: pytest.CaptureFixture[str]) -> None:
        worker.file(worker.lent())
        assert "signature" not in "".join(capsys.readouterr())
